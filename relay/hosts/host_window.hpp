// The events of one host that are on their way into the log: its credits. A host that sends faster
// than the log takes fills its own window, is then not read any further, and so is slowed by TCP;
// nobody else waits for it (design I9), and a push to the sequencer can never block or fail.
//
// Slots end in the order in which they began. What is acknowledged is the highest upstream seq such
// that it and everything before it is in the log.
//
// Owner    hosts::Subscriber. The slots own the messages that entries point into.
// Thread   the subscriber's worker; the log worker only marks entries done and rings the bell.
// Bound    max_events, and max_bytes unless a single message is larger.
#pragma once

#include <cstdint>
#include <deque>

#include "relay/event_log/entry.hpp"
#include "relay/event_log/sequencer.hpp"
#include "relay/hosts/host_metrics.hpp"
#include "relay/hosts/window_limits.hpp"

namespace ringlay::hosts {

class HostWindow {
  public:
    struct Slot {
        event_log::Entry entry;
        Buffer message;  // the entry's bytes and DID are views of it
        std::size_t size_bytes = 0;
    };

    // The bell outlives the window.
    HostWindow(event_log::Sequencer& sequencer, event_log::Bell& bell, HostMetrics& metrics,
               WindowLimits limits);
    // By then everything pushed is in the log, or the sequencer has stopped: it holds pointers
    // here.
    ~HostWindow();
    HostWindow(const HostWindow&) = delete;
    HostWindow& operator=(const HostWindow&) = delete;

    // Whether take() would return at once.
    bool has_room(std::size_t size_bytes);
    // A slot for a message of this size; waits while the window is full. The next call is push().
    Result<Slot*> take(std::size_t size_bytes);
    void push(Slot& slot);
    // Frees the slots whose entries are in the log. take() does it, too; a host that falls silent
    // after a burst is looked after by its room.
    void reap();

    std::size_t event_count() const { return slots_.size(); }
    std::size_t bytes() const { return bytes_; }

  private:
    bool fits(std::size_t size_bytes) const;
    bool oldest_is_done() const;

    event_log::Sequencer& sequencer_;
    event_log::Bell& bell_;
    HostMetrics& metrics_;
    const WindowLimits limits_;
    std::deque<Slot> slots_;  // oldest first; a deque, because entries must not move
    std::size_t bytes_ = 0;
};

}  // namespace ringlay::hosts
