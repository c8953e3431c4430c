// CRC-32C (Castagnoli), the checksum of everything the event log writes. Uses the processor's
// instruction where it has one.
#pragma once

#include <cstdint>

#include "proto/base/bytes.hpp"

namespace ringlay {

// `before` is the checksum of the bytes that come before: crc32c(b, crc32c(a)) == crc32c(a then b).
std::uint32_t crc32c(Bytes bytes, std::uint32_t before = 0);

// The same without the instruction; here so that tests can hold one against the other.
std::uint32_t crc32c_portable(Bytes bytes, std::uint32_t before = 0);

}  // namespace ringlay
