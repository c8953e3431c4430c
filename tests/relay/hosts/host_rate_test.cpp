#include "relay/hosts/host_rate.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using ringlay::hosts::HostOrders;
using ringlay::hosts::HostRate;
using namespace std::chrono_literals;

namespace {

constexpr Nanos start = 5h;

HostRate::Limits limits_of(const HostOrders& orders, std::uint64_t accounts) {
    return HostRate::limits_of(orders, accounts, 50);
}

// How many events are read in this time by somebody who always waits for as long as he has to.
std::uint64_t events_within(HostRate& rate, Nanos time, std::size_t bytes,
                            std::uint64_t new_accounts = 0) {
    std::uint64_t events = 0;
    for (Nanos now = start; now < start + time;) {
        rate.charge(now, bytes, new_accounts);
        ++events;
        now += rate.until_free(now);
    }
    return events;
}

}  // namespace

TEST_CASE("a host may send fifty events a second, and one more for a hundred accounts") {
    CHECK(limits_of({}, 0).events_per_second == 50);
    CHECK(limits_of({}, 99).events_per_second == 50);
    CHECK(limits_of({}, 100).events_per_second == 51);
    CHECK(limits_of({}, 500'000).events_per_second == 5050);
    CHECK(limits_of({}, 100).bytes_per_second == 51 * 16384);
    CHECK(limits_of({}, 100).new_accounts_per_second == 0);
}

TEST_CASE("a trusted host may do ten times as much") {
    HostOrders trusted;
    trusted.is_trusted = true;
    CHECK(limits_of(trusted, 100).events_per_second == 510);
    CHECK(limits_of(trusted, 100).bytes_per_second == 510 * 16384);
}

TEST_CASE("what the operator has said holds exactly, for whomever") {
    HostOrders orders;
    orders.is_trusted = true;
    orders.limits = {.events_per_second = 7, .bytes_per_second = 1000, .new_accounts_per_hour = 36};
    const HostRate::Limits limits = limits_of(orders, 1'000'000);
    CHECK(limits.events_per_second == 7);
    CHECK(limits.bytes_per_second == 1000);
    CHECK(limits.new_accounts_per_second == Approx(0.01));
}

TEST_CASE("no limit is nothing at all") {
    HostOrders orders;
    orders.limits = {.events_per_second = 0, .bytes_per_second = 0, .new_accounts_per_hour = 0};
    const HostRate::Limits limits = limits_of(orders, 0);
    CHECK(limits.events_per_second == 1);
    CHECK(limits.bytes_per_second == 1);
    CHECK(limits.new_accounts_per_second > 0);
}

TEST_CASE("ten minutes of events may come at once, then as many as the rate says") {
    HostRate rate(limits_of({}, 0));
    const std::uint64_t events = events_within(rate, 100s, 100);
    CHECK(events >= 50 * 600 + 50 * 100);
    CHECK(events <= 50 * 600 + 50 * 100 + 2);
}

TEST_CASE("large events are held back by their bytes") {
    HostRate rate(limits_of({}, 0));
    const std::uint64_t events = events_within(rate, 60s, 1'000'000);
    const std::uint64_t bytes_per_second = 50 * 16384;
    CHECK(events >= 120 * bytes_per_second / 1'000'000);
    CHECK(events <= 120 * bytes_per_second / 1'000'000 + 2);
}

TEST_CASE("a new account costs as much as five events more") {
    HostRate rate(limits_of({}, 0));
    const std::uint64_t events = events_within(rate, 600s, 100, 1);
    CHECK(events >= 50 * 1200 / 6);
    CHECK(events <= 50 * 1200 / 6 + 2);
}

TEST_CASE("new accounts an hour are held to what the operator has said") {
    HostOrders orders;
    orders.limits.new_accounts_per_hour = 60;
    HostRate rate(limits_of(orders, 0));
    const std::uint64_t events = events_within(rate, 1h, 100, 1);
    CHECK(events >= 120);
    CHECK(events <= 122);
}

TEST_CASE("a higher rate holds from then on") {
    HostRate rate(limits_of({}, 0));
    events_within(rate, 10s, 100);
    HostOrders orders;
    orders.limits.events_per_second = 1000;
    rate.change(limits_of(orders, 0), start + 10s);
    rate.charge(start + 10s, 100, 0);
    CHECK(rate.until_free(start + 10s) <= 2ms);
    CHECK(rate.limits().events_per_second == 1000);
}

TEST_CASE("a host is throttled that was held back for more than half of ten minutes") {
    HostRate rate(limits_of({}, 0));
    for (int i = 0; i < 60; ++i) rate.was_held(start + i * 10s, 5s);
    CHECK_FALSE(rate.is_throttled(start + 599s));  // half of it
    rate.was_held(start + 599s, 1s);
    CHECK(rate.is_throttled(start + 599s));
    rate.was_held(start + 601s, 1s);
    CHECK(rate.is_throttled(start + 602s));  // the ten minutes before count, too
    rate.was_held(start + 1202s, 1s);
    CHECK_FALSE(rate.is_throttled(start + 1203s));
}

TEST_CASE("a host that has not been held back for long is not throttled any more") {
    HostRate rate(limits_of({}, 0));
    for (int i = 0; i < 60; ++i) rate.was_held(start + i * 10s, 10s);
    CHECK(rate.is_throttled(start + 10min));
    CHECK_FALSE(rate.is_throttled(start + 20min));
}

TEST_CASE("the present rate is that of the last ten seconds or more") {
    HostRate rate(limits_of({}, 0));
    CHECK(rate.events_per_second(start) == 0);
    for (int i = 0; i < 40; ++i) rate.charge(start + 1s, 1000, 0);
    CHECK(rate.events_per_second(start + 9s) == 0);
    CHECK(rate.events_per_second(start + 20s) == Approx(2));
    CHECK(rate.bytes_per_second(start + 20s) == Approx(2000));
    CHECK(rate.events_per_second(start + 40s) == 0);
}
