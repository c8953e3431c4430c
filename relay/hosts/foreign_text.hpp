// What a host says of itself, or of why it hangs up, as it is kept, logged and shown: no longer
// than a bound, and printable ASCII only. A host may say megabytes, of which there would be a copy
// in each list of hosts.
//
// Thread   pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace ringlay::hosts {

inline constexpr std::size_t max_failure_bytes = 300;
inline constexpr std::size_t max_server_bytes = 200;

inline std::string foreign_text(std::string_view text, std::size_t max_bytes) {
    std::string kept(text.substr(0, max_bytes));
    std::ranges::replace_if(kept, [](char c) { return c < ' ' || c > '~'; }, '?');
    return kept;
}

}  // namespace ringlay::hosts
