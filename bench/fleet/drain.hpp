// Consumers that take a firehose as fast as it comes and only count: so cheap that they do not
// disturb a measurement on the same machine. Or, given the ledger of a fleet, that compare what
// they got with what was sent.
//
// Thread   drain() is the first fiber of a worker; all consumers are fibers of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/fleet/ledger.hpp"
#include "bench/fleet/options.hpp"
#include "bench/fleet/stop_request.hpp"
#include "relay/env/env.hpp"

namespace ringlay::bench {

struct DrainResult {
    std::uint64_t events = 0;  // of all consumers
    std::uint64_t bytes = 0;
    std::uint64_t least_events = 0;        // of one consumer
    double seconds = 0;                    // from the first event to the last
    std::optional<LedgerVerdict> verdict;  // of all consumers together, if a ledger was given
    std::string failure;                   // why a consumer ended by itself; empty: none did
};

std::string describe(const DrainResult& result);  // a line of JSON

// Until each consumer has its number of events, has ended, or a stop is asked for.
DrainResult drain(env::Env& env, const DrainOptions& options, StopRequest& stop);

}  // namespace ringlay::bench
