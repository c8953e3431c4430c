// The buffers that a ring's receives are filled into: one block of memory, of which the kernel has
// a few at a time (a provided-buffer ring) and readers hold others.
//
// Only `circulating` of them are lent to the kernel; the rest are a stack of spares, the last one
// given back on top. The kernel takes buffers in turn, so lending all would touch all of the memory
// in every worker, however little arrives. The number doubles when it was too small for a burst.
//
// Owner    one UringKernel.   Thread   the worker's.
// Bound    count x size_bytes of address space; what is touched stays.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <vector>

#include "proto/base/bytes.hpp"

namespace ringlay::env {

class ReceiveBuffers {
  public:
    // The count is a power of two, at most 32,768.
    ReceiveBuffers(std::uint32_t count, std::uint32_t size_bytes);
    ~ReceiveBuffers();
    ReceiveBuffers(const ReceiveBuffers&) = delete;
    ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;

    // 0, or -errno. The ring must be unregistered or gone before this object is.
    int register_with(io_uring& ring, std::uint16_t group);

    // Lends spares until the kernel has its usual number.
    void top_up();
    // One more, even beyond that; false: there is no spare.
    bool lend_one();
    // There was data and no buffer: the usual number is to be larger from now on.
    void circulate_more();

    // The kernel has filled a buffer: it is ours until give_back().
    std::uint8_t* take(std::uint32_t id);
    void give_back(std::uint32_t id);

    std::uint32_t lent() const { return lent_; }  // to the kernel
    std::uint32_t held() const {
        return count_ - lent_ - static_cast<std::uint32_t>(spare_.size());
    }
    std::uint32_t count() const { return count_; }

  private:
    std::size_t table_bytes() const { return count_ * sizeof(io_uring_buf); }

    std::uint32_t count_;
    std::uint32_t size_bytes_;
    std::uint32_t circulating_;
    std::uint32_t lent_ = 0;
    std::uint8_t* memory_ = nullptr;
    io_uring_buf_ring* table_ = nullptr;
    std::vector<std::uint16_t> spare_;
    std::vector<bool> is_held_;
};

}  // namespace ringlay::env
