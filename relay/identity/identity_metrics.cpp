#include "relay/identity/identity_metrics.hpp"

namespace ringlay::identity {
namespace {

base::Counter& requests(base::Metrics& metrics, const char* method) {
    return metrics.counter("relay_identity_requests_total",
                           "Requests for DID documents, by method of the DID.",
                           {{"method", method}});
}

base::Counter& look_ups(base::Metrics& metrics, const char* method, const char* result) {
    return metrics.counter("relay_identity_lookups_total",
                           "Look-ups of identities that were answered, by method and result.",
                           {{"method", method}, {"result", result}});
}

base::Counter& refused(base::Metrics& metrics, const char* reason) {
    return metrics.counter(
        "relay_identity_refused_total",
        "Look-ups and refreshes of identities that were refused here, by reason.",
        {{"reason", reason}});
}

}  // namespace

IdentityMetrics::IdentityMetrics(base::Metrics& metrics, std::size_t max_waiting)
    : plc_requests(requests(metrics, "plc")),
      plc_found(look_ups(metrics, "plc", "found")),
      plc_none(look_ups(metrics, "plc", "none")),
      plc_unavailable(look_ups(metrics, "plc", "unavailable")),
      web_requests(requests(metrics, "web")),
      web_found(look_ups(metrics, "web", "found")),
      web_none(look_ups(metrics, "web", "none")),
      web_unavailable(look_ups(metrics, "web", "unavailable")),
      other_none(look_ups(metrics, "other", "none")),
      refused_full(refused(metrics, "full")),
      refused_budget(refused(metrics, "budget")),
      seconds(metrics.histogram("relay_identity_lookup_seconds",
                                "How long one request for a DID document took.",
                                {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10})),
      waiting(metrics.queue("identity_lookups", max_waiting)) {}

}  // namespace ringlay::identity
