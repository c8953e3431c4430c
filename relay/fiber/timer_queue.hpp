// The instants at which parked fibers give up waiting: a heap, ordered by (instant, order of
// arrival). Never by address, or two runs of one seed would differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "relay/fiber/time.hpp"

namespace ringlay::fiber {

class Fiber;

struct Timer {
    static constexpr std::size_t not_queued = SIZE_MAX;

    Nanos at{};
    std::uint64_t arrival = 0;
    std::size_t heap_index = not_queued;
    Fiber* fiber = nullptr;
};

class TimerQueue {
  public:
    void add(Timer& timer, Nanos at);
    void remove(Timer& timer);  // fine if it is not queued
    Timer* first() const { return heap_.empty() ? nullptr : heap_.front(); }

  private:
    static bool before(const Timer& a, const Timer& b) {
        return a.at != b.at ? a.at < b.at : a.arrival < b.arrival;
    }
    void place(std::size_t index, Timer* timer);
    void sift_up(std::size_t index);
    void sift_down(std::size_t index);

    std::vector<Timer*> heap_;
    std::uint64_t next_arrival_ = 1;
};

}  // namespace ringlay::fiber
