// A simulated machine: an address, a disk and one process at a time, which is made of workers.
//
// A crash ends the process in the eyes of the world at once: its disk and its sockets stop
// listening to it. Its fibers cannot be destroyed in mid-flight, so they are shut down in the
// ordinary way: the first fibers of those workers that were started from outside of the world are
// cancelled, and are expected to end what they have begun. The next start_worker() begins a new
// process over what the disk has kept; the world may run both.
//
// Owner    World.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/address.hpp"
#include "relay/env/env.hpp"
#include "relay/env/sim/sim_disk.hpp"

namespace ringlay::env {

class Machine;
class World;

// One generation of a machine's process. Lives as long as the world.
struct Process {
    Machine* machine = nullptr;
    std::shared_ptr<Volume> volume;
    bool has_crashed = false;
    std::vector<SimKernel*> kernels;
};

class Machine final : public Runtime {
  public:
    Machine(World& world, std::string name, std::uint32_t index);
    ~Machine() override;

    const std::string& name() const { return name_; }
    std::uint32_t index() const { return index_; }
    Address address(std::uint16_t port) const;
    SimDisk& disk() { return disk_; }

    // Of the present process; from a fiber of a crashed process, of that one.
    fiber::Worker& start_worker(fiber::WorkerOptions options,
                                std::move_only_function<void()> first) override;

    void crash(CrashMode mode);
    // Asks for the end, as a signal does: cancels the first fibers of the workers that were started
    // from outside.
    void stop();

    bool is_down() const { return is_down_; }  // after a loss of power
    bool has_ended() const;                    // no worker of any generation is left
    std::size_t generation() const { return processes_.size(); }  // 0: never started

  private:
    friend class SimNet;
    Process& process_for_start();

    World& world_;
    std::string name_;
    std::uint32_t index_;
    SimDisk disk_;
    bool is_down_ = false;
    std::uint16_t next_port_ = 32768;
    std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace ringlay::env
