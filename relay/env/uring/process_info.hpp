// Numbers about this process that only the system knows.
//
// Thread   any; reads a file that the kernel makes up, which never sleeps.
#pragma once

#include <cstdint>

namespace ringlay::env {

// Resident memory; 0 where the system does not tell.
std::uint64_t process_rss_bytes();

}  // namespace ringlay::env
