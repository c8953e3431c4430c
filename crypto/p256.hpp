// NIST P-256 by the TLS library, in bytes only. Private to crypto/: others use public_key.hpp and
// signing_key.hpp, which know both curves.
//
// Thread   any; the curve's parameters are made once and never changed.
// Errors   nothing, or false: what is not a point, a secret or a signature of this curve.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "crypto/sha256.hpp"
#include "proto/base/bytes.hpp"

namespace ringlay::crypto::p256 {

using Point = std::array<std::uint8_t, 64>;      // X | Y, big-endian, on the curve
using Secret = std::array<std::uint8_t, 32>;     // big-endian
using Signature = std::array<std::uint8_t, 64>;  // r | s, big-endian

// Of 33 or 65 bytes (SEC 1).
std::optional<Point> parse_point(Bytes encoded);

// Low s demanded.
bool verify(const Point& key, const Digest& digest, std::span<const std::uint8_t, 64> signature);

// The secret must be in 1 ... n-1.
std::optional<Point> public_point(const Secret& secret);

// Low s. The nonce is the library's: the same input is signed differently each time.
std::optional<Signature> sign(const Secret& secret, const Digest& digest);

}  // namespace ringlay::crypto::p256
