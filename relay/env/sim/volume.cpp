#include "relay/env/sim/volume.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "relay/env/sim/volume_node.hpp"

namespace ringlay::env {
namespace {

using fiber::Op;

// The next component of a path, which is shortened by it; empty at the end.
std::string_view next_component(std::string_view& path) {
    while (!path.empty()) {
        std::size_t slash = path.find('/');
        std::string_view component = path.substr(0, slash);
        path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
        if (!component.empty() && component != ".") return component;
    }
    return {};
}

std::uint64_t total_bytes(std::span<const Bytes> parts) {
    std::uint64_t total = 0;
    for (Bytes part : parts) total += part.size();
    return total;
}

}  // namespace

Volume::Volume() : root_(std::make_shared<Node>()) {
    root_->is_directory = true;
    root_->links = 1;
}

Volume::~Volume() = default;

std::uint64_t Volume::free_bytes() const {
    return capacity_bytes_ > used_bytes_ ? capacity_bytes_ - used_bytes_ : 0;
}

Volume::NodePtr Volume::walk(std::string_view path, std::int64_t& error) {
    NodePtr node = root_;
    for (;;) {
        std::string_view component = next_component(path);
        if (component.empty()) return node;
        if (!node->is_directory) {
            error = -ENOTDIR;
            return nullptr;
        }
        auto found = node->entries.find(component);
        if (found == node->entries.end()) {
            error = -ENOENT;
            return nullptr;
        }
        node = found->second;
    }
}

Volume::Place Volume::place_of(std::string_view path) {
    while (path.ends_with('/')) path.remove_suffix(1);
    std::size_t slash = path.rfind('/');
    std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
    std::string_view parent =
        slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
    Place place;
    if (name.empty() || name == "." || name == "..") {
        place.error = -EINVAL;
        return place;
    }
    NodePtr directory = walk(parent, place.error);
    if (directory != nullptr && !directory->is_directory) place.error = -ENOTDIR;
    if (place.error != 0) return place;
    place.directory = directory.get();
    place.name = std::string(name);
    return place;
}

void Volume::change_name(Node& directory, std::string removed, std::string added, NodePtr node) {
    if (!removed.empty()) {
        auto found = directory.entries.find(removed);
        NodePtr gone = found->second;
        directory.entries.erase(found);
        --gone->links;
        if (gone != node) release_if_unused(*gone);
    }
    if (!added.empty()) {
        NodePtr& entry = directory.entries[added];
        if (entry != nullptr) {
            --entry->links;
            release_if_unused(*entry);
        }
        entry = node;
        ++node->links;
    }
    directory.unsynced_names.push_back(
        {directory.next_number++, std::move(removed), std::move(added), std::move(node)});
}

Volume::NodePtr Volume::make_file(const Place& place) {
    auto node = std::make_shared<Node>();
    change_name(*place.directory, {}, place.name, node);
    return node;
}

void Volume::charge(Node& node) {
    std::uint64_t needed = std::max<std::uint64_t>(node.live.size(), node.reserved_bytes);
    used_bytes_ += needed - node.charged_bytes;
    node.charged_bytes = needed;
}

void Volume::release_if_unused(Node& node) {
    if (node.links > 0 || node.opens > 0) return;
    used_bytes_ -= node.charged_bytes;
    node.charged_bytes = 0;
}

std::int64_t Volume::open(std::string_view path, std::uint32_t flags) {
    Place place = place_of(path);
    if (place.error != 0) return place.error;
    bool is_writable = (flags & Op::open_write) != 0;
    auto found = place.directory->entries.find(place.name);
    NodePtr node;
    if (found == place.directory->entries.end()) {
        if ((flags & Op::open_create) == 0) return -ENOENT;
        node = make_file(place);
    } else {
        node = found->second;
        if ((flags & Op::open_create) != 0 && (flags & Op::open_exclusive) != 0) return -EEXIST;
        if (node->is_directory) return -EISDIR;
    }
    ++node->opens;
    return handles_.add({std::move(node), is_writable});
}

Volume::NodePtr Volume::node_of(int handle) {
    OpenFile* file = handles_.find(handle);
    return file == nullptr ? nullptr : file->node;
}

std::int64_t Volume::read_at(int handle, std::uint64_t offset_bytes, std::span<std::uint8_t> into,
                             std::uint64_t limit_bytes) {
    OpenFile* file = handles_.find(handle);
    if (file == nullptr) return -EBADF;
    const Buffer& live = file->node->live;
    if (offset_bytes >= live.size()) return 0;
    std::uint64_t count =
        std::min({std::uint64_t{into.size()}, live.size() - offset_bytes, limit_bytes});
    if (count > 0) std::memcpy(into.data(), live.data() + offset_bytes, count);
    return static_cast<std::int64_t>(count);
}

std::int64_t Volume::write_at(int handle, std::uint64_t offset_bytes, std::span<const Bytes> parts,
                              std::uint64_t limit_bytes) {
    OpenFile* file = handles_.find(handle);
    if (file == nullptr || !file->is_writable) return -EBADF;
    Node& node = *file->node;
    std::uint64_t wanted = std::min(total_bytes(parts), limit_bytes);
    if (wanted == 0) return 0;
    std::uint64_t room = node.charged_bytes + free_bytes();
    if (offset_bytes >= room) return -ENOSPC;
    std::uint64_t count = std::min(wanted, room - offset_bytes);
    write_live(node, offset_bytes, parts, count);
    charge(node);
    return static_cast<std::int64_t>(count);
}

void Volume::write_live(Node& node, std::uint64_t offset_bytes, std::span<const Bytes> parts,
                        std::uint64_t count) {
    if (node.live.size() < offset_bytes + count) node.live.resize(offset_bytes + count);
    node.unsynced.push_back({node.next_number++, offset_bytes, count, node.journal.size()});
    for (Bytes part : parts) {
        part = part.first(std::min<std::uint64_t>(part.size(), count));
        if (part.empty()) continue;
        std::memcpy(node.live.data() + offset_bytes, part.data(), part.size());
        node.journal.insert(node.journal.end(), part.begin(), part.end());
        offset_bytes += part.size();
        count -= part.size();
    }
}

std::int64_t Volume::truncate(int handle, std::uint64_t size_bytes) {
    OpenFile* file = handles_.find(handle);
    if (file == nullptr || !file->is_writable) return -EINVAL;
    Node& node = *file->node;
    if (size_bytes > node.charged_bytes + free_bytes()) return -ENOSPC;
    node.live.resize(size_bytes);
    node.reserved_bytes = std::min(node.reserved_bytes, size_bytes);
    node.unsynced.push_back({node.next_number++, size_bytes, 0, node.journal.size(), true});
    charge(node);
    return 0;
}

std::int64_t Volume::allocate(int handle, std::uint64_t size_bytes) {
    OpenFile* file = handles_.find(handle);
    if (file == nullptr || !file->is_writable) return -EBADF;
    Node& node = *file->node;
    if (size_bytes > node.charged_bytes + free_bytes()) return -ENOSPC;
    node.reserved_bytes = std::max(node.reserved_bytes, size_bytes);
    charge(node);
    return 0;
}

std::int64_t Volume::size(int handle) {
    OpenFile* file = handles_.find(handle);
    return file == nullptr ? -EBADF : static_cast<std::int64_t>(file->node->live.size());
}

std::int64_t Volume::make_directory(std::string_view path) {
    NodePtr node = root_;
    for (;;) {
        std::string_view component = next_component(path);
        if (component.empty()) return 0;
        auto found = node->entries.find(component);
        if (found == node->entries.end()) {
            auto made = std::make_shared<Node>();
            made->is_directory = true;
            change_name(*node, {}, std::string(component), made);
            node = std::move(made);
            continue;
        }
        node = found->second;
        if (!node->is_directory) return path.empty() ? -EEXIST : -ENOTDIR;
    }
}

std::int64_t Volume::find_directory(std::string_view path) {
    std::int64_t error = 0;
    NodePtr node = walk(path, error);
    if (node != nullptr && !node->is_directory) return -ENOTDIR;
    return error;
}

std::int64_t Volume::list(std::string_view path, std::vector<std::string>& names) {
    std::int64_t error = 0;
    NodePtr node = walk(path, error);
    if (node == nullptr) return error;
    if (!node->is_directory) return -ENOTDIR;
    names.clear();
    for (const auto& [name, child] : node->entries) names.push_back(name);
    return static_cast<std::int64_t>(names.size());
}

// Within one directory, which is all that the doors offer.
std::int64_t Volume::rename(std::string_view from, std::string_view to) {
    Place source = place_of(from);
    Place target = place_of(to);
    if (source.error != 0) return source.error;
    if (target.error != 0) return target.error;
    if (source.directory != target.directory) return -EXDEV;
    auto& entries = source.directory->entries;
    auto found = entries.find(source.name);
    if (found == entries.end()) return -ENOENT;
    if (source.name == target.name) return 0;
    NodePtr node = found->second;
    auto replaced = entries.find(target.name);
    if (replaced != entries.end()) {
        if (replaced->second->is_directory && !node->is_directory) return -EISDIR;
        if (!replaced->second->is_directory && node->is_directory) return -ENOTDIR;
        if (replaced->second->is_directory && !replaced->second->entries.empty()) {
            return -ENOTEMPTY;
        }
    }
    change_name(*source.directory, source.name, target.name, std::move(node));
    return 0;
}

std::int64_t Volume::remove(std::string_view path) {
    Place place = place_of(path);
    if (place.error != 0) return place.error;
    auto found = place.directory->entries.find(place.name);
    if (found == place.directory->entries.end()) return -ENOENT;
    if (found->second->is_directory) return -EISDIR;
    change_name(*place.directory, place.name, {}, nullptr);
    return 0;
}

std::int64_t Volume::lock(std::string_view path) {
    std::int64_t handle = open(path, Op::open_write | Op::open_create);
    if (handle < 0) return handle;
    OpenFile* file = handles_.find(static_cast<int>(handle));
    if (file->node->is_locked) {
        close(static_cast<int>(handle));
        return -EWOULDBLOCK;
    }
    file->is_lock = true;
    file->node->is_locked = true;
    return handle;
}

void Volume::close(int handle) {
    OpenFile* file = handles_.find(handle);
    RINGLAY_ASSERT(file != nullptr);
    NodePtr node = file->node;
    if (file->is_lock) node->is_locked = false;
    handles_.remove(handle);
    --node->opens;
    release_if_unused(*node);
}

// A part of a piece, from `begin` to `end` of its bytes.
void Volume::apply(const Node& node, const Piece& piece, Buffer& image, std::uint64_t begin,
                   std::uint64_t end) {
    if (piece.is_truncate) {
        image.resize(piece.offset_bytes);
        return;
    }
    if (image.size() < piece.offset_bytes + end) image.resize(piece.offset_bytes + end);
    std::memcpy(image.data() + piece.offset_bytes + begin,
                node.journal.data() + piece.journal_at + begin, end - begin);
}

std::uint64_t Volume::sync_mark(int handle) {
    NodePtr node = node_of(handle);
    return node == nullptr ? 0 : node->next_number;
}

std::int64_t Volume::sync(int handle, std::uint64_t mark) {
    NodePtr node = node_of(handle);
    if (node == nullptr) return -EBADF;
    for (const Piece& piece : node->unsynced) {
        if (piece.number >= mark) break;
        apply(*node, piece, node->durable, 0, piece.size_bytes);
    }
    std::erase_if(node->unsynced, [&](const Piece& piece) { return piece.number < mark; });
    trim_journal(*node);
    return 0;
}

void Volume::sync_failed(int handle, std::uint64_t mark, Prng& prng) {
    NodePtr node = node_of(handle);
    if (node == nullptr) return;
    for (const Piece& piece : node->unsynced) {
        if (piece.number < mark) keep_part(*node, piece, node->durable, prng);
    }
    std::erase_if(node->unsynced, [&](const Piece& piece) { return piece.number < mark; });
    trim_journal(*node);
}

// Under a steady stream of writes the list is never empty: move what is left down now and then.
void Volume::trim_journal(Node& node) {
    if (node.unsynced.empty()) {
        node.journal.clear();
        return;
    }
    std::uint64_t unused = node.unsynced.front().journal_at;
    if (unused <= node.journal.size() / 2) return;
    node.journal.erase(node.journal.begin(),
                       node.journal.begin() + static_cast<std::ptrdiff_t>(unused));
    for (Piece& piece : node.unsynced) piece.journal_at -= unused;
}

std::uint64_t Volume::directory_mark(std::string_view path) {
    std::int64_t error = 0;
    NodePtr node = walk(path, error);
    return node == nullptr ? 0 : node->next_number;
}

std::int64_t Volume::sync_directory(std::string_view path, std::uint64_t mark) {
    std::int64_t error = 0;
    NodePtr node = walk(path, error);
    if (node == nullptr) return error;
    if (!node->is_directory) return -ENOTDIR;
    for (const NameChange& change : node->unsynced_names) {
        if (change.number >= mark) break;
        if (!change.removed.empty()) node->durable_entries.erase(change.removed);
        if (!change.added.empty()) node->durable_entries[change.added] = change.node;
    }
    std::erase_if(node->unsynced_names,
                  [&](const NameChange& change) { return change.number < mark; });
    NodePtr above = root_;
    for (;;) {
        std::string_view component = next_component(path);
        if (component.empty()) return 0;
        NodePtr below = above->entries.find(component)->second;
        above->durable_entries[std::string(component)] = below;
        above = std::move(below);
    }
}

std::optional<Buffer> Volume::content(std::string_view path) {
    std::int64_t error = 0;
    NodePtr node = walk(path, error);
    if (node == nullptr || node->is_directory) return std::nullopt;
    return node->live;
}

void Volume::put(std::string_view path, Bytes bytes) {
    std::string_view parent =
        path.substr(0, path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/'));
    RINGLAY_ASSERT(make_directory(parent) == 0);
    auto handle = static_cast<int>(open(path, Op::open_write | Op::open_create));
    RINGLAY_ASSERT(handle >= 0 && truncate(handle, 0) == 0);
    RINGLAY_ASSERT(write_at(handle, 0, std::span(&bytes, 1), UINT64_MAX) ==
                   static_cast<std::int64_t>(bytes.size()));
    RINGLAY_ASSERT(sync(handle, sync_mark(handle)) == 0);
    RINGLAY_ASSERT(sync_directory(parent, directory_mark(parent)) == 0);
    close(handle);
}

}  // namespace ringlay::env
