// No operation on a file is cut short by a cancellation: half a write is of no use to anyone, and a
// sync that was given up would have to count as failed.

#include "relay/env/disk.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "proto/base/assert.hpp"

namespace ringlay::env {
namespace {

using fiber::Op;

constexpr std::size_t parts_at_once = 16;

Result<std::int64_t> perform(Op& op) {
    fiber::CancelBlocker blocker;
    return fiber::perform(op, Deadline::never());
}

Result<void> perform_for_nothing(Op& op) {
    auto done = perform(op);
    if (!done) return std::unexpected(done.error());
    return {};
}

Op operation(Op::Kind kind, int handle) {
    Op op;
    op.kind = kind;
    op.handle = handle;
    return op;
}

Op operation(Op::Kind kind, std::string_view path) {
    Op op;
    op.kind = kind;
    op.path = path;
    return op;
}

void close_handle(int& handle) {
    if (handle >= 0) fiber::Worker::current().kernel().close(std::exchange(handle, -1));
}

// Names are ours, never a peer's.
std::string join(const std::string& path, std::string_view name) {
    RINGLAY_ASSERT(!name.empty() && name != "." && name != "..");
    RINGLAY_ASSERT(name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos);
    std::string joined = path;
    if (!joined.ends_with('/')) joined += '/';
    return joined += name;
}

std::uint32_t flags_of(OpenMode mode) {
    switch (mode) {
        case OpenMode::read:
            return Op::open_read;
        case OpenMode::write:
            return Op::open_write;
        case OpenMode::write_or_create:
            return Op::open_write | Op::open_create;
        case OpenMode::create:
            return Op::open_write | Op::open_create | Op::open_exclusive;
    }
    return Op::open_read;
}

// The parts that are still to be written: the first `written` bytes are not.
class Rest {
  public:
    explicit Rest(std::span<const Bytes> parts) : parts_(parts) { advance(0); }

    bool empty() const { return parts_.empty(); }

    std::span<const Bytes> front() {
        std::size_t count = std::min(parts_.size(), some_.size());
        std::ranges::copy(parts_.first(count), some_.begin());
        some_[0] = some_[0].subspan(skip_);
        return std::span(some_).first(count);
    }

    void advance(std::size_t written) {
        skip_ += written;
        while (!parts_.empty() && skip_ >= parts_.front().size()) {
            skip_ -= parts_.front().size();
            parts_ = parts_.subspan(1);
        }
    }

  private:
    std::span<const Bytes> parts_;
    std::size_t skip_ = 0;  // of the first of them
    std::array<Bytes, parts_at_once> some_;
};

}  // namespace

File::File(File&& other) noexcept : handle_(std::exchange(other.handle_, -1)) {}

File& File::operator=(File&& other) noexcept {
    if (this == &other) return *this;
    close();
    handle_ = std::exchange(other.handle_, -1);
    return *this;
}

Result<std::size_t> File::read_at(std::uint64_t offset_bytes, std::span<std::uint8_t> into) const {
    std::size_t done = 0;
    while (done < into.size()) {
        Op op = operation(Op::Kind::read_at, handle_);
        op.in = into.subspan(done);
        op.offset_bytes = offset_bytes + done;
        auto read = perform(op);
        if (!read) return std::unexpected(read.error());
        if (*read == 0) break;
        done += static_cast<std::size_t>(*read);
    }
    return done;
}

Result<void> File::write_at(std::uint64_t offset_bytes, std::span<const Bytes> parts) {
    Rest rest(parts);
    while (!rest.empty()) {
        Op op = operation(Op::Kind::write_at, handle_);
        op.out = rest.front();
        op.offset_bytes = offset_bytes;
        auto written = perform(op);
        if (!written) return std::unexpected(written.error());
        if (*written == 0) return fail(Errc::io, "write: nothing was taken");
        rest.advance(static_cast<std::size_t>(*written));
        offset_bytes += static_cast<std::uint64_t>(*written);
    }
    return {};
}

Result<void> File::write_at(std::uint64_t offset_bytes, Bytes bytes) {
    return write_at(offset_bytes, std::span(&bytes, 1));
}

Result<void> File::sync() const {
    Op op = operation(Op::Kind::sync, handle_);
    return perform_for_nothing(op);
}

Result<void> File::truncate(std::uint64_t size_bytes) {
    Op op = operation(Op::Kind::truncate, handle_);
    op.offset_bytes = size_bytes;
    return perform_for_nothing(op);
}

Result<void> File::allocate(std::uint64_t size_bytes) {
    Op op = operation(Op::Kind::allocate, handle_);
    op.offset_bytes = size_bytes;
    auto done = perform_for_nothing(op);
    if (op.result == -EOPNOTSUPP) return {};
    return done;
}

Result<std::uint64_t> File::size_bytes() const {
    Op op = operation(Op::Kind::size, handle_);
    auto size = perform(op);
    if (!size) return std::unexpected(size.error());
    return static_cast<std::uint64_t>(*size);
}

void File::close() {
    close_handle(handle_);
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : handle_(std::exchange(other.handle_, -1)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
    if (this == &other) return *this;
    close_handle(handle_);
    handle_ = std::exchange(other.handle_, -1);
    return *this;
}

DirectoryLock::~DirectoryLock() {
    close_handle(handle_);
}

Result<File> Directory::open(std::string_view name, OpenMode mode) const {
    std::string path = join(path_, name);
    Op op = operation(Op::Kind::open, path);
    op.flags = flags_of(mode);
    auto handle = perform(op);
    if (!handle) return std::unexpected(handle.error());
    return File(static_cast<int>(*handle));
}

Result<std::vector<std::string>> Directory::list() const {
    std::vector<std::string> names;
    Op op = operation(Op::Kind::list, path_);
    op.names = &names;
    auto count = perform(op);
    if (!count) return std::unexpected(count.error());
    return names;
}

Result<void> Directory::rename(std::string_view from, std::string_view to) const {
    std::string path_from = join(path_, from), path_to = join(path_, to);
    Op op = operation(Op::Kind::rename, path_from);
    op.path_to = path_to;
    return perform_for_nothing(op);
}

Result<void> Directory::remove(std::string_view name) const {
    std::string path = join(path_, name);
    Op op = operation(Op::Kind::remove, path);
    return perform_for_nothing(op);
}

Result<void> Directory::sync() const {
    Op op = operation(Op::Kind::sync_directory, path_);
    return perform_for_nothing(op);
}

Result<std::uint64_t> Directory::free_bytes() const {
    Op op = operation(Op::Kind::free_bytes, path_);
    auto bytes = perform(op);
    if (!bytes) return std::unexpected(bytes.error());
    return static_cast<std::uint64_t>(*bytes);
}

Result<DirectoryLock> Directory::lock(std::string_view name) const {
    std::string path = join(path_, name);
    Op op = operation(Op::Kind::lock, path);
    auto handle = perform(op);
    if (op.result == -EWOULDBLOCK) return fail(Errc::busy, "lock: held by another process");
    if (!handle) return std::unexpected(handle.error());
    return DirectoryLock(static_cast<int>(*handle));
}

Result<Directory> Directory::make_directory(std::string_view name) const {
    std::string path = join(path_, name);
    Op op = operation(Op::Kind::make_directory, path);
    auto made = perform(op);
    if (!made) return std::unexpected(made.error());
    return Directory(std::move(path));
}

Result<Directory> Disk::open_directory(std::string_view path) {
    Op op = operation(Op::Kind::make_directory, path);
    auto made = perform(op);
    if (!made) return std::unexpected(made.error());
    return Directory(std::string(path));
}

}  // namespace ringlay::env
