// The newest part of the log's wire stream in memory: written once by the log worker, from there
// written to the segment file, and from there sent to every consumer that keeps up.
//
// The stream is cut into chunks of `chunk_bytes` at multiples of that length, so that a position
// names its chunk. Bytes below head() never change while their chunk is kept. A chunk is recycled,
// oldest first, when its memory is needed; never freed, and never while a reader has it pinned: a
// pinned one is skipped until its pin goes.
//
// Owner    Log. It outlives all readers.
// Thread   write(), publish() and the bells from the log worker; head(), pin() from any worker,
//          without a lock: the head is one atomic store behind the bytes, and a pin is a counter
//          that the writer looks at after it has renamed the chunk (both seq_cst).
// Bound    chunk_bytes x chunk_count, allocated as it is first needed; see memory_bytes().
// Units    a Position counts bytes of the wire stream since the log was made.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "proto/base/bytes.hpp"
#include "relay/event_log/bell.hpp"

namespace ringlay::event_log {

using Position = std::uint64_t;

struct TailOptions {
    std::uint32_t chunk_bytes = 1 << 20;
    std::uint32_t chunk_count = 64;
};

class PublishedTail {
    struct Chunk;

  public:
    // Immutable bytes that stay while the pin lives. Hold it briefly, and never over a wait.
    class Pin {
      public:
        Pin() = default;
        Pin(Pin&& other) noexcept
            : chunk_(std::exchange(other.chunk_, nullptr)),
              bytes_(std::exchange(other.bytes_, {})) {}
        Pin& operator=(Pin&& other) noexcept {
            std::swap(chunk_, other.chunk_);
            std::swap(bytes_, other.bytes_);
            return *this;
        }
        ~Pin();

        bool is_held() const { return chunk_ != nullptr; }
        Bytes bytes() const { return bytes_; }

      private:
        friend class PublishedTail;
        Pin(Chunk* chunk, Bytes bytes) : chunk_(chunk), bytes_(bytes) {}
        Chunk* chunk_ = nullptr;
        Bytes bytes_;
    };

    // Begins empty, where the log ends.
    PublishedTail(Position start, std::uint64_t start_seq, TailOptions options);
    ~PublishedTail();
    PublishedTail(const PublishedTail&) = delete;
    PublishedTail& operator=(const PublishedTail&) = delete;

    // From any worker.
    Position head() const { return head_.load(); }
    std::uint64_t head_seq() const { return head_seq_.load(); }  // not older than head()
    // What is contiguous in memory from there, at most max_bytes; not held if `position` is at the
    // head or has left the tail.
    Pin pin(Position position, std::size_t max_bytes) const;
    std::uint64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }

    // From the log worker. Adds behind what was written before; readers do not see it yet. At most
    // max_unpublished_bytes() may be waiting. Waits (yields) in the rare case that every chunk
    // is pinned.
    void write(Bytes bytes);
    Position written() const { return written_; }
    std::size_t max_unpublished_bytes() const;
    // The bytes in [from, written()), in order; `from` not below the head.
    std::vector<Bytes> unpublished(Position from) const;
    // Makes readers see all that was written, and rings the bells that are listened to.
    void publish(std::uint64_t seq);

    void add_bell(Bell& bell);
    void remove_bell(Bell& bell);

  private:
    static constexpr std::uint64_t no_number = UINT64_MAX;

    void open_chunk(std::uint64_t number);
    Chunk* take_free_chunk();

    const Position start_;
    const TailOptions options_;
    std::atomic<Position> head_;
    std::atomic<std::uint64_t> head_seq_;
    std::atomic<std::uint64_t> memory_bytes_{0};
    std::vector<std::atomic<Chunk*>> by_number_;  // at number % size
    Position written_;
    std::vector<std::unique_ptr<Chunk>> chunks_;  // all
    std::deque<Chunk*> live_;                     // numbers rise by one
    std::deque<Chunk*> retired_;                  // nameless; some may still be pinned
    std::vector<Bell*> bells_;
};

}  // namespace ringlay::event_log
