// The facts of the log in order, from a given point on, never beyond what is synced: what the fold
// is made from (design I1).
//
//     FactsFeed feed = open(log, point)
//     for (;;) { items = feed.read(1024); if empty: wait a while; else apply, up to feed.point() }
//
// Owner    its reader (accounts::Follower). The log outlives it.
// Thread   one worker, any; the log worker is asked at open() and when a segment ends.
// Bound    one read of FileStream::read_bytes, or the longest record.
// Errors   of the disk; corrupt; not_found from open(): the log does not have this point (another
//          log_id is for the caller to compare).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "relay/event_log/facts.hpp"
#include "relay/event_log/log_writer.hpp"

namespace ringlay::event_log {

class FactsFeed {
  public:
    // Where to begin: {0, 0} is the oldest record there is.
    static Result<FactsFeed> open(Log& log, FactsPoint from);
    FactsFeed(FactsFeed&&) noexcept;
    FactsFeed& operator=(FactsFeed&&) noexcept;
    ~FactsFeed();

    struct Item {
        Facts facts;        // views, valid until the next call
        FactsPoint behind;  // the point behind this record
    };
    // The next synced records, at most `max`; none: there is nothing new yet.
    Result<std::vector<Item>> read(std::size_t max);

    FactsPoint point() const;  // of the next record
    // Facts between `from` and the oldest that the log still had were gone.
    bool began_with_gap() const;

  private:
    struct Core;
    explicit FactsFeed(std::unique_ptr<Core> core);
    std::unique_ptr<Core> core_;
};

}  // namespace ringlay::event_log
