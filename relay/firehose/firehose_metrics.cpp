#include "relay/firehose/firehose_metrics.hpp"

namespace ringlay::firehose {
namespace {

constexpr std::string_view refused_name = "relay_consumers_refused_total";
constexpr std::string_view refused_help = "Consumers refused because a cap was reached.";

}  // namespace

FirehoseMetrics::FirehoseMetrics(base::Metrics& m)
    : consumers(m.gauge("relay_consumers", "Consumers connected to the firehose.")),
      accepted(m.counter("relay_consumers_accepted_total", "Consumers that were let in.")),
      refused(m.counter(refused_name, refused_help, {{"reason", "limit"}})),
      refused_address(m.counter(refused_name, refused_help, {{"reason", "address_limit"}})),
      refused_replay(m.counter(refused_name, refused_help, {{"reason", "replay_limit"}})),
      frames_sent(m.counter("relay_frames_broadcast_total", "Frames handed to consumers.")),
      bytes_sent(m.counter("relay_broadcast_bytes_total", "Bytes handed to consumers.")),
      sends(m.counter("relay_consumer_sends_total", "Sends to consumers, of any size.")),
      sends_blocked(m.counter("relay_consumer_sends_blocked_total",
                              "Sends that found a consumer's socket full.")),
      outdated_cursor(m.counter("relay_consumer_outdated_cursor_total",
                                "Consumers whose cursor was older than the window.")),
      future_cursor(m.counter("relay_consumer_future_cursor_total",
                              "Consumers whose cursor was never issued.")),
      too_slow(m.counter("relay_consumer_too_slow_total",
                         "Consumers dropped: stalled, or left the retention window.")),
      violations(m.counter("relay_consumer_violations_total",
                           "Consumers dropped for breaking the WebSocket protocol.")) {
    for (std::size_t i = 0; i < by_end.size(); ++i) {
        by_end[i] = &m.counter("relay_consumers_dropped_total",
                               "Consumers that are connected no more, by the reason.",
                               {{"reason", std::string(consumer_end_names[i])}});
    }
}

}  // namespace ringlay::firehose
