#include "tests/support/fixtures.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace ringlay::support {

std::optional<std::string> read_fixture(std::string_view path) {
    const char* root = std::getenv("RINGLAY_FIXTURES");
    std::string file = root ? root : RINGLAY_SOURCE_ROOT "/../shared/fixtures";
    file.append("/").append(path);
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        WARN("skipped, no such file: " << file);
        return std::nullopt;
    }
    std::ostringstream content;
    content << in.rdbuf();
    return std::move(content).str();
}

}  // namespace ringlay::support
