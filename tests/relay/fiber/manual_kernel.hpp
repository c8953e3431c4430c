// A Kernel for the tests of fiber/ alone: time stands still until a test moves it, and an operation
// completes when the test says so.
#pragma once

#include <algorithm>
#include <cerrno>
#include <functional>
#include <vector>

#include "relay/fiber/fiber.hpp"
#include "relay/fiber/kernel.hpp"
#include "relay/fiber/worker.hpp"

namespace ringlay::fiber::testing {

class ManualKernel final : public Kernel {
  public:
    void start() override {}
    void stop() override {}
    Nanos now() override { return time; }
    WallMillis wall() override { return WallMillis(0); }
    void submit(Op& op) override { open.push_back(&op); }
    void cancel(Op& op) override {
        ++cancels;
        if (cancel_completes) complete(op, -ECANCELED);
    }
    void wait(Nanos) override {}
    void wake() override { ++wakes; }
    std::size_t choose(std::size_t count) override { return choice ? choice(count) : 0; }
    std::uint64_t random() override { return 4; }
    void release_buffer(std::uint32_t) override {}
    void close(int) override {}

    void complete(Op& op, std::int64_t result) {
        open.erase(std::ranges::find(open, &op));
        op.result = result;
        completed_.push(op);
    }

    Nanos time{1000};
    std::vector<Op*> open;
    int cancels = 0;
    int wakes = 0;
    bool cancel_completes = true;
    std::function<std::size_t(std::size_t)> choice;
};

// Runs a function as a fiber until no fiber can run; time passes in jumps to the next timer. What
// the function throws (a failed REQUIRE) is thrown again here, on the test's own stack.
struct ManualWorld {
    ManualKernel kernel;
    Worker worker{kernel, {.name = "test", .max_fibers = 4096}};

    void step() { worker.step(); }
    void run_ready() {
        do worker.step();
        while (worker.has_ready() || worker.has_messages() || !kernel.completed().empty());
    }
    void run(std::function<void()> body) {
        std::exception_ptr thrown;
        Task task = worker.spawn("body", [&] {
            try {
                body();
            } catch (...) {
                thrown = std::current_exception();
            }
        });
        while (!task.is_done()) {
            run_ready();
            if (task.is_done()) break;
            if (worker.next_timer() == Nanos::max()) break;
            kernel.time = std::max(kernel.time, worker.next_timer());
        }
        bool is_stuck = !task.is_done();
        if (is_stuck) task_left = std::move(task);
        if (thrown) std::rethrow_exception(thrown);
        if (is_stuck) throw std::runtime_error("nobody can run: " + worker.dump());
    }
    Task task_left;
};

}  // namespace ringlay::fiber::testing
