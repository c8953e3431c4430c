// The inside of Volume: one file or directory. Included only by volume.cpp and volume_crash.cpp.
#pragma once

#include "relay/env/sim/volume.hpp"

namespace ringlay::env {

// A write that is not durable, or the end of a truncation.
struct Volume::Piece {
    std::uint64_t number;  // of its file, rising: what a sync covers is all up to a number
    std::uint64_t offset_bytes;
    std::uint64_t size_bytes;
    std::uint64_t journal_at;  // where its bytes are
    bool is_truncate = false;
};

struct Volume::NameChange {
    std::uint64_t number;
    std::string removed;  // empty: none
    std::string added;    // empty: none
    NodePtr node;         // that `added` names
};

struct Volume::Node {
    bool is_directory = false;

    // of a file
    Buffer live;
    Buffer durable;
    std::vector<Piece> unsynced;
    Buffer journal;  // the bytes of the pieces
    std::uint64_t reserved_bytes = 0;
    std::uint64_t charged_bytes = 0;
    std::uint32_t links = 0;  // names that readers see
    std::uint32_t opens = 0;
    bool is_locked = false;

    // of a directory
    std::map<std::string, NodePtr, std::less<>> entries;
    std::map<std::string, NodePtr, std::less<>> durable_entries;
    std::vector<NameChange> unsynced_names;

    std::uint64_t next_number = 1;
    NodePtr copied;  // while a volume is copied: what this node became
};

}  // namespace ringlay::env
