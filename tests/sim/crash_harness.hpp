// Lets a process crash at any moment, again and again, and asks after each crash whether what is
// left on its disk is what was promised. For everything that keeps files.
//
//     class LogScenario : public CrashScenario { check() and work() };
//     CrashOutcome outcome = run_crash_seeds(plan, [](std::uint64_t seed) { ... });
//     INFO(outcome.failure.value_or(""));
//     CHECK_FALSE(outcome.failure.has_value());
//
// For each seed a first run without a crash counts the events of the world; then the same world is
// run again and crashes after a number of them that the seed chooses, in every life but the last.
// The scenario object lives as long as the seed: it is the witness who remembers what was promised.
// It must believe only what it was told while run.is_alive(): after the crash the fibers of the old
// life go on over a disk that nobody will see, and are cancelled.
//
// RINGLAY_SIM_SEEDS=5000 tries that many seeds, RINGLAY_SIM_SEEDS=17-17 only that one.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/env/sim/world.hpp"

namespace ringlay::support {

struct SeedRange {
    std::uint64_t first = 1;
    std::uint64_t last = 1;
};

// 1 to `count`, or as the environment says.
inline SeedRange sim_seeds(std::uint64_t count) {
    const char* text = std::getenv("RINGLAY_SIM_SEEDS");
    if (text == nullptr) return {1, count};
    char* end = nullptr;
    std::uint64_t number = std::strtoull(text, &end, 10);
    if (*end == '-') return {number, std::strtoull(end + 1, nullptr, 10)};
    return {1, number};
}

// One life of the process: from its start to its crash or its end.
class CrashRun {
  public:
    CrashRun(env::World& world, env::Machine& machine, std::uint32_t life)
        : world_(world), machine_(machine), life_(life) {}

    env::World& world() { return world_; }
    env::Machine& machine() { return machine_; }  // starts further workers of this process
    env::Env& env() { return env_; }
    std::uint32_t life() const { return life_; }  // 0: the first
    bool is_alive() const { return is_alive_; }
    void end() { is_alive_ = false; }

  private:
    env::World& world_;
    env::Machine& machine_;
    env::Env env_;
    std::uint32_t life_;
    bool is_alive_ = true;
};

class CrashScenario {
  public:
    virtual ~CrashScenario() = default;

    // At the beginning of each life, in its first fiber: opens what the last one has left and says
    // what is wrong with it. May be hit by the next crash: what it says then is not believed.
    virtual std::optional<std::string> check(CrashRun& run) = 0;

    // Then, in the same fiber, until it has done its work or is cancelled.
    virtual void work(CrashRun& run) = 0;
};

struct CrashPlan {
    SeedRange seeds;
    std::uint32_t lives = 3;             // that crash; two more then end as they should
    std::optional<env::CrashMode> mode;  // nothing: either, by seed
    env::WorldOptions world;             // its seed is set by the harness
};

struct CrashCounts {
    std::uint64_t seeds = 0;
    std::uint64_t kills = 0;
    std::uint64_t power_losses = 0;
    std::uint64_t crashes_after_work = 0;  // the work had ended, the machine went down later
    std::uint64_t checks = 0;              // that were believed
    std::uint64_t events = 0;
};

struct CrashOutcome {
    CrashCounts counts;
    std::optional<std::string> failure;  // of the first seed that failed, with its number
};

// One seed, from the first life to the last.
class CrashSeed {
  public:
    CrashSeed(const CrashPlan& plan, std::uint64_t seed, CrashScenario& scenario,
              CrashCounts& counts)
        : plan_(plan),
          scenario_(scenario),
          counts_(counts),
          choices_(seed * 2 + 1),
          world_(with_seed(plan.world, seed)),
          machine_(world_.machine("crashing")) {}

    // Without any crash: the number of events, or nothing when it failed.
    std::optional<std::uint64_t> rehearse() {
        live_to_the_end(0);
        if (failure_) return std::nullopt;
        return world_.event_count();
    }

    void run(std::uint64_t usual_events) {
        for (std::uint32_t life = 0; life < plan_.lives && !failure_; ++life) {
            live_and_crash(life, usual_events);
        }
        for (std::uint32_t more = 0; more < 2 && !failure_; ++more) {
            live_to_the_end(plan_.lives + more);
        }
        counts_.events += world_.event_count();
    }

    const std::optional<std::string>& failure() const { return failure_; }

  private:
    static env::WorldOptions with_seed(env::WorldOptions options, std::uint64_t seed) {
        options.seed = seed;
        return options;
    }

    CrashRun& start(std::uint32_t life) {
        runs_.push_back(std::make_unique<CrashRun>(world_, machine_, life));
        CrashRun& run = *runs_.back();
        machine_.start_worker({.name = "first"}, [this, &run] {
            auto wrong = scenario_.check(run);
            if (!run.is_alive()) return;
            ++counts_.checks;
            if (wrong) {
                failure_ =
                    "life " + std::to_string(run.life()) + " (" + last_crash_ + "): " + *wrong;
            } else {
                scenario_.work(run);
            }
        });
        return run;
    }

    void finish(CrashRun& run) {
        auto stuck = world_.run();
        run.end();
        if (stuck && !failure_) failure_ = *stuck;
    }

    void live_to_the_end(std::uint32_t life) { finish(start(life)); }

    void live_and_crash(std::uint32_t life, std::uint64_t usual_events) {
        bool is_kill = plan_.mode ? *plan_.mode == env::CrashMode::kill : choices_.coin();
        std::uint64_t crash_at = world_.event_count() + 1 + choices_.below(usual_events + 1);
        CrashRun& run = start(life);
        if (!world_.run_to_event(crash_at)) {
            // Nothing was left to happen: it has ended, or it is stuck.
            if (!world_.has_ended()) return finish(run);
            ++counts_.crashes_after_work;
        }
        run.end();
        machine_.crash(is_kill ? env::CrashMode::kill : env::CrashMode::power_loss);
        ++(is_kill ? counts_.kills : counts_.power_losses);
        last_crash_ = std::string(is_kill ? "kill" : "power loss") + " at event " +
                      std::to_string(crash_at) + " in life " + std::to_string(life);
        finish(run);
    }

    const CrashPlan& plan_;
    CrashScenario& scenario_;
    CrashCounts& counts_;
    env::Prng choices_;
    std::vector<std::unique_ptr<CrashRun>> runs_;  // before the world: it ends what is left in them
    env::World world_;
    env::Machine& machine_;
    std::string last_crash_ = "no crash yet";
    std::optional<std::string> failure_;
};

using MakeScenario = std::function<std::unique_ptr<CrashScenario>(std::uint64_t seed)>;

inline CrashOutcome run_crash_seeds(const CrashPlan& plan, const MakeScenario& make) {
    CrashOutcome outcome;
    for (std::uint64_t seed = plan.seeds.first; seed <= plan.seeds.last; ++seed) {
        std::optional<std::uint64_t> usual_events;
        {
            auto scenario = make(seed);
            CrashCounts uncounted;
            CrashSeed rehearsal(plan, seed, *scenario, uncounted);
            usual_events = rehearsal.rehearse();
            outcome.failure = rehearsal.failure();
        }
        if (usual_events) {
            auto scenario = make(seed);
            CrashSeed crashing(plan, seed, *scenario, outcome.counts);
            crashing.run(*usual_events);
            outcome.failure = crashing.failure();
        }
        ++outcome.counts.seeds;
        if (outcome.failure) {
            *outcome.failure = "seed " + std::to_string(seed) + ", " + *outcome.failure;
            return outcome;
        }
    }
    return outcome;
}

}  // namespace ringlay::support
