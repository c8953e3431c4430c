// The operations that are plain system calls: those on names of files, which io_uring would give to
// a thread of its own anyhow, and the look-up of host names. For a thread that may block.
//
// Errors   the return value is >= 0 or -errno, taken at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/fiber/kernel.hpp"

namespace ringlay::env {

// open, truncate, allocate, size, make_directory, list, rename, remove, sync_directory, lock,
// free_bytes, blocking.
std::int64_t run_blocking(fiber::Op& op);

// read_at and write_at, at once on the calling thread.
std::int64_t run_file_io(const fiber::Op& op);

// -EHOSTUNREACH: there is no such name. -EAGAIN: it could not be found out.
std::int64_t look_up(const std::string& name, std::uint16_t port, std::vector<Address>& into);

}  // namespace ringlay::env
