// What a simulated world is like. The defaults are a mild one: everything that may happen does
// happen now and then, but nothing fails that a healthy machine would not let fail.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "relay/env/sim/prng.hpp"

namespace ringlay::env {

struct SimNetOptions {
    NanosRange latency{std::chrono::microseconds(50), std::chrono::milliseconds(2)};
    NanosRange local_latency{std::chrono::microseconds(1), std::chrono::microseconds(50)};
    std::uint64_t bytes_per_s = 0;                // each way of a connection; 0: no limit
    std::size_t socket_buffer_bytes = 64 * 1024;  // each way: sent and not yet received
    std::size_t backlog = 128;                    // connections that wait for an accept
    std::uint32_t fragment_per_mille = 100;       // receives of less than there is, often one byte
    std::uint32_t short_send_per_mille = 50;
    std::uint32_t connect_failure_per_mille = 0;  // refused, or never answered
};

struct SimDiskOptions {
    NanosRange latency{std::chrono::microseconds(5), std::chrono::microseconds(100)};
    NanosRange sync_latency{std::chrono::microseconds(50), std::chrono::milliseconds(3)};
    std::uint32_t slow_per_mille = 5;  // operations that take 50 times as long
    std::uint32_t short_write_per_mille = 20;
    std::uint32_t short_read_per_mille = 20;
    std::uint32_t error_per_mille = 0;  // -EIO from reading, writing or syncing
    std::uint64_t capacity_bytes = std::uint64_t{1} << 40;
    bool can_allocate = true;
};

struct WorldOptions {
    std::uint64_t seed = 1;
    WallMillis wall_start{1'767'225'600'000};  // 2026-01-01
    NanosRange cpu_per_step{Nanos(0), std::chrono::microseconds(20)};
    NanosRange blocking_time{std::chrono::microseconds(5), std::chrono::milliseconds(1)};
    std::size_t receive_buffer_bytes = 4096;
    std::size_t receive_buffers = 64;           // of each worker; without one a receive waits
    Nanos time_limit = std::chrono::hours(24);  // run() gives up: something goes round in circles
    SimNetOptions net;
    SimDiskOptions disk;
};

}  // namespace ringlay::env
