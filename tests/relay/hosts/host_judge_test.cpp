#include "relay/hosts/host_judge.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using ringlay::hosts::LeapJudge;
using ringlay::hosts::PoisonStepper;
using ringlay::hosts::QuarantineJudge;
using ringlay::hosts::RegressionJudge;
using namespace std::chrono_literals;

namespace {

constexpr Nanos start = 100h;

// So many good and bad events in each minute before `now`.
QuarantineJudge after_minutes(std::size_t minutes, std::uint64_t good, std::uint64_t bad) {
    QuarantineJudge judge;
    for (std::size_t i = 0; i < minutes; ++i) {
        judge.add(start + static_cast<std::int64_t>(i) * 1min, good, bad);
    }
    return judge;
}

}  // namespace

TEST_CASE("a host is bad when more than nine in ten of its events were for ten minutes") {
    CHECK(after_minutes(11, 1, 10).is_bad(start + 10min));
    CHECK_FALSE(after_minutes(11, 1, 9).is_bad(start + 10min));
    CHECK(after_minutes(11, 0, 10).is_bad(start + 10min));
    CHECK_FALSE(after_minutes(11, 10, 0).is_bad(start + 10min));
}

TEST_CASE("a bad start is no proof: it has ten minutes") {
    QuarantineJudge judge = after_minutes(9, 0, 1000);
    CHECK_FALSE(judge.is_bad(start + 9min + 59s));
    CHECK(judge.is_bad(start + 10min));
}

TEST_CASE("few events prove nothing") {
    CHECK_FALSE(after_minutes(11, 0, 9).is_bad(start + 10min));  // 90 in the last ten minutes
    CHECK(after_minutes(11, 0, 10).is_bad(start + 10min));       // 100
}

TEST_CASE("what is older than ten minutes does not count") {
    QuarantineJudge judge = after_minutes(10, 0, 1000);
    CHECK(judge.is_bad(start + 10min));
    CHECK(judge.is_bad(start + 18min));
    CHECK_FALSE(judge.is_bad(start + 19min));
    judge.add(start + 19min, 100, 0);
    CHECK(judge.bad_percent(start + 19min) == 0);
}

TEST_CASE("the share of bad events is said in percent") {
    CHECK(QuarantineJudge().bad_percent(start) == 0);
    CHECK(after_minutes(1, 1, 3).bad_percent(start) == 75);
}

TEST_CASE("a judge that has forgotten begins anew") {
    QuarantineJudge judge = after_minutes(11, 0, 1000);
    judge.forget();
    CHECK_FALSE(judge.is_bad(start + 10min));
    judge.add(start + 11min, 0, 1000);
    CHECK_FALSE(judge.is_bad(start + 12min));
}

TEST_CASE("what ends the connection three times at one cursor is stepped over") {
    PoisonStepper poison;
    CHECK(poison.poisoned(40) == 0);
    CHECK(poison.poisoned(40) == 0);
    CHECK(poison.poisoned(40) == 1);
}

TEST_CASE("while it goes on the steps double, without waiting for a third time") {
    PoisonStepper poison;
    std::uint64_t cursor = 40;
    for (int i = 0; i < 2; ++i) CHECK(poison.poisoned(cursor) == 0);
    for (std::uint64_t step : {1u, 2u, 4u, 8u, 16u, 32u, 64u, 128u, 256u, 512u, 1024u, 1024u}) {
        CHECK(poison.poisoned(cursor) == step);
        cursor += step;
    }
}

TEST_CASE("another cursor before the third time counts from one") {
    PoisonStepper poison;
    CHECK(poison.poisoned(40) == 0);
    CHECK(poison.poisoned(40) == 0);
    CHECK(poison.poisoned(41) == 0);
    CHECK(poison.poisoned(41) == 0);
    CHECK(poison.poisoned(41) == 1);
}

TEST_CASE("an event that passes ends the stepping") {
    PoisonStepper poison;
    for (int i = 0; i < 3; ++i) poison.poisoned(40);
    poison.passed();
    CHECK(poison.poisoned(60) == 0);
    CHECK(poison.poisoned(60) == 0);
    CHECK(poison.poisoned(60) == 1);
}

TEST_CASE("a step may go too far: what comes above where the stepping began is new") {
    PoisonStepper poison;
    CHECK(poison.floor(40) == 40);
    for (int i = 0; i < 2; ++i) poison.poisoned(40);
    CHECK(poison.floor(40) == 40);
    poison.poisoned(40);
    CHECK(poison.floor(41) == 40);
    poison.poisoned(41);
    poison.poisoned(43);
    CHECK(poison.floor(47) == 40);
    poison.passed();
    CHECK(poison.floor(47) == 47);
}

TEST_CASE("a leap is believed when it comes twice behind the same cursor") {
    constexpr std::uint64_t leap = LeapJudge::least_leap;
    LeapJudge judge;
    CHECK_FALSE(judge.believes(5, 6 + leap));
    CHECK(judge.believes(5, 6 + leap));
    CHECK_FALSE(judge.believes(7, 8 + leap));  // behind another cursor
    CHECK_FALSE(judge.believes(5, 6 + leap));  // which has forgotten the first
}

TEST_CASE("the first event, small gaps, old seqs and counting by the clock are no leaps") {
    constexpr std::uint64_t leap = LeapJudge::least_leap;
    constexpr std::uint64_t now_us = 1'790'000'000'000'000;
    constexpr std::uint64_t day_us = 86'400'000'000;
    const struct {
        std::uint64_t cursor, seq;
        bool is_believed;
    } cases[] = {
        {0, (1ull << 53) - 1, true},
        {5, 5 + leap, true},
        {5, 6 + leap, false},
        {100, 7, true},
        {now_us, now_us + day_us, true},
        {now_us, (1ull << 53) - 1, false},
        {17 * leap, 26 * leap, true},
        {2 * leap, 4 * leap + 1, true},
        {2 * leap, 4 * leap + 2, false},
    };
    for (const auto& its : cases) {
        CAPTURE(its.cursor, its.seq);
        CHECK(LeapJudge().believes(its.cursor, its.seq) == its.is_believed);
    }
}

TEST_CASE("seqs below the cursor, and no others for ten minutes, are a new counting") {
    RegressionJudge judge;
    CHECK_FALSE(judge.counts_anew_from(start));
    judge.stale(start, 100, 7);
    judge.stale(start + 1min, 100, 8);
    CHECK_FALSE(judge.counts_anew_from(start + 10min - 1ns));
    CHECK(judge.counts_anew_from(start + 10min) == 7u);
    judge.passed();
    CHECK_FALSE(judge.counts_anew_from(start + 20min));
}

TEST_CASE("a host that repeats itself up to the cursor does not count anew") {
    RegressionJudge judge;
    judge.stale(start, 100, 99);
    judge.stale(start, 100, 100);
    CHECK_FALSE(judge.counts_anew_from(start + 10min));
    judge.stale(start, 100, 99);
    CHECK(judge.counts_anew_from(start + 10min) == 99u);
}
