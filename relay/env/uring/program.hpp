// What every program of ours does around its runtime: signals, the descriptor limit, and text to
// standard output and error.
//
// Owner    main().
// Thread   the main thread; it runs no fiber and waits for signals. write_all() from any thread.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>

#include "relay/env/uring/uring_runtime.hpp"

namespace ringlay::env {

// Waits for as long as the descriptor takes nothing; gives up when it is broken.
void write_all(int descriptor, std::string_view text);

// Each connection is a descriptor; the usual soft limit of 1024 is not for servers. Returns what
// may be open from now on: the hard limit.
std::uint64_t raise_descriptor_limit();

// Runs a function as the first fiber of a worker and waits for its end on this thread, which
// meanwhile takes SIGTERM, SIGINT, SIGUSR1, and SIGHUP unless it is ignored: with sigwait, so that
// no handler exists. SIGPIPE is ignored.
class Program {
  public:
    explicit Program(UringRuntimeOptions options);

    UringRuntime& runtime() { return *runtime_; }

    // Returns when no worker has a fiber left. `on_signal` is called on this thread.
    void run(std::move_only_function<void()> first, const std::function<void(int)>& on_signal);

  private:
    sigset_t signals_;
    pthread_t main_thread_;
    std::atomic<bool> has_ended_{false};
    std::unique_ptr<UringRuntime> runtime_;
};

}  // namespace ringlay::env
