// The counters of all resolvers together; nothing here is labelled by a name that a peer chooses.
//
// Owner    Relay; outlives the resolvers.
// Thread   each resolver counts in the cells of its own worker.
#pragma once

#include "relay/base/metrics.hpp"
#include "relay/identity/directory_health.hpp"

namespace ringlay::identity {

struct IdentityMetrics {
    // `max_waiting`: of all resolvers together.
    IdentityMetrics(base::Metrics& metrics, std::size_t max_waiting);

    base::Counter& plc_requests;  // relay_identity_requests_total{method}: what went out
    base::Counter& plc_found;     // relay_identity_lookups_total{method,result}: what was answered
    base::Counter& plc_none;
    base::Counter& plc_unavailable;
    base::Counter& web_requests;
    base::Counter& web_found;
    base::Counter& web_none;
    base::Counter& web_unavailable;
    base::Counter& other_none;
    base::Counter& refused_full;    // no room to wait
    base::Counter& refused_budget;  // take_refresh() said no
    base::Histogram& seconds;       // of one request
    base::QueueGauge& waiting;      // relay_queue_depth{queue="identity_lookups"}
    DirectoryHealth directory;
};

}  // namespace ringlay::identity
