#include "relay/env/uring/uring_kernel.hpp"

#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "proto/base/assert.hpp"
#include "relay/env/uring/ring_probe.hpp"
#include "relay/env/uring/slot.hpp"

namespace ringlay::env {

using fiber::Op;

namespace {

constexpr std::uint32_t ring_threads = 4;  // for files; sockets need none

int make_ring(io_uring& ring, std::uint32_t submissions, std::uint32_t completions) {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                       IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
    parameters.cq_entries = completions;
    return io_uring_queue_init_params(submissions, &ring, &parameters);
}

void set(std::atomic<std::uint64_t>& gauge, std::uint64_t value) {
    gauge.store(value, std::memory_order_relaxed);
}

void increment(std::atomic<std::uint64_t>& counter) {
    set(counter, counter.load(std::memory_order_relaxed) + 1);
}

Nanos read_clock(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + Nanos(time.tv_nsec);
}

}  // namespace

std::string UringKernel::probe() {
    io_uring ring{};
    int result = make_ring(ring, 8, 16);
    if (result < 0) return explain_ring_failure_here(-result);
    {
        ReceiveBuffers buffers(1, 4096);
        result = buffers.register_with(ring, buffer_group);
        io_uring_queue_exit(&ring);
    }
    return result < 0 ? explain_ring_failure_here(-result) : std::string();
}

UringKernel::UringKernel(UringOptions options, ThreadPool& general, NamePool& names)
    : options_(options), general_(general), names_(names), wake_handle_(eventfd(0, EFD_CLOEXEC)) {
    RINGLAY_ASSERT(wake_handle_ >= 0);
}

UringKernel::~UringKernel() {
    RINGLAY_ASSERT(!is_started_ && pool_results_.load(std::memory_order_acquire) == nullptr);
    ::close(wake_handle_);
}

void UringKernel::start() {
    int result = make_ring(ring_, options_.submission_entries, options_.completion_entries);
    if (result == 0) {
        buffers_ = std::make_unique<ReceiveBuffers>(options_.receive_buffers,
                                                    options_.receive_buffer_bytes);
        result = buffers_->register_with(ring_, buffer_group);
    }
    if (result < 0) {
        std::fprintf(stderr, "ringlay: %s\n", explain_ring_failure_here(-result).c_str());
        std::abort();
    }
    // Both are savings that an old kernel may refuse.
    std::array<unsigned, 2> limits = {ring_threads, ring_threads};
    static_cast<void>(io_uring_register_iowq_max_workers(&ring_, limits.data()));
    static_cast<void>(io_uring_register_ring_fd(&ring_));
    is_started_ = true;
    RINGLAY_ASSERT(arm_wake());
}

void UringKernel::stop() {
    RINGLAY_ASSERT(open_operations_ == 0 && completed_.empty());
    RINGLAY_ASSERT(buffers_->held() == 0);
    // Our own read on the eventfd points at this object: it ends before the ring does.
    if (is_wake_armed_) {
        io_uring_sqe* entry = take_entry();
        RINGLAY_ASSERT(entry != nullptr);
        io_uring_prep_cancel64(entry, tag_wake, 0);
        io_uring_sqe_set_data64(entry, tag_ignored);
        ++ring_entries_;
    }
    while (ring_entries_ > 0) {
        sleep(Nanos::max());
        reap();
    }
    io_uring_queue_exit(&ring_);
    buffers_.reset();
    is_started_ = false;
}

Nanos UringKernel::now() {
    return read_clock(CLOCK_MONOTONIC);
}

WallMillis UringKernel::wall() {
    return std::chrono::duration_cast<WallMillis>(read_clock(CLOCK_REALTIME));
}

std::size_t UringKernel::choose(std::size_t) {
    return 0;
}

std::uint64_t UringKernel::random() {
    if (random_left_ == 0) {
        // At most 256 bytes: such a request is never cut short.
        RINGLAY_ASSERT(getrandom(random_.data(), sizeof random_, 0) == sizeof random_);
        random_left_ = random_.size();
    }
    return std::exchange(random_[--random_left_], 0);
}

void UringKernel::release_buffer(std::uint32_t id) {
    buffers_->give_back(id);
    set(gauges_.buffers_held, buffers_->held());
    if (starving_.empty()) return;
    // The receive that has waited longest takes it. The ring may give it to another one whose data
    // came meanwhile: then that one's buffer will be given back here in its turn.
    buffers_->lend_one();
    Slot& slot = *starving_.first();
    starving_.remove(slot);
    queue(slot);
}

void UringKernel::close(int handle) {
    ::close(handle);
}

void UringKernel::wake() {
    if (is_waking_.exchange(true, std::memory_order_acq_rel)) return;
    const std::uint64_t one = 1;
    RINGLAY_ASSERT(::write(wake_handle_, &one, sizeof one) == sizeof one);
}

bool UringKernel::arm_wake() {
    if (is_wake_armed_) return true;
    io_uring_sqe* entry = take_entry();
    if (entry == nullptr) return false;
    io_uring_prep_read(entry, wake_handle_, &wake_value_, sizeof wake_value_, 0);
    io_uring_sqe_set_data64(entry, tag_wake);
    ++ring_entries_;
    is_wake_armed_ = true;
    return true;
}

// True: everything that waited for a submission entry has one.
bool UringKernel::start_queued() {
    buffers_->top_up();
    bool is_all_started = arm_wake();
    while (!queued_.empty()) {
        io_uring_sqe* entry = take_entry();
        if (entry == nullptr) return false;
        Slot& slot = *queued_.first();
        queued_.remove(slot);
        fill(slot, *entry);
    }
    while (!cancels_.empty()) {
        Slot& slot = *cancels_.first();
        if (!send_cancel(slot)) return false;
        cancels_.remove(slot);
    }
    return is_all_started;
}

void UringKernel::wait(Nanos until) {
    bool is_all_started = start_queued();
    bool may_sleep = is_all_started && completed_.empty() && until != Nanos::min() &&
                     pool_results_.load(std::memory_order_acquire) == nullptr;
    if (may_sleep && until > now()) {
        sleep(until);
    } else {
        look();
    }
    reap();
    take_pool_results();
    set(gauges_.receives_waiting, starving_.size());
}

// Costs no system call when there is nothing to submit and nothing to fetch.
void UringKernel::look() {
    unsigned flags = __atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED);
    bool has_work = (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
    if (!has_work && io_uring_sq_ready(&ring_) == 0) return;
    count_enter(io_uring_submit_and_get_events(&ring_));
}

void UringKernel::sleep(Nanos until) {
    io_uring_cqe* first = nullptr;
    if (until == Nanos::max()) {
        count_enter(io_uring_submit_and_wait(&ring_, 1));
        return;
    }
    Nanos left = std::max(until - now(), Nanos(0));
    auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    __kernel_timespec limit{seconds.count(), (left - seconds).count()};
    count_enter(io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr));
}

// Whatever the reason for which the kernel returned early, the caller looks at what has come and
// will be back: entries that it did not take stay in the queue.
void UringKernel::count_enter(int result) {
    increment(gauges_.system_calls);
    bool is_early_return = result == -ETIME || result == -EINTR || result == -EAGAIN ||
                           result == -EBUSY || result == -ENOMEM;
    RINGLAY_ASSERT(result >= 0 || is_early_return);
}

void UringKernel::reap() {
    unsigned head = 0, count = 0;
    io_uring_cqe* entry = nullptr;
    io_uring_for_each_cqe(&ring_, head, entry) {
        ++count;
        --ring_entries_;
        if (entry->user_data == tag_wake) {
            // An exchange, not a store: it takes over what the waker wrote before its own.
            is_waking_.exchange(false, std::memory_order_acq_rel);
            is_wake_armed_ = false;
        } else if (entry->user_data != tag_ignored) {
            complete(*reinterpret_cast<Op*>(entry->user_data), entry->res, entry->flags);
        }
    }
    io_uring_cq_advance(&ring_, count);
}

}  // namespace ringlay::env
