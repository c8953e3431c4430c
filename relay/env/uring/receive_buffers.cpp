#include "relay/env/uring/receive_buffers.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "proto/base/assert.hpp"

namespace ringlay::env {
namespace {

constexpr std::uint32_t usual_circulation = 16;

void* map(std::size_t bytes) {
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    RINGLAY_ASSERT(memory != MAP_FAILED);
    // Huge pages would make a worker that uses one buffer pay for all.
    static_cast<void>(::madvise(memory, bytes, MADV_NOHUGEPAGE));
    return memory;
}

}  // namespace

ReceiveBuffers::ReceiveBuffers(std::uint32_t count, std::uint32_t size_bytes)
    : count_(count), size_bytes_(size_bytes), circulating_(std::min(count, usual_circulation)) {
    RINGLAY_ASSERT(std::has_single_bit(count) && count <= 32768 && size_bytes > 0);
    memory_ = static_cast<std::uint8_t*>(map(std::size_t{count_} * size_bytes_));
    table_ = static_cast<io_uring_buf_ring*>(map(table_bytes()));
    is_held_.resize(count_);
    spare_.reserve(count_);
    for (std::uint32_t id = count_; id > 0; --id) {
        spare_.push_back(static_cast<std::uint16_t>(id - 1));
    }
}

ReceiveBuffers::~ReceiveBuffers() {
    RINGLAY_ASSERT(held() == 0);
    ::munmap(table_, table_bytes());
    ::munmap(memory_, std::size_t{count_} * size_bytes_);
}

int ReceiveBuffers::register_with(io_uring& ring, std::uint16_t group) {
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(table_);
    registration.ring_entries = count_;
    registration.bgid = group;
    io_uring_buf_ring_init(table_);
    int result = io_uring_register_buf_ring(&ring, &registration, 0);
    if (result == 0) top_up();
    return result;
}

void ReceiveBuffers::top_up() {
    while (lent_ < circulating_ && lend_one()) {
    }
}

bool ReceiveBuffers::lend_one() {
    if (spare_.empty()) return false;
    std::uint16_t id = spare_.back();
    spare_.pop_back();
    io_uring_buf_ring_add(table_, memory_ + std::size_t{id} * size_bytes_, size_bytes_, id,
                          io_uring_buf_ring_mask(count_), 0);
    io_uring_buf_ring_advance(table_, 1);
    ++lent_;
    return true;
}

void ReceiveBuffers::circulate_more() {
    circulating_ = std::min(count_, circulating_ * 2);
    top_up();
}

std::uint8_t* ReceiveBuffers::take(std::uint32_t id) {
    RINGLAY_ASSERT(id < count_ && !is_held_[id] && lent_ > 0);
    is_held_[id] = true;
    --lent_;
    return memory_ + std::size_t{id} * size_bytes_;
}

void ReceiveBuffers::give_back(std::uint32_t id) {
    RINGLAY_ASSERT(id < count_ && is_held_[id]);
    is_held_[id] = false;
    spare_.push_back(static_cast<std::uint16_t>(id));
}

}  // namespace ringlay::env
