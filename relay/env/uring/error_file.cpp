#include "relay/env/uring/error_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace ringlay::env {

std::expected<ErrorFile, std::string> ErrorFile::open(std::string path, std::uint64_t max_bytes) {
    ErrorFile file(std::move(path), max_bytes);
    if (const int failure = file.take_place(); failure != 0) {
        return std::unexpected("cannot write to " + file.path_ + ": " + std::strerror(failure));
    }
    return file;
}

int ErrorFile::take_place() const {
    constexpr mode_t mode = 0644;
    const int handle = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode);
    if (handle < 0) return errno;
    const int failure = ::dup2(handle, STDERR_FILENO) < 0 ? errno : 0;
    ::close(handle);
    return failure;
}

void ErrorFile::keep_bounded() {
    struct stat status{};
    if (::fstat(STDERR_FILENO, &status) != 0) return;
    if (static_cast<std::uint64_t>(status.st_size) < max_bytes_) return;
    // Only this very file: somebody may have moved it, and put another one there.
    struct stat named{};
    const bool is_named = ::stat(path_.c_str(), &named) == 0 && named.st_ino == status.st_ino &&
                          named.st_dev == status.st_dev;
    const std::string older = path_ + ".1";
    if (is_named && std::rename(path_.c_str(), older.c_str()) != 0) return;
    static_cast<void>(take_place());
}

}  // namespace ringlay::env
