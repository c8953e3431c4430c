#include "relay/env/sim/machine.hpp"

#include "relay/env/sim/world.hpp"

namespace ringlay::env {

Machine::Machine(World& world, std::string name, std::uint32_t index)
    : world_(world),
      name_(std::move(name)),
      index_(index),
      disk_(world.options().disk, world.prng()) {
    RINGLAY_ASSERT(index < 65'000);
}

Machine::~Machine() = default;

Address Machine::address(std::uint16_t port) const {
    std::uint32_t number = index_ + 1;
    return Address::v4(10, 0, static_cast<std::uint8_t>(number >> 8),
                       static_cast<std::uint8_t>(number & 255), port);
}

Process& Machine::process_for_start() {
    if (fiber::Worker::has_current()) {
        auto& kernel = static_cast<SimKernel&>(fiber::Worker::current().kernel());
        if (kernel.process().machine == this) return kernel.process();
    }
    if (processes_.empty() || processes_.back()->has_crashed) {
        auto process = std::make_unique<Process>();
        process->machine = this;
        process->volume = disk_.volume();
        processes_.push_back(std::move(process));
        if (std::exchange(is_down_, false)) world_.net().release_held();
    }
    return *processes_.back();
}

fiber::Worker& Machine::start_worker(fiber::WorkerOptions options,
                                     std::move_only_function<void()> first) {
    return world_.start_on(process_for_start(), std::move(options), std::move(first));
}

void Machine::crash(CrashMode mode) {
    std::vector<const fiber::Op*> in_flight;
    bool is_running = !processes_.empty() && !processes_.back()->has_crashed;
    if (is_running) {
        for (const SimKernel* kernel : processes_.back()->kernels) {
            kernel->collect_disk_changes(in_flight);
        }
    }
    disk_.crash(mode, in_flight);
    if (mode == CrashMode::power_loss) is_down_ = true;
    if (!is_running) return;
    processes_.back()->has_crashed = true;
    world_.net().kill(*processes_.back(), mode);
    world_.stop(*processes_.back());
}

void Machine::stop() {
    if (!processes_.empty()) world_.stop(*processes_.back());
}

bool Machine::has_ended() const {
    return world_.has_ended(*this);
}

}  // namespace ringlay::env
