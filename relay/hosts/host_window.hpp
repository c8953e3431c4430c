// The events of one host that are on their way through shards into the log: its credits. A host
// that sends faster than they are taken fills its own window, is then not read any further, and so
// is slowed by TCP; nobody else waits for it (design I9), and a push to a shard or to the sequencer
// can never block or fail.
//
// Events of different accounts may overtake each other. Slots are given back in the order in which
// they began, and each event carries how far everything before it was finished when it was pushed
// (Entry::host_ack): from these the host's cursor is made after a restart.
//
// Owner    hosts::Subscriber. The slots own the messages that entries point into.
// Thread   the subscriber's worker; shards and the log only mark entries done and ring the bell.
// Bound    max_events, and max_bytes unless a single message is larger.
#pragma once

#include <cstdint>
#include <deque>

#include "relay/event_log/entry.hpp"
#include "relay/event_log/sequencer.hpp"
#include "relay/hosts/host_metrics.hpp"
#include "relay/hosts/window_limits.hpp"
#include "relay/ingest/shard.hpp"

namespace ringlay::hosts {

class HostWindow {
  public:
    struct Slot {
        ingest::Event entry;
        Buffer message;  // the entry's bytes and DID are views of it
        std::size_t size_bytes = 0;
    };

    // The bell outlives the window.
    HostWindow(const ingest::Shards& shards, event_log::Sequencer& sequencer, event_log::Bell& bell,
               HostMetrics& metrics, WindowLimits limits);
    // By then everything pushed is done, or shards and sequencer have stopped: they hold pointers
    // here.
    ~HostWindow();
    HostWindow(const HostWindow&) = delete;
    HostWindow& operator=(const HostWindow&) = delete;

    // Whether take() would return at once.
    bool has_room(std::size_t size_bytes);
    // A slot for a message of this size; waits while the window is full. The next call is a push.
    Result<Slot*> take(std::size_t size_bytes);
    void push_event(Slot& slot);  // to its account's shard
    void push_fact(Slot& slot);   // to the log: what has no account
    // Waits until everything is done.
    Result<void> drain();
    // Frees the slots whose entries are in the log. take() does it, too; a host that falls silent
    // after a burst is looked after by its room.
    void reap();

    std::size_t event_count() const { return slots_.size(); }
    std::size_t bytes() const { return bytes_; }

  private:
    bool fits(std::size_t size_bytes) const;
    bool oldest_is_done() const;

    const ingest::Shards& shards_;
    event_log::Sequencer& sequencer_;
    event_log::Bell& bell_;
    HostMetrics& metrics_;
    const WindowLimits limits_;
    std::deque<Slot> slots_;  // oldest first; a deque, because entries must not move
    std::size_t bytes_ = 0;
};

}  // namespace ringlay::hosts
