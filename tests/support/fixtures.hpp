// Public test vectors, which are not part of this repository: read from $RINGLAY_FIXTURES, else
// from ../shared/fixtures beside the source tree. A test whose file is absent says so and passes:
// the tables inside the tests stand alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringlay::support {

// The whole file, or nothing after a Catch2 warning that names it.
std::optional<std::string> read_fixture(std::string_view path);

}  // namespace ringlay::support
