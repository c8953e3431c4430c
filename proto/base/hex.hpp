// Lower-case hexadecimal, for people: logs, tests, admin pages.
#pragma once

#include <string>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay {

std::string to_hex(Bytes bytes);

// Both cases of digits are accepted; nothing else is, and no odd length.
Result<Buffer> from_hex(std::string_view text);

}  // namespace ringlay
