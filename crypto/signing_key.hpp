// Signs as an account's host does. A relay never signs: this is for programs that play hosts (the
// fake fleet, tests), with secrets that protect nothing and are not wiped from memory.
//
// Owner    a plain value.
// Thread   any.
// Errors   32 bytes that are no secret of the curve (zero, or not below its order) are
//          Errc::malformed.
#pragma once

#include <array>
#include <cstdint>

#include "crypto/public_key.hpp"
#include "crypto/sha256.hpp"
#include "proto/base/result.hpp"

namespace ringlay::crypto {

using Signature = std::array<std::uint8_t, 64>;  // r | s, big-endian

class SigningKey {
  public:
    static Result<SigningKey> from_secret(Curve curve, const std::array<std::uint8_t, 32>& secret);

    const PublicKey& public_key() const { return public_key_; }

    // With low s. k256 is deterministic (RFC 6979); p256 is different each time.
    Signature sign(const Digest& digest) const;

  private:
    SigningKey(const std::array<std::uint8_t, 32>& secret, const PublicKey& public_key)
        : secret_(secret), public_key_(public_key) {}

    std::array<std::uint8_t, 32> secret_;
    PublicKey public_key_;
};

}  // namespace ringlay::crypto
