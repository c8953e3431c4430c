// One segment in the hands of the log: what is in it, and its files while it is written.
//
// Segment        the log worker's own view. Active: it grows. Rolled: complete, not yet sealed.
//                Sealed: constant, its files closed.
// FactsReader    the same for the facts, which may outlive the frames: what FactsFeeds share.
// SegmentReader  what readers share, on any worker: one descriptor of the wire file for all of
//                them, opened when somebody first reads cold and closed by the last to leave. A
//                removed segment stays readable for its holders until they look at is_removed.
//
// Owner    Segment: Log. SegmentReader, FactsReader: their readers.
// Thread   Segment on the log worker; the readers' anywhere (two atomics, the rest constant).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "relay/env/disk.hpp"
#include "relay/event_log/segment_header.hpp"

namespace ringlay::event_log {

struct SegmentReader {
    SegmentReader(Position base_position, env::File wire_file)
        : base(base_position), wire(std::move(wire_file)) {}

    const Position base;
    const env::File wire;
    std::atomic<Position> end{UINT64_MAX};  // UINT64_MAX: still growing; see the head
    std::atomic<bool> is_removed{false};
};

struct FactsReader {
    FactsReader(Position base_position, env::File facts_file)
        : base(base_position), file(std::move(facts_file)) {}

    // What is behind the last record, and the next segment. Said before the log says of a record of
    // the next segment that it is synced.
    void set_end(std::uint64_t facts_end, Position next_base) {
        next.store(next_base);
        end.store(facts_end);
    }

    const Position base;
    const env::File file;
    std::atomic<std::uint64_t> end{UINT64_MAX};  // in the file; UINT64_MAX: still growing
    std::atomic<Position> next{UINT64_MAX};      // base of the next segment
};

struct Segment {
    Position base = 0;
    std::uint64_t floor_seq = 0;
    WallMillis created{};
    SegmentExtent extent;  // published, so far
    SegmentExtent synced;  // of it
    SeqIndex index;
    bool is_rolled = false;           // complete
    bool is_sealed = false;           // complete, synced, and the seal written
    bool has_snapshot = false;        // published: names all hosts, needs no predecessor
    bool is_snapshot_synced = false;  // so that its predecessors may be removed

    // Open until sealed.
    env::File wire;
    env::File facts;

    std::weak_ptr<SegmentReader> reader;
    std::weak_ptr<FactsReader> facts_reader;

    Position end() const { return base + extent.wire_bytes; }
    std::uint64_t facts_end() const { return segment_header_bytes + extent.facts_bytes; }
    bool is_durable() const { return is_sealed || (is_rolled && synced == extent); }
    std::uint64_t disk_bytes() const {
        return extent.wire_bytes + extent.facts_bytes + 2 * segment_header_bytes;
    }
};

// Makes both files of a new segment and writes their headers; what is half made is removed again.
Result<Segment> create_segment(const env::Directory& directory, std::uint64_t log_id, Position base,
                               std::uint64_t floor_seq, WallMillis now,
                               std::uint64_t allocate_bytes);

// Removes the names of the frames and of the seal; the facts stay.
Result<void> remove_frames(const env::Directory& directory, Position base);

// Removes the names of all files of a segment; those that are not there do not matter. The caller
// syncs the directory.
Result<void> remove_segment_files(const env::Directory& directory, Position base);

// The whole of a small file (at most max_bytes).
Result<Buffer> read_whole(const env::Directory& directory, std::string_view name,
                          std::uint64_t max_bytes);

// Makes a file appear under its name with all of its bytes, or not at all, at any crash: written
// under another name, synced, renamed. The caller syncs the directory.
Result<void> write_whole(const env::Directory& directory, std::string_view name, Bytes bytes);

}  // namespace ringlay::event_log
