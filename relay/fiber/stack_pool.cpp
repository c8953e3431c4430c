#include "relay/fiber/stack_pool.hpp"

#include <sys/mman.h>

#include "proto/base/assert.hpp"

#if !defined(MADV_GUARD_INSTALL)
#define MADV_GUARD_INSTALL 102  // Linux 6.13; older kernels answer EINVAL
#endif

namespace ringlay::fiber {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t stacks_in_slab = 64;

// MADV_GUARD_INSTALL costs no mapping of its own; mprotect splits the slab into two for each stack,
// which a default vm.max_map_count of 65,530 bears for 30,000 fibers.
bool install_guard(std::uint8_t* page) {
    return madvise(page, page_bytes, MADV_GUARD_INSTALL) == 0 ||
           mprotect(page, page_bytes, PROT_NONE) == 0;
}

// Slabs of pools that have ended, for the next pool of this thread: a simulation makes thousands of
// short-lived workers in one thread, and mapping their stacks is most of what one of them costs.
class SpareSlabs {
  public:
    ~SpareSlabs() {
        for (const Slab& slab : slabs_) munmap(slab.first, slab.size_bytes);
    }

    std::uint8_t* take(std::size_t size_bytes) {
        if (slabs_.empty() || slabs_.back().size_bytes != size_bytes) return nullptr;
        std::uint8_t* first = slabs_.back().first;
        slabs_.pop_back();
        return first;
    }

    void give(std::uint8_t* first, std::size_t size_bytes) {
        if (slabs_.size() < max_slabs) {
            slabs_.push_back({first, size_bytes});
        } else {
            munmap(first, size_bytes);
        }
    }

  private:
    static constexpr std::size_t max_slabs = 16;
    struct Slab {
        std::uint8_t* first;
        std::size_t size_bytes;
    };
    std::vector<Slab> slabs_;
};

thread_local SpareSlabs spare_slabs;

}  // namespace

StackPool::StackPool(std::size_t stack_bytes)
    : stack_bytes_((stack_bytes + page_bytes - 1) / page_bytes * page_bytes),
      stride_bytes_(stack_bytes_ + page_bytes) {
    RINGLAY_ASSERT(stack_bytes > 0);
}

StackPool::~StackPool() {
    for (std::uint8_t* slab : slabs_) spare_slabs.give(slab, stride_bytes_ * stacks_in_slab);
}

bool StackPool::guards_cost_mappings() {
    void* page =
        mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return true;
    const bool is_cheap = madvise(page, page_bytes, MADV_GUARD_INSTALL) == 0;
    munmap(page, page_bytes);
    return !is_cheap;
}

bool StackPool::has_room() {
    return !free_.empty() || add_slab();
}

Stack StackPool::take() {
    RINGLAY_ASSERT(has_room());
    std::uint8_t* bottom = free_.back();
    free_.pop_back();
    return {bottom, stack_bytes_};
}

void StackPool::give_back(Stack stack) {
    free_.push_back(stack.bottom);
}

const std::uint8_t* StackPool::stack_of_guard(const void* address) const {
    const auto* at = static_cast<const std::uint8_t*>(address);
    for (const std::uint8_t* slab : slabs_) {
        if (at < slab || at >= slab + stride_bytes_ * stacks_in_slab) continue;
        const std::uint8_t* guard =
            slab + static_cast<std::size_t>(at - slab) / stride_bytes_ * stride_bytes_;
        return at < guard + page_bytes ? guard + page_bytes : nullptr;
    }
    return nullptr;
}

bool StackPool::add_slab() {
    std::size_t size_bytes = stride_bytes_ * stacks_in_slab;
    std::uint8_t* first = spare_slabs.take(size_bytes);
    if (first == nullptr) {
        void* slab = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (slab == MAP_FAILED) return false;
        madvise(slab, size_bytes, MADV_NOHUGEPAGE);
        first = static_cast<std::uint8_t*>(slab);
        for (std::size_t i = 0; i < stacks_in_slab; ++i) {
            if (install_guard(first + i * stride_bytes_)) continue;
            munmap(first, size_bytes);
            return false;
        }
    }
    slabs_.push_back(first);
    for (std::size_t i = stacks_in_slab; i > 0; --i) {
        free_.push_back(first + (i - 1) * stride_bytes_ + page_bytes);
    }
    return true;
}

}  // namespace ringlay::fiber
