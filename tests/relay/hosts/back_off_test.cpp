#include "relay/hosts/back_off.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using ringlay::hosts::BackOff;
using namespace std::chrono_literals;

TEST_CASE("the delay doubles from one second to sixty, and stays") {
    BackOff back_off;
    for (Nanos whole : {Nanos(1s), Nanos(2s), Nanos(4s), Nanos(8s), Nanos(16s), Nanos(32s),
                        Nanos(60s), Nanos(60s)}) {
        auto span = static_cast<std::uint64_t>(whole.count() / 2);
        CHECK(back_off.take(span) == whole);  // the largest jitter
    }
}

TEST_CASE("jitter takes between half of the delay and all of it") {
    for (std::uint64_t random : {0ull, 1ull, 500'000'000ull, 500'000'001ull, ~0ull}) {
        BackOff back_off;
        Nanos delay = back_off.take(random);
        CHECK(delay >= 500ms);
        CHECK(delay <= 1s);
    }
    BackOff least;
    CHECK(least.take(0) == 500ms);
}

TEST_CASE("only an event, or a minute of connection, begins anew") {
    BackOff back_off;
    for (int i = 0; i < 5; ++i) back_off.take(0);
    back_off.connection_ended(false, 59s);
    CHECK(back_off.take(0) == 16s);
    back_off.connection_ended(true, 0s);
    CHECK(back_off.take(0) == 500ms);
    for (int i = 0; i < 5; ++i) back_off.take(0);
    back_off.connection_ended(false, 60s);
    CHECK(back_off.take(0) == 500ms);
}

TEST_CASE("a host that has failed for hours is tried more seldom, and never given up") {
    constexpr std::uint64_t least = 0;
    auto settled = [&](Nanos failing_for) {
        BackOff back_off;
        for (int i = 0; i < 20; ++i) back_off.take(least, failing_for);
        return 2 * back_off.take(least, failing_for);
    };
    CHECK(settled(59min) == 60s);
    CHECK(settled(1h) == 10min);
    CHECK(settled(23h) == 10min);
    CHECK(settled(24h) == 1h);
    CHECK(settled(24h * 365) == 1h);
}
