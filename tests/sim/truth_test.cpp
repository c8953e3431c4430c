// The whole relay among hosts that lie, move their accounts, lose their data and fall silent, with
// a directory that is slow, outdated or down, killed and without power at any step: what it has
// written is what a model says that was rebuilt from everything that was said to it.
//
// RINGLAY_SIM_SEEDS=5000 plays that many seeds, RINGLAY_SIM_SEEDS=17-17 only that one. A diary of
// the one that fails is printed; RINGLAY_SIM_LOG=1 has every relay's own log lines in it.

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/sim/crash_harness.hpp"
#include "tests/sim/truth_scenario.hpp"

using namespace ringlay;
using namespace ringlay::support;

namespace {

struct Outcome {
    std::optional<std::string> problem;
    Strictness strictness;
    std::vector<std::string> diary;
    std::uint64_t trace_hash = 0;
};

Outcome play_seed(std::uint64_t seed) {
    Outcome outcome;
    TruthWorld world(setup_of_seed(seed));
    const bool has_log = std::getenv("RINGLAY_SIM_LOG") != nullptr;
    if (has_log) {
        world.line.log_level = base::LogLevel::debug;
        world.line.log_lines = 1 << 14;
    }
    play(world, profile_of_seed(seed), &outcome.diary);
    Findings findings = world.inspect();
    outcome.problem = find_problem(world, findings);
    outcome.strictness = measure(world, findings);
    outcome.trace_hash = world.line.world.trace_hash();
    for (auto& life : world.line.lives) {
        if (!has_log) break;
        life->logger.flush([&](std::string_view line) { outcome.diary.emplace_back(line); });
    }
    return outcome;
}

void check_seed(std::uint64_t seed) {
    CAPTURE(seed);
    Outcome outcome = play_seed(seed);
    if (outcome.problem) {
        std::string diary;
        for (const std::string& line : outcome.diary) diary += line + "\n";
        UNSCOPED_INFO(diary);
        FAIL(*outcome.problem);
    }
}

}  // namespace

TEST_CASE("what the relay has written is what a model says, whoever lies and whatever breaks") {
    const SeedRange seeds = sim_seeds(60);
    for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) check_seed(seed);
}

TEST_CASE("most of what is honest has to pass: the model does not excuse everything") {
    Strictness all;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        Strictness its = play_seed(seed).strictness;
        all.must += its.must;
        all.may += its.may;
        all.lies += its.lies;
        all.unverified += its.unverified;
        for (const auto& [excuse, count] : its.excuses) all.excuses[excuse] += count;
    }
    for (const auto& [excuse, count] : all.excuses) {
        UNSCOPED_INFO(std::to_string(count) + " " + excuse);
    }
    CAPTURE(all.must, all.may, all.lies, all.unverified);
    CHECK(all.must > 2 * all.may);
    CHECK(all.lies > 100);
    CHECK(all.unverified > 20);
}

TEST_CASE("the same seed gives the same run of the relay and its network") {
    for (std::uint64_t seed : {4u, 6u, 8u})
        CHECK(play_seed(seed).trace_hash == play_seed(seed).trace_hash);
}
