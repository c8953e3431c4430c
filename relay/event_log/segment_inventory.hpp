// What segment files a directory holds, each judged by names, headers, seal and sizes alone.
//
// Used by recovery and by `ringlay log check`. Reads only.
//
// Thread   a fiber.
// Errors   of the disk; unsupported: written by a newer ringlay.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "relay/env/disk.hpp"
#include "relay/event_log/segment_header.hpp"

namespace ringlay::event_log {

struct FoundSegment {
    enum class State : std::uint8_t {
        sealed,      // has a seal that fits its files
        open,        // both files begin as they should; no seal, or one that does not fit
        facts_only,  // a facts file that begins as it should, and no wire file
        broken,      // half made or half removed
    };
    bool is_whole() const { return state == State::sealed || state == State::open; }

    Position base = 0;
    State state = State::broken;
    std::string_view broken_by;  // a literal; of an open one: what is wrong with its seal
    std::size_t file_count = 0;
    bool has_seal_file = false;
    bool has_wire_file = false;
    SegmentHeader header;               // of the wire file, of the facts file without one
    std::optional<Seal> seal;           // sound, whether or not the files fit it
    std::uint64_t wire_size_bytes = 0;  // of the files
    std::uint64_t facts_size_bytes = 0;
};

struct Inventory {
    std::vector<FoundSegment> segments;   // by base
    std::vector<std::string> unfinished;  // names of files that were being written
    std::vector<std::string> unknown;     // not ours; left alone
};

Result<Inventory> take_inventory(const env::Directory& directory);

}  // namespace ringlay::event_log
