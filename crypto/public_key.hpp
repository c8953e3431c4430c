// A signing key of an account, parsed, and the one question asked of it: did it sign this?
//
// Two curves are in use (protocol 6.1): k256 (secp256k1) in nearly all accounts, p256 (NIST P-256)
// in some. For both, signatures are 64 bytes r | s, and s must be low: of the two forms that the
// curve's mathematics allow, only one is a signature here.
//
// Owner    a plain value of 65 bytes, copied freely, kept by the million.
// Thread   any.
// Cost     one verify is some 30 us (k256) to 120 us (p256, BoringSSL), and 6 KB of stack.
// Errors   bytes that are no key are Errc::malformed. A signature is right or it is not.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "crypto/sha256.hpp"
#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::crypto {

enum class Curve : std::uint8_t { k256, p256 };

std::string_view to_string(Curve curve);

class PublicKey {
  public:
    // A point of the curve, 33 bytes (02 or 03, X) or 65 bytes (04, X, Y).
    static Result<PublicKey> from_point(Curve curve, Bytes point);

    Curve curve() const { return curve_; }

    // The 33 byte form, as did:key carries it.
    std::array<std::uint8_t, 33> compressed() const;

    bool operator==(const PublicKey&) const = default;

  private:
    friend bool verify(const PublicKey&, const Digest&, Bytes);
    PublicKey() = default;

    Curve curve_ = Curve::k256;
    // k256: as libsecp256k1 keeps it; p256: X | Y. Never written anywhere: the form may change with
    // the library.
    std::array<std::uint8_t, 64> point_{};
};

// Whether `signature` is one of `digest` by `key`. Of any length and content: what is no signature
// (DER, high s, zero, out of range) is not one by this key.
bool verify(const PublicKey& key, const Digest& digest, Bytes signature);

}  // namespace ringlay::crypto
