// Views of bytes, and fixed-width numbers in them. A view owns nothing. std::span checks its bounds
// in every build of ours (_GLIBCXX_ASSERTIONS): an index out of range aborts, it never reads on.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace ringlay {

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

static_assert(std::endian::native == std::endian::little, "the log is written little-endian");

template <std::unsigned_integral T>
T load_le(Bytes bytes, std::size_t offset) {
    T value;
    std::memcpy(&value, bytes.subspan(offset, sizeof value).data(), sizeof value);
    return value;
}

template <std::unsigned_integral T>
void append_le(Buffer& out, T value) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(&value);
    out.insert(out.end(), first, first + sizeof value);
}

}  // namespace ringlay
