// The way of an operation through a UringKernel: into the ring or onto the pool, and back. The ring
// itself, its sleeping and its waking are in uring_kernel.cpp.

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "proto/base/assert.hpp"
#include "relay/env/uring/blocking_calls.hpp"
#include "relay/env/uring/slot.hpp"
#include "relay/env/uring/uring_kernel.hpp"

namespace ringlay::env {

using fiber::Op;

namespace {

// One read of the kernel's is never longer; File reads on.
constexpr std::size_t max_transfer_bytes = 1 << 30;

bool may_repeat(Op::Kind kind) {
    return kind == Op::Kind::accept || kind == Op::Kind::receive || kind == Op::Kind::read_at ||
           kind == Op::Kind::write_at || kind == Op::Kind::sync;
}

}  // namespace

void UringKernel::SlotList::push(Slot& slot) {
    RINGLAY_ASSERT(slot.list == nullptr);
    slot.list = this;
    slot.previous = last_;
    slot.next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = &slot;
    last_ = &slot;
    ++size_;
}

void UringKernel::SlotList::remove(Slot& slot) {
    RINGLAY_ASSERT(slot.list == this);
    (slot.previous == nullptr ? first_ : slot.previous->next) = slot.next;
    (slot.next == nullptr ? last_ : slot.next->previous) = slot.previous;
    slot.list = nullptr;
    --size_;
}

UringKernel::Slot& UringKernel::take_slot(Op& op) {
    RINGLAY_ASSERT(op.kernel_data == nullptr);
    if (free_slots_ == nullptr) {
        free_slots_ = &slots_.emplace_back();
    }
    Slot& slot = *free_slots_;
    free_slots_ = slot.next;
    slot = Slot{};
    slot.op = &op;
    op.kernel_data = &slot;
    gauges_.open_operations.store(++open_operations_, std::memory_order_relaxed);
    return slot;
}

void UringKernel::finish(Op& op, std::int64_t result) {
    Slot& slot = *static_cast<Slot*>(op.kernel_data);
    RINGLAY_ASSERT(slot.op == &op && slot.where != Slot::Where::free);
    if (slot.list != nullptr) slot.list->remove(slot);
    if (slot.parts != nullptr) slot.parts->next_free = std::exchange(free_parts_, slot.parts);
    slot.where = Slot::Where::free;
    slot.op = nullptr;
    slot.next = std::exchange(free_slots_, &slot);
    op.kernel_data = nullptr;
    op.result = result;
    completed_.push(op);
    gauges_.open_operations.store(--open_operations_, std::memory_order_relaxed);
}

// For a call that was made at once.
void UringKernel::finish_now(Op& op, std::int64_t result) {
    op.result = result;
    completed_.push(op);
}

void UringKernel::submit(Op& op) {
    RINGLAY_ASSERT(is_started_);
    switch (op.kind) {
        case Op::Kind::listen:
            return finish_now(op, make_listener(op.address));
        case Op::Kind::shutdown: {
            // A socket that was never or is no longer connected needs none.
            int result = ::shutdown(op.handle, SHUT_RDWR) == 0 ? 0 : -errno;
            end_starving_receives(op.handle);
            return finish_now(op, result == -ENOTCONN ? 0 : result);
        }
        case Op::Kind::read_at:
        case Op::Kind::write_at:
            if (options_.files_inline) return finish_now(op, run_file_io(op));
            [[fallthrough]];
        case Op::Kind::accept:
        case Op::Kind::connect:
        case Op::Kind::receive:
        case Op::Kind::send_now:
        case Op::Kind::wait_writable:
        case Op::Kind::sync:
            return submit_to_ring(op);
        default:
            return submit_to_pool(op);
    }
}

void UringKernel::submit_to_ring(Op& op) {
    int new_handle = -1;
    if (op.kind == Op::Kind::connect) {
        new_handle = allowed_socket(make_stream_socket(op.address));
        if (new_handle < 0) return finish_now(op, new_handle);
    }
    Slot& slot = take_slot(op);
    slot.new_handle = new_handle;
    io_uring_sqe* entry = queued_.empty() ? take_entry() : nullptr;
    if (entry == nullptr) return queue(slot);
    fill(slot, *entry);
}

// Nothing: the ring takes no more for now.
io_uring_sqe* UringKernel::take_entry() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry != nullptr || options_.refuse_early_submits) return entry;
    count_enter(io_uring_submit(&ring_));
    return io_uring_get_sqe(&ring_);
}

void UringKernel::queue(Slot& slot) {
    slot.where = Slot::Where::queued;
    queued_.push(slot);
    gauges_.submissions_queued.store(gauges_.submissions_queued.load(std::memory_order_relaxed) + 1,
                                     std::memory_order_relaxed);
}

void UringKernel::fill(Slot& slot, io_uring_sqe& entry) {
    Op& op = *slot.op;
    switch (op.kind) {
        case Op::Kind::read_at:
            io_uring_prep_read(&entry, op.handle, op.in.data(),
                               static_cast<unsigned>(std::min(op.in.size(), max_transfer_bytes)),
                               op.offset_bytes);
            break;
        case Op::Kind::write_at: {
            std::uint32_t count = put_parts(slot);
            io_uring_prep_writev(&entry, op.handle, slot.parts->vectors.data(), count,
                                 op.offset_bytes);
            break;
        }
        case Op::Kind::sync:
            io_uring_prep_fsync(&entry, op.handle, IORING_FSYNC_DATASYNC);
            break;
        default:
            fill_socket_call(slot, entry);
    }
    io_uring_sqe_set_data(&entry, &op);  // after the preparation, which may clear it
    slot.where = Slot::Where::ring;
    ++ring_entries_;
}

void UringKernel::fill_socket_call(Slot& slot, io_uring_sqe& entry) {
    Op& op = *slot.op;
    switch (op.kind) {
        case Op::Kind::accept:
            slot.address_length = sizeof slot.address;
            io_uring_prep_accept(&entry, op.handle, &slot.address.any, &slot.address_length,
                                 SOCK_CLOEXEC);
            break;
        case Op::Kind::connect:
            slot.address_length = put_address(op.address, slot.address);
            io_uring_prep_connect(&entry, slot.new_handle, &slot.address.any, slot.address_length);
            break;
        case Op::Kind::receive:
            io_uring_prep_recv(&entry, op.handle, nullptr, 0, 0);
            entry.flags = IOSQE_BUFFER_SELECT;
            entry.buf_group = buffer_group;
            if (slot.waits_for_data) entry.ioprio = IORING_RECVSEND_POLL_FIRST;
            break;
        case Op::Kind::send_now: {
            std::uint32_t count = put_parts(slot);
            slot.parts->message = {};
            slot.parts->message.msg_iov = slot.parts->vectors.data();
            slot.parts->message.msg_iovlen = count;
            io_uring_prep_sendmsg(&entry, op.handle, &slot.parts->message,
                                  MSG_DONTWAIT | MSG_NOSIGNAL);
            break;
        }
        case Op::Kind::wait_writable:
            io_uring_prep_poll_add(&entry, op.handle, POLLOUT);
            break;
        default:
            assertion_failed("an operation for the ring");
    }
}

std::uint32_t UringKernel::put_parts(Slot& slot) {
    if (slot.parts == nullptr) {
        if (free_parts_ == nullptr) free_parts_ = &parts_.emplace_back();
        slot.parts = free_parts_;
        free_parts_ = slot.parts->next_free;
    }
    const std::span<const Bytes> out = slot.op->out;
    std::size_t count = std::min(out.size(), Parts::max_parts);
    for (std::size_t i = 0; i < count; ++i) {
        slot.parts->vectors[i] = {const_cast<std::uint8_t*>(out[i].data()), out[i].size()};
    }
    return static_cast<std::uint32_t>(count);
}

void UringKernel::cancel(Op& op) {
    if (op.kernel_data == nullptr) return;  // complete
    Slot& slot = *static_cast<Slot*>(op.kernel_data);
    if (std::exchange(slot.is_cancelled, true)) return;
    switch (slot.where) {
        case Slot::Where::queued:
        case Slot::Where::starving:
            if (slot.new_handle >= 0) ::close(slot.new_handle);
            return finish(op, -ECANCELED);
        case Slot::Where::ring:
            if (!cancels_.empty() || !send_cancel(slot)) cancels_.push(slot);
            return;
        case Slot::Where::pool:
            return cancel_on_pool(slot);
        case Slot::Where::free:
            assertion_failed("an open operation");
    }
}

// The cancel's own completion says nothing that the operation's does not.
bool UringKernel::send_cancel(Slot& slot) {
    io_uring_sqe* entry = take_entry();
    if (entry == nullptr) return false;
    io_uring_prep_cancel(entry, slot.op, 0);
    io_uring_sqe_set_data64(entry, tag_ignored);
    ++ring_entries_;
    return true;
}

void UringKernel::complete(Op& op, std::int32_t result, std::uint32_t flags) {
    Slot& slot = *static_cast<Slot*>(op.kernel_data);
    RINGLAY_ASSERT(slot.op == &op && slot.where == Slot::Where::ring);
    if (op.kind == Op::Kind::receive && result == -ENOBUFS) {
        if (!slot.is_cancelled) return receive_again(slot);
        result = -ECANCELED;
    }
    bool is_interrupted = result == -EINTR || (result == -EAGAIN && op.kind != Op::Kind::send_now);
    if (is_interrupted && slot.is_cancelled) result = -ECANCELED;
    if (is_interrupted && !slot.is_cancelled && may_repeat(op.kind)) return queue(slot);
    finish(op, meaning_of(slot, result, flags));
}

// The kernel found no buffer. It may have looked before there was data, so the first answer is to
// let it look only then; after that there is data for sure, and one buffer serves one receive.
void UringKernel::receive_again(Slot& slot) {
    if (!std::exchange(slot.waits_for_data, true)) return queue(slot);
    gauges_.buffers_missing.store(gauges_.buffers_missing.load(std::memory_order_relaxed) + 1,
                                  std::memory_order_relaxed);
    // Buffers that are lent as far as we know may be in completions that are still to be read; then
    // this receive is back here afterwards.
    buffers_->circulate_more();
    if (buffers_->lent() > 0) return queue(slot);
    slot.where = Slot::Where::starving;
    starving_.push(slot);
}

// A new socket, or -EMFILE as the kernel gives it; above the bound it is the same to us.
int UringKernel::allowed_socket(int handle) {
    if (handle >= 0 && options_.socket_descriptors > 0 &&
        static_cast<std::uint64_t>(handle) >= options_.socket_descriptors) {
        ::close(handle);
        handle = -EMFILE;
    }
    if (handle == -EMFILE || handle == -ENFILE) {
        gauges_.sockets_refused.store(gauges_.sockets_refused.load(std::memory_order_relaxed) + 1,
                                      std::memory_order_relaxed);
    }
    return handle;
}

std::int64_t UringKernel::meaning_of(Slot& slot, std::int32_t result, std::uint32_t flags) {
    Op& op = *slot.op;
    switch (op.kind) {
        case Op::Kind::receive:
            return received(op, result, flags);
        case Op::Kind::accept:
            result = allowed_socket(result);
            if (result < 0) return result;
            configure_stream(result);
            op.peer = get_address(slot.address);
            return result;
        case Op::Kind::connect:
            if (result < 0) {
                ::close(slot.new_handle);
                return result;
            }
            configure_stream(slot.new_handle);
            return slot.new_handle;
        case Op::Kind::wait_writable:
            return result > 0 ? 0 : result;
        default:
            return result;
    }
}

std::int64_t UringKernel::received(Op& op, std::int32_t result, std::uint32_t flags) {
    if ((flags & IORING_CQE_F_BUFFER) == 0) {
        RINGLAY_ASSERT(result <= 0);
        return result;
    }
    std::uint32_t id = flags >> IORING_CQE_BUFFER_SHIFT;
    std::uint8_t* data = buffers_->take(id);
    if (result > 0) {
        op.buffer = {data, id};
        gauges_.buffers_held.store(buffers_->held(), std::memory_order_relaxed);
    } else {
        release_buffer(id);
    }
    return result;
}

// The kernel does not know of these, so it cannot end them when their socket is shut.
void UringKernel::end_starving_receives(int handle) {
    for (Slot* slot = starving_.first(); slot != nullptr;) {
        Slot* next = slot->next;
        if (slot->op->handle == handle) finish(*slot->op, 0);
        slot = next;
    }
}

void UringKernel::submit_to_pool(Op& op) {
    Slot& slot = take_slot(op);
    slot.where = Slot::Where::pool;
    if (op.kind == Op::Kind::resolve) {
        slot.name_job = new NameJob(*this, op);
        names_.ask(*slot.name_job);
        return;
    }
    slot.job = new PoolJob(*this, op);
    general_.submit(*slot.job);
}

void UringKernel::PoolJob::run() {
    result = run_blocking(op);
    give_back();
}

void UringKernel::NameJob::answered(std::int64_t count, std::vector<Address> found) {
    result = count;
    addresses = std::move(found);
    give_back();
}

void UringKernel::PoolResult::give_back() {
    // Once it is in the list, the worker may destroy it at any moment.
    UringKernel& home = kernel;
    next = home.pool_results_.load(std::memory_order_relaxed);
    while (!home.pool_results_.compare_exchange_weak(next, this, std::memory_order_release,
                                                     std::memory_order_relaxed)) {
    }
    home.wake();
}

void UringKernel::take_pool_results() {
    PoolResult* newest = pool_results_.exchange(nullptr, std::memory_order_acquire);
    PoolResult* oldest = nullptr;
    while (newest != nullptr) {
        PoolResult* taken = std::exchange(newest, newest->next);
        taken->next = std::exchange(oldest, taken);
    }
    while (oldest != nullptr) {
        std::unique_ptr<PoolResult> taken(std::exchange(oldest, oldest->next));
        if (!taken->addresses.empty()) *taken->op.addresses = std::move(taken->addresses);
        finish(taken->op, taken->result);
    }
}

void UringKernel::cancel_on_pool(Slot& slot) {
    bool is_given_up =
        slot.name_job != nullptr ? names_.forget(*slot.name_job) : general_.withdraw(*slot.job);
    if (!is_given_up) return;  // its result comes, or has come
    delete std::exchange(slot.name_job, nullptr);
    delete std::exchange(slot.job, nullptr);
    finish(*slot.op, -ECANCELED);
}

}  // namespace ringlay::env
