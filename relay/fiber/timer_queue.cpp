#include "relay/fiber/timer_queue.hpp"

#include <utility>

#include "proto/base/assert.hpp"

namespace ringlay::fiber {

void TimerQueue::add(Timer& timer, Nanos at) {
    RINGLAY_ASSERT(timer.heap_index == Timer::not_queued);
    timer.at = at;
    timer.arrival = next_arrival_++;
    heap_.push_back(&timer);
    timer.heap_index = heap_.size() - 1;
    sift_up(timer.heap_index);
}

void TimerQueue::remove(Timer& timer) {
    if (timer.heap_index == Timer::not_queued) return;
    std::size_t index = timer.heap_index;
    Timer* last = heap_.back();
    heap_.pop_back();
    timer.heap_index = Timer::not_queued;
    if (last == &timer) return;
    place(index, last);
    sift_up(index);
    sift_down(last->heap_index);
}

void TimerQueue::place(std::size_t index, Timer* timer) {
    heap_[index] = timer;
    timer->heap_index = index;
}

void TimerQueue::sift_up(std::size_t index) {
    while (index > 0) {
        std::size_t parent = (index - 1) / 2;
        if (!before(*heap_[index], *heap_[parent])) return;
        Timer* lower = heap_[parent];
        place(parent, heap_[index]);
        place(index, lower);
        index = parent;
    }
}

void TimerQueue::sift_down(std::size_t index) {
    for (;;) {
        std::size_t least = index;
        for (std::size_t child : {index * 2 + 1, index * 2 + 2}) {
            if (child < heap_.size() && before(*heap_[child], *heap_[least])) least = child;
        }
        if (least == index) return;
        Timer* higher = heap_[index];
        place(index, heap_[least]);
        place(least, higher);
        index = least;
    }
}

}  // namespace ringlay::fiber
