// Numbers about this process that only the system knows.
//
// Thread   any. The memory in use is read from a file that the kernel makes up, which never sleeps;
//          what malloc has is counted under its locks, which may take a millisecond.
#pragma once

#include <cstdint>

namespace ringlay::env {

// Descriptors that this process has open. Reads a directory before Linux 6.2: some milliseconds for
// tens of thousands. 0 where the system does not tell.
std::uint64_t open_descriptors();

// How many mappings of memory a process may have (vm.max_map_count); 0 where the system does not
// tell.
std::uint64_t mapping_limit();

// Resident memory; 0 where the system does not tell.
std::uint64_t process_rss_bytes();

struct MallocBytes {
    std::uint64_t arena = 0;   // from the system, for small blocks
    std::uint64_t in_use = 0;  // of the arena
    std::uint64_t free = 0;    // of the arena
    std::uint64_t mapped = 0;  // from the system, for each large block alone
};
MallocBytes malloc_bytes();

}  // namespace ringlay::env
