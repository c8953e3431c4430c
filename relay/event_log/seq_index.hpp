// Finds where in a segment of the event log a sequence number is, without reading the segment.
//
// A segment is a run of records with rising seq; gaps are normal. The index keeps one entry for
// about every `stride_bytes` of it: the seq of a record and the offset where that record begins.
// A reader goes to the last entry at or before its cursor and skips forward from there, over less
// than one stride and one record.
//
// Owner    the segment: its writer while it grows; then, sealed and constant, all of its readers.
// Thread   no lock. add() from the log worker only; const members from anywhere once sealed.
// Bound    16 bytes an entry: 64 KiB for a segment of 256 MiB at the default stride.
// On disk  beside each sealed segment (docs/event-log.md, "Index file"). It may be lost: what
//          decode() refuses is rebuilt from the segment, never repaired.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::event_log {

class SeqIndex {
  public:
    static constexpr std::uint32_t default_stride_bytes = 64 * 1024;
    static constexpr std::uint32_t max_entries = 1 << 20;

    explicit SeqIndex(std::uint32_t stride_bytes = default_stride_bytes);

    // Call for every record, in order. Seq and offset both rise from one call to the next.
    void add(std::uint64_t seq, std::uint64_t offset_bytes);

    // Where a consumer with this cursor begins to read. Cursors are exclusive (protocol 1.4): it
    // wants seq > cursor, and skips what it meets before. Nothing if every record is at or below.
    std::optional<std::uint64_t> offset_for_cursor(std::uint64_t cursor) const;

    Buffer encode() const;
    static Result<SeqIndex> decode(Bytes file);

    std::uint64_t last_seq() const { return last_seq_; }
    std::size_t entry_count() const { return entries_.size(); }

  private:
    struct Entry {
        std::uint64_t seq;
        std::uint64_t offset_bytes;
    };

    std::uint32_t stride_bytes_;
    std::uint64_t last_seq_ = 0;  // of the last record added, indexed or not; 0: none yet
    std::uint64_t last_offset_bytes_ = 0;
    std::vector<Entry> entries_;  // seq and offset strictly rising
};

}  // namespace ringlay::event_log
