#include "relay/hosts/dial_gate.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "tests/support/worlds.hpp"

using namespace ringlay;
using hosts::DialGate;
using hosts::DialLimits;
using namespace std::chrono_literals;

TEST_CASE("each worker has its share of what the process may dial, and two at least") {
    const DialLimits whole{.max_at_once = 128, .per_second = 100};
    CHECK(whole.share(1).max_at_once == 128);
    CHECK(whole.share(5).max_at_once == 26);
    CHECK(whole.share(5).per_second == 20);
    CHECK(whole.share(47).per_second == 3);
    CHECK(whole.share(1000).max_at_once == 2);
    CHECK(whole.share(1000).per_second == 2);
}

TEST_ON_BOTH_KERNELS("so many dial at once; who leaves makes room for one") {
    DialGate gate({.max_at_once = 2, .per_second = 1'000'000});
    auto first = gate.enter(false);
    auto second = gate.enter(false);
    REQUIRE((first && second));
    std::string order;
    fiber::Event has_entered;
    fiber::Task third = fiber::spawn("third", [&] {
        auto pass = gate.enter(false);
        order += pass ? "3" : "x";
        has_entered.set();
    });
    while (gate.waiting() == 0) fiber::yield();
    CHECK(gate.inside() == 2);
    CHECK(order.empty());
    {
        auto left = std::move(*first);
    }
    CHECK(has_entered.wait(Deadline::in(60s)));
    CHECK(order == "3");
    third.join();
    CHECK(gate.inside() == 1);
}

TEST_ON_BOTH_KERNELS("hosts that were reached before go first") {
    DialGate gate({.max_at_once = 1, .per_second = 1'000'000});
    auto held = gate.enter(false);
    REQUIRE(held);
    std::string order;
    fiber::TaskGroup waiters;
    for (bool goes_first : {false, false, true}) {
        waiters.spawn("waits", [&, goes_first] {
            auto pass = gate.enter(goes_first);
            if (pass) order += goes_first ? 'F' : 'o';
        });
        const std::size_t before = gate.waiting();
        while (gate.waiting() == before) fiber::yield();
    }
    {
        auto left = std::move(*held);
    }
    while (order.size() < 3) fiber::yield();
    CHECK(order == "Foo");
}

TEST_ON_BOTH_KERNELS("every fourth place is for hosts never reached, however many others come") {
    DialGate gate({.max_at_once = 1, .per_second = 1'000'000});
    auto held = gate.enter(true);
    REQUIRE(held);
    std::string order;
    fiber::TaskGroup waiters;
    auto wait = [&](bool goes_first, char mark) {
        const std::size_t before = gate.waiting();
        waiters.spawn("waits", [&, goes_first, mark] {
            auto pass = gate.enter(goes_first);
            if (pass) order += mark;
            fiber::yield();
        });
        while (gate.waiting() == before) fiber::yield();
    };
    for (char mark : {'a', 'b'}) wait(false, mark);
    for (int i = 0; i < 9; ++i) wait(true, 'F');
    {
        auto left = std::move(*held);
    }
    while (order.size() < 11) fiber::yield();
    CHECK(order == "FFFaFFFbFFF");
}

TEST_ON_BOTH_KERNELS("a place that is handed on is not taken by who comes in that moment") {
    DialGate gate({.max_at_once = 1, .per_second = 1'000'000});
    auto held = gate.enter(true);
    REQUIRE(held);
    std::string order;
    fiber::Task waits = fiber::spawn("waits", [&] {
        auto pass = gate.enter(false);
        order += 'o';
    });
    while (gate.waiting() == 0) fiber::yield();
    {
        auto left = std::move(*held);
    }
    // The one that waits is called, and has not run yet.
    auto newcomer = gate.enter(true);
    REQUIRE(newcomer);
    order += 'n';
    waits.join();
    CHECK(order == "on");
    CHECK(gate.inside() == 1);
}

TEST_ON_BOTH_KERNELS("who is cancelled when it is called leaves its place to the next") {
    DialGate gate({.max_at_once = 1, .per_second = 1'000'000});
    auto held = gate.enter(true);
    REQUIRE(held);
    std::string order;
    auto wait = [&](char mark) {
        return fiber::spawn("waits", [&, mark] {
            if (gate.enter(true)) order += mark;
        });
    };
    fiber::Task cancelled = wait('c');
    while (gate.waiting() < 1) fiber::yield();
    fiber::Task next = wait('n');
    while (gate.waiting() < 2) fiber::yield();
    cancelled.cancel();
    {
        auto left = std::move(*held);
    }
    cancelled.join();
    next.join();
    CHECK(order.ends_with('n'));
    CHECK(gate.inside() == 0);
    CHECK(gate.waiting() == 0);
}

TEST_ON_BOTH_KERNELS("new dials begin one after the other, at their rate") {
    DialGate gate({.max_at_once = 100, .per_second = 100});
    const Nanos began = world.env().clock.now();
    for (int i = 0; i < 11; ++i) CHECK(gate.enter(true));
    CHECK(world.env().clock.now() - began >= 100ms);
}

TEST_ON_BOTH_KERNELS("who is cancelled in the gate takes no room in it") {
    DialGate gate({.max_at_once = 1, .per_second = 1});
    {
        auto held = gate.enter(false);
        REQUIRE(held);
        fiber::Task waits = fiber::spawn("waits", [&] { CHECK_FALSE(gate.enter(false)); });
        while (gate.waiting() == 0) fiber::yield();
        waits.cancel_and_join();
        CHECK(gate.waiting() == 0);
    }
    // Inside, but before its time: the rate is one a second.
    fiber::Task paced = fiber::spawn("paced", [&] { CHECK_FALSE(gate.enter(false)); });
    while (gate.inside() == 0) fiber::yield();
    paced.cancel_and_join();
    CHECK(gate.inside() == 0);
}
