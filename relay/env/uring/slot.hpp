// What a UringKernel remembers of an open operation. Private to it.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "relay/env/uring/socket_address.hpp"
#include "relay/env/uring/uring_kernel.hpp"

namespace ringlay::env {

constexpr std::uint16_t buffer_group = 1;

// What completions carry that belong to no operation. No Op has such an address.
constexpr std::uint64_t tag_ignored = 0;
constexpr std::uint64_t tag_wake = 1;

// What the ring reads for a call with several parts. It stays until the completion.
struct UringKernel::Parts {
    // More parts than this are taken in several calls: both send_now and write_at may take less.
    static constexpr std::size_t max_parts = 16;

    msghdr message;
    std::array<iovec, max_parts> vectors;
    Parts* next_free = nullptr;
};

struct UringKernel::Slot {
    enum class Where : std::uint8_t { free, queued, ring, starving, pool };

    fiber::Op* op = nullptr;
    Slot* previous = nullptr;  // in `list`
    Slot* next = nullptr;      // in `list`, or of the free ones
    SlotList* list = nullptr;
    Where where = Where::free;
    bool is_cancelled = false;    // cancel() was called
    bool waits_for_data = false;  // receive: it takes a buffer only when there is data
    int new_handle = -1;          // connect: the socket until it is connected
    Parts* parts = nullptr;       // send_now, write_at
    PoolJob* job = nullptr;       // on the pool
    NameJob* name_job = nullptr;  // on the pool of names
    SocketAddress address{};      // accept, connect
    socklen_t address_length = 0;
};

// What a thread of a pool gives back to the worker that asked.
struct UringKernel::PoolResult {
    PoolResult(UringKernel& home, fiber::Op& asked) : kernel(home), op(asked) {}
    virtual ~PoolResult() = default;

    void give_back();  // once; the worker may destroy it before this returns

    UringKernel& kernel;
    fiber::Op& op;
    std::int64_t result = 0;
    std::vector<Address> addresses;  // of a look-up
    PoolResult* next = nullptr;
};

struct UringKernel::PoolJob final : PoolResult, ThreadPool::Job {
    using PoolResult::PoolResult;
    void run() override;
};

struct UringKernel::NameJob final : PoolResult, NamePool::Question {
    NameJob(UringKernel& home, fiber::Op& asked)
        : PoolResult(home, asked), Question(std::string(asked.name), asked.address.port) {}
    void answered(std::int64_t count, std::vector<Address> found) override;
};

}  // namespace ringlay::env
