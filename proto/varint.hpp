// Unsigned variable-length integers (LEB128), as in CIDs and CAR archives: seven bits a byte, least
// significant first, at most 9 bytes (63 bits), always in the shortest form (protocol 2.5).
#pragma once

#include <cstdint>

#include "proto/base/assert.hpp"
#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::proto {

struct Uvarint {
    std::uint64_t value;
    std::size_t size_bytes;  // how many bytes of the input it took
};

inline constexpr std::size_t max_uvarint_bytes = 9;

// Reads the integer that `bytes` begin with, whatever follows.
inline Result<Uvarint> read_uvarint(Bytes bytes) {
    std::uint64_t value = 0;
    for (std::size_t at = 0; at < max_uvarint_bytes; ++at) {
        if (at == bytes.size()) return fail(Errc::malformed, "varint: truncated");
        std::uint8_t byte = bytes[at];
        value |= std::uint64_t{byte & 0x7fu} << (7 * at);
        if (byte >= 0x80) continue;
        if (byte == 0 && at > 0) return fail(Errc::malformed, "varint: not in its shortest form");
        return Uvarint{value, at + 1};
    }
    return fail(Errc::malformed, "varint: too long");
}

inline void append_uvarint(Buffer& out, std::uint64_t value) {
    RINGLAY_ASSERT(value >> 63 == 0);
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
    out.push_back(static_cast<std::uint8_t>(value));
}

}  // namespace ringlay::proto
