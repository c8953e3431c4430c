// The counters of all consumers together: registered once, before the workers start.
// Owner    Relay; consumers hold a reference. Thread   a worker adds to its own cells.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "relay/base/metrics.hpp"

namespace ringlay::firehose {

// Why a consumer is connected no more: relay_consumers_dropped_total{reason}.
enum class ConsumerEnd : std::uint8_t {
    peer_gone,   // closed by the consumer, or its connection broke
    too_slow,    // left the window, or stalled
    future,      // its cursor was never issued
    violation,   // broke the protocol
    dead,        // silent although pinged
    going_away,  // we stop
    broken,      // we cannot read the log
};
inline constexpr std::array<std::string_view, 7> consumer_end_names{
    "closed", "too_slow", "future_cursor", "violation", "silent", "stopping", "log"};

struct FirehoseMetrics {
    explicit FirehoseMetrics(base::Metrics& metrics);

    base::Counter& ended(ConsumerEnd end) { return *by_end[static_cast<std::size_t>(end)]; }

    base::Gauge& consumers;
    base::Counter& accepted;
    // relay_consumers_refused_total{reason}
    base::Counter& refused;  // by all consumers together, or while it stops
    base::Counter& refused_address;
    base::Counter& refused_replay;
    base::Counter& frames_sent;
    base::Counter& bytes_sent;
    base::Counter& sends;
    base::Counter& sends_blocked;
    base::Counter& outdated_cursor;
    base::Counter& future_cursor;
    base::Counter& too_slow;
    base::Counter& violations;
    std::array<base::Counter*, consumer_end_names.size()> by_end{};
};

}  // namespace ringlay::firehose
