// The longest that something took within the last minute, in steps of ten seconds.
//
// Thread   note() from one worker, longest() from any, without a lock: who looks while a step is
//          begun anew misses what is being noted, never more.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "relay/fiber/time.hpp"

namespace ringlay::event_log {

class RecentLongest {
  public:
    void note(Nanos now, Nanos took) {
        Step& step = steps_[index_of(now)];
        if (step.number.load(std::memory_order_relaxed) != number_of(now)) {
            step.longest_ns.store(0, std::memory_order_relaxed);
            step.number.store(number_of(now), std::memory_order_release);
        }
        if (took.count() > step.longest_ns.load(std::memory_order_relaxed)) {
            step.longest_ns.store(took.count(), std::memory_order_relaxed);
        }
    }

    Nanos longest(Nanos now) const {
        std::int64_t longest_ns = 0;
        for (const Step& step : steps_) {
            if (step.number.load(std::memory_order_acquire) <= number_of(now) - step_count) {
                continue;
            }
            longest_ns = std::max(longest_ns, step.longest_ns.load(std::memory_order_relaxed));
        }
        return Nanos(longest_ns);
    }

  private:
    static constexpr std::int64_t step_count = 6;
    static constexpr Nanos step_time = std::chrono::seconds(10);

    struct Step {
        std::atomic<std::int64_t> number{-step_count};  // since the clock's beginning
        std::atomic<std::int64_t> longest_ns{0};
    };

    static std::int64_t number_of(Nanos now) { return now / step_time; }
    static std::size_t index_of(Nanos now) {
        return static_cast<std::size_t>(number_of(now) % step_count);
    }

    std::array<Step, step_count> steps_;
};

}  // namespace ringlay::event_log
