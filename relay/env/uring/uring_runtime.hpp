// The real world: each worker is a thread with a ring. Beside them a pool for calls that block, one
// for names (a slow resolver must not hold up files), and a watchdog.
//
// Order of the end: the workers' threads, as their last fibers return; the pool's threads, whose
// last act is to wake a kernel; only then workers and kernels. Look-ups of names that nobody waits
// for any more are left behind: they hold nothing of the runtime's, and the process may end.
//
// Owner    main().
// Thread   start_worker() and the numbers from any; join() and the destructor from the owner's.
// Bound    threads: workers + pool_threads + names.places + 1.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "relay/env/env.hpp"
#include "relay/env/uring/name_pool.hpp"
#include "relay/env/uring/thread_pool.hpp"
#include "relay/env/uring/uring_kernel.hpp"

namespace ringlay::env {

struct UringRuntimeOptions {
    UringOptions kernel;
    // Workers of these names read and write files on their own thread (UringOptions::files_inline).
    std::vector<std::string> files_inline_workers;
    std::size_t pool_threads = 8;
    NamePoolOptions names;
    Nanos watch_every = std::chrono::milliseconds(250);
    Nanos stall_after = std::chrono::seconds(1);
    // A fiber has kept a worker's thread for longer than `stall_after`; once for each time it does.
    // Called on the watchdog's thread. Empty: no watchdog.
    std::function<void(std::string_view worker, Nanos since)> on_stall;
};

class UringRuntime final : public Runtime {
  public:
    explicit UringRuntime(UringRuntimeOptions options = {});
    ~UringRuntime() override;  // joins
    UringRuntime(const UringRuntime&) = delete;
    UringRuntime& operator=(const UringRuntime&) = delete;

    fiber::Worker& start_worker(fiber::WorkerOptions options,
                                std::move_only_function<void()> first) override;

    // Returns when no worker has a fiber left. Not from a worker.
    void join();

    const ThreadPool& pool() const { return pool_; }
    const NamePool& names() const { return names_; }

    // Every worker and its numbers, in the order of their start.
    void for_each_worker(
        const std::function<void(const fiber::Worker&, const UringGauges&)>& visit) const;

  private:
    struct Member;
    struct Stall {
        std::string_view worker;
        Nanos since;
    };

    bool is_files_inline(std::string_view worker) const;
    void watch();
    std::vector<Stall> new_stalls();  // under mutex_

    const UringRuntimeOptions options_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Member>> members_;  // under mutex_; the pools go first
    ThreadPool pool_;
    NamePool names_;
    std::condition_variable watchdog_wake_;
    bool is_ending_ = false;  // under mutex_
    std::thread watchdog_;
};

}  // namespace ringlay::env
