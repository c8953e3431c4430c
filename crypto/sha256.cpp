#include "crypto/sha256.hpp"

#include <openssl/sha.h>

#include <cstring>
#include <type_traits>

namespace ringlay::crypto {
namespace {

static_assert(sizeof(SHA256_CTX) == 112 && alignof(SHA256_CTX) <= 8);
static_assert(std::is_trivially_copyable_v<SHA256_CTX>);

Digest digest_of(SHA256_CTX& state) {
    Digest digest;
    SHA256_Final(digest.data(), &state);
    return digest;
}

}  // namespace

Digest sha256(Bytes bytes) {
    return sha256(std::span(&bytes, 1));
}

Digest sha256(std::span<const Bytes> parts) {
    SHA256_CTX state;
    SHA256_Init(&state);
    for (Bytes part : parts) SHA256_Update(&state, part.data(), part.size());
    return digest_of(state);
}

Sha256::Sha256() {
    SHA256_CTX state;
    SHA256_Init(&state);
    std::memcpy(&state_, &state, sizeof state);
}

Sha256& Sha256::update(Bytes bytes) {
    SHA256_CTX state;
    std::memcpy(&state, &state_, sizeof state);
    SHA256_Update(&state, bytes.data(), bytes.size());
    std::memcpy(&state_, &state, sizeof state);
    return *this;
}

Digest Sha256::finish() {
    SHA256_CTX state;
    std::memcpy(&state, &state_, sizeof state);
    *this = Sha256();
    return digest_of(state);
}

}  // namespace ringlay::crypto
