// What a host may do to the relay: break off, lie about its counting, send what is no frame, fall
// silent; and what the relay's own disk may do to it. In the simulated world.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/sim/host_stage.hpp"

using namespace ringlay;
using namespace ringlay::support;
using namespace std::chrono_literals;

TEST_CASE("a new host is asked for all it has; after a break the relay goes on behind its cursor") {
    Stage stage([](ScriptedHost::Connection connection) {
        if (connection.number == 1) {
            connection.send(event(5));
            connection.send(event(9));
            return;  // hangs up
        }
        connection.send(event(9));  // a host whose cursors are inclusive
        connection.send(event(12));
        connection.stay();
    });
    CHECK(stage.seen(3) == contents({5, 9, 12}));
    REQUIRE(stage.host->cursors.size() == 2);
    CHECK(stage.host->cursors[0] == 0u);
    CHECK(stage.host->cursors[1] == 9u);
    CHECK(stage.host->user_agents[0] == "ringlay/sim (atproto-relay)");
    CHECK(stage.page("/metrics").find("relay_host_frames_total{result=\"stale\"} 1\n") !=
          std::string::npos);
}

TEST_CASE("what is no event is skipped and counted, and the stream goes on") {
    Stage stage([](ScriptedHost::Connection connection) {
        connection.send(event(1));
        connection.send(Buffer{0xa1, 0x62, 'o', 'p', 0x05, 0xa0});  // unknown op
        connection.send(proto::encode_frame(
            proto::InfoMessage{.name = "OutdatedCursor", .message = std::nullopt}));
        connection.send(event(1));  // stale
        connection.send(event(2));
        connection.stay();
    });
    CHECK(stage.seen(2) == contents({1, 2}));
    CHECK(stage.host->cursors.size() == 1);
    std::string metrics = stage.page("/metrics");
    for (const char* result : {"unknown", "info", "stale"}) {
        CAPTURE(result);
        CHECK(metrics.find("relay_host_frames_total{result=\"" + std::string(result) + "\"} 1\n") !=
              std::string::npos);
    }
}

TEST_CASE("a sloppy envelope is passed on in canonical form") {
    Stage stage([](ScriptedHost::Connection connection) {
        Buffer sloppy = event(1);
        sloppy.push_back(0xf6);  // a third item, at which strict clients die
        connection.send(sloppy);
        connection.send(event(2));
        connection.stay();
    });
    CHECK(stage.seen(2) == contents({1, 2}));
    CHECK(stage.page("/metrics").find("relay_host_frames_total{result=\"repaired\"} 1\n") !=
          std::string::npos);
}

TEST_CASE("broken frames, text and error frames end the connection, with the reason shown") {
    struct Case {
        std::string_view reason;
        net::Opcode opcode;
        Buffer payload;
    };
    proto::ErrorMessage error;
    error.error = "ConsumerTooSlow";
    for (const Case& its :
         {Case{"malformed frame: ", net::Opcode::binary, Buffer{0xff}},
          Case{"a text message", net::Opcode::text, Buffer{'x'}},
          Case{"host error: ConsumerTooSlow", net::Opcode::binary, proto::encode_frame(error)}}) {
        CAPTURE(its.reason);
        Stage stage([&its](ScriptedHost::Connection connection) {
            connection.send(event(connection.number));
            if (connection.number < 3) connection.send(its.opcode, its.payload);
            connection.stay();
        });
        CHECK(stage.seen(3) == contents({1, 2, 3}));
        REQUIRE(stage.host->cursors.size() == 3);
        CHECK(stage.host->cursors[2] == 2u);
        std::string stats = stage.page("/_stats");
        CAPTURE(stats);
        CHECK(stats.find(its.reason) != std::string::npos);
        CHECK(stats.find("\"state\":\"connected\"") != std::string::npos);
    }
}

TEST_CASE("whatever a host says of itself and of its errors, little of it is kept and shown") {
    const std::string name(4'000'000, 'e');
    proto::ErrorMessage error;
    error.error = name;
    const Buffer frame = proto::encode_frame(error);
    Stage stage([&](ScriptedHost::Connection connection) {
        if (connection.number == 1) connection.send(event(1));
        connection.send(frame);
        connection.stay();
    });
    stage.host->says_it_is = std::string(15'000, 's');
    stage.seen(1);
    stage.line.world.run_for(10s);
    const std::string page = stage.admin_page("/admin/hosts");
    CAPTURE(page);
    CHECK(page.size() < 3000);
    CHECK(page.contains("\"failure\":\"host error: eee"));
    CHECK(page.contains("\"server\":\"sss"));
    CHECK(stage.page("/_stats").size() < 3000);
}

TEST_CASE("a host that says much fills no log") {
    Stage stage([](ScriptedHost::Connection connection) {
        const Buffer info =
            proto::encode_frame(proto::InfoMessage{.name = "Weather", .message = "fine"});
        for (int i = 0; i < 300; ++i) {
            if (!connection.send(info) || !connection.send(event_without_did)) return;
        }
        connection.send(event(2));
        connection.live_on();
    });
    stage.line.crash_relay(env::CrashMode::kill);
    stage.line.log_level = base::LogLevel::warn;
    stage.line.log_lines = 1024;
    stage.line.start_relay();
    stage.seen(1);
    std::size_t infos = 0, drops = 0;
    stage.line.lives.back()->logger.flush([&](std::string_view line) {
        if (line.contains("host says")) ++infos;
        if (line.contains("event dropped")) ++drops;
    });
    CHECK(infos == 20);
    CHECK(drops == 20);
}

TEST_CASE("what ends a connection counts for the host's rate: one in debt is dialled later") {
    const std::string name(4'000'000, 'e');
    proto::ErrorMessage error;
    error.error = name;
    const Buffer frame = proto::encode_frame(error);
    Stage stage([&](ScriptedHost::Connection connection) {
        connection.send(frame);
        connection.stay();
    });
    stage.line.crash_relay(env::CrashMode::kill);
    stage.line.adjust = [&, before = stage.line.adjust](RelayOptions& options) {
        before(options);
        options.config.host_events_per_second = 1;  // 16 KiB a second, 5 MB at once
    };
    stage.line.start_relay();
    stage.line.world.run_for(170s);
    CHECK(stage.host->cursors.size() == 2);
    stage.line.world.run_for(60s);
    CHECK(stage.host->cursors.size() == 3);
}

TEST_CASE("a host that has lost its data is followed live, and its new counting is kept") {
    Stage stage([](ScriptedHost::Connection connection) {
        if (connection.number == 1) {
            connection.send(event(100));
            return;
        }
        if (connection.cursor && *connection.cursor > 50) {
            proto::ErrorMessage error;
            error.error = "FutureCursor";
            connection.send(proto::encode_frame(error));
            connection.stay();
            return;
        }
        if (!connection.cursor) {
            connection.send(event(7));
            return;
        }
        connection.send(event(8));
        connection.stay();
    });
    CHECK(stage.seen(3) == contents({100, 7, 8}));
    REQUIRE(stage.host->cursors.size() == 4);
    CHECK(stage.host->cursors[1] == 100u);
    CHECK_FALSE(stage.host->cursors[2].has_value());  // live
    CHECK(stage.host->cursors[3] == 7u);

    // A restart knows it, too.
    stage.line.lives.back()->relay->request_stop();
    REQUIRE_FALSE(stage.line.world
                      .run_until_true([&] { return stage.line.world.machine("relay").has_ended(); })
                      .has_value());
    stage.line.start_relay();
    REQUIRE_FALSE(stage.line.world.run_until_true([&] { return stage.host->cursors.size() == 5; })
                      .has_value());
    CHECK(stage.host->cursors[4] == 8u);
}

TEST_CASE("a host restored from an older copy is found out, and none of its events are lost") {
    Stage stage([](ScriptedHost::Connection connection) {
        if (connection.number == 1) {
            connection.send(event(100));
            connection.send(event(101));
            return;
        }
        for (std::uint64_t seq : {7u, 8u}) connection.send(event(seq));
        if (connection.cursor == 6u) connection.send(event(9));
        connection.live_on();
    });
    CHECK(stage.seen(5) == contents({100, 101, 7, 8, 9}));
    REQUIRE(stage.host->cursors.size() == 3);
    CHECK(stage.host->cursors[1] == 101u);
    CHECK(stage.host->cursors[2] == 6u);
    CHECK(stage.shows("relay_host_seq_regressions_total 1"));
}

TEST_CASE("a leap of a host's seqs is believed when it comes twice, and not before") {
    constexpr std::uint64_t end = (1ull << 53) - 1, far = 20'000'000'000;
    Stage stage([](ScriptedHost::Connection connection) {
        if (connection.number == 1) {
            connection.send(event(5));
            connection.send(event(end));
        } else if (connection.cursor == 5u) {
            connection.send(event(6));
            connection.send(event(far));
        } else {
            connection.send(event(far));
            connection.send(event(far + 1));
        }
        connection.live_on();
    });
    CHECK(stage.seen(4) == contents({5, 6, far, far + 1}));
    REQUIRE(stage.host->cursors.size() == 3);
    CHECK(stage.host->cursors[1] == 5u);
    CHECK(stage.host->cursors[2] == 6u);
    CHECK(stage.shows("relay_host_seq_leaps_total 2"));
}

TEST_CASE("what ends the connection each time is stepped over, and not farther than needed") {
    Stage stage([](ScriptedHost::Connection connection) {
        const std::uint64_t cursor = connection.cursor.value();
        if (cursor < 40) connection.send(event(40));
        if (cursor < 43) {
            connection.send(Buffer{0xff});
        } else {
            for (std::uint64_t seq : {42u, 44u}) connection.send(event(seq));
        }
        connection.live_on();
    });
    CHECK(stage.seen(3) == contents({40, 42, 44}));
    CHECK(stage.host->cursors == std::vector<std::optional<std::uint64_t>>{0, 40, 40, 40, 41, 43});
    CHECK(stage.shows("relay_host_poison_steps_total 2"));
}

TEST_CASE("a stranger's host is not dialled in a network that the operator allows; others are") {
    for (bool is_strangers : {true, false}) {
        Stage stage([](ScriptedHost::Connection connection) {
            connection.send(event(connection.number));
            connection.live_on();
        });
        const Address address = stage.line.world.machine("host").address(SimHost::port);
        stage.line.crash_relay(env::CrashMode::kill);
        hosts::HostRow row;
        row.address = {address.ip_text(), address.port, false};
        row.source = is_strangers ? hosts::HostSource::crawl : hosts::HostSource::admin;
        put_row(stage.line.world, row);
        stage.line.adjust = [&](RelayOptions& options) {
            options.config.allow_private_hosts = *base::PrivateHosts::parse(address.ip_text());
        };
        stage.line.start_relay();
        stage.line.world.run_for(1min);
        CHECK(stage.host->cursors.empty() == is_strangers);
        const bool is_refused =
            stage.page("/_stats").find("only for what RELAY_ALLOW_PRIVATE") != std::string::npos;
        CHECK(is_refused == is_strangers);
    }
}

TEST_CASE("so many hosts of strangers are connected at one address; those of the operator any") {
    for (bool is_strangers : {true, false}) {
        CAPTURE(is_strangers);
        Stage stage([](ScriptedHost::Connection connection) { connection.live_on(); });
        env::World& world = stage.line.world;
        const Address shared = Address::v4(93, 184, 216, 34, SimHost::port);
        world.net().add_address(world.machine("host"), shared);
        stage.line.crash_relay(env::CrashMode::kill);
        hosts::HostRow row;
        row.source = is_strangers ? hosts::HostSource::crawl : hosts::HostSource::admin;
        for (std::uint64_t id = 1; id <= 3; ++id) {
            const std::string name = "pds" + std::to_string(id) + ".example";
            world.net().set_name(name, {shared});
            row.address = {name, SimHost::port, false};
            put_row(world, row, id);
        }
        stage.line.adjust = [&](RelayOptions& options) {
            options.config.allow_private_hosts = *base::PrivateHosts::parse("all");
            options.config.max_hosts_per_address = 2;
        };
        stage.line.start_relay();
        world.run_for(1min);
        CHECK(stage.shows(std::string("relay_connected_inbound ") + (is_strangers ? "2" : "3")));
        CHECK(stage.page("/_stats").contains(
                  "2 other hosts are connected at 93.184.216.34 already") == is_strangers);
        CHECK(stage.shows("relay_dials_address_full_total 0") != is_strangers);
    }
}

TEST_CASE("a host that says it is a relay is asked once an hour") {
    Stage stage([](ScriptedHost::Connection connection) {
        connection.send(event(connection.number));
        connection.live_on();
    });
    stage.host->says_it_is = "indigo/1.0 (atproto-relay)";
    stage.line.world.run_for(50min);
    CHECK(stage.host->cursors.size() == 1);
    CHECK(stage.page("/_stats").find("it is a relay, not a host") != std::string::npos);
    CHECK(stage.events().empty());
    stage.host->says_it_is = "PDS";
    CHECK(stage.seen(1) == contents({2}));
}

TEST_CASE("a host that sends nothing but invalid events is put off for an hour") {
    Stage stage([](ScriptedHost::Connection connection) {
        while (connection.number == 1 && connection.send(event_without_did)) {
            if (!fiber::sleep_for(1s)) return;
        }
        connection.send(event(connection.number));
        connection.live_on();
    });
    stage.line.world.run_for(9min);
    CHECK(stage.shows("relay_host_quarantines_total 0"));
    stage.line.world.run_for(50min);
    CHECK(stage.host->cursors.size() == 1);
    CHECK(stage.shows("relay_host_quarantines_total 1"));
    CHECK(stage.page("/_stats").find("quarantined: 100 % of its events") != std::string::npos);
    CHECK(stage.seen(1) == contents({2}));
}

TEST_CASE("a host that hangs up before ten minutes are over is judged by all its connections") {
    Stage stage([](ScriptedHost::Connection connection) {
        for (int i = 0; i < 60 && connection.send(event_without_did); ++i) {
            if (!fiber::sleep_for(100ms)) return;
        }
    });
    stage.line.world.run_for(9min);
    CHECK(stage.shows("relay_host_quarantines_total 0"));
    stage.line.world.run_for(3min);
    CHECK(stage.shows("relay_host_quarantines_total 1"));
    const std::size_t connections = stage.host->cursors.size();
    stage.line.world.run_for(55min);
    CHECK(stage.host->cursors.size() == connections);
    stage.line.world.run_for(5min);
    CHECK(stage.host->cursors.size() == connections + 1);
}

TEST_CASE("who sends events that nobody could check, and hangs up, is dialled ever more seldom") {
    Stage stage(
        [](ScriptedHost::Connection connection) { connection.send(event(connection.number)); });
    stage.line.world.run_for(10min);
    CHECK(stage.events().size() == stage.host->cursors.size());
    CHECK(stage.host->cursors.size() < 25);  // 600 s in steps of 1, 2, 4 ... 60 s, or half of that
}

TEST_CASE(
    "a host that was connected for hours, and quiet, has not failed for hours when it hangs up") {
    Stage stage([](ScriptedHost::Connection connection) {
        if (connection.number > 1) return;  // hangs up
        connection.live_on(Deadline::in(3h));
    });
    stage.line.world.run_for(2h + 50min);
    CHECK(stage.host->cursors.size() == 1);
    stage.line.world.run_for(70min);
    CHECK(stage.host->cursors.size() > 50);  // one a minute at least
}

TEST_CASE("a host that falls silent is pinged and then dialled again; one that answers is kept") {
    Stage stage([](ScriptedHost::Connection connection) {
        connection.send(event(connection.number));
        if (connection.number == 1) {
            static_cast<void>(fiber::sleep_for(48h));  // not even a pong
            return;
        }
        connection.live_on();
    });
    CHECK(stage.seen(2) == contents({1, 2}));
    stage.line.world.run_for(600s);
    CHECK(stage.host->cursors.size() == 2);
}

TEST_CASE(
    "a large message that never comes to its end holds memory within a bound, and not for ever") {
    Stage stage([](ScriptedHost::Connection connection) {
        connection.send(event(connection.number));
        if (connection.number > 1) return connection.live_on();
        net::EncodedHeader header = net::encode_header({.is_final = true,
                                                        .opcode = net::Opcode::binary,
                                                        .mask = {},
                                                        .payload_bytes = 4'900'000});
        bool goes = connection.socket.send(header.bytes(), Deadline::never()).has_value();
        while (goes) {
            goes = connection.socket.send(Buffer{'x'}, Deadline::never()) && fiber::sleep_for(20s);
        }
    });
    CHECK(stage.seen(1) == contents({1}));
    stage.line.world.run_for(60s);
    CHECK(stage.shows("relay_queue_depth{queue=\"partial_messages\"} 4900000"));
    CHECK(stage.shows("relay_queue_bound{queue=\"partial_messages\"} 268435456"));
    CHECK(stage.shows("relay_host_messages_unfinished_total 0"));
    CHECK(stage.seen(2) == contents({1, 2}));
    CHECK(stage.shows("relay_queue_depth{queue=\"partial_messages\"} 0"));
    CHECK(stage.shows("relay_host_messages_unfinished_total 1"));
    CHECK(stage.page("/_stats").find("stream: websocket: a message took too long to come") !=
          std::string::npos);
}

TEST_CASE("messages pass that are as large as allowed with our seq; larger ones are stepped over") {
    auto sized = [](std::uint64_t seq, std::size_t size_bytes) {
        Buffer sample = event(seq, 4'999'000);
        Buffer message = event(seq, 4'999'000 + size_bytes - sample.size());
        REQUIRE(message.size() == size_bytes);
        return message;
    };
    Buffer largest = sized(1, 5'000'000 - 8);  // the host's seq has one byte, ours nine
    Buffer too_large = sized(2, 5'000'000 - 7);
    {
        Stage stage([&](ScriptedHost::Connection connection) {
            connection.send(largest);
            connection.send(too_large);
            connection.send(event(3));
            connection.stay();
        });
        auto seen = stage.seen(2);
        CHECK(seen == std::vector{without_seq(largest), without_seq(event(3))});
        CHECK(stage.host->cursors.size() == 1);
        CHECK(stage.page("/metrics").find("relay_host_frames_total{result=\"oversized\"} 1\n") !=
              std::string::npos);
    }
    Stage stage([](ScriptedHost::Connection connection) {
        connection.send(event(connection.number));
        if (connection.number == 1) connection.send(event(9, 5'000'001));
        connection.stay();
    });
    CHECK(stage.seen(2) == contents({1, 2}));
    CHECK(stage.host->cursors.size() == 2);
}

TEST_CASE("a full disk stops ingest with a named reason, and goes on by itself with new room") {
    Stage stage(
        [](ScriptedHost::Connection connection) {
            for (std::uint64_t seq = connection.cursor.value_or(0) + 1; seq <= 2000; ++seq) {
                if (!connection.send(event(seq, 500))) return;
            }
            connection.stay();
        },
        {.capacity_bytes = 100 * 1024});  // one segment and no second: nothing can be removed
    stage.seen(10);
    const std::size_t before = stage.events().size();
    REQUIRE(before < 200);
    std::string health = stage.page("/_health");
    CHECK(health.find("503 Service Unavailable") != std::string::npos);
    CHECK(health.find("\"reasons\":[\"log: disk full\"") != std::string::npos);
    stage.line.world.run_for(600s);
    CHECK(stage.events().size() == before);
    CHECK(stage.host->cursors.size() == 1);  // it is not read, but it is not cut off either

    stage.line.world.machine("relay").disk().set_capacity(1 << 30);
    CHECK(stage.seen(2000).size() == 2000);
    CHECK(stage.page("/_health").find("200 OK") != std::string::npos);
    std::string log;
    stage.line.lives.back()->logger.flush([&](std::string_view line) { log += line; });
    CHECK(log.find("event log takes no events") != std::string::npos);
}

TEST_CASE("without descriptors for a new segment ingest waits with a named reason, and goes on") {
    Stage stage([](ScriptedHost::Connection connection) {
        for (std::uint64_t seq = connection.cursor.value_or(0) + 1; seq <= 2000; ++seq) {
            if (!connection.send(event(seq, 500))) return;
        }
        connection.stay();
    });
    stage.line.world.machine("relay").disk().fail(fiber::Op::Kind::allocate, 2, EMFILE, 50);
    stage.seen(10);
    REQUIRE(stage.events().size() < 200);
    std::string health = stage.page("/_health");
    CHECK(health.find("503 Service Unavailable") != std::string::npos);
    CHECK(health.find("\"reasons\":[\"log: no descriptors left\"") != std::string::npos);
    CHECK(stage.page("/_healthz").find("200 OK") != std::string::npos);
    CHECK(stage.seen(2000).size() == 2000);
    CHECK(stage.page("/_health").find("200 OK") != std::string::npos);
}

TEST_CASE("a slow disk, and what the machine is short of, are said on the page of health") {
    Stage stage(
        [](ScriptedHost::Connection connection) {
            connection.send(event(connection.cursor.value_or(0) + 1));
            connection.live_on();
        },
        {.sync_latency = {7s, 7s}, .slow_per_mille = 0},
        [](RelayOptions& options) {
            options.shortages = {"descriptors: few"};
            options.descriptors = {
                .limit = 100, .for_connections = 60, .in_use = [] { return 55; }};
        });
    stage.seen(1);
    stage.line.world.run_for(10s);
    const std::string health = stage.page("/_health");
    CHECK(health.find("200 OK") != std::string::npos);
    CHECK(health.find("\"reasons\":[\"descriptors: few\",\"descriptors: 55 of 100 are in use, and "
                      "40 are kept for files\",\"log: a sync took ") != std::string::npos);
    stage.line.world.run_for(100s);
    CHECK(stage.page("/_health").find("log: a sync") == std::string::npos);
}

TEST_CASE("the port, the directory and the settings: a start that fails says why and ends clean") {
    env::WorldOptions options;
    Line line(options, 2);
    line.start_relay();
    line.world.run_for(100ms);
    line.start_relay();  // the same machine, ports and directory
    line.world.run_for(1s);
    CHECK_FALSE(line.lives[1]->failure.has_value());  // a killed one's ports stay for a moment
    line.world.run_for(5s);
    REQUIRE(line.lives[1]->failure.has_value());
    CHECK(line.lives[1]->failure->find("cannot listen on") != std::string::npos);
    CHECK(line.lives[1]->failure->find("--port") != std::string::npos);

    line.adjust = [](RelayOptions& relay) {
        relay.config.port += 10;
        relay.config.http_port += 10;
    };
    line.start_relay();
    line.world.run_for(1s);
    REQUIRE(line.lives[2]->failure.has_value());
    CHECK(line.lives[2]->failure->find("/data is in use by another process") != std::string::npos);
    CHECK_FALSE(line.lives[0]->failure.has_value());
}
