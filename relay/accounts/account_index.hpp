// From the hash of a DID to the numbers of records that may be it: open addressing, eight bytes a
// slot, at most 80 % full.
//
// It is cut into parts that grow each for itself, by half: a part of some 4,000 entries is made
// anew in a few microseconds, so that no store() ever waits for a large table to move.
//
// In a part, entries lie in the order of their hashes (linear probing from a home that rises with
// the hash), and removal closes the hole: there are no tombstones.
//
// Owner    AccountTable.
// Thread   one.
// Bound    8 bytes x 1.25 to 1.9 an entry.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace ringlay::accounts {

class AccountIndex {
  public:
    static constexpr std::size_t entries_per_part = 4096;  // when the table is full

    explicit AccountIndex(std::size_t max_entries);

    // The first record of this hash that `is_it` accepts; no_record if none.
    static constexpr std::uint32_t no_record = UINT32_MAX;
    template <class IsIt>
    std::uint32_t find(std::uint64_t hash, IsIt&& is_it) const {
        const Part& part = part_of(hash);
        if (part.capacity == 0) return no_record;
        const std::uint32_t fragment = fragment_of(hash);
        for (std::uint32_t at = home(part, fragment);; at = next(part, at)) {
            const Slot& slot = part.slots[at];
            if (slot.record == no_record) return no_record;
            if (slot.fragment == fragment && is_it(slot.record)) return slot.record;
        }
    }

    void add(std::uint64_t hash, std::uint32_t record);
    void remove(std::uint64_t hash, std::uint32_t record);  // must be there

    std::size_t memory_bytes() const { return memory_bytes_; }

  private:
    struct Slot {
        std::uint32_t fragment;
        std::uint32_t record;
    };
    struct Part {
        std::unique_ptr<Slot[]> slots;
        std::uint32_t capacity = 0;
        std::uint32_t count = 0;
    };

    // The low bits pick the part, the high ones the place in it.
    const Part& part_of(std::uint64_t hash) const { return parts_[hash & (parts_.size() - 1)]; }
    Part& part_of(std::uint64_t hash) { return parts_[hash & (parts_.size() - 1)]; }
    static std::uint32_t fragment_of(std::uint64_t hash) {
        return static_cast<std::uint32_t>(hash >> 32);
    }
    static std::uint32_t home(const Part& part, std::uint32_t fragment) {
        return static_cast<std::uint32_t>(std::uint64_t{fragment} * part.capacity >> 32);
    }
    static std::uint32_t next(const Part& part, std::uint32_t at) {
        return at + 1 == part.capacity ? 0 : at + 1;
    }
    static void put(Part& part, Slot slot);
    void grow(Part& part);

    std::vector<Part> parts_;  // a power of two
    std::size_t memory_bytes_ = 0;
};

}  // namespace ringlay::accounts
