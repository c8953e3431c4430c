// How fast events come in, from counters that are looked at again and again: over the last ten
// seconds if somebody looks each second, else since the last look.
//
// Owner    Relay.
// Thread   one; never waits.
// Bound    max_samples.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "relay/api/relay_status.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::api {

class IngestPace {
  public:
    static constexpr Nanos spacing = std::chrono::seconds(1);
    static constexpr std::size_t max_samples = 11;

    struct Counts {
        Nanos now{};
        bool has_begun = false;
        bool wants_hosts = false;  // some are known, or could be found
        std::uint64_t fold_percent = 100;
        std::uint64_t hosts_known = 0;
        std::uint64_t hosts_connected = 0;
        std::uint64_t verified = 0;  // events, since the start
        std::uint64_t unverified = 0;
    };

    IngestStatus look(const Counts& counts);

  private:
    struct Sample {
        Nanos at{};
        std::uint64_t verified = 0;
        std::uint64_t unverified = 0;
    };

    std::deque<Sample> samples_;           // the newest is last
    std::optional<Nanos> last_not_alone_;  // or when ingest began
};

}  // namespace ringlay::api
