// What one generation of a simulated process sees of its disk: a tree of files and directories, and
// beside each what of it is already durable. No time and no chance in it, except in a crash.
//
// A file has the bytes that readers see (`live`), those that are synced (`durable`), and the list
// of the writes in between. A directory has its names, its synced names, and the list of what was
// done to names in between. sync() of a file makes its bytes durable, never its name;
// sync_directory() makes the names in it durable, and the way from the root to it, as journaling
// file systems do, but no other name.
//
// Owner    SimDisk: one volume for each generation; a crash makes the next one out of it.
// Bound    none of its own; the capacity limits what files may use.
// Errors   -errno, as the kernel gives them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/bytes.hpp"
#include "relay/env/sim/handle_table.hpp"
#include "relay/env/sim/prng.hpp"
#include "relay/fiber/kernel.hpp"

namespace ringlay::env {

// kill: the process ends, the page cache stays. power_loss: of what was not synced, any subset of
// 512-byte sectors and of names survives.
enum class CrashMode : std::uint8_t { kill, power_loss };

class Volume {
  public:
    static constexpr int handle_tag = 1;
    static constexpr std::uint64_t sector_bytes = 512;

    Volume();
    ~Volume();
    Volume(const Volume&) = delete;
    Volume& operator=(const Volume&) = delete;

    void set_capacity(std::uint64_t capacity_bytes) { capacity_bytes_ = capacity_bytes; }
    std::uint64_t capacity_bytes() const { return capacity_bytes_; }
    std::uint64_t free_bytes() const;
    std::size_t open_handles() const { return handles_.size(); }

    // The operations of Op. At most `limit_bytes` are read or written.
    std::int64_t open(std::string_view path, std::uint32_t flags);
    std::int64_t read_at(int handle, std::uint64_t offset_bytes, std::span<std::uint8_t> into,
                         std::uint64_t limit_bytes);
    std::int64_t write_at(int handle, std::uint64_t offset_bytes, std::span<const Bytes> parts,
                          std::uint64_t limit_bytes);
    std::int64_t truncate(int handle, std::uint64_t size_bytes);
    std::int64_t allocate(int handle, std::uint64_t size_bytes);
    std::int64_t size(int handle);
    std::int64_t make_directory(std::string_view path);
    std::int64_t find_directory(std::string_view path);  // 0: it is there
    std::int64_t list(std::string_view path, std::vector<std::string>& names);
    std::int64_t rename(std::string_view from, std::string_view to);
    std::int64_t remove(std::string_view path);
    std::int64_t lock(std::string_view path);
    void close(int handle);

    // What a sync that begins now will make durable: pass it to the sync when it ends. Writes that
    // come meanwhile are not promised anything.
    std::uint64_t sync_mark(int handle);
    std::int64_t sync(int handle, std::uint64_t mark);
    // A failed one: a part of what it should have written is durable; the rest counts as clean, so
    // that no later sync writes it, and readers see it until the power goes.
    void sync_failed(int handle, std::uint64_t mark, Prng& prng);
    std::uint64_t directory_mark(std::string_view path);
    std::int64_t sync_directory(std::string_view path, std::uint64_t mark);

    // The volume that the next generation finds. This one stays as it is, for fibers that do not
    // know yet that they are dead.
    std::unique_ptr<Volume> after_crash(CrashMode mode, std::span<const fiber::Op* const> in_flight,
                                        Prng& prng);

    // For tests: the bytes that a reader sees, and a file that is there and durable.
    std::optional<Buffer> content(std::string_view path);
    void put(std::string_view path, Bytes bytes);

  private:
    struct Node;
    using NodePtr = std::shared_ptr<Node>;
    struct Piece;
    struct NameChange;
    struct OpenFile {
        NodePtr node;
        bool is_writable = false;
        bool is_lock = false;
    };
    struct Place {  // a name in its directory
        Node* directory = nullptr;
        std::string name;
        std::int64_t error = 0;
    };

    NodePtr walk(std::string_view path, std::int64_t& error);
    Place place_of(std::string_view path);
    NodePtr make_file(const Place& place);
    void change_name(Node& directory, std::string removed, std::string added, NodePtr node);
    void charge(Node& node);
    void release_if_unused(Node& node);
    std::unique_ptr<Volume> copy();
    void apply_in_flight(const fiber::Op& op, Volume& origin, Prng& prng);
    static void forget(Node& node, Prng& prng);
    static void forget_names(Node& directory, Prng& prng);
    static void clear_counts(Node& node);
    void count(Node& node);
    NodePtr node_of(int handle);
    static void write_live(Node& node, std::uint64_t offset_bytes, std::span<const Bytes> parts,
                           std::uint64_t count);
    static void apply(const Node& node, const Piece& piece, Buffer& image, std::uint64_t begin,
                      std::uint64_t end);
    static void keep_part(const Node& node, const Piece& piece, Buffer& image, Prng& prng);
    static void trim_journal(Node& node);
    static void forget_bytes(Node& node, Prng& prng);
    static NodePtr copy_of(const NodePtr& node);

    NodePtr root_;
    HandleTable<OpenFile> handles_{handle_tag};
    std::uint64_t capacity_bytes_ = std::uint64_t{1} << 40;
    std::uint64_t used_bytes_ = 0;
};

}  // namespace ringlay::env
