// What is still to happen in a simulated world, by time; at one time by arrival. Never ordered by
// address, so that the same seed gives the same order in every run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "relay/fiber/time.hpp"

namespace ringlay::env {

class EventSink {
  public:
    // `what` is as given to EventQueue::add().
    virtual void on_event(std::uint64_t what) = 0;

  protected:
    ~EventSink() = default;
};

class EventQueue {
  public:
    struct Event {
        Nanos at;
        std::uint64_t arrival;
        EventSink* sink;
        std::uint64_t what;
    };

    bool empty() const { return heap_.empty(); }
    Nanos next_at() const { return heap_.empty() ? Nanos::max() : heap_.front().at; }

    void add(Nanos at, EventSink& sink, std::uint64_t what) {
        heap_.push_back({at, arrivals_++, &sink, what});
        std::ranges::push_heap(heap_, later);
    }

    Event pop() {
        std::ranges::pop_heap(heap_, later);
        Event event = heap_.back();
        heap_.pop_back();
        return event;
    }

  private:
    static bool later(const Event& a, const Event& b) {
        return a.at != b.at ? a.at > b.at : a.arrival > b.arrival;
    }

    std::vector<Event> heap_;
    std::uint64_t arrivals_ = 0;
};

}  // namespace ringlay::env
