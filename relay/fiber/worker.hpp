// A worker: a thread, its Kernel and the fibers that run on it. Fibers never leave their worker, so
// what one worker owns needs no lock. Every thread that runs relay code is a worker; the blocking
// pool is the only other kind, and it runs nothing but the jobs it is given.
//
// Owner    env::Runtime makes workers and ends them.
// Thread   everything on the worker's thread, except send(), index() and name().
// Bound    max_fibers; a slab of stacks grows to it and never shrinks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "relay/fiber/kernel.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::fiber {

class Fiber;
class StackPool;
class TimerQueue;
class Task;

// Something that another worker has sent here: deliver() runs once on the home worker's thread,
// outside any fiber, and must not wait. The sender does not touch it after send(); it belongs to
// the home worker again once deliver() is called.
class Message {
  public:
    virtual void deliver() = 0;

  protected:
    Message() = default;
    ~Message() = default;

  private:
    friend class Inbox;
    std::atomic<Message*> next_{nullptr};
};

// Many senders, one receiver; push never waits and never allocates.
class Inbox {
  public:
    Inbox();
    void push(Message& message);
    Message* pop();  // nothing, or nothing yet: a push is half done, and its sender will wake us
    bool empty() const;

  private:
    struct Stub final : Message {
        void deliver() override {}
    };
    Stub stub_;
    alignas(64) std::atomic<Message*> newest_;
    alignas(64) Message* oldest_;
};

struct WorkerOptions {
    std::string name;
    std::uint32_t index = 0;
    std::size_t stack_bytes = 0;  // 0: 64 KiB, or 256 KiB where a sanitizer widens the frames
    std::size_t max_fibers = 32 * 1024;
    Nanos turn_budget = std::chrono::microseconds(500);  // of fibers, between two looks outside
};

// Numbers that other threads may read at any time.
struct WorkerGauges {
    std::atomic<std::uint64_t> fibers{0};
    std::atomic<std::uint64_t> switches{0};
    std::atomic<std::uint64_t> sleeps{0};
    std::atomic<std::uint64_t> wakes{0};            // by other threads
    std::atomic<std::uint64_t> long_runs{0};        // a fiber kept the thread for more than 5 ms
    std::atomic<std::int64_t> running_since_ns{0};  // 0: no fiber is running (watchdog)
};

class Worker {
  public:
    Worker(Kernel& kernel, WorkerOptions options);
    ~Worker();  // no fiber may be left
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    static Worker& current();  // asserts that there is one
    static bool has_current();

    Kernel& kernel() { return kernel_; }
    const std::string& name() const { return options_.name; }
    std::uint32_t index() const { return options_.index; }
    const WorkerGauges& gauges() const { return gauges_; }

    // From any thread.
    void send(Message& message);

    // For who can do without: false when a spawn would end the process, because max_fibers is near
    // or the system has no stack for another fiber.
    bool has_room();
    // A new fiber of this worker, ready to run. The name is for dumps and must be a literal or
    // outlive the fiber. The task cancels and joins when it is destroyed.
    [[nodiscard]] Task spawn(std::string_view name, std::move_only_function<void()> body);

    // Runs what is ready, for at most the turn budget; never sleeps. Sets current() meanwhile.
    void step();
    bool has_ready() const { return ready_count_ > 0; }
    bool has_messages() const { return !inbox_.empty(); }
    std::size_t fiber_count() const { return fiber_count_; }
    Nanos next_timer() const;  // Nanos::max(): none

    // The loop of a real thread: start() of the kernel, steps and waits until no fiber is left,
    // stop(). `first` runs as the first fiber.
    void run(std::move_only_function<void()> first);

    // One line for each fiber: name, state, what it waits for and how long; below it the stack.
    std::string dump() const;

  private:
    friend class Fiber;
    friend class Task;
    friend struct Scheduler;
    friend struct OverflowReport;

    Kernel& kernel_;
    WorkerOptions options_;
    WorkerGauges gauges_;
    Inbox inbox_;
    std::atomic<bool> asleep_{false};
    std::unique_ptr<StackPool> stacks_;
    std::unique_ptr<TimerQueue> timers_;
    Fiber* running_ = nullptr;
    Fiber* ready_first_ = nullptr;
    Fiber* ready_last_ = nullptr;
    std::size_t ready_count_ = 0;
    Fiber* all_fibers_ = nullptr;
    std::size_t fiber_count_ = 0;
    std::uint64_t next_fiber_id_ = 1;
    void* main_context_ = nullptr;             // where the running fiber returns to
    void* sanitizer_main_ = nullptr;           // TSan's handle of the thread's own stack
    const void* main_stack_bottom_ = nullptr;  // ASan's idea of it
    std::size_t main_stack_bytes_ = 0;
};

}  // namespace ringlay::fiber
