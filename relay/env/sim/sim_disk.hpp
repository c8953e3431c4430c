// The disk of a simulated machine: how long its operations take, which of them fail, and what is
// left of it after a crash. The files themselves are in Volume.
//
// A crash is a disk that stops listening: the fibers of the crashed generation go on over a volume
// that nobody will ever see again, and end in the ordinary way, while the next generation opens
// what has survived.
//
// Owner    Machine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "relay/env/sim/options.hpp"
#include "relay/env/sim/pending.hpp"
#include "relay/env/sim/volume.hpp"
#include "relay/fiber/kernel.hpp"

namespace ringlay::env {

class SimDisk {
  public:
    using Kind = fiber::Op::Kind;

    SimDisk(const SimDiskOptions& options, Prng& prng);

    // The n-th operation of this kind from now on (1: the next), and `times - 1` after it, fail
    // with -error. A failed write or sync may have done a part of its work.
    void fail(Kind kind, std::uint64_t nth, int error, std::uint64_t times = 1);
    void set_capacity(std::uint64_t capacity_bytes);

    // Of the generation that runs, or that would start next.
    std::optional<Buffer> content(std::string_view path) { return volume_->content(path); }
    void put(std::string_view path, Bytes bytes) { volume_->put(path, bytes); }
    std::size_t open_files() const { return volume_->open_handles(); }
    std::uint64_t free_bytes() const { return volume_->free_bytes(); }

    // For SimKernel. True: the operation is one of the disk's.
    static bool is_disk_operation(Kind kind);
    static bool changes_the_disk(Kind kind);
    Nanos begin(Volume& volume, const fiber::Op& op, Pending& pending);
    std::int64_t finish(Volume& volume, fiber::Op& op, const Pending& pending);

    // For Machine.
    const std::shared_ptr<Volume>& volume() const { return volume_; }
    void crash(CrashMode mode, std::span<const fiber::Op* const> in_flight);

  private:
    struct Fault {
        Kind kind;
        std::uint64_t nth;
        int error;
        std::uint64_t times;
    };

    int fault_for(const Volume& volume, Kind kind);
    std::int64_t fail_now(Volume& volume, const fiber::Op& op, const Pending& pending, int error);

    const SimDiskOptions& options_;
    Prng& prng_;
    std::shared_ptr<Volume> volume_;
    std::vector<Fault> faults_;
};

}  // namespace ringlay::env
