// The counters of all shards together. By check, and by what became of events.
#pragma once

#include <array>

#include "relay/base/metrics.hpp"
#include "relay/ingest/rules.hpp"

namespace ringlay::ingest {

struct IngestMetrics {
    // `max_parked`: all hosts' windows together, since a parked event keeps its slot.
    IngestMetrics(base::Metrics& metrics, std::size_t shard_count,
                  std::uint64_t max_parked = 1'024 * 1'024);

    base::Counter& failed(Check check) { return *failed_by_check[index_of(check)]; }

    std::array<base::Counter*, check_count> failed_by_check{};  // relay_checks_failed_total{check}
    // relay_events_total{verdict}: each event ends in exactly one of these
    base::Counter& verified;
    base::Counter& unverified;
    base::Counter& rewritten;  // among the two above
    base::Counter& dropped;
    base::Counter& abandoned;  // parked when the relay stopped: the host sends them again
    // relay_parked_total{reason}
    base::Counter& parked_load;
    base::Counter& parked_key;
    base::Counter& parked_refresh;
    base::Counter& parked_host;
    base::Counter& parked_pace;
    // relay_late_verified_total{result}
    base::Counter& late_good;
    base::Counter& late_bad;
    base::Counter& late_forgotten;
    base::Counter& key_refreshes;
    base::Counter& looks_in_vain;      // of DIDs that are not their host's
    base::Counter& status_asked;       // questions to hosts
    base::Counter& status_repaired;    // #account active of our own
    base::Counter& identity_limited;   // #identity above its rate
    base::Counter& account_overtaken;  // #account above its rate, with a newer one behind it
    base::Counter& new_accounts;       // met for the first time
    base::Gauge& clock_behind;         // 1: more than half of the hosts seem to live in the future
    base::Gauge& clock_behind_seconds;
    base::Gauge& shards;
    base::QueueGauge& turns;   // first look-ups in line; relay_queue_depth{queue="lookup_turns"}
    base::QueueGauge& parked;  // events; relay_queue_depth{queue="parked_events"}
};

}  // namespace ringlay::ingest
