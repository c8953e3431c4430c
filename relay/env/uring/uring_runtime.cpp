#include "relay/env/uring/uring_runtime.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include "proto/base/assert.hpp"

namespace ringlay::env {

struct UringRuntime::Member {
    Member(fiber::WorkerOptions worker_options, const UringOptions& kernel_options,
           ThreadPool& general, NamePool& names)
        : kernel(kernel_options, general, names), worker(kernel, std::move(worker_options)) {}

    UringKernel kernel;
    fiber::Worker worker;
    std::thread thread;
    std::int64_t reported_run_ns = 0;  // watchdog: the run that was reported last
};

UringRuntime::UringRuntime(UringRuntimeOptions options)
    : options_(std::move(options)), pool_("pool", options_.pool_threads), names_(options_.names) {
    if (options_.on_stall) watchdog_ = start_thread("watchdog", [this] { watch(); });
}

UringRuntime::~UringRuntime() {
    join();
    {
        std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    watchdog_wake_.notify_all();
    if (watchdog_.joinable()) watchdog_.join();
}

bool UringRuntime::is_files_inline(std::string_view worker) const {
    return options_.kernel.files_inline ||
           std::ranges::find(options_.files_inline_workers, worker) !=
               options_.files_inline_workers.end();
}

fiber::Worker& UringRuntime::start_worker(fiber::WorkerOptions options,
                                          std::move_only_function<void()> first) {
    UringOptions kernel_options = options_.kernel;
    kernel_options.files_inline = is_files_inline(options.name);
    auto made = std::make_unique<Member>(std::move(options), kernel_options, pool_, names_);
    Member& member = *made;

    std::lock_guard lock(mutex_);
    RINGLAY_ASSERT(!is_ending_);
    members_.push_back(std::move(made));
    member.thread = start_thread(member.worker.name(), [&member, run = std::move(first)]() mutable {
        member.worker.run(std::move(run));
    });
    return member.worker;
}

void UringRuntime::join() {
    // A worker may start another one until it ends itself, so the list may grow meanwhile.
    for (std::size_t i = 0;; ++i) {
        Member* member = nullptr;
        {
            std::lock_guard lock(mutex_);
            if (i == members_.size()) return;
            member = members_[i].get();
        }
        if (member->thread.joinable()) member->thread.join();
    }
}

void UringRuntime::for_each_worker(
    const std::function<void(const fiber::Worker&, const UringGauges&)>& visit) const {
    std::lock_guard lock(mutex_);
    for (const auto& member : members_) visit(member->worker, member->kernel.gauges());
}

void UringRuntime::watch() {
    std::unique_lock lock(mutex_);
    while (!is_ending_) {
        watchdog_wake_.wait_for(lock, options_.watch_every);
        std::vector<Stall> stalls = new_stalls();
        lock.unlock();
        for (const Stall& stall : stalls) options_.on_stall(stall.worker, stall.since);
        lock.lock();
    }
}

std::vector<UringRuntime::Stall> UringRuntime::new_stalls() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    Nanos now = std::chrono::seconds(time.tv_sec) + Nanos(time.tv_nsec);
    std::vector<Stall> stalls;
    for (const auto& member : members_) {
        std::int64_t began = member->worker.gauges().running_since_ns.load();
        Nanos since = now - Nanos(began);
        if (began == 0 || began == member->reported_run_ns || since < options_.stall_after) {
            continue;
        }
        member->reported_run_ns = began;
        stalls.push_back({member->worker.name(), since});
    }
    return stalls;
}

}  // namespace ringlay::env
