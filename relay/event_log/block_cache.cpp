#include "relay/event_log/block_cache.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"

namespace ringlay::event_log {

Result<std::shared_ptr<const Block>> BlockCache::get(const SegmentReader& segment,
                                                     std::uint64_t offset_bytes,
                                                     std::uint64_t known_bytes) {
    RINGLAY_ASSERT(offset_bytes < known_bytes);
    last_look_ = fiber::now();
    const std::uint64_t number = offset_bytes / options_.block_bytes;
    const std::uint64_t begin = number * options_.block_bytes;
    const auto needed = static_cast<std::size_t>(offset_bytes - begin + 1);
    for (;;) {
        Slot* slot = find(segment.base, number);
        if (slot != nullptr && !slot->is_loading && slot->block->bytes.size() >= needed) {
            return slot->block;
        }
        const bool must_wait = slot != nullptr ? slot->is_loading : !has_room();
        if (must_wait) {
            auto woken = loaded_.wait("log block", Deadline::never());
            if (!woken) return std::unexpected(woken.error());
            continue;
        }
        if (slot == nullptr)
            slot = &slots_.emplace_front(Slot{segment.base, number, nullptr, false});
        auto size = static_cast<std::size_t>(
            std::min<std::uint64_t>(options_.block_bytes, known_bytes - begin));
        return load(segment, *slot, size);
    }
}

// The bytes are published: a file that has fewer is broken.
Result<std::shared_ptr<const Block>> BlockCache::load(const SegmentReader& segment, Slot& slot,
                                                      std::size_t size_bytes) {
    slot.is_loading = true;
    auto block = std::make_shared<Block>();
    block->bytes.resize(size_bytes);
    reads_.fetch_add(1, std::memory_order_relaxed);
    auto read = segment.wire.read_at(segment_header_bytes + slot.number * options_.block_bytes,
                                     block->bytes);
    slot.is_loading = false;
    const bool is_whole = read && *read == size_bytes;
    if (is_whole) {
        slot.block = block;
    } else {
        slots_.remove_if([&](const Slot& other) { return &other == &slot; });
    }
    count_memory();
    loaded_.wake_all();
    if (!read) return std::unexpected(read.error());
    if (!is_whole && segment.is_removed.load())
        return fail(Errc::not_found, "log: left the window");
    if (!is_whole) return fail(Errc::io, "log: segment is shorter than what was published");
    return block;
}

BlockCache::Slot* BlockCache::find(Position base, std::uint64_t number) {
    auto found = std::ranges::find_if(
        slots_, [&](const Slot& slot) { return slot.base == base && slot.number == number; });
    if (found == slots_.end()) return nullptr;
    slots_.splice(slots_.begin(), slots_, found);
    return &slots_.front();
}

// Makes it, if need be, at the cost of the block that was not used for longest.
bool BlockCache::has_room() {
    if (slots_.size() < options_.max_blocks) return true;
    for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) {
        if (slot->is_loading) continue;
        slots_.erase(std::next(slot).base());
        return true;
    }
    return false;
}

void BlockCache::drop_if_idle() {
    if (slots_.empty() || fiber::now() - last_look_ < options_.idle) return;
    slots_.remove_if([](const Slot& slot) { return !slot.is_loading; });
    count_memory();
}

void BlockCache::count_memory() {
    std::uint64_t total = 0;
    for (const Slot& slot : slots_) total += slot.block == nullptr ? 0 : slot.block->bytes.size();
    memory_bytes_.store(total, std::memory_order_relaxed);
}

}  // namespace ringlay::event_log
