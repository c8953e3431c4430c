// What a crash leaves of a volume.
#include <algorithm>
#include <cstring>

#include "relay/env/sim/volume.hpp"
#include "relay/env/sim/volume_node.hpp"

namespace ringlay::env {

using fiber::Op;

std::unique_ptr<Volume> Volume::after_crash(CrashMode mode, std::span<const Op* const> in_flight,
                                            Prng& prng) {
    std::unique_ptr<Volume> next = copy();
    for (const Op* op : in_flight) next->apply_in_flight(*op, *this, prng);
    // Only now: until here the originals know their copies.
    std::vector<NodePtr> copied{root_};
    for (const Op* op : in_flight) {
        if (NodePtr node = node_of(op->handle)) copied.push_back(std::move(node));
    }
    while (!copied.empty()) {
        NodePtr node = std::move(copied.back());
        copied.pop_back();
        if (std::exchange(node->copied, nullptr) == nullptr) continue;
        for (auto& [name, child] : node->entries) copied.push_back(child);
        for (auto& [name, child] : node->durable_entries) copied.push_back(child);
        for (NameChange& change : node->unsynced_names) {
            if (change.node != nullptr) copied.push_back(change.node);
        }
    }
    if (mode == CrashMode::power_loss) forget(*next->root_, prng);
    next->used_bytes_ = 0;
    clear_counts(*next->root_);
    next->count(*next->root_);
    return next;
}

std::unique_ptr<Volume> Volume::copy() {
    auto volume = std::make_unique<Volume>();
    volume->capacity_bytes_ = capacity_bytes_;
    volume->root_ = copy_of(root_);
    return volume;
}

// One copy of each node, however many names lead to it.
Volume::NodePtr Volume::copy_of(const NodePtr& node) {
    if (node == nullptr) return nullptr;
    if (node->copied != nullptr) return node->copied;
    auto made = std::make_shared<Node>();
    node->copied = made;
    made->is_directory = node->is_directory;
    made->live = node->live;
    made->durable = node->durable;
    made->unsynced = node->unsynced;
    made->journal = node->journal;
    made->reserved_bytes = node->reserved_bytes;
    made->charged_bytes = node->charged_bytes;
    made->links = node->links;
    made->next_number = node->next_number;
    for (const auto& [name, child] : node->entries) made->entries.emplace(name, copy_of(child));
    for (const auto& [name, child] : node->durable_entries) {
        made->durable_entries.emplace(name, copy_of(child));
    }
    for (const NameChange& change : node->unsynced_names) {
        made->unsynced_names.push_back(
            {change.number, change.removed, change.added, copy_of(change.node)});
    }
    return made;
}

// What was asked for and not yet answered may have been done, or not, or half.
void Volume::apply_in_flight(const Op& op, Volume& origin, Prng& prng) {
    if (prng.coin()) return;
    NodePtr node = origin.node_of(op.handle);
    NodePtr mine = node == nullptr ? nullptr : node->copied;
    switch (op.kind) {
        case Op::Kind::write_at: {
            std::uint64_t total = 0;
            for (Bytes part : op.out) total += part.size();
            std::uint64_t count = prng.coin() ? total : prng.below(total + 1);
            if (mine != nullptr && count > 0) write_live(*mine, op.offset_bytes, op.out, count);
            return;
        }
        case Op::Kind::truncate:
            if (mine == nullptr) return;
            mine->live.resize(op.offset_bytes);
            mine->unsynced.push_back(
                {mine->next_number++, op.offset_bytes, 0, mine->journal.size(), true});
            return;
        case Op::Kind::open:
            if ((op.flags & Op::open_create) == 0) return;
            if (auto handle = static_cast<int>(open(op.path, op.flags)); handle >= 0) close(handle);
            return;
        case Op::Kind::make_directory:
            make_directory(op.path);
            return;
        case Op::Kind::rename:
            rename(op.path, op.path_to);
            return;
        case Op::Kind::remove:
            remove(op.path);
            return;
        default:
            return;
    }
}

void Volume::forget(Node& node, Prng& prng) {
    if (!node.is_directory) {
        forget_bytes(node, prng);
        return;
    }
    forget_names(node, prng);
    for (const auto& [name, child] : node.entries) forget(*child, prng);
}

// Journals apply changes of names in order, so mostly a prefix survives; POSIX promises not even
// that, so sometimes any subset does.
void Volume::forget_names(Node& directory, Prng& prng) {
    bool is_prefix = prng.coin();
    std::size_t kept = prng.below(directory.unsynced_names.size() + 1);
    for (std::size_t i = 0; i < directory.unsynced_names.size(); ++i) {
        if (is_prefix ? i >= kept : prng.coin()) continue;
        const NameChange& change = directory.unsynced_names[i];
        if (!change.removed.empty()) directory.durable_entries.erase(change.removed);
        if (!change.added.empty()) directory.durable_entries[change.added] = change.node;
    }
    directory.unsynced_names.clear();
    directory.entries = directory.durable_entries;
}

// All of it, nothing, or each sector by itself; and the size may be ahead of the bytes.
void Volume::forget_bytes(Node& node, Prng& prng) {
    std::uint64_t way = prng.below(4);
    for (const Piece& piece : node.unsynced) {
        if (way == 0) break;
        if (way == 1) {
            apply(node, piece, node.durable, 0, piece.size_bytes);
        } else {
            keep_part(node, piece, node.durable, prng);
        }
    }
    bool is_grown = !node.unsynced.empty() && node.live.size() > node.durable.size();
    if (is_grown && prng.coin()) {
        std::uint64_t missing = node.live.size() - node.durable.size();
        node.durable.resize(node.durable.size() + 1 + prng.below(missing));
    }
    node.unsynced.clear();
    node.journal.clear();
    node.live = node.durable;
    node.reserved_bytes = 0;
}

// Each sector by itself; a sector is never torn.
void Volume::keep_part(const Node& node, const Piece& piece, Buffer& image, Prng& prng) {
    if (piece.is_truncate) {
        if (prng.coin()) apply(node, piece, image, 0, 0);
        return;
    }
    std::uint64_t begin = 0;
    while (begin < piece.size_bytes) {
        std::uint64_t in_sector = (piece.offset_bytes + begin) % sector_bytes;
        std::uint64_t end = std::min(piece.size_bytes, begin + sector_bytes - in_sector);
        if (prng.coin()) apply(node, piece, image, begin, end);
        begin = end;
    }
}

// Names and space, after the tree was made anew.
void Volume::clear_counts(Node& node) {
    node.links = 0;
    node.charged_bytes = 0;
    for (const auto& [name, child] : node.entries) clear_counts(*child);
}

void Volume::count(Node& node) {
    ++node.links;
    for (const auto& [name, child] : node.entries) count(*child);
    if (!node.is_directory) charge(node);
}

}  // namespace ringlay::env
