#include "relay/api/relay_status.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using namespace ringlay::api;

TEST_CASE("health is ok while the log takes events, and names the reason when it does not") {
    LogStatus log;
    log.stall = "none";
    log.head_seq = 17;
    Health health = health_page(log, "1.2.3");
    CHECK(health.is_ok);
    CHECK(health.json == R"({"status":"ok","version":"1.2.3","head_seq":17,"reasons":[]})");

    log.is_stalled = true;
    log.stall = "disk full";
    health = health_page(log, "1.2.3");
    CHECK_FALSE(health.is_ok);
    CHECK(health.json ==
          R"({"status":"error","version":"1.2.3","head_seq":17,"reasons":["log: disk full"]})");
}

TEST_CASE("what is not as it should be is said on a page of health that is ok, too") {
    LogStatus log;
    log.stall = "none";
    log.notes = {"clock: behind"};
    Health health = health_page(log, "1");
    CHECK(health.is_ok);
    CHECK(health.json ==
          R"({"status":"ok","version":"1","head_seq":0,"reasons":["clock: behind"]})");
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
    std::string page = stats_page(status);
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
    std::string page = stats_page(status);
    CAPTURE(page);
    CHECK(page.find(R"("uptime_seconds":10)") != page.npos);
    CHECK(page.find(R"("hostname":"localhost:2600","state":"waiting","seq":9)") != page.npos);
    CHECK(page.find(R"("next_attempt_ms":11000,"failure":"connect: \"refused\"")") != page.npos);
    CHECK(page.find(R"("id":3,"address":"127.0.0.1:5")") != page.npos);
    CHECK(page.find(R"("lag_bytes":77)") != page.npos);
    CHECK(page.find("last_event_ms") == page.npos);
}
