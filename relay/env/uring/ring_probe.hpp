// Why no ring can be made here, in one sentence that names the cause and the cure.
#pragma once

#include <string>
#include <string_view>

namespace ringlay::env {

// What the answer depends on, besides the error number.
struct RingSurroundings {
    std::string_view kernel_release;  // of uname, "6.1.0-18-amd64"
    int io_uring_disabled = -1;       // the sysctl: 0, 1, 2, or -1 where there is none
};

// For the error number (positive) of io_uring_setup or of registering a buffer ring. Pure.
std::string explain_ring_failure(int error_number, const RingSurroundings& here);

// The same for this machine, now.
std::string explain_ring_failure_here(int error_number);

}  // namespace ringlay::env
