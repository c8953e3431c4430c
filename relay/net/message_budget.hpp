// How much memory messages may take, in the whole process, that have come in part only. A peer that
// announces a large message and then sends it slowly, or never, costs what it has sent for as long
// as it is waited for; thousands of such peers share this one bound.
//
// What a message will need at most is taken before its body is read, once, and given back when it
// is whole: nobody waits for more while it holds some, so that waiting always ends. Until then a
// peer is not read; TCP slows it. Whoever comes later does not overtake those who wait.
//
// Owner    Relay; it outlives all that reads messages.
// Thread   atomics; any worker. Waiting is looking again, every 50 ms: it is rare.
// Bound    bound_bytes; what has come of a message of at most unbudgeted_bytes is not counted.
#pragma once

#include <atomic>
#include <cstdint>

#include "relay/fiber/fiber.hpp"

namespace ringlay::net {

class MessageBudget {
  public:
    static constexpr std::uint64_t default_bytes = 256ull << 20;
    static constexpr std::uint64_t unbudgeted_bytes = 64 * 1024;

    explicit MessageBudget(std::uint64_t bound_bytes) : bound_bytes_(bound_bytes) {}

    std::uint64_t bound_bytes() const { return bound_bytes_; }
    std::uint64_t held_bytes() const { return held_bytes_.load(std::memory_order_relaxed); }
    bool has_waiting() const { return waiting_.load(std::memory_order_relaxed) > 0; }

    // Relaxed. Connections that ended because their message did not come to its end in time are
    // counted by whoever reads.
    std::atomic<std::uint64_t> waits{0};
    std::atomic<std::uint64_t> unfinished{0};

  private:
    friend class MessageShare;
    bool try_take(std::uint64_t bytes, bool has_waited);

    const std::uint64_t bound_bytes_;
    std::atomic<std::uint64_t> held_bytes_{0};
    std::atomic<std::uint64_t> waiting_{0};
};

// What one connection has of it. Destroyed, it gives back.
class MessageShare {
  public:
    // nullptr: there is no bound.
    explicit MessageShare(MessageBudget* budget) : budget_(budget) {}
    ~MessageShare() { give_back(); }
    MessageShare(const MessageShare&) = delete;
    MessageShare& operator=(const MessageShare&) = delete;

    // Waits until so much is free; a message that is larger than the bound takes all of it. Once
    // only until give_back(). Errors: timed_out, cancelled.
    Result<void> take(std::uint64_t bytes, Deadline deadline);
    void give_back();
    bool holds_any() const { return bytes_ > 0; }

  private:
    MessageBudget* budget_;
    std::uint64_t bytes_ = 0;
};

}  // namespace ringlay::net
