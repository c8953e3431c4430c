#include "relay/fiber/scheduler.hpp"

#include <cxxabi.h>

#include <cstring>

#include "relay/fiber/sanitizer.hpp"

namespace ringlay::fiber {
namespace {

void exchange_exception_state(ExceptionState& leaving, const ExceptionState& coming) {
    void* globals = abi::__cxa_get_globals();
    std::memcpy(static_cast<void*>(&leaving), globals, sizeof leaving);
    std::memcpy(globals, &coming, sizeof coming);
}

constexpr auto long_run = std::chrono::milliseconds(5);

}  // namespace

Fiber::Fiber(Worker& home, std::uint64_t fiber_id, std::string_view fiber_name,
             std::move_only_function<void()> fiber_body)
    : worker(home),
      id(fiber_id),
      name(fiber_name),
      body(std::move(fiber_body)),
      thread_state(sanitizer::make_thread_state()) {
    timer.fiber = this;
    wait_node.fiber = this;
}

Fiber::~Fiber() {
    sanitizer::destroy_thread_state(thread_state);
}

Fiber& Scheduler::running() {
    Fiber* fiber = Worker::current().running_;
    RINGLAY_ASSERT(fiber != nullptr);
    return *fiber;
}

Fiber& Scheduler::add(Worker& worker, std::string_view name, std::move_only_function<void()> body) {
    RINGLAY_ASSERT(worker.fiber_count_ < worker.options_.max_fibers);
    auto* fiber = new Fiber(worker, worker.next_fiber_id_++, name, std::move(body));
    fiber->stack = worker.stacks_->take();
    fiber->context = make_context(fiber->stack.top(), fiber->stack.size_bytes, &Scheduler::enter);
    fiber->since = worker.kernel_.now();
    fiber->next_of_all = worker.all_fibers_;
    if (worker.all_fibers_ != nullptr) worker.all_fibers_->previous_of_all = fiber;
    worker.all_fibers_ = fiber;
    ++worker.fiber_count_;
    worker.gauges_.fibers.store(worker.fiber_count_, std::memory_order_relaxed);
    push_ready(*fiber);
    return *fiber;
}

void Scheduler::spawn_detached(std::string_view name, std::move_only_function<void()> body) {
    add(Worker::current(), name, std::move(body)).is_detached = true;
}

void Scheduler::release(Fiber& fiber) {
    RINGLAY_ASSERT(fiber.state == Fiber::State::done);
    Worker& worker = fiber.worker;
    (fiber.previous_of_all == nullptr ? worker.all_fibers_ : fiber.previous_of_all->next_of_all) =
        fiber.next_of_all;
    if (fiber.next_of_all != nullptr) fiber.next_of_all->previous_of_all = fiber.previous_of_all;
    --worker.fiber_count_;
    worker.gauges_.fibers.store(worker.fiber_count_, std::memory_order_relaxed);
    delete &fiber;
}

void Scheduler::push_ready(Fiber& fiber) {
    Worker& worker = fiber.worker;
    fiber.state = Fiber::State::ready;
    fiber.next_ready = nullptr;
    (worker.ready_first_ == nullptr ? worker.ready_first_ : worker.ready_last_->next_ready) =
        &fiber;
    worker.ready_last_ = &fiber;
    ++worker.ready_count_;
}

Fiber& Scheduler::take_ready(Worker& worker, std::size_t index) {
    RINGLAY_ASSERT(index < worker.ready_count_);
    Fiber* before = nullptr;
    Fiber* fiber = worker.ready_first_;
    for (; index > 0; --index) {
        before = fiber;
        fiber = fiber->next_ready;
    }
    (before == nullptr ? worker.ready_first_ : before->next_ready) = fiber->next_ready;
    if (worker.ready_last_ == fiber) worker.ready_last_ = before;
    --worker.ready_count_;
    return *fiber;
}

Wake Scheduler::park_prepared(Fiber& fiber, std::string_view what, Deadline deadline,
                              bool is_cancellable) {
    is_cancellable = is_cancellable && fiber.cancel_blockers == 0;
    if (is_cancellable && fiber.is_cancelled) {
        fiber.after_switch = nullptr;
        return Wake::cancelled;
    }
    Nanos now = fiber.worker.kernel_.now();
    if (deadline != Deadline::never()) {
        if (deadline.at <= now) {
            fiber.after_switch = nullptr;
            return Wake::timed_out;
        }
        fiber.worker.timers_->add(fiber.timer, deadline.at);
    }
    fiber.park_is_cancellable = is_cancellable;
    fiber.waits_for = what;
    fiber.since = now;
    fiber.state = Fiber::State::parked;
    switch_out(fiber, false);
    return fiber.wake;
}

void Scheduler::park_until_woken(std::string_view what) {
    Fiber& fiber = running();
    fiber.after_switch = nullptr;
    park_prepared(fiber, what, Deadline::never(), false);
}

void Scheduler::wake(Fiber& fiber, Wake reason) {
    if (fiber.state != Fiber::State::parked) return;
    fiber.worker.timers_->remove(fiber.timer);
    if (fiber.wait_list != nullptr) fiber.wait_list->unlink(fiber.wait_node);
    fiber.wake = reason;
    push_ready(fiber);
}

void Scheduler::cancel(Fiber& fiber) {
    fiber.is_cancelled = true;
    if (fiber.state == Fiber::State::parked && fiber.park_is_cancellable) {
        wake(fiber, Wake::cancelled);
    }
}

void Scheduler::run(Fiber& fiber) {
    Worker& worker = fiber.worker;
    RINGLAY_ASSERT(worker.running_ == nullptr && current_worker() == &worker);
    worker.running_ = &fiber;
    fiber.state = Fiber::State::running;
    Nanos began = worker.kernel_.now();
    worker.gauges_.running_since_ns.store(began.count(), std::memory_order_relaxed);

    ExceptionState own_exceptions;
    void* own_fake_stack = nullptr;
    exchange_exception_state(own_exceptions, fiber.exceptions);
    sanitizer::leave(&own_fake_stack, fiber.stack.bottom, fiber.stack.size_bytes);
    sanitizer::switch_thread_state(fiber.thread_state);
    Switched back = switch_to(fiber.context, &fiber);
    sanitizer::enter(own_fake_stack, nullptr, nullptr);
    exchange_exception_state(fiber.exceptions, own_exceptions);

    fiber.context = back.from;
    worker.running_ = nullptr;
    worker.gauges_.running_since_ns.store(0, std::memory_order_relaxed);
    auto& switches = worker.gauges_.switches;
    switches.store(switches.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (worker.kernel_.now() - began > long_run) {
        worker.gauges_.long_runs.fetch_add(1, std::memory_order_relaxed);
    }
    if (fiber.state == Fiber::State::done) {
        worker.stacks_->give_back(fiber.stack);
        fiber.joiners.wake_all();
        if (fiber.is_detached) release(fiber);
        return;
    }
    if (auto arm = std::exchange(fiber.after_switch, nullptr)) arm(fiber.after_switch_argument);
}

// `noexcept`: an exception that leaves a fiber's function ends the process here, with that fiber's
// stack still in place for the core dump.
void Scheduler::enter(boost::context::detail::transfer_t transfer) noexcept {
    Fiber& fiber = *static_cast<Fiber*>(transfer.data);
    Worker& worker = fiber.worker;
    sanitizer::enter(nullptr, &worker.main_stack_bottom_, &worker.main_stack_bytes_);
    worker.main_context_ = transfer.fctx;
    fiber.body();
    fiber.body = nullptr;  // what it captured is destroyed here, where destructors may still wait
    fiber.state = Fiber::State::done;
    fiber.waits_for = {};
    switch_out(fiber, true);
    assertion_failed("a fiber that is done never runs again");
}

void Scheduler::switch_out(Fiber& fiber, bool ends) {
    Worker& worker = fiber.worker;
    RINGLAY_ASSERT(current_worker() == &worker && worker.running_ == &fiber);
    sanitizer::leave(ends ? nullptr : &fiber.fake_stack, worker.main_stack_bottom_,
                     worker.main_stack_bytes_);
    sanitizer::switch_thread_state(worker.sanitizer_main_);
    Switched back = switch_to(worker.main_context_, nullptr);
    sanitizer::enter(fiber.fake_stack, &worker.main_stack_bottom_, &worker.main_stack_bytes_);
    worker.main_context_ = back.from;
}

}  // namespace ringlay::fiber
