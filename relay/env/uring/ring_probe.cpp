#include "relay/env/uring/ring_probe.hpp"

#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ringlay::env {
namespace {

// -1: there is no such file, as in kernels before 6.6.
int read_io_uring_disabled() {
    std::FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re");
    if (file == nullptr) return -1;
    int value = -1;
    if (std::fscanf(file, "%d", &value) != 1) value = -1;
    std::fclose(file);
    return value;
}

}  // namespace

std::string explain_ring_failure(int error_number, const RingSurroundings& here) {
    std::string release(here.kernel_release);
    switch (error_number) {
        case EPERM:
        case EACCES:
            if (here.io_uring_disabled > 0) {
                return "io_uring is switched off (kernel.io_uring_disabled = " +
                       std::to_string(here.io_uring_disabled) +
                       "): run `sysctl -w kernel.io_uring_disabled=0` on the host";
            }
            return "io_uring is forbidden here, most likely by the container's seccomp profile: "
                   "run with `--security-opt seccomp=unconfined` (Kubernetes: seccompProfile "
                   "Unconfined), or with a profile that allows io_uring_setup, io_uring_enter and "
                   "io_uring_register";
        case ENOSYS:
            return "this kernel (" + release +
                   ") has no io_uring, or a seccomp profile hides it: Linux 6.1 or later is "
                   "needed; in a container try `--security-opt seccomp=unconfined`";
        case EINVAL:
        case EOPNOTSUPP:
            return "the io_uring of this kernel is too old: Linux 6.1 or later is needed, this "
                   "is " +
                   release;
        case ENOMEM:
            return "no memory for an io_uring: raise the limit on locked memory (`ulimit -l "
                   "unlimited`, or LimitMEMLOCK=infinity) or that of the container";
        case EMFILE:
        case ENFILE:
            return "no file descriptor left for an io_uring: raise the limit (`ulimit -n 65536`, "
                   "or LimitNOFILE=65536)";
        default: {
            const char* text = strerrordesc_np(error_number);
            return "no io_uring can be made on Linux " + release + ": " +
                   (text == nullptr ? "error " + std::to_string(error_number) : text);
        }
    }
}

std::string explain_ring_failure_here(int error_number) {
    utsname system{};
    uname(&system);
    return explain_ring_failure(error_number, {system.release, read_io_uring_disabled()});
}

}  // namespace ringlay::env
