// The events of some accounts, in order for each account: loads state, runs the rules, finds out
// what they need to know, rewrites what must be, and hands what passes to the log with its facts.
//
// An account is always of the same shard (Shards::of), so its state needs no lock and two hosts
// that speak of it are put in line. An event that cannot be ruled on yet is parked with everything
// of its account behind it, for one of five reasons: state not loaded, key unknown, key being
// refreshed, host being asked, status said too often. What is parked is bounded by the windows of
// the hosts that sent it, and never longer than a deadline, but for what waits in line because its
// host has caused too many look-ups in vain: its time begins with its turn.
//
// Owner    Relay; made, stopped and destroyed on its worker.
// Thread   push() from any worker, never waits; the rest on the shard's worker.
// Bound    accounts in memory (AccountTable); parked events: the hosts' windows; unverified events
//          that wait for a key: max_pending.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/database.hpp"
#include "relay/accounts/follower.hpp"
#include "relay/base/logger.hpp"
#include "relay/env/env.hpp"
#include "relay/event_log/sequencer.hpp"
#include "relay/identity/resolver.hpp"
#include "relay/ingest/event.hpp"
#include "relay/ingest/ingest_metrics.hpp"

namespace ringlay::ingest {

struct ShardOptions {
    std::size_t max_accounts = 1'000'000;
    Nanos key_wait = std::chrono::seconds(2);           // RELAY_KEY_WAIT_MS; 0: at once
    bool passes_unverified = true;                      // RELAY_UNVERIFIED
    bool keeps_handles = false;                         // RELAY_IDENTITY_HANDLE
    Nanos give_up_after = std::chrono::seconds(60);     // parked for longer: dropped
    Nanos second_look_after = std::chrono::seconds(3);  // replica lag
    Nanos identity_ttl = std::chrono::hours(24);
    Nanos negative_ttl = std::chrono::seconds(60);  // of "this host may not speak for this DID"
    std::size_t max_pending = 64 * 1024;            // unverified events that wait for their key
    std::uint32_t identity_events_per_minute = 10;  // of one DID; of one host 60 times as many
    // First look-ups of a host's for DIDs that are not its own.
    std::uint32_t looks_in_vain_at_once = 300;
    std::uint32_t looks_in_vain_per_minute = 60;
    identity::ResolverOptions resolver;
};

// What all shards share. It outlives them.
struct ShardContext {
    env::Env& env;
    event_log::Log& log;
    event_log::Sequencer& sequencer;
    index::Database& database;
    const accounts::FoldProgress& fold;
    base::Logger& logger;
    IngestMetrics& metrics;
    identity::IdentityMetrics& identity_metrics;
    std::string user_agent;
    // Of look-ups and of questions to hosts; nullptr: as in net::FetchOptions.
    const net::Outbound* outbound = nullptr;
    const net::Outbound* strangers = nullptr;  // of questions to hosts that strangers announced
};

class Shard {
  public:
    Shard(ShardContext& context, ShardOptions options);
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    void push(Event& event);

    // Nobody pushes any more. What can be ruled on now is; what is parked is given back
    // undone (the hosts will send it again after a restart). Then its fibers end. The sequencer is
    // stopped after this; its own events still in flight need it.
    void stop();

    struct Status {
        std::size_t accounts = 0;
        std::size_t accounts_pinned = 0;
        std::size_t account_bytes = 0;
        std::size_t parked = 0;
        std::size_t pending = 0;  // unverified, waiting for a key
        bool is_clock_behind = false;
    };
    Status status() const;  // on its worker

  private:
    struct Core;
    std::unique_ptr<Core> core_;
};

// All shards; who has which account. The key is random: nobody outside can aim at one shard.
class Shards {
  public:
    Shards(std::span<Shard* const> shards, std::uint64_t key);
    Shard& of(std::string_view did) const;

  private:
    std::vector<Shard*> shards_;
    std::uint64_t key_;
};

}  // namespace ringlay::ingest
