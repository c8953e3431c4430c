#include "relay/fiber/worker.hpp"

#include "relay/fiber/fiber.hpp"
#include "relay/fiber/sanitizer.hpp"
#include "relay/fiber/scheduler.hpp"

namespace ringlay::fiber {
namespace {

thread_local Worker* this_threads_worker = nullptr;

// Messages are delivered at most this many at a time, so that a flood of them cannot keep timers
// and completions waiting.
constexpr int messages_in_turn = 1024;
// Besides the time budget: in a simulation no time passes within a turn, and a fiber that yields
// until a message comes would never see it.
constexpr int runs_in_turn = 256;

std::size_t stack_bytes_or_default(std::size_t wanted) {
    if (wanted != 0) return wanted;
    return sanitizer::widens_frames ? 256 * 1024 : 64 * 1024;
}

}  // namespace

Worker* current_worker() {
    return this_threads_worker;
}
void set_current_worker(Worker* worker) {
    this_threads_worker = worker;
}

Worker::Worker(Kernel& kernel, WorkerOptions options)
    : kernel_(kernel),
      options_(std::move(options)),
      stacks_(std::make_unique<StackPool>(stack_bytes_or_default(options_.stack_bytes))),
      timers_(std::make_unique<TimerQueue>()) {}

Worker::~Worker() {
    RINGLAY_ASSERT(all_fibers_ == nullptr);
}

Worker& Worker::current() {
    RINGLAY_ASSERT(this_threads_worker != nullptr);
    return *this_threads_worker;
}

bool Worker::has_current() {
    return this_threads_worker != nullptr;
}

void Worker::send(Message& message) {
    inbox_.push(message);
    if (!asleep_.load(std::memory_order_seq_cst)) return;
    if (!asleep_.exchange(false, std::memory_order_seq_cst)) return;
    gauges_.wakes.fetch_add(1, std::memory_order_relaxed);
    kernel_.wake();
}

bool Worker::has_room() {
    const std::size_t kept = options_.max_fibers / 16;
    return fiber_count_ + kept < options_.max_fibers && stacks_->has_room();
}

Task Worker::spawn(std::string_view name, std::move_only_function<void()> body) {
    return Task(&Scheduler::add(*this, name, std::move(body)));
}

Nanos Worker::next_timer() const {
    Timer* first = timers_->first();
    return first == nullptr ? Nanos::max() : first->at;
}

// The order of a turn: what others have sent, what the kernel has completed, whose time has come,
// and only then fibers, for a bounded time, before the kernel is looked at again.
void Worker::step() {
    Worker* outer = std::exchange(this_threads_worker, this);
    sanitizer_main_ = sanitizer::current_thread_state();
    asleep_.store(false, std::memory_order_relaxed);

    for (int i = 0; i < messages_in_turn; ++i) {
        Message* message = inbox_.pop();
        if (message == nullptr) break;
        message->deliver();
    }
    while (Op* op = kernel_.completed().pop()) {
        op->done = true;
        Scheduler::wake(*op->fiber, Wake::ready);
    }
    Nanos began = kernel_.now();
    for (Timer* due = timers_->first(); due != nullptr && due->at <= began;
         due = timers_->first()) {
        Scheduler::wake(*due->fiber, Wake::timed_out);
    }
    for (int i = 0; ready_count_ > 0 && i < runs_in_turn; ++i) {
        std::size_t choice = ready_count_ == 1 ? 0 : kernel_.choose(ready_count_);
        Scheduler::run(Scheduler::take_ready(*this, choice));
        if (kernel_.now() - began >= options_.turn_budget) break;
    }

    asleep_.store(true, std::memory_order_seq_cst);
    this_threads_worker = outer;
}

void Worker::run(std::move_only_function<void()> first) {
    SignalStack signal_stack;
    install_overflow_handler();
    kernel_.start();
    this_threads_worker = this;
    Scheduler::spawn_detached("first", std::move(first));
    for (;;) {
        step();
        if (fiber_count_ == 0) break;
        bool look_only = has_ready() || has_messages() || !kernel_.completed().empty();
        if (!look_only) {
            gauges_.sleeps.store(gauges_.sleeps.load(std::memory_order_relaxed) + 1,
                                 std::memory_order_relaxed);
        }
        kernel_.wait(look_only ? Nanos::min() : next_timer());
    }
    this_threads_worker = nullptr;
    kernel_.stop();
}

}  // namespace ringlay::fiber
