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
      rate_waits(metrics.counter("relay_host_rate_waits_total",
                                 "Times a host was not read because it had used up its rate.")),
      poison_steps(metrics.counter(
          "relay_host_poison_steps_total",
          "Times a cursor was moved over a message that ended the connection again and again.")),
      quarantines(metrics.counter("relay_host_quarantines_total",
                                  "Times a host was put off for sending invalid events.")),
      relays_refused(metrics.counter("relay_host_relays_refused_total",
                                     "Connections ended because the host says it is a relay.")),
      leaps(metrics.counter("relay_host_seq_leaps_total",
                            "Times a host's seq leapt so far that it was asked again first.")),
      regressions(metrics.counter("relay_host_seq_regressions_total",
                                  "Times a host was found to count anew from a lower seq.")),
      future_cursors(metrics.counter("relay_host_future_cursors_total",
                                     "Times a host said that our cursor is ahead of it.")),
      outdated_cursors(metrics.counter("relay_host_outdated_cursors_total",
                                       "Times a host no longer had all events behind our cursor.")),
      too_slow(metrics.counter("relay_host_too_slow_total",
                               "Times a host ended the stream because we read too slowly.")),
      dialling(metrics.gauge("relay_hosts_dialling", "Hosts that are being connected to.")),
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
