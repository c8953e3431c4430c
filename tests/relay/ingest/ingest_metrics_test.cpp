#include "relay/ingest/ingest_metrics.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace ringlay;
using namespace ringlay::ingest;

namespace {

bool shows(const base::Metrics& metrics, const std::string& series) {
    return ("\n" + metrics.expose()).find("\n" + series + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("each check has a counter under its own name") {
    base::Metrics metrics(1);
    IngestMetrics ingest(metrics, 1);
    for (const CheckRow& row : check_table()) {
        ingest.failed(row.check).add(0, index_of(row.check) + 1);
    }
    for (const CheckRow& row : check_table()) {
        CHECK(shows(metrics, "relay_checks_failed_total{check=\"" + std::string(row.name) + "\"} " +
                                 std::to_string(index_of(row.check) + 1)));
    }
}

TEST_CASE("what becomes of events is counted under what became of them") {
    base::Metrics metrics(1);
    IngestMetrics ingest(metrics, 3, 4096);
    struct {
        base::Counter& counter;
        std::string series;
    } counters[] = {
        {ingest.verified, "relay_events_total{verdict=\"verified\"}"},
        {ingest.unverified, "relay_events_total{verdict=\"unverified\"}"},
        {ingest.dropped, "relay_events_total{verdict=\"dropped\"}"},
        {ingest.abandoned, "relay_events_total{verdict=\"abandoned\"}"},
        {ingest.rewritten, "relay_events_rewritten_total"},
        {ingest.parked_load, "relay_parked_total{reason=\"load\"}"},
        {ingest.parked_key, "relay_parked_total{reason=\"key\"}"},
        {ingest.parked_refresh, "relay_parked_total{reason=\"refresh\"}"},
        {ingest.parked_host, "relay_parked_total{reason=\"host\"}"},
        {ingest.parked_pace, "relay_parked_total{reason=\"pace\"}"},
        {ingest.late_good, "relay_late_verified_total{result=\"good\"}"},
        {ingest.late_bad, "relay_late_verified_total{result=\"bad\"}"},
        {ingest.late_forgotten, "relay_late_verified_total{result=\"forgotten\"}"},
        {ingest.key_refreshes, "relay_key_refreshes_total"},
        {ingest.looks_in_vain, "relay_lookups_in_vain_total"},
        {ingest.status_asked, "relay_status_asked_total"},
        {ingest.status_repaired, "relay_status_repaired_total"},
        {ingest.identity_limited, "relay_identity_limited_total"},
        {ingest.account_overtaken, "relay_account_overtaken_total"},
        {ingest.new_accounts, "relay_new_accounts_total"},
    };
    std::uint64_t count = 100;
    for (auto& [counter, series] : counters) counter.add(0, ++count);
    ingest.clock_behind.set(1);
    ingest.clock_behind_seconds.set(360);
    ingest.parked.set_depth(17);
    count = 100;
    for (auto& [counter, series] : counters) {
        CAPTURE(series);
        CHECK(shows(metrics, series + " " + std::to_string(++count)));
    }
    CHECK(shows(metrics, "relay_clock_behind 1"));
    CHECK(shows(metrics, "relay_clock_behind_seconds 360"));
    CHECK(shows(metrics, "relay_shards 3"));
    CHECK(shows(metrics, "relay_queue_depth{queue=\"parked_events\"} 17"));
    CHECK(shows(metrics, "relay_queue_bound{queue=\"parked_events\"} 4096"));
}
