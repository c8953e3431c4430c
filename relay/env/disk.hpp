// The disk door. Positions are explicit, names are relative to one directory, and durability is
// said out loud: sync() for the bytes of a file, Directory::sync() for names that were made, moved
// or removed. A simulated disk forgets, at a power loss, any subset of what was not synced.
//
// Thread   a File may be read by several workers at once (shared_ptr<const File>); written by one.
// Errors   not_found, exists, no_space, no_permission, busy (locked), io. After a failed sync()
//          nothing is known about the file's bytes: the caller must not go on with it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::env {

class File {
  public:
    File() = default;
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    ~File() { close(); }

    bool is_open() const { return handle_ >= 0; }

    // Fewer bytes than asked for only at the end of the file.
    Result<std::size_t> read_at(std::uint64_t offset_bytes, std::span<std::uint8_t> into) const;
    // All of the parts, one behind the other, or an error: then any prefix may be in the file.
    Result<void> write_at(std::uint64_t offset_bytes, std::span<const Bytes> parts);
    Result<void> write_at(std::uint64_t offset_bytes, Bytes bytes);
    Result<void> sync() const;
    Result<void> truncate(std::uint64_t size_bytes);
    // Reserves space without changing the size. A volume that cannot is no error.
    Result<void> allocate(std::uint64_t size_bytes);
    Result<std::uint64_t> size_bytes() const;
    void close();

  private:
    friend class Directory;
    explicit File(int handle) : handle_(handle) {}
    int handle_ = -1;
};

// Held as long as the object lives; ends with the process, however it ends.
class DirectoryLock {
  public:
    DirectoryLock() = default;
    DirectoryLock(DirectoryLock&& other) noexcept;
    DirectoryLock& operator=(DirectoryLock&& other) noexcept;
    ~DirectoryLock();

  private:
    friend class Directory;
    explicit DirectoryLock(int handle) : handle_(handle) {}
    int handle_ = -1;
};

enum class OpenMode : std::uint8_t {
    read,
    write,            // read and write; must exist
    write_or_create,  // read and write
    create,           // read and write; must not exist
};

class Directory {
  public:
    const std::string& path() const { return path_; }

    Result<File> open(std::string_view name, OpenMode mode) const;
    Result<std::vector<std::string>> list() const;  // names, sorted bytewise; no "." and ".."
    Result<void> rename(std::string_view from, std::string_view to) const;  // replaces `to`
    Result<void> remove(std::string_view name) const;
    Result<void> sync() const;
    Result<std::uint64_t> free_bytes() const;  // of the volume, that we may use

    // Errc::busy when another process (or another Relay of this one) holds it.
    Result<DirectoryLock> lock(std::string_view name) const;

    Result<Directory> make_directory(std::string_view name) const;

  private:
    friend class Disk;
    explicit Directory(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

class Disk {
  public:
    // Makes it, parents included, when it is not there.
    Result<Directory> open_directory(std::string_view path);
};

}  // namespace ringlay::env
