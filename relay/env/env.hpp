// The four doors, handed to whoever needs them. They hold nothing: each call goes to the Kernel of
// the current worker. Passing them makes a class say in its constructor what it touches.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "relay/env/disk.hpp"
#include "relay/env/net.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::env {

class Clock {
  public:
    Nanos now() const { return fiber::now(); }
    WallMillis wall() const { return fiber::wall(); }
};

class Random {
  public:
    std::uint64_t next();
    std::uint64_t below(std::uint64_t bound);  // 0 .. bound-1, even; bound > 0
    void fill(std::span<std::uint8_t> bytes);
};

struct Env {
    Clock clock;
    Random random;
    Net net;
    Disk disk;
};

// Makes workers: threads with rings, or members of a simulated world.
class Runtime {
  public:
    virtual ~Runtime() = default;

    // A worker that runs `first` as its first fiber and ends when no fiber is left. It exists until
    // the runtime does. From inside a fiber of another worker, or before any runs.
    virtual fiber::Worker& start_worker(fiber::WorkerOptions options,
                                        std::move_only_function<void()> first) = 0;
};

}  // namespace ringlay::env
