#include "proto/tid.hpp"

#include "proto/base/assert.hpp"

namespace ringlay::proto {
namespace {

constexpr char digits[] = "234567abcdefghijklmnopqrstuvwxyz";

int digit_value(char c) {
    if (c >= '2' && c <= '7') return c - '2';
    if (c >= 'a' && c <= 'z') return c - 'a' + 6;
    return -1;
}

}  // namespace

Tid Tid::of_micros(std::uint64_t micros, std::uint32_t clock) {
    RINGLAY_ASSERT(micros >> 53 == 0);
    RINGLAY_ASSERT(clock >> 10 == 0);
    return Tid(micros << 10 | clock);
}

Result<Tid> Tid::parse(std::string_view text) {
    if (text.size() != text_bytes) return fail(Errc::malformed, "tid: length");
    // 13 digits of 5 bits are one bit too many.
    if (digit_value(text[0]) > 15) return fail(Errc::malformed, "tid: first character");
    std::uint64_t value = 0;
    for (char c : text) {
        int digit = digit_value(c);
        if (digit < 0) return fail(Errc::malformed, "tid: character");
        value = value << 5 | static_cast<std::uint64_t>(digit);
    }
    return Tid(value);
}

std::string Tid::to_text() const {
    std::string text(text_bytes, digits[0]);
    std::uint64_t rest = value_;
    for (std::size_t at = text_bytes; at > 0; --at, rest >>= 5) text[at - 1] = digits[rest & 31];
    return text;
}

}  // namespace ringlay::proto
