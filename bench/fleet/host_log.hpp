// What a host keeps of its stream for those who subscribe to it: finished WebSocket messages, one
// behind the other. A subscriber is a position in it; nobody is queued for.
//
// Owner    Host. Views keep what they look at.
// Thread   one worker.
// Bound    max_bytes, or one message if that is more: the oldest chunk goes, and whoever still
//          reads there has lost his place.
// Seqs     dense from the first: 1 is added for each event.
// Source   protocol 1.4 (cursors are exclusive).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "proto/base/bytes.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::bench {

class HostLog {
  public:
    HostLog(std::uint64_t first_seq, std::size_t max_bytes);

    std::uint64_t next_seq() const { return next_seq_; }
    std::uint64_t kept_events() const;
    std::size_t kept_bytes() const { return kept_bytes_; }

    // The frame of next_seq().
    void append(Bytes frame);

    // Where a subscriber begins. `outdated`: with the oldest event there is, others are gone.
    // `future`: nowhere.
    struct Start {
        enum class Kind : std::uint8_t { live, replay, outdated, future };
        Kind kind = Kind::live;
        std::uint64_t position = 0;
    };
    Start start(std::optional<std::uint64_t> cursor) const;

    // A position counts the bytes of the stream from its beginning.
    std::uint64_t end() const { return end_; }

    struct View {
        std::shared_ptr<const Buffer> owner;
        Bytes bytes;
    };
    // What follows a position, as far as it lies in one piece; empty at the end. Nothing: the
    // position is no longer kept.
    std::optional<View> view(std::uint64_t position) const;
    // From a position that is kept to the end of the message it is in; 0 between messages.
    std::uint64_t bytes_to_boundary(std::uint64_t position) const;

    // Until something is appended, or wake().
    Result<void> wait(Deadline deadline) { return waiters_.wait("events", deadline); }
    void wake() { waiters_.wake_all(); }

  private:
    struct Chunk {
        std::uint64_t begin;  // position of its first byte
        std::uint64_t first_seq;
        std::shared_ptr<Buffer> bytes;           // never grows beyond what was reserved
        std::vector<std::uint64_t> message_end;  // positions

        std::uint64_t end() const { return begin + bytes->size(); }
    };

    const Chunk* chunk_at(std::uint64_t position) const;

    const std::size_t max_bytes_;
    const std::size_t chunk_bytes_;
    const std::uint64_t first_seq_;
    std::uint64_t next_seq_;
    std::uint64_t end_ = 0;
    std::size_t kept_bytes_ = 0;  // as reserved
    std::deque<Chunk> chunks_;
    fiber::WaitList waiters_;
};

}  // namespace ringlay::bench
