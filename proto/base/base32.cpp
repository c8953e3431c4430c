#include "proto/base/base32.hpp"

namespace ringlay {
namespace {

int digit_value(char c) {
    if (c >= 'a' && c <= 'z') return c - 'a';
    if (c >= '2' && c <= '7') return c - '2' + 26;
    return -1;
}

}  // namespace

std::string to_base32(Bytes bytes) {
    constexpr char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    std::string out;
    out.reserve((bytes.size() * 8 + 4) / 5);
    std::uint32_t window = 0;
    int bits = 0;
    for (std::uint8_t byte : bytes) {
        window = window << 8 | byte;
        bits += 8;
        for (; bits >= 5; bits -= 5) out.push_back(digits[window >> (bits - 5) & 31]);
    }
    if (bits > 0) out.push_back(digits[window << (5 - bits) & 31]);
    return out;
}

Result<Buffer> from_base32(std::string_view text) {
    Buffer out;
    out.reserve(text.size() * 5 / 8);
    std::uint32_t window = 0;
    int bits = 0;
    for (char c : text) {
        int value = digit_value(c);
        if (value < 0) return fail(Errc::malformed, "base32: not a digit");
        window = window << 5 | static_cast<std::uint32_t>(value);
        bits += 5;
        if (bits < 8) continue;
        bits -= 8;
        out.push_back(static_cast<std::uint8_t>(window >> bits & 255));
    }
    if (bits >= 5) return fail(Errc::malformed, "base32: impossible length");
    if ((window & ((1u << bits) - 1)) != 0) return fail(Errc::malformed, "base32: padding bits");
    return out;
}

}  // namespace ringlay
