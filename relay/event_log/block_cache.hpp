// Blocks of segment files in memory, shared by the cold readers of one worker: a crowd that catches
// up together reads each block once.
//
// Owner    ReadPort. A block lives as long as somebody holds it.
// Thread   the port's worker. Several fibers may want one block: the first reads, the others wait.
// Bound    max_blocks of block_bytes, least recently used ones go first; a gauge says how many.
//          What views hold beyond that is bounded by their number, and brief.
// Errors   of the disk; not_found: the segment was removed meanwhile.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>

#include "relay/event_log/segment.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::event_log {

struct BlockCacheOptions {
    std::uint32_t block_bytes = 256 * 1024;
    std::uint32_t max_blocks = 8;
    Nanos idle = std::chrono::seconds(30);  // after that without a look, all are given back
};

struct Block {
    Buffer bytes;  // shorter than a block only at the end of what was published
};

class BlockCache {
  public:
    explicit BlockCache(BlockCacheOptions options) : options_(options) {}

    // The block with the wire byte at `offset_bytes` of the segment, and maybe more of those below
    // `known_bytes`, which are published.
    Result<std::shared_ptr<const Block>> get(const SegmentReader& segment,
                                             std::uint64_t offset_bytes, std::uint64_t known_bytes);
    // Gives back everything if nobody has looked for a while.
    void drop_if_idle();

    std::uint32_t block_bytes() const { return options_.block_bytes; }
    // From any worker.
    std::uint64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
    std::uint64_t reads() const { return reads_.load(std::memory_order_relaxed); }

  private:
    struct Slot {
        Position base = 0;         // of the segment, which is not kept: its space may be needed
        std::uint64_t number = 0;  // of the block in the segment
        std::shared_ptr<const Block> block;  // nothing while it is first loaded
        bool is_loading = false;
    };

    Slot* find(Position base, std::uint64_t number);
    bool has_room();
    Result<std::shared_ptr<const Block>> load(const SegmentReader& segment, Slot& slot,
                                              std::size_t size_bytes);
    void count_memory();

    BlockCacheOptions options_;
    std::list<Slot> slots_;  // most recently used first
    fiber::WaitList loaded_;
    Nanos last_look_{};
    std::atomic<std::uint64_t> memory_bytes_{0};
    std::atomic<std::uint64_t> reads_{0};
};

}  // namespace ringlay::event_log
