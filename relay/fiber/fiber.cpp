#include "relay/fiber/fiber.hpp"

#include <cstring>

#include "relay/fiber/scheduler.hpp"

namespace ringlay {

Deadline Deadline::in(Nanos duration) {
    Nanos now = fiber::now();
    return duration >= Nanos::max() - now ? never() : Deadline{now + duration};
}

}  // namespace ringlay

namespace ringlay::fiber {
namespace {

Result<void> result_of(Wake wake) {
    switch (wake) {
        case Wake::ready:
            return {};
        case Wake::timed_out:
            return fail(Errc::timed_out, "deadline passed");
        case Wake::cancelled:
            return fail(Errc::cancelled, "cancelled");
    }
    return fail(Errc::cancelled, "cancelled");
}

}  // namespace

Nanos now() {
    return Worker::current().kernel().now();
}
WallMillis wall() {
    return Worker::current().kernel().wall();
}

void yield() {
    Fiber& fiber = Scheduler::running();
    CancelBlocker blocker;
    Scheduler::park("yield", Deadline::never(), [&] { Scheduler::wake(fiber, Wake::ready); });
}

Result<void> sleep_until(Deadline deadline) {
    Wake wake = Scheduler::park("sleep", deadline, [] {});
    if (wake == Wake::timed_out) return {};
    return result_of(wake);
}

Result<void> sleep_for(Nanos duration) {
    return sleep_until(Deadline::in(duration));
}

bool is_cancelled() {
    Fiber& fiber = Scheduler::running();
    return fiber.is_cancelled && fiber.cancel_blockers == 0;
}

CancelBlocker::CancelBlocker() {
    ++Scheduler::running().cancel_blockers;
}
CancelBlocker::~CancelBlocker() {
    --Scheduler::running().cancel_blockers;
}

Task& Task::operator=(Task&& other) noexcept {
    if (this != &other) {
        cancel_and_join();
        fiber_ = std::exchange(other.fiber_, nullptr);
    }
    return *this;
}

bool Task::is_done() const {
    RINGLAY_ASSERT(fiber_ != nullptr);
    return fiber_->state == Fiber::State::done;
}

void Task::cancel() {
    if (fiber_ != nullptr) Scheduler::cancel(*fiber_);
}

void Task::join() {
    if (fiber_ == nullptr) return;
    while (fiber_->state != Fiber::State::done) {
        RINGLAY_ASSERT(current_worker() == &fiber_->worker && fiber_ != &Scheduler::running());
        CancelBlocker blocker;
        static_cast<void>(fiber_->joiners.wait(fiber_->name, Deadline::never()));
    }
    Scheduler::release(*std::exchange(fiber_, nullptr));
}

void Task::cancel_and_join() {
    cancel();
    join();
}

void TaskGroup::spawn(std::string_view name, std::move_only_function<void()> body) {
    if (tasks_.size() >= reap_at_) reap();
    tasks_.push_back(fiber::spawn(name, std::move(body)));
}

std::size_t TaskGroup::size() {
    reap();
    return tasks_.size();
}

// Looks at all tasks, but only when their number has doubled since: constant work for each spawn.
void TaskGroup::reap() {
    std::erase_if(tasks_, [](Task& task) {
        if (!task.is_done()) return false;
        task.join();
        return true;
    });
    reap_at_ = std::max<std::size_t>(16, tasks_.size() * 2);
}

void TaskGroup::cancel_and_join() {
    for (Task& task : tasks_) task.cancel();
    tasks_.clear();
}

Result<void> WaitList::wait(std::string_view what, Deadline deadline) {
    Fiber& fiber = Scheduler::running();
    return result_of(Scheduler::park(what, deadline, [&] {
        WaitNode& node = fiber.wait_node;
        node.previous = last_;
        node.next = nullptr;
        node.is_linked = true;
        (last_ == nullptr ? first_ : last_->next) = &node;
        last_ = &node;
        fiber.wait_list = this;
    }));
}

void WaitList::unlink(WaitNode& node) {
    RINGLAY_ASSERT(node.is_linked);
    (node.previous == nullptr ? first_ : node.previous->next) = node.next;
    (node.next == nullptr ? last_ : node.next->previous) = node.previous;
    node.is_linked = false;
    node.fiber->wait_list = nullptr;
}

void WaitList::wake_one() {
    if (first_ != nullptr) Scheduler::wake(*first_->fiber, Wake::ready);
}

void WaitList::wake_all() {
    while (first_ != nullptr) wake_one();
}

void Event::set() {
    is_set_ = true;
    waiters_.wake_all();
}

Result<void> Event::wait(Deadline deadline) {
    while (!is_set_) {
        auto woken = waiters_.wait("event", deadline);
        if (!woken && !is_set_) return woken;
    }
    return {};
}

}  // namespace ringlay::fiber
