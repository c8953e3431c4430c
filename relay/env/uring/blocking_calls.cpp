#include "relay/env/uring/blocking_calls.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "proto/base/assert.hpp"
#include "relay/env/uring/socket_address.hpp"

namespace ringlay::env {
namespace {

using fiber::Op;

constexpr mode_t file_mode = 0644;
constexpr std::size_t max_parts = 64;

template <class Call>
std::int64_t retried(Call call) {
    for (;;) {
        auto result = call();
        if (result >= 0) return static_cast<std::int64_t>(result);
        if (errno != EINTR) return -errno;
    }
}

std::int64_t run_open(const Op& op) {
    int flags = O_CLOEXEC;
    flags |= (op.flags & Op::open_write) != 0 ? O_RDWR : O_RDONLY;
    if ((op.flags & Op::open_create) != 0) flags |= O_CREAT;
    if ((op.flags & Op::open_exclusive) != 0) flags |= O_EXCL;
    std::string path(op.path);
    return retried([&] { return ::open(path.c_str(), flags, file_mode); });
}

std::int64_t run_size(const Op& op) {
    struct stat status{};
    if (::fstat(op.handle, &status) != 0) return -errno;
    return status.st_size;
}

std::int64_t run_make_directory(const Op& op) {
    std::error_code error;
    std::filesystem::path path(op.path);
    std::filesystem::create_directories(path, error);
    if (error) return -error.value();
    return std::filesystem::is_directory(path, error) ? 0 : -ENOTDIR;
}

std::int64_t run_list(const Op& op) {
    std::string path(op.path);
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return -errno;
    op.names->clear();
    std::int64_t failure = 0;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory);
        if (entry == nullptr) {
            failure = -errno;
            break;
        }
        std::string_view name = entry->d_name;
        if (name != "." && name != "..") op.names->emplace_back(name);
    }
    ::closedir(directory);
    if (failure != 0) return failure;
    std::ranges::sort(*op.names);
    return static_cast<std::int64_t>(op.names->size());
}

std::int64_t run_sync_directory(const Op& op) {
    std::string path(op.path);
    int handle = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (handle < 0) return -errno;
    std::int64_t result = retried([&] { return ::fsync(handle); });
    ::close(handle);
    // Who reads "busy" may ask again, as after an open that failed; a failed sync is none of these.
    return result == -ENOMEM || result == -EAGAIN ? -EIO : result;
}

std::int64_t run_lock(const Op& op) {
    std::string path(op.path);
    int handle = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, file_mode);
    if (handle < 0) return -errno;
    std::int64_t result = retried([&] { return ::flock(handle, LOCK_EX | LOCK_NB); });
    if (result == 0) return handle;
    ::close(handle);
    return result;
}

std::int64_t run_free_bytes(const Op& op) {
    std::string path(op.path);
    struct statvfs volume{};
    if (::statvfs(path.c_str(), &volume) != 0) return -errno;
    return static_cast<std::int64_t>(volume.f_bavail * volume.f_frsize);
}

std::int64_t run_rename(const Op& op) {
    std::string from(op.path), to(op.path_to);
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : -errno;
}

std::int64_t run_remove(const Op& op) {
    std::string path(op.path);
    return std::remove(path.c_str()) == 0 ? 0 : -errno;
}

off_t offset_of(const Op& op) {
    return static_cast<off_t>(op.offset_bytes);
}

}  // namespace

std::int64_t run_blocking(Op& op) {
    switch (op.kind) {
        case Op::Kind::open:
            return run_open(op);
        case Op::Kind::truncate:
            return retried([&] { return ::ftruncate(op.handle, offset_of(op)); });
        case Op::Kind::allocate:
            return retried(
                [&] { return ::fallocate(op.handle, FALLOC_FL_KEEP_SIZE, 0, offset_of(op)); });
        case Op::Kind::size:
            return run_size(op);
        case Op::Kind::make_directory:
            return run_make_directory(op);
        case Op::Kind::list:
            return run_list(op);
        case Op::Kind::rename:
            return run_rename(op);
        case Op::Kind::remove:
            return run_remove(op);
        case Op::Kind::sync_directory:
            return run_sync_directory(op);
        case Op::Kind::lock:
            return run_lock(op);
        case Op::Kind::free_bytes:
            return run_free_bytes(op);
        case Op::Kind::blocking:
            (*op.job)();
            return 0;
        default:
            assertion_failed("an operation for the pool");
            return -EINVAL;
    }
}

std::int64_t run_file_io(const Op& op) {
    if (op.kind == Op::Kind::read_at) {
        return retried(
            [&] { return ::pread(op.handle, op.in.data(), op.in.size(), offset_of(op)); });
    }
    RINGLAY_ASSERT(op.kind == Op::Kind::write_at);
    std::array<iovec, max_parts> parts;
    std::size_t count = std::min(op.out.size(), parts.size());
    for (std::size_t i = 0; i < count; ++i) {
        parts[i] = {const_cast<std::uint8_t*>(op.out[i].data()), op.out[i].size()};
    }
    return retried(
        [&] { return ::pwritev(op.handle, parts.data(), static_cast<int>(count), offset_of(op)); });
}

std::int64_t look_up(const std::string& name, std::uint16_t port, std::vector<Address>& into) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_flags = AI_ADDRCONFIG;  // a machine without IPv6 is not told of such addresses
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    int failure = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
    switch (failure) {
        case 0:
            break;
        case EAI_SYSTEM:
            return -errno;
        case EAI_MEMORY:
            return -ENOMEM;
        case EAI_AGAIN:
        case EAI_FAIL:
            return -EAGAIN;
        default:
            return -EHOSTUNREACH;
    }
    into.clear();
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
        SocketAddress raw{};
        std::memcpy(&raw, each->ai_addr, std::min<std::size_t>(each->ai_addrlen, sizeof raw));
        Address address = get_address(raw);
        address.port = port;
        if (std::ranges::find(into, address) == into.end()) into.push_back(address);
    }
    ::freeaddrinfo(found);
    return into.empty() ? -EHOSTUNREACH : static_cast<std::int64_t>(into.size());
}

}  // namespace ringlay::env
