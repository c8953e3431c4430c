// What code in a fiber may do: wait, spawn, cancel, join, block elsewhere.
//
// Every wait ends in one of three ways: what was waited for has come, the deadline has passed
// (Errc::timed_out), or the fiber was cancelled (Errc::cancelled). A cancelled fiber stays
// cancelled: each further wait returns at once, until it is inside a CancelBlocker. Nothing is
// unwound by force; code returns by itself, and whoever cancels then joins.
//
// Thread   on a worker, in a fiber, unless said otherwise. No object here may be shared by workers
//          except Doorbell and Mailbox (mailbox.hpp).
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "proto/base/assert.hpp"
#include "proto/base/may_block.hpp"
#include "proto/base/result.hpp"
#include "relay/fiber/kernel.hpp"
#include "relay/fiber/time.hpp"
#include "relay/fiber/worker.hpp"

namespace ringlay::fiber {

Nanos now();
WallMillis wall();

// Lets every other ready fiber run first.
void yield();

// Returns after the instant has come; the error is always `cancelled`.
Result<void> sleep_until(Deadline deadline);
Result<void> sleep_for(Nanos duration);

bool is_cancelled();

// Waits inside its scope take no notice of a cancellation: for what must be finished, like a close
// frame with a deadline of its own.
class CancelBlocker {
  public:
    CancelBlocker();
    ~CancelBlocker();
    CancelBlocker(const CancelBlocker&) = delete;
    CancelBlocker& operator=(const CancelBlocker&) = delete;
};

// The handle of a spawned fiber. Destruction cancels and joins.
class Task {
  public:
    Task() = default;
    Task(Task&& other) noexcept : fiber_(std::exchange(other.fiber_, nullptr)) {}
    Task& operator=(Task&& other) noexcept;
    ~Task() { cancel_and_join(); }

    bool is_joinable() const { return fiber_ != nullptr; }
    bool is_done() const;  // its function has returned
    void cancel();         // asks; returns at once
    void join();           // waits without limit, even if the joining fiber is cancelled
    void cancel_and_join();

  private:
    friend class Worker;
    explicit Task(Fiber* fiber) : fiber_(fiber) {}
    Fiber* fiber_ = nullptr;  // kept by the worker until joined
};

inline Task spawn(std::string_view name, std::move_only_function<void()> body) {
    return Worker::current().spawn(name, std::move(body));
}

// A set of fibers that come and go (connections). Finished ones are joined on the next spawn();
// destruction cancels all of them, then joins.
class TaskGroup {
  public:
    ~TaskGroup() { cancel_and_join(); }
    void spawn(std::string_view name, std::move_only_function<void()> body);
    std::size_t size();  // that have not returned
    void cancel_and_join();

  private:
    void reap();
    std::list<Task> tasks_;
    std::size_t reap_at_ = 16;
};

// A list of parked fibers; the base of the primitives below.
struct WaitNode {
    Fiber* fiber = nullptr;
    WaitNode* previous = nullptr;
    WaitNode* next = nullptr;
    bool is_linked = false;
};

class WaitList {
  public:
    WaitList() = default;
    ~WaitList() { RINGLAY_ASSERT(first_ == nullptr); }
    WaitList(const WaitList&) = delete;
    WaitList& operator=(const WaitList&) = delete;

    bool empty() const { return first_ == nullptr; }
    // Parks the current fiber until a wake_*() picks it. `what` (a literal) is shown in dumps.
    Result<void> wait(std::string_view what, Deadline deadline);
    void wake_one();
    void wake_all();

  private:
    friend struct Scheduler;
    void unlink(WaitNode& node);
    WaitNode* first_ = nullptr;
    WaitNode* last_ = nullptr;
};

// A flag to wait for. Several fibers may wait.
class Event {
  public:
    void set();
    void reset() { is_set_ = false; }
    bool is_set() const { return is_set_; }
    Result<void> wait(Deadline deadline = Deadline::never());

  private:
    bool is_set_ = false;
    WaitList waiters_;
};

// A queue between fibers of one worker, at most `bound` items long. After close(), push fails with
// Errc::closed at once and pop once the queue is empty.
template <class T>
class Channel {
  public:
    explicit Channel(std::size_t bound) : bound_(bound) { RINGLAY_ASSERT(bound > 0); }

    Result<void> push(T item, Deadline deadline = Deadline::never()) {
        while (!is_closed_ && items_.size() >= bound_) {
            auto woken = space_.wait("channel push", deadline);
            if (!woken) return woken;
        }
        if (is_closed_) return fail(Errc::closed, "channel: closed");
        items_.push_back(std::move(item));
        items_waiting_.wake_one();
        return {};
    }

    Result<T> pop(Deadline deadline = Deadline::never()) {
        while (items_.empty()) {
            if (is_closed_) return fail(Errc::closed, "channel: closed");
            auto woken = items_waiting_.wait("channel pop", deadline);
            if (!woken) return std::unexpected(woken.error());
        }
        T item = std::move(items_.front());
        items_.pop_front();
        space_.wake_one();
        return item;
    }

    void close() {
        is_closed_ = true;
        space_.wake_all();
        items_waiting_.wake_all();
    }

    std::size_t size() const { return items_.size(); }
    std::size_t bound() const { return bound_; }

  private:
    std::size_t bound_;
    bool is_closed_ = false;
    std::deque<T> items_;
    WaitList space_;
    WaitList items_waiting_;
};

// Submits an operation and waits for its completion. At the deadline, or when the fiber is
// cancelled, asks the kernel to end it and goes on waiting: nobody leaves before the completion.
// What was achieved counts: an operation that succeeded in spite of the cancel returns its result.
// The error is Errc::timed_out or Errc::cancelled in those two cases, else that of -errno.
Result<std::int64_t> perform(Op& op, Deadline deadline);

// The Result's view of a -errno, with a text that is a literal.
Error error_of(std::int64_t negative_errno);

// Runs a function on the blocking pool (in the simulator: later, on the same thread) and waits for
// it, cancelled or not: the function may use the caller's stack.
class BlockingPool {
  public:
    template <class F>
    static auto run(F&& function) {
        using Value = std::invoke_result_t<F&, MayBlock>;
        if constexpr (std::is_void_v<Value>) {
            perform_job([&] { function(MayBlock()); });
        } else {
            std::optional<Value> value;
            perform_job([&] { value.emplace(function(MayBlock())); });
            return std::move(*value);
        }
    }

  private:
    static void perform_job(std::move_only_function<void()> job);
};

template <class F>
auto blocking(F&& function) {
    return BlockingPool::run(std::forward<F>(function));
}

// Runs a function in a new fiber of another worker (or of this one) and waits until it has
// returned, cancelled or not. For starting, stopping and asking; never on the way of an event.
void call_on(Worker& worker, std::string_view name, std::move_only_function<void()> function);

}  // namespace ringlay::fiber
