// Base64 of the standard alphabet, padded or not: how public vectors write bytes.
#pragma once

#include <stdexcept>
#include <string_view>

#include "proto/base/bytes.hpp"

namespace ringlay {

inline Buffer from_base64(std::string_view text) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Buffer out;
    std::uint32_t window = 0;
    int bits = 0;
    for (char c : text) {
        if (c == '=') break;
        std::size_t digit = digits.find(c);
        if (digit == digits.npos) throw std::runtime_error("a vector is not base64");
        window = window << 6 | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        out.push_back(static_cast<std::uint8_t>(window >> bits & 255));
    }
    return out;
}

}  // namespace ringlay
