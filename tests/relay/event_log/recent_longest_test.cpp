#include "relay/event_log/recent_longest.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;

TEST_CASE("what took longest is remembered for about a minute, and then the next longest") {
    RecentLongest recent;
    CHECK(recent.longest(0s) == 0s);
    recent.note(101s, 7s);
    recent.note(102s, 2s);
    recent.note(131s, 5s);
    CHECK(recent.longest(131s) == 7s);
    CHECK(recent.longest(159s) == 7s);
    CHECK(recent.longest(160s) == 5s);
    CHECK(recent.longest(189s) == 5s);
    CHECK(recent.longest(190s) == 0s);
    recent.note(191s, 1s);  // in the place of an earlier minute
    CHECK(recent.longest(191s) == 1s);
    CHECK(recent.longest(10'000s) == 0s);
}
