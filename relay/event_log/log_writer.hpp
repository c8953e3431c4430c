// The event log: the system of record. What is published here is what consumers get, byte for byte
// and in this order; what is synced here is what a restart knows.
//
// append() writes wire bytes and facts of a batch to the active segment, then publishes them in the
// memory tail. A second fiber syncs what is new every sync_interval without holding up appends; a
// third keeps the log inside its space. A full disk is waited out: files are cut back to what was
// published, room is made, the same batch is written again; nothing is dropped. So is a lack of
// descriptors. A failed sync or an input/output error ends the process (on_fatal), since nothing is
// known about the file any more.
//
// Owner    Relay. close() before destruction, unless the world has ended (on_fatal, simulated
//          crash).
// Thread   open(), append(), close() and what says so: in fibers of the log worker. The rest from
//          any worker. Nothing waits for a lock.
// Bound    the tail (TailOptions); batches (max_batch_*); indexes 64 KiB a segment; two or three
//          descriptors a segment.
// On disk  docs/event-log.md.
// Errors   open(): busy (another process has it), unsupported (a newer format), no_space, io ...
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "relay/env/env.hpp"
#include "relay/event_log/entry.hpp"
#include "relay/event_log/host_table.hpp"
#include "relay/event_log/published_tail.hpp"
#include "relay/event_log/recent_longest.hpp"
#include "relay/event_log/recovery.hpp"
#include "relay/event_log/segment.hpp"
#include "relay/event_log/seq_reservation.hpp"
#include "relay/event_log/space.hpp"

namespace ringlay::event_log {

struct LogOptions {
    std::uint64_t segment_bytes = 256 << 20;  // of wire bytes; a larger batch has its own segment
    TailOptions tail;                         // at least twice max_batch_bytes + max_message_bytes
    std::uint32_t max_message_bytes = 5'000'016;  // 5 MB (protocol 1.6), and a longer seq
    std::uint32_t max_batch_bytes = 1 << 20;      // one longer message is a batch of its own
    std::uint32_t max_batch_entries = 512;
    Nanos sync_interval = std::chrono::milliseconds(100);
    std::uint64_t initial_seq = 0;  // of an empty directory; 0: unix time in ms x 100
    std::uint64_t reservation_block = 1'000'000;
    SpaceOptions space;
    // Somebody makes state from the facts and says how far: all are kept until facts_needed_from().
    // (Without it facts go with their frames until its first call.)
    bool keeps_facts = false;
    // Called once with the reason, on the log worker. Must not return in production; empty: prints
    // and aborts. If it returns (tests), the log stays closed for appends for ever.
    std::function<void(std::string_view)> on_fatal;
};

// Why appends wait, if they do.
enum class Stall : std::uint8_t {
    none,
    disk_full,       // a write met ENOSPC and nothing is left to be deleted
    space_reserve,   // the volume has less than its reserve free
    no_descriptors,  // a file cannot be opened: the process, or the machine, has none left
    reservation,     // sequence numbers are being reserved: never long
    failed,          // on_fatal has been called
};
std::string_view name_of(Stall stall);

struct SyncedTo {
    std::uint64_t seq = 0;  // 0: none yet, in any life
    Position position = 0;
};

// Written by the log worker alone, read by anyone, relaxed.
struct LogCounters {
    std::atomic<std::uint64_t> events{0};
    std::atomic<std::uint64_t> facts_only{0};
    std::atomic<std::uint64_t> wire_bytes{0};
    std::atomic<std::uint64_t> facts_bytes{0};
    std::atomic<std::uint64_t> batches{0};
    std::array<std::atomic<std::uint64_t>, 10> batches_by_size{};  // 1, 2, 3-4, 5-8, ... 257-512
    std::atomic<std::uint64_t> append_ns_total{0};
    std::atomic<std::uint64_t> append_ns_max{0};
    std::atomic<std::uint64_t> syncs{0};
    std::atomic<std::uint64_t> sync_ns_total{0};
    std::atomic<std::uint64_t> sync_ns_max{0};
    std::atomic<std::uint64_t> no_space_retries{0};
    RecentLongest slow_writes;  // of a batch to its files, without the wait for room
    RecentLongest slow_syncs;
    std::atomic<std::uint64_t> segments_removed{0};
    // gauges
    std::atomic<std::uint64_t> segments{0};
    std::atomic<std::uint64_t> disk_bytes{0};         // of all files of all segments
    std::atomic<std::uint64_t> facts_only_bytes{0};   // of them, of facts without their frames
    std::atomic<std::uint64_t> budget_bytes{0};       // that they may have
    std::atomic<std::uint64_t> free_bytes{0};         // of the volume, at the last look
    std::atomic<std::uint64_t> oldest_seq{0};         // of the window; 0: no event
    std::atomic<std::int64_t> oldest_wall_ms{0};      // when it was received
    std::atomic<std::int64_t> appending_since_ns{0};  // 0: no append is running (watchdog)
    std::atomic<std::int64_t> syncing_since_ns{0};    // 0: no sync is
};

class Log {
  public:
    // Locks the directory (made if missing), recovers, reserves, starts the fibers. The current
    // worker becomes the log worker.
    static Result<std::unique_ptr<Log>> open(env::Env& env, std::string_view directory,
                                             LogOptions options);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    // What open() found; constant.
    const RecoveryReport& recovery() const;
    std::uint64_t log_id() const;
    fiber::Worker& worker() const;
    const LogOptions& options() const;

    // From any worker.
    Position head() const;
    std::uint64_t head_seq() const;  // 0: the log holds no event
    // No seq above this one has ever been issued, in this life or an earlier one.
    std::uint64_t highest_issued_seq() const;
    SyncedTo synced() const;
    // Every record before it is durable. (While it goes from one segment to the next it may be seen
    // at the beginning of either: too low, never too high.)
    FactsPoint synced_facts() const;
    // Where the facts of the log ended when it was opened.
    FactsPoint opened_facts() const;
    // Facts before this point are folded and flushed; from one worker, never going back. Segments
    // that leave the window keep their facts file until the point is in a later one; retention of
    // frames never waits for it. The space fiber removes what is no longer needed at its next look.
    void facts_needed_from(FactsPoint point);
    Stall stall() const;
    const LogCounters& counters() const;
    PublishedTail& tail();
    // Every host that the log has named, with the cursor to go on from. Asks the log worker.
    std::vector<Host> hosts();

    // From the log worker; one append at a time, made by the Sequencer. Sets seq of each entry,
    // returns once the batch is published. Entries of one batch: at most max_batch_entries, and
    // max_batch_bytes of messages or one entry. Errors: closed (failed, or stalled
    // and given up: nothing of the batch is in the log).
    Result<void> append(std::span<Entry* const> batch);
    const HostTable& host_table() const;
    // Syncs what is published now. Errors: closed; busy (no descriptor; the next sync is soon).
    Result<void> sync_now();
    // From now on an append that cannot be done ends with Errc::closed instead of waiting.
    void give_up_stalls();
    // Last sync, clean-shutdown marker, unlock. Appends must have ended.
    void close();

    // From the log worker; for Reader. Segments are kept as long as somebody holds them.
    struct Place {
        enum class Kind : std::uint8_t {
            live_tip,  // no cursor: from the head on
            inside,    // the first event above the cursor is next, or will be
            outdated,  // older than the window: all of it follows; `seq` is its first event's
            future,    // never issued: nothing may be read; `seq` is the highest that may have been
        };
        Position position = 0;
        Kind kind = Kind::live_tip;
        std::uint64_t seq = 0;
    };
    Result<Place> find_cursor(std::optional<std::uint64_t> cursor);
    Result<std::shared_ptr<const SegmentReader>> segment_at(Position position);  // not_found: gone

    // From the log worker; for FactsFeed. Files are kept open as long as somebody holds them.
    struct FactsStart {
        std::shared_ptr<const FactsReader> facts;
        FactsPoint point;
        bool has_gap = false;  // there were older facts, from the point that was asked for
    };
    // not_found: the log does not have this point, nor had it.
    Result<FactsStart> find_facts(FactsPoint from);
    Result<std::shared_ptr<const FactsReader>> facts_at(Position base);  // not_found: gone

  private:
    struct Core;
    explicit Log(std::unique_ptr<Core> core);
    std::unique_ptr<Core> core_;
};

}  // namespace ringlay::event_log
