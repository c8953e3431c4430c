// A doorbell of one worker that costs its ringers nothing while nobody listens: they look at a
// counter first. One bell serves any number of fibers of its worker and any number of conditions.
//
//     wait:    has_come = listen(bell, deadline, [&] { return head.load() > position; })
//     notify:  head.store(...); bell.notify();
//
// The listener counts itself in, then looks at its condition again, then sleeps; the notifier
// changes the condition, then looks at the counter. All four are seq_cst, so one of the two sees
// the other, and no wake-up is lost.
//
// Owner    something that lives on the bell's worker for as long as anyone may notify: the sender
//          of entries, a ReadPort.
// Thread   made, listened to and destroyed on the home worker; notify() from any worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "relay/fiber/mailbox.hpp"

namespace ringlay::event_log {

class Bell {
  public:
    // After a seq_cst change of what the listeners wait for.
    void notify() {
        if (waiting_.load() > 0) bell_.ring();
    }

    // Returns once `has_come` (which must load with seq_cst) is true. `what` (a literal) is shown
    // in dumps. Errors: timed_out, cancelled.
    template <class Condition>
    Result<void> listen(std::string_view what, Deadline deadline, Condition has_come) {
        if (has_come()) return {};
        waiting_.fetch_add(1);
        Result<void> woken;
        while (woken && !has_come()) woken = bell_.wait_with_others(what, deadline);
        waiting_.fetch_sub(1);
        return woken;
    }

    std::uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint32_t> waiting_{0};
    fiber::Doorbell bell_;
};

}  // namespace ringlay::event_log
