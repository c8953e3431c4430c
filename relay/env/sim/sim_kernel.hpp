// The Kernel of one worker of a simulated world. It holds the open operations, asks the disk and
// the network of the world what comes of them, and completes them at the time that they say.
//
// Owner    World.
// Thread   the one on which the world is run. wait() never sleeps: the world steps its workers.
// Bound    receive_buffers of receive_buffer_bytes; without a free one a receive waits, as it does
//          on io_uring.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "relay/env/sim/event_queue.hpp"
#include "relay/env/sim/machine.hpp"
#include "relay/env/sim/pending.hpp"
#include "relay/fiber/kernel.hpp"

namespace ringlay::env {

class SimKernel final : public fiber::Kernel, private EventSink {
  public:
    SimKernel(World& world, Process& process, std::uint32_t number);
    ~SimKernel() override;

    void start() override {}
    void stop() override;
    Nanos now() override;
    WallMillis wall() override;
    void submit(fiber::Op& op) override;
    void cancel(fiber::Op& op) override;
    void wait(Nanos until) override;
    void wake() override {}
    std::size_t choose(std::size_t count) override;
    std::uint64_t random() override;
    void release_buffer(std::uint32_t id) override;
    void close(int handle) override;

    // For the world, its network and its machines.
    Process& process() { return process_; }
    const Process& process() const { return process_; }
    std::uint32_t number() const { return number_; }  // in the order of starting
    std::size_t open_operations() const { return places_.size() - free_places_.size(); }
    bool has_completed() { return !completed_.empty(); }
    void try_again(const OpRef& ref, Nanos delay);
    // Without a free buffer the operation is tried again when one was given back.
    std::optional<fiber::Op::ReceiveBuffer> take_buffer(const OpRef& ref);
    std::size_t buffer_bytes() const;
    void collect_disk_changes(std::vector<const fiber::Op*>& in_flight) const;

  private:
    void on_event(std::uint64_t what) override;
    std::optional<std::int64_t> attempt(const OpRef& ref, Pending& pending);
    void end_early(const OpRef& ref, Pending& pending);
    void complete(std::uint32_t place, std::int64_t result);
    Nanos first_delay(Pending& pending);

    World& world_;
    Process& process_;
    std::uint32_t number_;
    std::vector<Pending> places_;
    std::vector<std::uint32_t> free_places_;
    std::vector<std::unique_ptr<std::uint8_t[]>> buffers_;
    std::vector<std::uint32_t> free_buffers_;
    std::vector<OpRef> without_buffer_;
};

}  // namespace ringlay::env
