// The `cursor` of a subscription request (protocol 1.4).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/base/result.hpp"

namespace ringlay::firehose {

// A decimal number from 0 to 2^63 - 1; what is above 2^53 is valid and in the future. An empty
// value counts as absent: browsers and shells send `cursor=` when they have none.
inline Result<std::optional<std::uint64_t>> parse_cursor(std::optional<std::string_view> text) {
    if (!text || text->empty()) return std::nullopt;
    if (text->size() > 19)
        return fail(Errc::malformed, "cursor must be an integer of at most 63 bits");
    std::uint64_t cursor = 0;
    for (char c : *text) {
        if (c == '-') return fail(Errc::malformed, "cursor must be >= 0");
        if (c < '0' || c > '9') return fail(Errc::malformed, "cursor must be an integer");
        cursor = cursor * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (cursor > INT64_MAX)
        return fail(Errc::malformed, "cursor must be an integer of at most 63 bits");
    return cursor;
}

}  // namespace ringlay::firehose
