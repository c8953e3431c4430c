#include "proto/base/assert.hpp"
#include "relay/accounts/compact_did.hpp"
#include "relay/ingest/shard.hpp"

namespace ringlay::ingest {

Shards::Shards(std::span<Shard* const> shards, std::uint64_t key)
    : shards_(shards.begin(), shards.end()), key_(key) {
    RINGLAY_ASSERT(!shards_.empty());
}

Shard& Shards::of(std::string_view did) const {
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(did.data()), did.size());
    return *shards_[accounts::keyed_hash({key_, ~key_}, bytes) % shards_.size()];
}

}  // namespace ringlay::ingest
