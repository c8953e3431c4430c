#include "relay/accounts/account_index.hpp"

#include <algorithm>
#include <bit>

#include "proto/base/assert.hpp"

namespace ringlay::accounts {
namespace {

constexpr std::uint32_t min_capacity = 8;
constexpr std::size_t max_parts = 1 << 16;  // the low half of a hash has more bits than this

}  // namespace

AccountIndex::AccountIndex(std::size_t max_entries)
    : parts_(std::bit_ceil(std::clamp(max_entries / entries_per_part, std::size_t{1}, max_parts))) {
    memory_bytes_ = parts_.size() * sizeof(Part);
}

void AccountIndex::add(std::uint64_t hash, std::uint32_t record) {
    Part& part = part_of(hash);
    if ((std::uint64_t{part.count} + 1) * 5 > std::uint64_t{part.capacity} * 4) grow(part);
    put(part, {fragment_of(hash), record});
    ++part.count;
}

void AccountIndex::put(Part& part, Slot slot) {
    std::uint32_t at = home(part, slot.fragment);
    while (part.slots[at].record != no_record) at = next(part, at);
    part.slots[at] = slot;
}

void AccountIndex::remove(std::uint64_t hash, std::uint32_t record) {
    Part& part = part_of(hash);
    RINGLAY_ASSERT(part.count > 0);
    std::uint32_t hole = home(part, fragment_of(hash));
    while (part.slots[hole].record != record) {
        RINGLAY_ASSERT(part.slots[hole].record != no_record);
        hole = next(part, hole);
    }
    // Each entry up to the next empty slot moves into the hole if its home is not behind it.
    for (std::uint32_t at = next(part, hole); part.slots[at].record != no_record;
         at = next(part, at)) {
        auto distance = [&part](std::uint32_t from, std::uint32_t to) {
            return to >= from ? to - from : to + part.capacity - from;
        };
        if (distance(home(part, part.slots[at].fragment), at) < distance(hole, at)) continue;
        part.slots[hole] = part.slots[at];
        hole = at;
    }
    part.slots[hole].record = no_record;
    --part.count;
}

void AccountIndex::grow(Part& part) {
    Part larger;
    larger.capacity = std::max(min_capacity, part.capacity + part.capacity / 2);
    larger.count = part.count;
    larger.slots = std::make_unique_for_overwrite<Slot[]>(larger.capacity);
    std::fill_n(larger.slots.get(), larger.capacity, Slot{0, no_record});
    for (std::uint32_t at = 0; at < part.capacity; ++at) {
        if (part.slots[at].record != no_record) put(larger, part.slots[at]);
    }
    memory_bytes_ += (larger.capacity - part.capacity) * sizeof(Slot);
    part = std::move(larger);
}

}  // namespace ringlay::accounts
