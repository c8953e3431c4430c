// Runs one test on both kernels: real rings on real threads, and the seeded simulation. What is
// promised of the doors is written once and must hold in both, or tests in the simulation prove
// nothing.
//
// The body is the first fiber of worker 0; the others idle until it returns. Catch2's assertions
// are not made for threads: use them on worker 0, or inside on(), which waits; what a fiber of
// another worker finds out while worker 0 goes on is handed over as a value. Fibers that the body
// spawns may use CHECK; a REQUIRE that fails in them ends the process.
#pragma once

#include <catch2/catch.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/env/env.hpp"
#include "relay/env/uring/uring_runtime.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::support {

class TestWorld {
  public:
    TestWorld(env::Runtime& runtime, bool is_simulated, std::string directory)
        : runtime_(runtime), is_simulated_(is_simulated), directory_(std::move(directory)) {}

    env::Env& env() { return env_; }
    env::Runtime& runtime() { return runtime_; }
    bool is_simulated() const { return is_simulated_; }

    // Empty when the test begins, and removed after it.
    env::Directory directory();

    std::size_t worker_count() const { return workers_.size(); }
    // By number modulo worker_count(); 0 is the one that the body runs on.
    fiber::Worker& worker(std::size_t number) { return *workers_[number % workers_.size()]; }
    // Runs a function in a fiber of that worker; what it throws, a failed REQUIRE too, is thrown.
    void on(std::size_t number, std::move_only_function<void()> function);

  private:
    friend class Crew;
    env::Runtime& runtime_;
    bool is_simulated_;
    std::string directory_;
    env::Env env_;
    std::vector<fiber::Worker*> workers_;
};

using TestBody = std::function<void(TestWorld&)>;

// Once on rings and with a few seeds, for each number of workers.
void on_both_kernels(const std::vector<std::size_t>& worker_counts, const TestBody& body);
void on_rings(const env::UringRuntimeOptions& options,
              const std::vector<std::size_t>& worker_counts, const TestBody& body);
void in_simulation(const std::vector<std::size_t>& worker_counts, const TestBody& body);

// A connection over loopback, or what the simulation has for it.
struct Connection {
    env::Socket client;
    env::Socket server;
};
Connection connect_pair(TestWorld& world);

}  // namespace ringlay::support

#define RINGLAY_TEST_ON(function, runner, ...)                \
    static void function(ringlay::support::TestWorld& world); \
    TEST_CASE(__VA_ARGS__) {                                  \
        runner(function);                                     \
    }                                                         \
    static void function([[maybe_unused]] ringlay::support::TestWorld& world)

// TEST_ON_BOTH_KERNELS("a promise") { ... world.env().net ... }
#define TEST_ON_BOTH_KERNELS(name)                     \
    RINGLAY_TEST_ON(INTERNAL_CATCH_UNIQUE_NAME(body_), \
                    ([](auto body) { ringlay::support::on_both_kernels({1}, body); }), name)
#define TEST_WITH_WORKERS(name)                        \
    RINGLAY_TEST_ON(INTERNAL_CATCH_UNIQUE_NAME(body_), \
                    ([](auto body) { ringlay::support::on_both_kernels({1, 2, 5}, body); }), name)
