#include "relay/api/relay_status.hpp"

#include <catch2/catch.hpp>

#include "relay/api/stats_page.hpp"

using namespace ringlay;
using namespace ringlay::api;

namespace {

LogStatus well() {
    LogStatus log;
    log.stall = "none";
    log.head_seq = 17;
    log.ingest.has_begun = true;
    log.ingest.hosts_known = 3;
    log.ingest.hosts_connected = 2;
    log.ingest.events_per_second = 40;
    return log;
}

constexpr std::string_view well_until_reasons =
    R"("version":"1.2","head_seq":17,"ingest":{"state":"running","hosts_known":3,)"
    R"("hosts_connected":2,"events_per_second":40},"reasons":)";

void check_page(const Health& health, bool is_ok, std::string_view reasons) {
    CHECK(health.is_ok == is_ok);
    CHECK(health.json == std::string(is_ok ? R"({"status":"ok",)" : R"({"status":"error",)") +
                             std::string(well_until_reasons) + std::string(reasons) + "}");
}

}  // namespace

TEST_CASE("a relay is ready while the log takes events, and names the reason when it does not") {
    LogStatus log = well();
    check_page(readiness_page(log, "1.2"), true, "[]");
    log.is_stalled = true;
    log.stall = "disk full";
    check_page(readiness_page(log, "1.2"), false, R"(["log: disk full"])");
}

TEST_CASE("a relay that cannot work is alive all the same: a restart would not help") {
    LogStatus log = well();
    log.is_stalled = true;
    log.stall = "disk full";
    log.ingest.alone_for = std::chrono::hours(1);
    log.notes = {"upstream: bsky.network is not reachable"};
    check_page(liveness_page(log, "1.2"), true, "[]");
}

TEST_CASE("a wedged relay is neither alive nor ready") {
    LogStatus log = well();
    log.wedge = "worker w has not come back for 31 s";
    check_page(readiness_page(log, "1.2"), false, R"(["worker w has not come back for 31 s"])");
    check_page(liveness_page(log, "1.2"), false, R"(["worker w has not come back for 31 s"])");
}

TEST_CASE("what is not as it should be is said on a page of health that is ok, too") {
    LogStatus log = well();
    log.notes = {"clock: behind"};
    check_page(readiness_page(log, "1.2"), true, R"(["clock: behind"])");
}

TEST_CASE("a relay without a host for a minute is not ready, and says what it knows") {
    LogStatus log = well();
    log.ingest.alone_for = std::chrono::seconds(59);
    CHECK(readiness_page(log, "1").is_ok);
    log.ingest.alone_for = std::chrono::seconds(60);
    log.ingest.hosts_connected = 0;
    log.notes = {"upstream: no answer"};
    Health health = readiness_page(log, "1");
    CHECK_FALSE(health.is_ok);
    CHECK(health.json.ends_with(
        R"("reasons":["hosts: none of 3 is connected","upstream: no answer"]})"));
    log.ingest.hosts_known = 0;
    CHECK(readiness_page(log, "1").json.find("hosts: none is known yet") != std::string::npos);
}

TEST_CASE("while the fold catches up the relay serves, and says how far it has come") {
    LogStatus log = well();
    log.ingest.has_begun = false;
    log.ingest.fold_percent = 37;
    log.ingest.verified_percent = 99;
    Health health = readiness_page(log, "1");
    CHECK(health.is_ok);
    CAPTURE(health.json);
    CHECK(health.json.find(R"("ingest":{"state":"catching up","fold_percent":37,)") !=
          std::string::npos);
    CHECK(health.json.find(R"("verified_percent":99})") != std::string::npos);
    CHECK(health.json.find("the log (37 %); hosts follow then") != std::string::npos);
}

TEST_CASE("statistics show how far the fold has come, and what each shard holds") {
    RelayStatus status;
    status.fold.applied_seq = 41;
    status.fold.flushed_seq = 40;
    status.shards.push_back({.accounts = 5,
                             .accounts_pinned = 2,
                             .account_bytes = 900,
                             .parked = 3,
                             .pending = 1,
                             .is_clock_behind = false});
    std::string page = stats_page(status, std::vector<double>(status.hosts.size()));
    CAPTURE(page);
    CHECK(page.find(R"("fold":{"applied_seq":41,"flushed_seq":40,)") != page.npos);
    CHECK(page.find(R"("shards":[{"accounts":5,"accounts_pinned":2,"account_bytes":900,)"
                    R"("parked":3,"unverified_waiting":1}])") != page.npos);
}

TEST_CASE("statistics show each host with why it is not connected, and each consumer's lag") {
    RelayStatus status;
    status.version = "1";
    status.now = WallMillis(10'500);
    status.started = WallMillis(500);
    status.log.stall = "none";
    hosts::HostStatus host;
    host.name = "localhost:2600";
    host.phase = hosts::HostPhase::waiting;
    host.last_seq = 9;
    host.next_attempt = WallMillis(11'000);
    host.failure = "connect: \"refused\"";
    status.hosts.push_back(host);
    firehose::ConsumerStatus consumer;
    consumer.id = 3;
    consumer.peer = "127.0.0.1:5";
    consumer.lag_bytes = 77;
    status.consumers.push_back(consumer);
    std::string page = stats_page(status, std::vector<double>(status.hosts.size()));
    CAPTURE(page);
    CHECK(page.find(R"("uptime_seconds":10)") != page.npos);
    CHECK(page.find(R"("hostname":"localhost:2600","state":"waiting","seq":9)") != page.npos);
    CHECK(page.find(R"("next_attempt_ms":11000,"failure":"connect: \"refused\"")") != page.npos);
    CHECK(page.find(R"("id":3,"address":"127.0.0.1:5")") != page.npos);
    CHECK(page.find(R"("lag_bytes":77)") != page.npos);
    CHECK(page.find("last_event_ms") == page.npos);
}
