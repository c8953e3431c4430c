// What the shard itself has to say to the log: facts about accounts, and #account events that no
// host has sent.
//
// Owner    Shard::Core. The log uses an entry until it is done, so the sequencer is stopped before
//          this is destroyed.
// Thread   the shard's worker.
// Bound    unverified events that have become good, and accounts repaired, since the log last took
//          something.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "relay/ingest/event.hpp"

namespace ringlay::ingest {

struct OwnEntry {
    Event event;
    std::string did;
    Buffer message;
};

class OwnEntries {
  public:
    OwnEntry& add(event_log::FactsKind kind, std::string_view did, std::uint32_t host_id,
                  WallMillis now) {
        reap();
        OwnEntry& own = *entries_.emplace_back(std::make_unique<OwnEntry>());
        own.did = did;
        own.event.kind = kind;
        own.event.text = own.did;
        own.event.host_id = host_id;
        own.event.received = now;
        return own;
    }

    // Those that the log is done with.
    void reap() {
        while (!entries_.empty() && entries_.front()->event.is_done.load()) entries_.pop_front();
    }

    std::size_t size() const { return entries_.size(); }

  private:
    std::deque<std::unique_ptr<OwnEntry>> entries_;  // in the order of their pushes
};

}  // namespace ringlay::ingest
