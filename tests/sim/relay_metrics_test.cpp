// What the relay's counters mean, and the names under which dashboards look for them: /metrics of
// the whole relay beside what really went in and came out. In the simulated world.

#include "tests/sim/host_stage.hpp"

using namespace ringlay;
using namespace ringlay::support;
using namespace std::chrono_literals;

namespace {

// The value of a series; nothing if there is none of this name and these labels.
std::optional<std::uint64_t> value_of(const std::string& page, const std::string& series) {
    const std::string start = "\n" + series + " ";
    const std::size_t at = page.find(start);
    if (at == std::string::npos) return std::nullopt;
    return std::strtoull(page.c_str() + at + start.size(), nullptr, 10);
}

}  // namespace

TEST_CASE("the counters of frames, events and accounts are those of what went in and came out") {
    Stage stage([](ScriptedHost::Connection connection) {
        connection.send(event(1));
        connection.send(event(2));
        connection.send(event(2));  // stale
        connection.send(proto::encode_frame(
            proto::InfoMessage{.name = "OutdatedCursor", .message = std::nullopt}));
        connection.send(event(3));
        connection.live_on();
    });
    REQUIRE(stage.seen(3).size() == 3);
    const std::string page = stage.page("/metrics");
    const std::pair<std::string, std::uint64_t> wanted[] = {
        {"relay_frames_received_total", 5},
        {"relay_host_frames_total{result=\"passed\"}", 3},
        {"relay_host_frames_total{result=\"stale\"}", 1},
        {"relay_host_frames_total{result=\"info\"}", 1},
        {"relay_log_events_total", 3},
        {"relay_frames_broadcast_total", 3},
        {"relay_validation_total{result=\"validated\"}", 0},
        {"relay_validation_total{result=\"unverified\"}", 3},  // there is no directory
        {"relay_validation_total{result=\"failed\"}", 0},
        {"relay_new_users_discovered", 0},  // who is not verified is not known
        {"relay_connected_inbound", 1},
        {"relay_host_connects_total", 1},
        {"relay_consumers", 1},
        {"relay_consumers_accepted_total", 1},
        {"relay_consumers_refused_total{reason=\"limit\"}", 0},
        {"relay_consumers_refused_total{reason=\"address_limit\"}", 0},
        {"relay_consumers_refused_total{reason=\"replay_limit\"}", 0},
        {"relay_consumer_too_slow_total", 0},
        {"relay_consumer_future_cursor_total", 0},
        {"relay_consumer_outdated_cursor_total", 0},
        {"relay_dials_refused_total", 0},
        {"relay_tls_handshakes_total", 0},
        {"relay_http_failures_total", 0},
    };
    for (const auto& [series, value] : wanted) {
        CAPTURE(series);
        CHECK(value_of(page, series) == value);
    }
    for (std::string reason :
         {"limit", "idle_evicted", "address_limit", "malformed", "too_large", "header_timeout",
          "idle_timeout", "body_timeout", "write_timeout", "accept_failed"}) {
        CAPTURE(reason);
        CHECK(value_of(page, "relay_http_cut_total{reason=\"" + reason + "\"}") == 0);
    }
    for (std::string reason :
         {"closed", "too_slow", "future_cursor", "violation", "silent", "stopping", "log"}) {
        CAPTURE(reason);
        CHECK(value_of(page, "relay_consumers_dropped_total{reason=\"" + reason + "\"}") == 0);
    }
    CHECK(value_of(page, "relay_resolve_queued_set_count") ==
          value_of(page, "relay_queue_depth{queue=\"identity_lookups\"}"));
    CHECK(value_of(page, "relay_resolve_queued_set_count").has_value());
}

TEST_CASE("a request that is out of form, and a connection that only waits, are counted as cut") {
    Stage stage([](ScriptedHost::Connection connection) { connection.live_on(); });
    stage.line.world.run_for(5s);
    CHECK(stage.ask("NONSENSE", {}).contains("400 Bad Request"));
    bool is_over = false;
    const Address address = stage.line.world.machine("relay").address(firehose_port + 1);
    stage.line.world.machine("idler").start_worker({.name = "idler", .index = 0}, [&] {
        auto socket = stage.env.net.connect(address, Deadline::in(5s));
        RINGLAY_ASSERT(socket.has_value());
        static_cast<void>(
            socket->send(net::bytes_of("GET / HTTP/1.1\r\nHost: r\r\n\r\n"), Deadline::in(5s)));
        for (;;) {
            auto chunk = socket->receive(Deadline::never());
            if (!chunk || chunk->empty()) break;
        }
        is_over = true;
    });
    REQUIRE_FALSE(stage.line.world.run_until_true([&] { return is_over; }).has_value());
    CHECK(stage.shows("relay_http_cut_total{reason=\"malformed\"} 1"));
    CHECK(stage.shows("relay_http_cut_total{reason=\"idle_timeout\"} 1"));
    CHECK(stage.shows("relay_http_cut_total{reason=\"header_timeout\"} 0"));
}
