// What a restart makes of a log directory: the longest prefix in which every facts record and every
// frame is whole. What is behind it (a torn tail, facts without frames or frames without facts, a
// segment that was being made) is cut off. The caller syncs the open files and the directory before
// anything new is written, so that no loss of power brings old bytes back behind new ones.
//
// Segments with a seal were complete and synced: their sizes and facts are looked at, not their
// frames. Those behind the newest seal are read whole. A break before a seal is damage, not a torn
// tail; then the older side goes, since the newer one was synced and seen.
//
// Before the oldest segment there may be facts whose frames have left the window (facts_needed_from
// of Log): they are kept as far back as they are whole and join.
//
// Thread   log worker, before the log is open.
// Bound    one facts file (3 % of a segment) and 1 MiB of frames in memory.
// Errors   of the disk; unsupported: written by a newer ringlay, nothing is touched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/env/disk.hpp"
#include "relay/event_log/host_table.hpp"
#include "relay/event_log/segment.hpp"

namespace ringlay::event_log {

struct RecoveryReport {
    bool was_clean = false;  // a marker of a clean shutdown fitted
    std::uint64_t segments = 0;
    std::uint64_t head_seq = 0;
    Position head_position = 0;
    std::uint64_t oldest_seq = 0;  // 0: no event
    std::uint64_t first_seq = 0;   // the first that this life gives out
    std::uint64_t hosts = 0;
    // cut off at the end
    std::uint64_t wire_bytes_cut = 0;
    std::uint64_t facts_bytes_cut = 0;
    std::uint64_t records_cut = 0;  // that were readable, but behind the break or without a frame
    std::uint64_t segments_cut = 0;
    // set right
    std::uint64_t seals_rebuilt = 0;
    std::uint64_t leftovers_removed = 0;  // files
    std::uint64_t segments_dropped = 0;   // at the old end, because of damage
    std::uint64_t facts_kept = 0;  // segments without frames, whose facts may still be wanted

    bool cut_anything() const {
        return wire_bytes_cut + facts_bytes_cut + records_cut + segments_cut > 0;
    }
};

struct Recovered {
    RecoveryReport report;     // without was_clean and first_seq
    std::uint64_t log_id = 0;  // 0: the directory held no log
    std::vector<Segment>
        segments;  // in order; the last one is open for appending, or there is none
    std::vector<Segment> facts_only;  // before them, in order, without frames
    HostTable hosts;
    WallMillis newest{};  // when the newest event was received; 0: no event
};

Result<Recovered> recover(const env::Directory& directory);

}  // namespace ringlay::event_log
