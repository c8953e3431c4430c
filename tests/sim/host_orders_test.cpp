// What can be ordered of a host while its subscription runs: by its operator, and by strangers.
// Through the relay's own ports, in the simulated world.

#include "tests/sim/host_stage.hpp"

using namespace ringlay;
using namespace ringlay::support;
using namespace std::chrono_literals;

namespace {

constexpr const char* request_crawl = "POST /xrpc/com.atproto.sync.requestCrawl";

// As anybody may.
std::string announce(Stage& stage) {
    const std::string json = "{\"hostname\":\"" + stage.host_name() + "\"}";
    return stage.ask(request_crawl, json_fields(json), json);
}

std::string order_of(Stage& stage, const std::string& more = {}) {
    return "{\"host\":\"" + stage.host_name() + "\"" + more + "}";
}

bool is_done(const std::string& answer) {
    return answer.contains("200 OK") && answer.contains("{\"success\":\"true\"}");
}

bool is_done_for_one(const std::string& answer) {
    return answer.contains("200 OK") && answer.contains("\"hosts\":1");
}

}  // namespace

TEST_CASE("a quarantine ends when its operator says so, and not when a stranger does") {
    Stage stage([](ScriptedHost::Connection connection) {
        while (connection.number == 1 && connection.send(event_without_did)) {
            if (!fiber::sleep_for(1s)) return;
        }
        connection.live_on();
    });
    stage.line.world.run_for(12min);
    REQUIRE(stage.admin_page("/admin/hosts").contains("\"state\":\"quarantined\""));
    CHECK(announce(stage).contains("200 OK"));
    stage.line.world.run_for(30min);
    CHECK(stage.host->cursors.size() == 1);
    CHECK(is_done(stage.order("/admin/hosts/add", order_of(stage))));
    stage.line.world.run_for(10s);
    CHECK(stage.host->cursors.size() == 2);
    CHECK(stage.admin_page("/admin/hosts").contains("\"state\":\"active\""));
}

TEST_CASE("other limits of a host do not end its quarantine") {
    Stage stage([](ScriptedHost::Connection connection) {
        while (connection.send(event_without_did)) {
            if (!fiber::sleep_for(1s)) return;
        }
    });
    stage.line.world.run_for(9min + 50s);
    while (stage.shows("relay_host_quarantines_total 0")) {
        // The registry asks once a second if it is looked at: it will not know yet.
        CHECK(stage.admin_page("/admin/hosts").contains("\"state\":\"active\""));
        stage.line.world.run_for(100ms);
    }
    CHECK(is_done(
        stage.order("/admin/hosts/changeLimits", order_of(stage, ",\"events_per_second\":7"))));
    stage.line.world.run_for(30min);
    CHECK(stage.host->cursors.size() == 1);
    CHECK(stage.admin_page("/admin/hosts").contains("\"state\":\"quarantined\""));
}

TEST_CASE("one that says it is a relay is dialled before its hour only for its operator") {
    Stage stage([](ScriptedHost::Connection connection) { connection.live_on(); });
    stage.host->says_it_is = "indigo/1.0 (atproto-relay)";
    stage.line.world.run_for(1min);
    CHECK(announce(stage).contains("200 OK"));
    stage.line.world.run_for(1min);
    CHECK(stage.host->cursors.size() == 1);
    CHECK(is_done(stage.order("/admin/hosts/add", order_of(stage))));
    stage.line.world.run_for(10s);
    CHECK(stage.host->cursors.size() == 2);
    CHECK(announce(stage).contains("200 OK"));
    stage.line.world.run_for(1min);
    CHECK(stage.host->cursors.size() == 2);
}

TEST_CASE("who announces a host that has only failed has it dialled at once") {
    Stage stage([](ScriptedHost::Connection) {});  // accepts and drops
    stage.line.world.run_for(10min);
    for (int i = 0; i < 20; ++i) {
        const std::size_t connections = stage.host->cursors.size();
        stage.line.world.run_for(15s);
        if (stage.host->cursors.size() > connections) continue;
        CHECK(announce(stage).contains("200 OK"));
        stage.line.world.run_for(100ms);
        CHECK(stage.host->cursors.size() == connections + 1);
        return;
    }
    FAIL("its pauses are never longer than 15 s");
}

TEST_CASE("a host that is blocked is left at once, and goes on behind its cursor when it is not") {
    Stage stage([](ScriptedHost::Connection connection) {
        connection.send(event(10 * connection.number));
        connection.live_on();
    });
    CHECK(stage.seen(1) == contents({10}));
    CHECK(is_done_for_one(stage.order("/admin/hosts/block", order_of(stage, ",\"reason\":\"x\""))));
    stage.line.world.run_for(10min);
    CHECK(stage.host->cursors.size() == 1);
    CHECK(stage.shows("relay_connected_inbound 0"));
    const std::string refused =
        stage.order("/admin/hosts/resetCursor", order_of(stage, ",\"cursor\":3"));
    CHECK(refused.contains("HostBanned"));
    CHECK(is_done_for_one(stage.order("/admin/hosts/unblock", order_of(stage))));
    CHECK(stage.seen(2) == contents({10, 20}));
    REQUIRE(stage.host->cursors.size() == 2);
    CHECK(stage.host->cursors[1] == 10u);
}

TEST_CASE("a cursor that is ordered is asked for at once, and limits hold for a host that runs") {
    Stage stage([](ScriptedHost::Connection connection) {
        for (std::uint64_t seq : {10u, 20u, 30u}) {
            if (seq > connection.cursor.value_or(20)) connection.send(event(seq));
        }
        connection.live_on();
    });
    CHECK(stage.seen(3) == contents({10, 20, 30}));
    CHECK(is_done(stage.order("/admin/hosts/resetCursor", order_of(stage, ",\"cursor\":15"))));
    CHECK(stage.seen(5) == contents({10, 20, 30, 20, 30}));
    CHECK(is_done(stage.order("/admin/hosts/resetCursor", order_of(stage, ",\"cursor\":null"))));
    CHECK(stage.seen(6) == contents({10, 20, 30, 20, 30, 30}));
    REQUIRE(stage.host->cursors.size() == 3);
    CHECK(stage.host->cursors[1] == 15u);
    CHECK_FALSE(stage.host->cursors[2].has_value());
    CHECK(is_done(
        stage.order("/admin/hosts/changeLimits", order_of(stage, ",\"events_per_second\":7"))));
    stage.line.world.run_for(2s);
    CHECK(stage.admin_page("/admin/hosts").contains("\"limit_events_per_second\":7,"));
    CHECK(stage.host->cursors.size() == 3);
}

TEST_CASE(
    "a cursor that is ordered holds until an event has come behind it, through losses of power") {
    bool is_talking = true;
    Stage stage([&](ScriptedHost::Connection connection) {
        for (std::uint64_t seq : {10u, 20u, 30u}) {
            if (is_talking && seq > connection.cursor.value_or(0)) connection.send(event(seq));
        }
        connection.live_on();
    });
    auto lose_power = [&] {
        stage.line.crash_relay(env::CrashMode::power_loss);
        stage.line.start_relay();
        stage.line.world.run_for(10s);
        return stage.host->cursors.back();
    };
    CHECK(stage.seen(3) == contents({10, 20, 30}));
    is_talking = false;
    CHECK(is_done(stage.order("/admin/hosts/resetCursor", order_of(stage, ",\"cursor\":15"))));
    CHECK(lose_power() == 15u);
    CHECK(stage.admin_page("/admin/hosts").contains("\"seq\":15,\"accounts\""));
    CHECK(is_done(stage.order("/admin/hosts/resetCursor", order_of(stage, ",\"cursor\":0"))));
    CHECK(lose_power() == 0u);
    CHECK(is_done(stage.order("/admin/hosts/resetCursor", order_of(stage, ",\"cursor\":null"))));
    CHECK_FALSE(lose_power().has_value());
    CHECK(is_done(stage.order("/admin/hosts/resetCursor", order_of(stage, ",\"cursor\":25"))));
    is_talking = true;
    CHECK(lose_power() == 25u);
    CHECK(lose_power() == 30u);
    CHECK(stage.admin_page("/admin/hosts").contains("\"seq\":30,\"accounts\""));
}
