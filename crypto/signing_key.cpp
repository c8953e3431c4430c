#include "crypto/signing_key.hpp"

#include <secp256k1.h>

#include <algorithm>

#include "crypto/p256.hpp"
#include "proto/base/assert.hpp"

namespace ringlay::crypto {
namespace {

const secp256k1_context* k256() {
    static const secp256k1_context* const made = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    return made;
}

Result<PublicKey> public_k256(const std::array<std::uint8_t, 32>& secret) {
    secp256k1_pubkey key;
    if (secp256k1_ec_pubkey_create(k256(), &key, secret.data()) != 1) {
        return fail(Errc::malformed, "key: not a secret of k256");
    }
    std::array<std::uint8_t, 33> point;
    std::size_t size = point.size();
    secp256k1_ec_pubkey_serialize(k256(), point.data(), &size, &key, SECP256K1_EC_COMPRESSED);
    return PublicKey::from_point(Curve::k256, point);
}

Result<PublicKey> public_p256(const std::array<std::uint8_t, 32>& secret) {
    auto point = p256::public_point(secret);
    if (!point) return fail(Errc::malformed, "key: not a secret of p256");
    std::array<std::uint8_t, 65> whole{4};
    std::ranges::copy(*point, whole.begin() + 1);
    return PublicKey::from_point(Curve::p256, whole);
}

}  // namespace

Result<SigningKey> SigningKey::from_secret(Curve curve,
                                           const std::array<std::uint8_t, 32>& secret) {
    auto key = curve == Curve::k256 ? public_k256(secret) : public_p256(secret);
    if (!key) return std::unexpected(key.error());
    return SigningKey(secret, *key);
}

Signature SigningKey::sign(const Digest& digest) const {
    if (public_key_.curve() == Curve::p256) {
        auto signature = p256::sign(secret_, digest);
        RINGLAY_ASSERT(signature.has_value());  // the secret was checked when the key was made
        return *signature;
    }
    secp256k1_ecdsa_signature signature;
    int done = secp256k1_ecdsa_sign(k256(), &signature, digest.data(), secret_.data(),
                                    secp256k1_nonce_function_rfc6979, nullptr);
    RINGLAY_ASSERT(done == 1);
    Signature out;
    secp256k1_ecdsa_signature_serialize_compact(k256(), out.data(), &signature);
    return out;
}

}  // namespace ringlay::crypto
