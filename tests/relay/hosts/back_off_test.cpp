#include "relay/hosts/back_off.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using ringlay::hosts::BackOff;
using namespace std::chrono_literals;

namespace {

constexpr Nanos start = 100h;

BackOff after_failures(int count) {
    BackOff back_off(start);
    for (int i = 0; i < count; ++i) {
        back_off.ended(start, false);
        back_off.take(0, start);
    }
    return back_off;
}

}  // namespace

TEST_CASE("the delay doubles from one second to sixty, and stays") {
    BackOff back_off(start);
    for (Nanos whole : {Nanos(1s), Nanos(2s), Nanos(4s), Nanos(8s), Nanos(16s), Nanos(32s),
                        Nanos(60s), Nanos(60s)}) {
        auto span = static_cast<std::uint64_t>(whole.count() / 2);
        CHECK(back_off.take(span, start) == whole);  // the largest jitter
    }
}

TEST_CASE("jitter takes between half of the delay and all of it") {
    for (std::uint64_t random : {0ull, 1ull, 500'000'000ull, 500'000'001ull, ~0ull}) {
        BackOff back_off(start);
        Nanos delay = back_off.take(random, start);
        CHECK(delay >= 500ms);
        CHECK(delay <= 1s);
    }
    BackOff least(start);
    CHECK(least.take(0, start) == 500ms);
}

TEST_CASE("only a good event, or a minute of connection, begins anew") {
    BackOff back_off = after_failures(5);
    back_off.connected(start);
    back_off.ended(start + 59s, false);
    CHECK(back_off.take(0, start + 59s) == 16s);
    back_off.connected(start);
    back_off.ended(start, true);
    CHECK(back_off.take(0, start) == 500ms);
    back_off = after_failures(5);
    back_off.connected(start);
    back_off.ended(start + 60s, false);
    CHECK(back_off.take(0, start + 60s) == 500ms);
}

TEST_CASE("an attempt that took long is no connection, nor is one of before") {
    BackOff back_off = after_failures(5);
    back_off.ended(start + 10min, false);  // in vain
    CHECK(back_off.take(0, start + 10min) == 16s);
    back_off.connected(start + 10min);
    back_off.ended(start + 10min, false);
    back_off.ended(start + 20min, false);
    CHECK(back_off.take(0, start + 20min) == 30s);
}

TEST_CASE("a host fails from the end of its last good connection on, however quiet that was") {
    BackOff back_off(start);
    CHECK(back_off.failing_for(start + 1h) == 1h);
    back_off.connected(start + 1h);
    back_off.ended(start + 49h, false);
    CHECK(back_off.failing_for(start + 49h) == 0s);
    back_off.connected(start + 50h);
    back_off.ended(start + 50h + 1s, false);
    CHECK(back_off.failing_for(start + 51h) == 2h);
    back_off.connected(start + 51h);
    back_off.ended(start + 51h, true);
    CHECK(back_off.failing_for(start + 51h) == 0s);
}

TEST_CASE("a host that has failed for hours is tried more seldom, and never given up") {
    constexpr std::uint64_t least = 0;
    auto settled = [&](Nanos failing_for) {
        BackOff back_off(start);
        for (int i = 0; i < 20; ++i) back_off.take(least, start + failing_for);
        return 2 * back_off.take(least, start + failing_for);
    };
    CHECK(settled(59min) == 60s);
    CHECK(settled(1h) == 10min);
    CHECK(settled(23h) == 10min);
    CHECK(settled(24h) == 1h);
    CHECK(settled(24h * 365) == 1h);
}
