// How far the two files of a segment agree: record by record, each with its checksum, each with the
// checksum of its frame, in the order in which they were written.
//
// Used by recovery, which cuts behind what was found good, and by `ringlay log check`.
//
// Thread   a fiber.
// Errors   of the disk; unsupported: a sound record of a newer ringlay.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "relay/event_log/file_stream.hpp"
#include "relay/event_log/host_table.hpp"
#include "relay/event_log/segment_header.hpp"

namespace ringlay::event_log {

struct SegmentFiles {
    const env::File& wire;
    const env::File& facts;
    std::uint64_t wire_size_bytes;  // of the files
    std::uint64_t facts_size_bytes;
};

struct ScanResult {
    SegmentExtent extent;  // of the sound prefix
    std::uint64_t facts_only = 0;
    SeqIndex index;
    std::string_view broken_by;        // a literal; empty: both files end where the prefix ends
    std::uint64_t broken_at = 0;       // in the facts file
    std::uint64_t records_behind = 0;  // that can be read, from there on
};

// Called for each sound event, with its whole frame.
using FrameVisitor = std::function<void(const Facts&, std::uint64_t facts_offset, Bytes frame)>;

// Of a segment whose frames have left the window: believes the facts what they say of them.
Result<ScanResult> scan_facts(const env::File& facts, std::uint64_t facts_size_bytes,
                              std::uint64_t floor_seq, HostTable& hosts);

// `hosts` is folded over the sound prefix. Without `with_frames` the frames are believed.
Result<ScanResult> scan_segment(const SegmentFiles& files, std::uint64_t floor_seq,
                                bool with_frames, HostTable& hosts, const FrameVisitor& visit = {});

}  // namespace ringlay::event_log
