// Keys as DID documents and the PLC directory write them (protocol 6.2): base58btc text with a `z`
// before it, around the point and, except in the legacy forms, two bytes that name the curve.
//
// Errors   Errc::malformed: not base58, or not a point. Errc::unsupported: a key of a kind that
//          nothing here signs with (Ed25519, RSA, ...). Errc::too_large: longer than any key.
#pragma once

#include <string>
#include <string_view>

#include "crypto/public_key.hpp"
#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::crypto {

// The alphabet of Bitcoin; a zero byte in front is a `1` in front. Work grows with the square of
// the length: from_base58 refuses what is longer than max_base58_length.
inline constexpr std::size_t max_base58_length = 256;
std::string to_base58(Bytes bytes);
Result<Buffer> from_base58(std::string_view text);

// did:key:zQ3s... and did:key:zDn...
Result<PublicKey> parse_did_key(std::string_view text);
std::string to_did_key(const PublicKey& key);

// The same without `did:key:`, as `publicKeyMultibase` of a Multikey has it.
Result<PublicKey> parse_multikey(std::string_view text);
std::string to_multikey(const PublicKey& key);

// `publicKeyMultibase` of the types EcdsaSecp256k1VerificationKey2019 (k256) and
// EcdsaSecp256r1VerificationKey2019 (p256): the type names the curve, not the text. 65 bytes by the
// specification, 33 bytes in practice: both are read.
Result<PublicKey> parse_legacy_key(Curve curve, std::string_view text);

}  // namespace ringlay::crypto
