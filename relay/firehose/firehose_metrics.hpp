// The counters of all consumers together: registered once, before the workers start.
// Owner    Relay; consumers hold a reference. Thread   a worker adds to its own cells.
#pragma once

#include "relay/base/metrics.hpp"

namespace ringlay::firehose {

struct FirehoseMetrics {
    explicit FirehoseMetrics(base::Metrics& metrics);

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
};

}  // namespace ringlay::firehose
