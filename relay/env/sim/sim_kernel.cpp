#include "relay/env/sim/sim_kernel.hpp"

#include <cerrno>

#include "relay/env/sim/world.hpp"

namespace ringlay::env {
namespace {

using fiber::Op;

// An event of ours: which operation, and whether it is to go on or to end early.
constexpr std::uint32_t max_use = UINT32_MAX >> 1;

std::uint64_t event_of(std::uint32_t place, std::uint32_t use, bool is_cancel) {
    return static_cast<std::uint64_t>(use) << 33 | static_cast<std::uint64_t>(place) << 1 |
           (is_cancel ? 1 : 0);
}

// In Op::kernel_data; 0 is for an operation that is not open.
void* mark_of(std::uint32_t place) {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(place) + 1);
}

constexpr NanosRange soon{Nanos(0), std::chrono::microseconds(1)};

}  // namespace

SimKernel::SimKernel(World& world, Process& process, std::uint32_t number)
    : world_(world), process_(process), number_(number) {
    process.kernels.push_back(this);
}

SimKernel::~SimKernel() = default;

void SimKernel::stop() {
    RINGLAY_ASSERT(open_operations() == 0);
    RINGLAY_ASSERT(free_buffers_.size() == buffers_.size());
}

Nanos SimKernel::now() {
    return world_.tick();
}
WallMillis SimKernel::wall() {
    return world_.wall();
}
void SimKernel::wait(Nanos) {}
std::size_t SimKernel::choose(std::size_t count) {
    return world_.prng().below(count);
}
std::uint64_t SimKernel::random() {
    return world_.prng().next();
}
std::size_t SimKernel::buffer_bytes() const {
    return world_.options().receive_buffer_bytes;
}

void SimKernel::submit(Op& op) {
    std::uint32_t place = 0;
    if (free_places_.empty()) {
        place = static_cast<std::uint32_t>(places_.size());
        places_.emplace_back();
    } else {
        place = free_places_.back();
        free_places_.pop_back();
    }
    Pending& pending = places_[place];
    std::uint32_t use = pending.use == max_use ? 1 : pending.use + 1;
    pending = Pending();
    pending.op = &op;
    pending.use = use;
    op.kernel_data = mark_of(place);
    world_.add_event(world_.now() + first_delay(pending), *this, event_of(place, use, false));
}

Nanos SimKernel::first_delay(Pending& pending) {
    const Op& op = *pending.op;
    if (SimDisk::is_disk_operation(op.kind)) {
        return process_.machine->disk().begin(*process_.volume, op, pending);
    }
    if (op.kind == Op::Kind::blocking) return world_.prng().between(world_.options().blocking_time);
    if (op.kind == Op::Kind::resolve) return world_.net().name_delay(op.name);
    return world_.prng().between(soon);
}

void SimKernel::cancel(Op& op) {
    if (op.kernel_data == nullptr) return;
    auto place = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(op.kernel_data) - 1);
    Pending& pending = places_[place];
    RINGLAY_ASSERT(pending.op == &op);
    if (op.kind == Op::Kind::blocking) return;  // a thread cannot be called back
    world_.add_event(world_.now() + world_.prng().between(soon), *this,
                     event_of(place, pending.use, true));
}

void SimKernel::try_again(const OpRef& ref, Nanos delay) {
    world_.add_event(world_.now() + delay, *this, event_of(ref.place, ref.use, false));
}

void SimKernel::on_event(std::uint64_t what) {
    OpRef ref{this, static_cast<std::uint32_t>(what >> 1), static_cast<std::uint32_t>(what >> 33)};
    Pending& pending = places_[ref.place];
    if (pending.op == nullptr || pending.use != ref.use) return;
    if ((what & 1) != 0) {
        end_early(ref, pending);
        return;
    }
    if (auto result = attempt(ref, pending)) complete(ref.place, *result);
}

std::optional<std::int64_t> SimKernel::attempt(const OpRef& ref, Pending& pending) {
    Op& op = *pending.op;
    if (SimDisk::is_disk_operation(op.kind)) {
        return process_.machine->disk().finish(*process_.volume, op, pending);
    }
    if (op.kind == Op::Kind::blocking) {
        (*op.job)();
        return 0;
    }
    return world_.net().attempt(ref, pending);
}

// The cancellation may come too late: then what the operation has achieved counts.
void SimKernel::end_early(const OpRef& ref, Pending& pending) {
    bool is_done_already = world_.prng().coin();
    bool is_of_disk = SimDisk::is_disk_operation(pending.op->kind);
    if (is_done_already && pending.op->kind != Op::Kind::connect) {
        if (auto result = attempt(ref, pending)) {
            // It succeeded before anybody had woken it: it may still be noted as waiting.
            if (!is_of_disk) world_.net().forget(ref, pending);
            complete(ref.place, *result);
            return;
        }
    }
    if (!is_of_disk) world_.net().forget(ref, pending);
    complete(ref.place, -ECANCELED);
}

void SimKernel::complete(std::uint32_t place, std::int64_t result) {
    Op& op = *places_[place].op;
    places_[place].op = nullptr;
    free_places_.push_back(place);
    op.kernel_data = nullptr;
    op.result = result;
    world_.trace(number_, static_cast<std::uint32_t>(op.kind), op.handle, result);
    completed_.push(op);
}

std::optional<Op::ReceiveBuffer> SimKernel::take_buffer(const OpRef& ref) {
    if (free_buffers_.empty()) {
        if (buffers_.size() == world_.options().receive_buffers) {
            without_buffer_.push_back(ref);
            return std::nullopt;
        }
        free_buffers_.push_back(static_cast<std::uint32_t>(buffers_.size()));
        buffers_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(buffer_bytes()));
    }
    std::uint32_t id = free_buffers_.back();
    free_buffers_.pop_back();
    return Op::ReceiveBuffer{buffers_[id].get(), id};
}

void SimKernel::release_buffer(std::uint32_t id) {
    free_buffers_.push_back(id);
    // All of them: who was cancelled meanwhile must not take the place of one who waits.
    for (const OpRef& ref : std::exchange(without_buffer_, {})) {
        try_again(ref, world_.prng().between(soon));
    }
}

void SimKernel::close(int handle) {
    if (HandleTable<int>::tag_of(handle) == Volume::handle_tag) {
        process_.volume->close(handle);
    } else {
        world_.net().close(handle);
    }
}

void SimKernel::collect_disk_changes(std::vector<const Op*>& in_flight) const {
    for (const Pending& pending : places_) {
        if (pending.op != nullptr && SimDisk::changes_the_disk(pending.op->kind)) {
            in_flight.push_back(pending.op);
        }
    }
}

}  // namespace ringlay::env
