// Stacks for the fibers of one worker: mapped in slabs, each stack with a guard page below it,
// never huge pages (a stack of 64 KiB that touches 8 KiB costs 8 KiB). Freed stacks are used again,
// the last one first, because its pages are warm.
//
// Thread   the worker's; owner_of_guard() also from its signal handler.
// Bound    grows to the highest number of fibers at a time, and stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringlay::fiber {

struct Stack {
    std::uint8_t* bottom = nullptr;  // lowest usable address
    std::size_t size_bytes = 0;

    void* top() const { return bottom + size_bytes; }
};

class StackPool {
  public:
    // True: each stack costs a mapping for its guard, and one for what lies between two guards, of
    // the vm.max_map_count that a process may have. False from Linux 6.13 on.
    static bool guards_cost_mappings();

    explicit StackPool(std::size_t stack_bytes);  // rounded up to pages; the guard is extra
    ~StackPool();
    StackPool(const StackPool&) = delete;
    StackPool& operator=(const StackPool&) = delete;

    // False: the system gives no memory, or no mapping, for another one.
    bool has_room();
    Stack take();  // asserts has_room()
    void give_back(Stack stack);

    std::size_t stack_bytes() const { return stack_bytes_; }

    // The bottom of the stack whose guard page holds this address, or nothing.
    const std::uint8_t* stack_of_guard(const void* address) const;

  private:
    bool add_slab();

    std::size_t stack_bytes_;
    std::size_t stride_bytes_;
    std::vector<std::uint8_t*> slabs_;
    std::vector<std::uint8_t*> free_;
};

}  // namespace ringlay::fiber
