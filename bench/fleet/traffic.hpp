// What invented accounts do: mostly small commits in a dozen collections, as on the real network
// (protocol 3.3: frames of 5.4 KB and 10 blocks at the median), and now and then another event.
//
// Owner    one Traffic may serve many repositories.
// Thread   one at a time. Nothing is drawn from outside: the same seed and the same calls give the
//          same events (but for p256 signatures, which differ each time).
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/fleet/repo.hpp"
#include "proto/base/bytes.hpp"

namespace ringlay::bench {

// As many as make a tree whose commits are of the usual size.
inline constexpr std::size_t usual_record_count = 4000;

// For many accounts to share. Written by `unix_micros`, at one record a minute.
std::shared_ptr<const StartingRecords> invent_records(std::uint64_t seed, std::size_t count,
                                                      std::uint64_t unix_micros);

struct TrafficMix {
    // Of a thousand events; the others are commits.
    std::uint32_t syncs = 2;
    std::uint32_t identities = 4;
    std::uint32_t accounts = 2;
    // Of a hundred ops; the others are creates.
    std::uint32_t updates = 8;
    std::uint32_t removals = 12;
    // Of a hundred commits: those with two to ten ops.
    std::uint32_t batches = 4;
};

class Traffic {
  public:
    explicit Traffic(std::uint64_t seed, const TrafficMix& mix = {}) : random_(seed), mix_(mix) {}

    // One event of this account, whole as it goes onto the wire.
    Buffer next_frame(Repo& repo, std::uint64_t seq, std::uint64_t unix_micros);

    // What a commit of this account changes next. At least one op.
    std::vector<WriteOp> next_ops(const Repo& repo, std::uint64_t unix_micros);

    // A record of this collection, canonical CBOR; half of them have 500 bytes or more.
    Buffer next_record(std::string_view collection);

  private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    std::string_view next_collection();
    // Of a record that is there and not yet among `ops`; empty if none was met.
    std::string_view next_path(const Repo& repo, const std::vector<WriteOp>& ops);

    std::mt19937_64 random_;
    TrafficMix mix_;
};

}  // namespace ringlay::bench
