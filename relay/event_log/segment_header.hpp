// The formats around a segment's records: names of its files, the header that each begins with, and
// the seal, which says of a segment that it is complete and was synced (docs/event-log.md).
//
// A segment is named by the position of its first wire byte, in 20 digits, so that names sort as
// positions do: NNN.wire (frames, exactly as sent), NNN.facts (records), NNN.seal.
//
// Thread   pure.
// Errors   corrupt, unsupported (a newer format, named as such; another codec).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "relay/event_log/published_tail.hpp"
#include "relay/event_log/seq_index.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::event_log {

enum class SegmentFile : std::uint8_t { wire = 1, facts = 2, seal = 3 };

std::string segment_file_name(Position base, SegmentFile which);
struct SegmentFileName {
    Position base;
    SegmentFile which;
};
std::optional<SegmentFileName> parse_segment_file_name(std::string_view name);

inline constexpr std::uint32_t log_format_version = 1;
inline constexpr std::size_t segment_header_bytes = 64;

struct SegmentHeader {
    SegmentFile which = SegmentFile::wire;
    std::uint64_t log_id = 0;
    Position base = 0;
    // All that came before has a seq of at most this: the last event's before the segment, in the
    // first segment of a log whatever an earlier life of the relay may have issued.
    std::uint64_t floor_seq = 0;
    WallMillis created{};

    bool operator==(const SegmentHeader&) const = default;
};

Buffer encode_segment_header(const SegmentHeader& header);
Result<SegmentHeader> decode_segment_header(Bytes bytes);  // looks at the first 64 only

// What a complete segment holds.
struct SegmentExtent {
    std::uint64_t wire_bytes = 0;   // without the header
    std::uint64_t facts_bytes = 0;  // likewise
    std::uint64_t events = 0;
    std::uint64_t first_seq = 0;  // 0: no event
    std::uint64_t last_seq = 0;
    WallMillis first_received{};  // of events
    WallMillis last_received{};

    bool operator==(const SegmentExtent&) const = default;
};

struct Seal {
    std::uint64_t log_id = 0;
    Position base = 0;
    SegmentExtent extent;
    SeqIndex index;  // from seq to offset in the facts file, its header counted
};

Buffer encode_seal(const Seal& seal);
Result<Seal> decode_seal(Bytes file);

}  // namespace ringlay::event_log
