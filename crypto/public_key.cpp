#include "crypto/public_key.hpp"

#include <secp256k1.h>

#include <cstring>

#include "crypto/p256.hpp"
#include "proto/base/assert.hpp"

namespace ringlay::crypto {
namespace {

static_assert(sizeof(secp256k1_pubkey) == 64);

const secp256k1_context* k256() {
    // The library's own context does all but signing; it asks for one self-test before it is used.
    static const secp256k1_context* const tested = [] {
        secp256k1_selftest();
        return secp256k1_context_static;
    }();
    return tested;
}

secp256k1_pubkey k256_key(const std::array<std::uint8_t, 64>& point) {
    secp256k1_pubkey key;
    std::memcpy(key.data, point.data(), point.size());
    return key;
}

bool verify_k256(const secp256k1_pubkey& key, const Digest& digest, Bytes signature) {
    secp256k1_ecdsa_signature parsed;
    return secp256k1_ecdsa_signature_parse_compact(k256(), &parsed, signature.data()) == 1 &&
           secp256k1_ecdsa_verify(k256(), &parsed, digest.data(), &key) == 1;  // low s demanded
}

}  // namespace

std::string_view to_string(Curve curve) {
    return curve == Curve::k256 ? "k256" : "p256";
}

Result<PublicKey> PublicKey::from_point(Curve curve, Bytes point) {
    PublicKey key;
    key.curve_ = curve;
    if (curve == Curve::p256) {
        auto parsed = p256::parse_point(point);
        if (!parsed) return fail(Errc::malformed, "key: not a point of p256");
        key.point_ = *parsed;
        return key;
    }
    // The library also knows a form (06, 07) that nobody may use here.
    bool known = (point.size() == 33 && (point[0] == 2 || point[0] == 3)) ||
                 (point.size() == 65 && point[0] == 4);
    secp256k1_pubkey parsed;
    if (!known || secp256k1_ec_pubkey_parse(k256(), &parsed, point.data(), point.size()) != 1) {
        return fail(Errc::malformed, "key: not a point of k256");
    }
    std::memcpy(key.point_.data(), parsed.data, sizeof parsed.data);
    return key;
}

std::array<std::uint8_t, 33> PublicKey::compressed() const {
    std::array<std::uint8_t, 33> out{};
    if (curve_ == Curve::p256) {
        out[0] = static_cast<std::uint8_t>(2 + (point_[63] & 1));
        std::memcpy(&out[1], point_.data(), 32);
        return out;
    }
    secp256k1_pubkey key = k256_key(point_);
    std::size_t size = out.size();
    secp256k1_ec_pubkey_serialize(k256(), out.data(), &size, &key, SECP256K1_EC_COMPRESSED);
    RINGLAY_ASSERT(size == out.size());
    return out;
}

bool verify(const PublicKey& key, const Digest& digest, Bytes signature) {
    if (signature.size() != 64) return false;
    if (key.curve_ == Curve::k256) return verify_k256(k256_key(key.point_), digest, signature);
    return p256::verify(key.point_, digest, signature.first<64>());
}

}  // namespace ringlay::crypto
