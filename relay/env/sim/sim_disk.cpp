#include "relay/env/sim/sim_disk.hpp"

#include <cerrno>

namespace ringlay::env {
namespace {

using fiber::Op;

constexpr int slow_factor = 50;

std::uint64_t size_of(std::span<const Bytes> parts) {
    std::uint64_t total = 0;
    for (Bytes part : parts) total += part.size();
    return total;
}

}  // namespace

SimDisk::SimDisk(const SimDiskOptions& options, Prng& prng)
    : options_(options), prng_(prng), volume_(std::make_shared<Volume>()) {
    volume_->set_capacity(options.capacity_bytes);
}

void SimDisk::fail(Kind kind, std::uint64_t nth, int error, std::uint64_t times) {
    RINGLAY_ASSERT(nth > 0 && error > 0 && times > 0);
    faults_.push_back({kind, nth, error, times});
}

void SimDisk::set_capacity(std::uint64_t capacity_bytes) {
    volume_->set_capacity(capacity_bytes);
}

bool SimDisk::is_disk_operation(Kind kind) {
    return kind >= Kind::open && kind <= Kind::free_bytes;
}

bool SimDisk::changes_the_disk(Kind kind) {
    switch (kind) {
        case Kind::open:
        case Kind::write_at:
        case Kind::truncate:
        case Kind::make_directory:
        case Kind::rename:
        case Kind::remove:
            return true;
        default:
            return false;
    }
}

Nanos SimDisk::begin(Volume& volume, const Op& op, Pending& pending) {
    if (op.kind == Kind::sync) pending.mark = volume.sync_mark(op.handle);
    if (op.kind == Kind::sync_directory) pending.mark = volume.directory_mark(op.path);
    bool is_sync = op.kind == Kind::sync || op.kind == Kind::sync_directory;
    Nanos takes = prng_.between(is_sync ? options_.sync_latency : options_.latency);
    return prng_.chance(options_.slow_per_mille) ? takes * slow_factor : takes;
}

// The fibers of a generation that has crashed meet no more of them.
int SimDisk::fault_for(const Volume& volume, Kind kind) {
    if (&volume != volume_.get()) return 0;
    int error = 0;
    for (Fault& fault : faults_) {
        if (fault.kind != kind) continue;
        if (fault.nth > 1) {
            --fault.nth;
        } else if (fault.times > 0) {
            --fault.times;
            error = fault.error;
        }
    }
    std::erase_if(faults_, [](const Fault& fault) { return fault.times == 0; });
    if (error != 0) return error;
    bool may_fail = kind == Kind::read_at || kind == Kind::write_at || kind == Kind::sync;
    return may_fail && prng_.chance(options_.error_per_mille) ? EIO : 0;
}

std::int64_t SimDisk::fail_now(Volume& volume, const Op& op, const Pending& pending, int error) {
    if (op.kind == Kind::sync) volume.sync_failed(op.handle, pending.mark, prng_);
    std::uint64_t total = size_of(op.out);
    if (op.kind == Kind::write_at && total > 0 && prng_.coin()) {
        volume.write_at(op.handle, op.offset_bytes, op.out, prng_.below(total));
    }
    return -error;
}

std::int64_t SimDisk::finish(Volume& volume, Op& op, const Pending& pending) {
    if (int error = fault_for(volume, op.kind)) return fail_now(volume, op, pending, error);
    switch (op.kind) {
        case Kind::open:
            return volume.open(op.path, op.flags);
        case Kind::read_at: {
            bool is_short = op.in.size() > 1 && prng_.chance(options_.short_read_per_mille);
            std::uint64_t limit = is_short ? 1 + prng_.below(op.in.size()) : op.in.size();
            return volume.read_at(op.handle, op.offset_bytes, op.in, limit);
        }
        case Kind::write_at: {
            std::uint64_t total = size_of(op.out);
            bool is_short = total > 1 && prng_.chance(options_.short_write_per_mille);
            std::uint64_t limit = is_short ? 1 + prng_.below(total) : total;
            return volume.write_at(op.handle, op.offset_bytes, op.out, limit);
        }
        case Kind::sync:
            return volume.sync(op.handle, pending.mark);
        case Kind::truncate:
            return volume.truncate(op.handle, op.offset_bytes);
        case Kind::allocate:
            if (!options_.can_allocate) return -EOPNOTSUPP;
            return volume.allocate(op.handle, op.offset_bytes);
        case Kind::size:
            return volume.size(op.handle);
        case Kind::make_directory:
            return volume.make_directory(op.path);
        case Kind::list:
            return volume.list(op.path, *op.names);
        case Kind::rename:
            return volume.rename(op.path, op.path_to);
        case Kind::remove:
            return volume.remove(op.path);
        case Kind::sync_directory:
            return volume.sync_directory(op.path, pending.mark);
        case Kind::lock:
            return volume.lock(op.path);
        case Kind::free_bytes:
            if (std::int64_t error = volume.find_directory(op.path)) return error;
            return static_cast<std::int64_t>(volume.free_bytes());
        default:
            assertion_failed("an operation of the disk");
    }
}

void SimDisk::crash(CrashMode mode, std::span<const Op* const> in_flight) {
    volume_ = volume_->after_crash(mode, in_flight, prng_);
}

}  // namespace ringlay::env
