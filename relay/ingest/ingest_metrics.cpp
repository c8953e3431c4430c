#include "relay/ingest/ingest_metrics.hpp"

#include <string>

namespace ringlay::ingest {
namespace {

base::Counter& verdict(base::Metrics& metrics, std::string_view name) {
    return metrics.counter("relay_events_total", "Events of hosts, by what became of them.",
                           {{"verdict", std::string(name)}});
}

base::Counter& parked_for(base::Metrics& metrics, std::string_view reason) {
    return metrics.counter("relay_parked_total",
                           "Events that had to wait before they could be ruled on, by reason.",
                           {{"reason", std::string(reason)}});
}

base::Counter& late(base::Metrics& metrics, std::string_view result) {
    return metrics.counter("relay_late_verified_total",
                           "Events passed unverified, by what was found when the key was known.",
                           {{"result", std::string(result)}});
}

}  // namespace

IngestMetrics::IngestMetrics(base::Metrics& metrics, std::size_t shard_count,
                             std::uint64_t max_parked)
    : verified(verdict(metrics, "verified")),
      unverified(verdict(metrics, "unverified")),
      rewritten(metrics.counter("relay_events_rewritten_total",
                                "Events passed on with other words than their host's.")),
      dropped(verdict(metrics, "dropped")),
      abandoned(verdict(metrics, "abandoned")),
      parked_load(parked_for(metrics, "load")),
      parked_key(parked_for(metrics, "key")),
      parked_refresh(parked_for(metrics, "refresh")),
      parked_host(parked_for(metrics, "host")),
      parked_pace(parked_for(metrics, "pace")),
      late_good(late(metrics, "good")),
      late_bad(late(metrics, "bad")),
      late_forgotten(late(metrics, "forgotten")),
      key_refreshes(metrics.counter("relay_key_refreshes_total",
                                    "Identities looked up again because an event did not fit.")),
      looks_in_vain(metrics.counter("relay_lookups_in_vain_total",
                                    "Look-ups of DIDs that are not of the host that sent them.")),
      status_asked(metrics.counter("relay_status_asked_total",
                                   "Hosts asked whether an account is still inactive.")),
      status_repaired(metrics.counter("relay_status_repaired_total",
                                      "Accounts found active at their host, and said so.")),
      identity_limited(metrics.counter("relay_identity_limited_total",
                                       "#identity events dropped above their rate.")),
      account_overtaken(metrics.counter("relay_account_overtaken_total",
                                        "#account events dropped above their rate: a newer one "
                                        "was behind.")),
      new_accounts(metrics.counter("relay_new_accounts_total", "Accounts met for the first time.")),
      clock_behind(metrics.gauge("relay_clock_behind",
                                 "1 if most hosts' events are in this machine's future.")),
      clock_behind_seconds(
          metrics.gauge("relay_clock_behind_seconds",
                        "How far this machine's clock is behind, if it is: by the median host.")),
      shards(metrics.gauge("relay_shards", "Shards that rule on events.")),
      turns(metrics.queue("lookup_turns", max_parked)),
      parked(metrics.queue("parked_events", max_parked)) {
    shards.set(static_cast<std::int64_t>(shard_count));
    for (const CheckRow& row : check_table()) {
        failed_by_check[index_of(row.check)] =
            &metrics.counter("relay_checks_failed_total", "Events by the check that they failed.",
                             {{"check", std::string(row.name)}});
    }
}

}  // namespace ringlay::ingest
