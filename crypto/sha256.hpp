// SHA-256: of CIDs, of what a signature signs, and of MST keys.
//
// Owner    values; no state outside of them.
// Thread   any.
// Bound    112 bytes for a running hash; no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/base/bytes.hpp"

namespace ringlay::crypto {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(Bytes bytes);

// Of the parts one after another, as if they were one piece.
Digest sha256(std::span<const Bytes> parts);

// For bytes that come in pieces. Copying one forks the hash.
class Sha256 {
  public:
    Sha256();

    Sha256& update(Bytes bytes);

    // The digest of all bytes so far; then starts again from nothing.
    Digest finish();

  private:
    alignas(8) std::array<std::byte, 112> state_;  // the library's, without its header here
};

}  // namespace ringlay::crypto
