#include "relay/env/uring/error_file.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "relay/env/uring/program.hpp"

using namespace ringlay;
using namespace ringlay::env;

namespace {

// A directory of its own, and standard error as it was when the test ends.
struct Place {
    Place() {
        char name[] = "/tmp/ringlay-error-file-XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        directory = name;
        path = directory + "/relay.log";
    }
    ~Place() {
        dup2(own_error, STDERR_FILENO);
        close(own_error);
        std::filesystem::remove_all(directory);
    }
    std::string content(const std::string& of) const {
        std::ostringstream text;
        text << std::ifstream(of).rdbuf();
        return text.str();
    }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(
            std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator()));
    }

    int own_error = dup(STDERR_FILENO);
    std::string directory;
    std::string path;
};

void say(std::string_view text) {
    write_all(STDERR_FILENO, text);
}

}  // namespace

TEST_CASE("a log file goes on behind what is there, and takes whatever goes to standard error") {
    Place place;
    std::ofstream(place.path) << "earlier\n";
    REQUIRE(ErrorFile::open(place.path, 1000).has_value());
    say("line\n");
    std::fprintf(stderr, "broken invariant\n");
    CHECK(place.content(place.path) == "earlier\nline\nbroken invariant\n");
}

TEST_CASE("a log file that has reached its bound makes room, and there are two at most") {
    Place place;
    auto file = ErrorFile::open(place.path, 10);
    REQUIRE(file.has_value());
    for (std::string_view line : {"first\n", "second\n", "third\n", "fourth\n", "fifth\n"}) {
        say(line);
        file->keep_bounded();
    }
    CHECK(place.content(place.path) == "fifth\n");
    CHECK(place.content(place.path + ".1") == "third\nfourth\n");
    CHECK(place.files() == 2);
}

TEST_CASE("a log file that somebody else has moved away is not taken from where it is") {
    Place place;
    auto file = ErrorFile::open(place.path, 4);
    REQUIRE(file.has_value());
    say("first\n");
    std::filesystem::rename(place.path, place.directory + "/moved");
    std::ofstream(place.path) << "theirs\n";
    file->keep_bounded();
    say("second\n");
    CHECK(place.content(place.directory + "/moved") == "first\n");
    CHECK(place.content(place.path) == "theirs\nsecond\n");
    CHECK(place.files() == 2);
}

TEST_CASE("a log file that cannot be written is said with its path, and nothing has changed") {
    Place place;
    auto file = ErrorFile::open("/nonexistent/relay.log", 10);
    REQUIRE_FALSE(file.has_value());
    CHECK(file.error() == "cannot write to /nonexistent/relay.log: No such file or directory");
}
