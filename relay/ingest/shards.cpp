#include <bit>

#include "proto/base/assert.hpp"
#include "relay/ingest/shard.hpp"

namespace ringlay::ingest {
namespace {

// SipHash-1-3 (public domain, Aumasson and Bernstein): without the key nobody can find texts that
// meet in one shard.
struct SipHash {
    std::uint64_t v0, v1, v2, v3;

    explicit SipHash(std::uint64_t key)
        : v0(key ^ 0x736f6d6570736575),
          v1(~key ^ 0x646f72616e646f6d),
          v2(key ^ 0x6c7967656e657261),
          v3(~key ^ 0x7465646279746573) {}

    void round() {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }

    void take(std::uint64_t word) {
        v3 ^= word;
        round();
        v0 ^= word;
    }

    std::uint64_t finish() {
        v2 ^= 0xff;
        for (int i = 0; i < 3; ++i) round();
        return v0 ^ v1 ^ v2 ^ v3;
    }
};

std::uint64_t hash_of(std::string_view text, std::uint64_t key) {
    SipHash hash(key);
    Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    while (bytes.size() >= 8) {
        hash.take(load_le<std::uint64_t>(bytes, 0));
        bytes = bytes.subspan(8);
    }
    std::uint64_t rest = std::uint64_t{text.size()} << 56;
    for (std::size_t i = 0; i < bytes.size(); ++i) rest |= std::uint64_t{bytes[i]} << (8 * i);
    hash.take(rest);
    return hash.finish();
}

}  // namespace

Shards::Shards(std::span<Shard* const> shards, std::uint64_t key)
    : shards_(shards.begin(), shards.end()), key_(key) {
    RINGLAY_ASSERT(!shards_.empty());
}

Shard& Shards::of(std::string_view did) const {
    return *shards_[hash_of(did, key_) % shards_.size()];
}

}  // namespace ringlay::ingest
