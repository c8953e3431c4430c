#include "relay/watch_panel.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>

using namespace ringlay;
using namespace ringlay::watching;

namespace {

const std::string stats = R"({"version":"1.2","uptime_seconds":3725,"workers":2,)"
                          R"("log":{"head_seq":17,"events":400,"oldest_received_ms":1000,)"
                          R"("disk_bytes":1234567890,"budget_bytes":100000000000},)"
                          R"("fold":{"accounts_estimate":41000},)"
                          R"("hosts_by_state":{"connected":2,"waiting":1},"hosts":[)"
                          R"({"hostname":"slow.example","state":"connected",)"
                          R"("events_per_second":3,"failure":"cut before"},)"
                          R"({"hostname":"fast.example","state":"connected",)"
                          R"("events_per_second":1250},)"
                          R"({"hostname":"dead.example","state":"waiting",)"
                          R"("events_per_second":0,"failure":"no such name"}],)"
                          R"("consumers":[{"id":1},{"id":2}]})";
const std::string health = R"({"status":"ok","reasons":["clock: late"],"ingest":{)"
                           R"("state":"running","hosts_known":3,"hosts_connected":2,)"
                           R"("events_per_second":1253,"verified_percent":87}})";
const std::string metrics =
    "# HELP relay_process_rss_bytes memory\n"
    "relay_process_rss_bytes 123456789\n"
    "relay_log_wire_bytes_total 1e3\n"
    "relay_log_facts_bytes_total 500\n";

Reading whole() {
    Reading reading;
    REQUIRE(read_stats(stats, reading));
    REQUIRE(read_health(health, reading));
    read_metrics(metrics, reading);
    return reading;
}

Frame frame_of(std::size_t width, std::size_t height) {
    Frame frame;
    frame.width = width;
    frame.height = height;
    frame.url = "http://127.0.0.1:3001";
    frame.now = WallMillis(7'201'000);
    return frame;
}

std::string joined(const std::vector<std::string>& rows) {
    std::string all;
    for (const std::string& row : rows) all += row + "\n";
    return all;
}

// Colours take no columns, and a character of more bytes one.
std::size_t columns_of(std::string_view row) {
    std::size_t columns = 0;
    for (std::size_t at = 0; at < row.size(); ++at) {
        if (row[at] == '\x1b') {
            at = row.find('m', at);
        } else if ((static_cast<unsigned char>(row[at]) & 0xc0) != 0x80) {
            ++columns;
        }
    }
    return columns;
}

Reading written(std::uint64_t events, std::uint64_t bytes) {
    Reading reading;
    reading.events = events;
    reading.written_bytes = bytes;
    return reading;
}

}  // namespace

TEST_CASE("the pages are read: sums, the busiest hosts, why the others are not connected") {
    const Reading reading = whole();
    CHECK(reading.version == "1.2");
    CHECK(reading.consumers == 2);
    CHECK(reading.memory_bytes == 123456789);
    CHECK(reading.written_bytes == 1500);
    CHECK(reading.reasons == std::vector<std::string>{"clock: late"});
    REQUIRE(reading.busiest.size() == 2);
    CHECK(reading.busiest[0].name == "fast.example");
    CHECK(reading.busiest[1].events_per_second == 3);
    REQUIRE(reading.failures.size() == 1);  // not of one that is connected again
    CHECK(reading.failures[0].words == "no such name");
    CHECK(reading.failures[0].example == "dead.example");
}

TEST_CASE("a page of sums, for many hosts, is read as well as one with each") {
    Reading reading;
    REQUIRE(read_stats(R"({"busiest_hosts":[{"hostname":"b.example","events_per_second":9}],)"
                       R"("host_failures":[{"reason":"rare","hosts":1,"example":"x.example"},)"
                       R"({"reason":"refused","hosts":40,"example":"y.example"}]})",
                       reading));
    REQUIRE(reading.busiest.size() == 1);
    CHECK(reading.busiest[0].name == "b.example");
    REQUIRE(reading.failures.size() == 2);
    CHECK(reading.failures[0].hosts == 40);
    CHECK(reading.failures[0].words == "refused");
}

TEST_CASE("the panel says what the pages say") {
    const std::string text = joined(panel(whole(), History(), frame_of(100, 40)));
    for (const char* expected :
         {"ringlay 1.2  http://127.0.0.1:3001  up 1 h 2 min  ok\n", "! clock: late\n",
          "hosts       2 of 3  connected 2  waiting 1\n", "events/s    1,253", "verified    87 %",
          "rises as the accounts' keys are looked up", "consumers   2\n", "head seq    17\n",
          "log         2 h 0 min  1.2 GB of 100 GB, -/h\n", "accounts    41,000\n",
          "memory      123 MB\n", "1,250   fast.example\n3       slow.example\n",
          "1       no such name (dead.example)\n"}) {
        CAPTURE(expected, text);
        CHECK(text.find(expected) != text.npos);
    }
}

TEST_CASE("what is missing is a dash; what is no page is none") {
    Reading reading;
    CHECK_FALSE(read_stats("", reading));
    CHECK_FALSE(read_stats("<html>", reading));
    CHECK_FALSE(read_health("[]", reading));
    REQUIRE(read_stats(R"({"log":7,"hosts":{},"consumers":"many","version":3})", reading));
    REQUIRE(read_health("{}", reading));
    read_metrics("\nrelay_process_rss_bytes -3\nrelay_log_wire_bytes_total x\n", reading);
    const std::string text = joined(panel(reading, History(), frame_of(80, 24)));
    for (const char* expected :
         {"hosts       - of -\n", "events/s    -", "verified    -\n", "consumers   -\n",
          "head seq    -\n", "memory      -\n", "log         -  - of -, -/h\n"}) {
        CAPTURE(expected, text);
        CHECK(text.find(expected) != text.npos);
    }
}

TEST_CASE("the panel fits any terminal; notes stay at the bottom") {
    Reading reading = whole();
    for (int i = 0; i < 50; ++i) reading.busiest.push_back({"host.example", 1});
    for (int i = 0; i < 50; ++i) reading.failures.push_back({"reason", 1, "example"});
    History history;
    for (int i = 0; i < 100; ++i) {
        history.add(std::chrono::seconds(i), written(static_cast<std::uint64_t>(i * i), 0));
    }
    for (std::size_t width : {1u, 5u, 13u, 30u, 80u, 200u}) {
        for (std::size_t height = 1; height < 60; ++height) {
            CAPTURE(width, height);
            Frame frame = frame_of(width, height);
            frame.has_colour = true;
            frame.notes = {"first", "last"};
            const auto rows = panel(reading, history, frame);
            REQUIRE(rows.size() <= height);
            for (const std::string& row : rows) REQUIRE(columns_of(row) <= width);
            if (height < 4 || width < 5) continue;
            REQUIRE(rows.size() == height);
            CHECK(rows[height - 2] == "first");
            CHECK(rows[height - 1].substr(0, 4) == "last");
        }
    }
}

TEST_CASE("busy and failing hosts share the room, and either has it all without the other") {
    Reading reading = whole();
    reading.busiest.assign(30, {"busy.example", 1});
    reading.failures.assign(30, {"reason", 1, "example"});
    auto count = [&](const char* word) {
        const auto rows = panel(reading, History(), frame_of(80, 32));
        return std::ranges::count_if(
            rows, [&](const std::string& row) { return row.find(word) != row.npos; });
    };
    CHECK(count("busy.example") == 9);
    CHECK(count("reason") == 8);
    reading.failures.clear();
    CHECK(count("busy.example") == 19);
    reading.failures.assign(30, {"reason", 1, "example"});
    reading.busiest.clear();
    CHECK(count("reason") == 19);
    reading.failures.resize(3);
    CHECK(count("reason") == 3);
}

TEST_CASE("nothing that a stranger has written is an order to the terminal") {
    Reading reading = whole();
    reading.version = "\x1b[2J";
    reading.reasons = {"a\nb\x1b]0;title\x07"};
    reading.busiest = {{"\x1b[31mhost\x7f\xc2\x9b", 1}};
    reading.failures = {{"bad\r\x1b[H", 1, "\x1b[A"}};
    reading.hosts_by_state = {{"\x1b[B", 1}};
    for (const std::string& row : panel(reading, History(), frame_of(80, 40))) {
        for (char c : row) CHECK((c >= ' ' && c <= '~'));
    }
    CHECK(one_line(reading, History(), {}).find('\x1b') == std::string::npos);
    reading.obstacle = "\x1b[5m";
    CHECK(one_line(reading, History(), {}).find('\x1b') == std::string::npos);
    CHECK(joined(panel(reading, History(), frame_of(80, 40))).find('\x1b') == std::string::npos);
}

TEST_CASE("a relay that is not there is said to be awaited") {
    Reading reading;
    reading.obstacle = "connection refused";
    const std::string text = joined(panel(reading, History(), frame_of(80, 24)));
    CHECK(text.find("  waiting\nNo relay there yet: connection refused\n") != text.npos);
    CHECK(one_line(reading, History(), {}) == "no relay there yet: connection refused");
}

TEST_CASE("one line has it all") {
    CHECK(one_line(whole(), History(), WallMillis(7'201'000)) ==
          "2/3 hosts, 1,253 events/s, 87 % verified, 2 consumers, seq 17, log 2 h 0 min 1.2 GB, "
          "-/h, memory 123 MB, ok; clock: late");
}

TEST_CASE("rates are between readings, of a minute; another life of the relay begins anew") {
    History history;
    history.add(std::chrono::seconds(10), written(100, 0));
    CHECK(history.rates().empty());
    history.add(std::chrono::seconds(12), written(300, 0));
    CHECK(history.rates() == std::deque<double>{100});
    history.add(std::chrono::seconds(12), written(400, 0));  // no time has gone by
    CHECK(history.rates().size() == 1);
    for (int i = 0; i < 100; ++i) {
        history.add(std::chrono::seconds(13 + i), written(400 + static_cast<std::uint64_t>(i), 0));
    }
    CHECK(history.rates().size() == History::max_rates);
    history.add(std::chrono::seconds(200), written(5, 0));
    CHECK(history.rates().empty());
    history.add(std::chrono::seconds(201), written(8, 0));
    CHECK(history.rates() == std::deque<double>{3});
}

TEST_CASE("disk per hour is told after ten seconds, over the last minute") {
    History history;
    history.add(std::chrono::seconds(0), written(0, 0));
    history.add(std::chrono::seconds(9), written(0, 9'000'000));
    CHECK_FALSE(history.bytes_per_hour());
    history.add(std::chrono::seconds(10), written(0, 10'000'000));
    CHECK(history.bytes_per_hour() == 3'600'000'000);
    for (int i = 11; i < 100; ++i) {
        history.add(std::chrono::seconds(i), written(0, 10'000'000));
    }
    CHECK(history.bytes_per_hour() == 0);
    history.add(std::chrono::seconds(100), written(0, 500));
    CHECK_FALSE(history.bytes_per_hour());
}

TEST_CASE("the line of bars: the newest values, the highest is full") {
    CHECK(sparkline({}, 10).empty());
    CHECK(sparkline({0, 0}, 10) == "▁▁");
    CHECK(sparkline({0, 7, 14}, 10) == "▁▅█");
    CHECK(sparkline({100, 1, 2}, 2) == "▅█");
    CHECK(sparkline({1, 2}, 0).empty());
}
