// The counters of all hosts together; nothing here is labelled by a name that a peer chooses.
#pragma once

#include <array>

#include "relay/base/metrics.hpp"
#include "relay/hosts/frame_rules.hpp"
#include "relay/hosts/window_limits.hpp"

namespace ringlay::hosts {

struct HostMetrics {
    HostMetrics(base::Metrics& metrics, std::size_t host_count, const WindowLimits& window);

    base::Counter& frames(Outcome outcome) {
        return *by_outcome[static_cast<std::size_t>(outcome)];
    }

    std::array<base::Counter*, outcome_table.size()> by_outcome{};
    base::Counter& received_bytes;
    base::Counter& connects;
    base::Counter& connect_failures;
    base::Counter& window_waits;
    base::Counter& rate_waits;
    base::Counter& poison_steps;
    base::Counter& quarantines;
    base::Counter& relays_refused;
    base::Counter& leaps;
    base::Counter& regressions;
    base::Counter& future_cursors;
    base::Counter& outdated_cursors;
    base::Counter& too_slow;
    base::Gauge& dialling;
    base::Gauge& connected;
    base::QueueGauge& window_events;  // of all hosts
    base::QueueGauge& window_bytes;
};

}  // namespace ringlay::hosts
