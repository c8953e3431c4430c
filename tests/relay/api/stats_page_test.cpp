#include "relay/api/stats_page.hpp"

#include <catch2/catch.hpp>

#include "relay/api/ingest_pace.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::api;
using namespace std::chrono_literals;

namespace {

RelayStatus with_hosts(std::size_t count) {
    RelayStatus status;
    status.now = WallMillis(2000);
    status.started = WallMillis(1000);
    for (std::size_t i = 0; i < count; ++i) {
        hosts::HostStatus host;
        host.name = "host-" + std::to_string(i) + ".test";
        host.phase = i % 4 == 0 ? hosts::HostPhase::waiting : hosts::HostPhase::connected;
        host.failure = i % 8 == 0 ? "refused" : "no route";
        host.events = i;
        status.hosts.push_back(host);
    }
    return status;
}

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
    return count;
}

}  // namespace

TEST_CASE("up to 500 hosts are listed; beyond that there are sums, and the page stays small") {
    RelayStatus few = with_hosts(500);
    std::string page = stats_page(few, std::vector<double>(500));
    CHECK(page.find(R"("host_count":500,"hosts_by_state":{"connected":375,"waiting":125},)"
                    R"("hosts":[{"hostname":"host-0.test")") != page.npos);
    CHECK(count_of(page, "hostname") == 500);

    RelayStatus many = with_hosts(2830);
    std::vector<double> rates(2830);
    for (std::size_t i = 0; i < rates.size(); ++i) rates[i] = static_cast<double>(i % 1000);
    page = stats_page(many, rates);
    CAPTURE(page.substr(0, 3000));
    CHECK(page.size() < 20'000);
    CHECK(page.find(R"("host_count":2830,"hosts_by_state":{"connected":2122,"waiting":708},)"
                    R"("busiest_hosts":[{"hostname":"host-999.test")") != page.npos);
    CHECK(page.find(R"("hostname":"host-1999.test","state":"connected","seq":0,"events":1999,)"
                    R"("events_per_second":999)") != page.npos);
    CHECK(count_of(page, "hostname") == 20);
    CHECK(page.find(R"("host_failures":[{"reason":"no route","hosts":354,)"
                    R"("example":"host-4.test"},{"reason":"refused","hosts":354,)") != page.npos);
    CHECK(page.find(R"("hosts":[)") == page.npos);
}

TEST_CASE("what peers may choose the words of is cut, and only the commonest are shown") {
    RelayStatus status = with_hosts(501);
    for (std::size_t i = 0; i < status.hosts.size(); ++i) {
        status.hosts[i].phase = hosts::HostPhase::waiting;
        status.hosts[i].failure = i < 2 ? "common" : std::to_string(i) + std::string(10'000, 'x');
    }
    std::string page = stats_page(status, std::vector<double>(501));
    CHECK(page.size() < 20'000);
    CHECK(count_of(page, R"({"reason":)") == 20);
    CHECK(page.find(R"("host_failures":[{"reason":"common","hosts":2,)") != page.npos);
}

TEST_ON_BOTH_KERNELS(
    "a host's rate is of the time since the page before, at first since the start") {
    RelayStatus status = with_hosts(1);
    status.hosts[0].events = 30;
    StatsPage page([&] { return status; });
    CHECK(page.get()->find(R"("events_per_second":30,)") != std::string::npos);
    status.hosts[0].events = 40;
    status.now += 2000ms;
    if (!world.is_simulated()) return;
    CHECK(page.get()->find(R"("events_per_second":30,)") != std::string::npos);  // the same page
    static_cast<void>(fiber::sleep_for(1s));
    CHECK(page.get()->find(R"("events_per_second":5,)") != std::string::npos);
}

TEST_ON_BOTH_KERNELS("who asks while the page is made gets the old one, or waits for the first") {
    int made = 0;
    fiber::Event go;
    StatsPage page([&] {
        ++made;
        static_cast<void>(go.wait());
        return RelayStatus();
    });
    std::size_t answered = 0;
    {
        fiber::TaskGroup group;
        for (int i = 0; i < 3; ++i) {
            group.spawn("asks", [&] {
                if (page.get()->starts_with(R"({"version":)")) ++answered;
            });
        }
        while (made == 0) static_cast<void>(fiber::sleep_for(1ms));
        go.set();
        while (group.size() > 0) static_cast<void>(fiber::sleep_for(1ms));
    }
    CHECK(made == 1);
    CHECK(answered == 3);
}

TEST_CASE("the pace is of the last ten seconds when somebody looks each second") {
    IngestPace pace;
    IngestPace::Counts counts{.now = 100s, .has_begun = true, .hosts_known = 3};
    counts.hosts_connected = 2;
    counts.verified = 1'000'000;  // before anybody looked
    IngestStatus status = pace.look(counts);
    CHECK(status.events_per_second == 0);
    CHECK_FALSE(status.verified_percent);
    CHECK(status.hosts_known == 3);
    CHECK(status.hosts_connected == 2);
    for (int i = 0; i < 10; ++i) {
        counts.now += 1s;
        counts.verified += 90;
        counts.unverified += 10;
        status = pace.look(counts);
    }
    CHECK(status.events_per_second == 100);
    CHECK(status.verified_percent == 90);
    for (int i = 0; i < 10; ++i) {  // the burst is ten seconds ago now
        counts.now += 1s;
        status = pace.look(counts);
    }
    CHECK(status.events_per_second == 0);
    CHECK_FALSE(status.verified_percent);
    counts.now += 500ms;
    counts.verified += 21;
    CHECK(pace.look(counts).events_per_second == 2);
}

TEST_CASE("how long no host has been connected counts from the last one, and only in ingest") {
    IngestPace pace;
    IngestPace::Counts counts{.now = 100s, .has_begun = false, .wants_hosts = true};
    auto alone_after = [&](Nanos time) {
        counts.now += time;
        return pace.look(counts).alone_for;
    };
    CHECK(alone_after(0s) == 0s);
    CHECK(alone_after(100s) == 0s);  // not begun
    counts.has_begun = true;
    CHECK(alone_after(20s) == 20s);
    CHECK(alone_after(30s) == 50s);
    counts.hosts_connected = 1;
    CHECK(alone_after(1s) == 0s);
    counts.hosts_connected = 0;
    CHECK(alone_after(61s) == 61s);
    counts.wants_hosts = false;
    CHECK(alone_after(1s) == 0s);
}
