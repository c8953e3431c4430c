#include "relay/hosts/host_metrics.hpp"

#include <string>

namespace ringlay::hosts {

HostMetrics::HostMetrics(base::Metrics& metrics, std::size_t host_count, const WindowLimits& window)
    : received_bytes(metrics.counter("relay_host_received_bytes_total",
                                     "Bytes of messages received from hosts.")),
      connects(metrics.counter("relay_host_connects_total", "Connections made to hosts.")),
      connect_failures(metrics.counter("relay_host_connect_failures_total",
                                       "Attempts to connect to a host that failed.")),
      window_waits(metrics.counter(
          "relay_host_window_waits_total",
          "Times a host was not read because its window of events in flight was full.")),
      connected(metrics.gauge("relay_connected_inbound", "Hosts whose stream is connected.")),
      window_events(metrics.queue("host_windows_events", host_count * window.max_events)),
      window_bytes(metrics.queue("host_windows_bytes", host_count * window.max_bytes)) {
    for (const OutcomeRow& row : outcome_table) {
        by_outcome[static_cast<std::size_t>(row.outcome)] =
            &metrics.counter("relay_host_frames_total", "Messages received from hosts, by outcome.",
                             {{"result", std::string(row.name)}});
    }
}

}  // namespace ringlay::hosts
