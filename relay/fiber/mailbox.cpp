#include "relay/fiber/mailbox.hpp"

#include "relay/fiber/scheduler.hpp"

namespace ringlay::fiber {

Doorbell::~Doorbell() {
    // A ring that has begun still needs us: it is delivered before anything else can be.
    while (is_ringing_.load(std::memory_order_acquire)) yield();
}

void Doorbell::ring() {
    if (!is_ringing_.exchange(true, std::memory_order_acq_rel)) home_.send(*this);
}

void Doorbell::deliver() {
    // An exchange, not a store: it takes over what every ringer wrote before its own exchange.
    is_ringing_.exchange(false, std::memory_order_acq_rel);
    has_rung_ = true;
    waiters_.wake_all();
}

Result<void> Doorbell::wait(std::string_view what, Deadline deadline) {
    while (!has_rung_) {
        auto woken = waiters_.wait(what, deadline);
        if (!woken && !has_rung_) return woken;
    }
    has_rung_ = false;
    return {};
}

Result<void> Doorbell::wait_with_others(std::string_view what, Deadline deadline) {
    return waiters_.wait(what, deadline);
}

namespace {

// Lives on the caller's stack. `start` goes there, `finish` comes back; after sending `finish` the
// other worker touches nothing of it.
struct Call {
    struct Start final : Message {
        explicit Start(Call& its) : call(its) {}
        Call& call;
        void deliver() override {
            Scheduler::spawn_detached(call.name, [&its = call] {
                its.function();
                its.function = nullptr;
                Worker& home = its.caller.worker;
                home.send(its.finish);
            });
        }
    };
    struct Finish final : Message {
        explicit Finish(Call& its) : call(its) {}
        Call& call;
        void deliver() override {
            call.is_finished = true;
            Scheduler::wake(call.caller, Wake::ready);
        }
    };

    std::string_view name;
    std::move_only_function<void()> function;
    Fiber& caller;
    bool is_finished = false;
    Start start{*this};
    Finish finish{*this};
};

}  // namespace

void call_on(Worker& worker, std::string_view name, std::move_only_function<void()> function) {
    Call call{name, std::move(function), Scheduler::running()};
    worker.send(call.start);
    while (!call.is_finished) Scheduler::park_until_woken(name);
}

}  // namespace ringlay::fiber
