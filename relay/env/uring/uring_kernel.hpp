// The Kernel seam on io_uring: one ring for each worker, made on the worker's own thread
// (SINGLE_ISSUER) and completing only when that thread looks (DEFER_TASKRUN).
//
// How operations are done
//   sockets       in the ring, except listen, shutdown and close: these never sleep, and the ring
//                 would hand a shutdown to a thread of its own.
//   receive       single-shot, into a buffer that the kernel picks when there is data. Not
//                 multishot: a reader that does not ask is not sent anything, which is all the
//                 back-pressure there is to write, and no completion can come for an operation that
//                 nobody waits for any more. It costs 0.4 us a message. Without a free buffer a
//                 receive waits in a list here until one is given back.
//   send_now      tried once (MSG_DONTWAIT), so that no pending send points into memory that is
//                 about to be reused.
//   read, write, sync   in the ring; with `files_inline` reads and writes happen at once on the
//                 worker's thread: a write to the page cache takes 5 us there, tens when the ring
//                 passes it to a thread. For the worker that does nothing else.
//   the rest      on the pool (blocking_calls.hpp).
//
// An operation is the kernel's from submit() to its one completion. If the submission queue is
// full, it waits in a list here; nothing ever returns early and leaves the ring a pointer to a dead
// frame. A job that runs on the pool cannot be stopped: its operation completes when it ends. Only
// a name look-up, which may take half a minute, is forgotten (name_pool.hpp).
//
// Owner    UringRuntime; outlives its worker and is outlived by the pools' threads' last job.
// Thread   the worker's, except wake(), close() and the gauges.
// Bound    the ring, the receive buffers; operations are as many as fibers wait.
#pragma once

#include <liburing.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "relay/env/uring/name_pool.hpp"
#include "relay/env/uring/receive_buffers.hpp"
#include "relay/env/uring/thread_pool.hpp"
#include "relay/fiber/kernel.hpp"

namespace ringlay::env {

struct UringOptions {
    std::uint32_t submission_entries = 256;   // powers of two, all of them
    std::uint32_t completion_entries = 2048;  // beyond it the kernel keeps a list
    std::uint32_t receive_buffers = 64;
    std::uint32_t receive_buffer_bytes = 16 * 1024;
    bool files_inline = false;
    // Connections get descriptors below this number only, so that those above are left for files:
    // the kernel gives the lowest that is free. 0: any.
    std::uint64_t socket_descriptors = 0;
    // For tests: a full submission queue stays full until the worker looks, as it does when the
    // kernel answers -EBUSY.
    bool refuse_early_submits = false;
};

// Numbers that other threads may read at any time.
struct UringGauges {
    std::atomic<std::uint64_t> open_operations{0};
    std::atomic<std::uint64_t> system_calls{0};  // io_uring_enter
    std::atomic<std::uint64_t> submissions_queued{
        0};                                          // had to wait for an entry, or to be repeated
    std::atomic<std::uint64_t> buffers_held{0};      // by readers
    std::atomic<std::uint64_t> buffers_missing{0};   // a receive had data and no buffer
    std::atomic<std::uint64_t> receives_waiting{0};  // now, for a buffer
    std::atomic<std::uint64_t> sockets_refused{0};   // for want of a descriptor
};

class UringKernel final : public fiber::Kernel {
  public:
    // The pools must outlive the operations; the kernel must outlive the pools' threads.
    UringKernel(UringOptions options, ThreadPool& general, NamePool& names);
    ~UringKernel() override;

    // Empty, or why no ring can be made here and what to do about it, in one sentence.
    static std::string probe();

    void start() override;
    void stop() override;
    Nanos now() override;
    WallMillis wall() override;
    void submit(fiber::Op& op) override;
    void cancel(fiber::Op& op) override;
    void wait(Nanos until) override;
    void wake() override;
    std::size_t choose(std::size_t count) override;
    std::uint64_t random() override;
    void release_buffer(std::uint32_t id) override;
    void close(int handle) override;

    const UringGauges& gauges() const { return gauges_; }

  private:
    struct NameJob;
    struct Parts;
    struct PoolJob;
    struct PoolResult;
    struct Slot;

    // In the order of arrival.
    class SlotList {
      public:
        bool empty() const { return first_ == nullptr; }
        std::size_t size() const { return size_; }
        Slot* first() { return first_; }
        void push(Slot& slot);
        void remove(Slot& slot);

      private:
        Slot* first_ = nullptr;
        Slot* last_ = nullptr;
        std::size_t size_ = 0;
    };

    Slot& take_slot(fiber::Op& op);
    void finish(fiber::Op& op, std::int64_t result);
    void finish_now(fiber::Op& op, std::int64_t result);

    void submit_to_ring(fiber::Op& op);
    void submit_to_pool(fiber::Op& op);
    io_uring_sqe* take_entry();
    void queue(Slot& slot);
    void fill(Slot& slot, io_uring_sqe& entry);
    void fill_socket_call(Slot& slot, io_uring_sqe& entry);
    std::uint32_t put_parts(Slot& slot);
    bool send_cancel(Slot& slot);
    void cancel_on_pool(Slot& slot);

    bool start_queued();
    bool arm_wake();
    void look();
    void sleep(Nanos until);
    void reap();
    void complete(fiber::Op& op, std::int32_t result, std::uint32_t flags);
    void receive_again(Slot& slot);
    std::int64_t received(fiber::Op& op, std::int32_t result, std::uint32_t flags);
    int allowed_socket(int handle);
    std::int64_t meaning_of(Slot& slot, std::int32_t result, std::uint32_t flags);
    void take_pool_results();
    void end_starving_receives(int handle);
    void count_enter(int result);

    UringOptions options_;
    ThreadPool& general_;
    NamePool& names_;
    UringGauges gauges_;

    io_uring ring_{};
    bool is_started_ = false;
    std::unique_ptr<ReceiveBuffers> buffers_;
    std::uint64_t open_operations_ = 0;  // submitted, not completed, wherever they are
    std::uint64_t ring_entries_ = 0;     // given to the ring and not come back, our own included

    std::deque<Slot> slots_;  // grows to the most operations that were ever open
    Slot* free_slots_ = nullptr;
    std::deque<Parts> parts_;
    Parts* free_parts_ = nullptr;

    SlotList queued_;    // wait for a submission entry
    SlotList starving_;  // receives that have data and wait for a buffer
    SlotList cancels_;   // are in the ring; their cancel waits for a submission entry

    // The doorbell. The flag is set from before the write to the eventfd until its read has come
    // back, so that any number of wakes cost one write.
    int wake_handle_ = -1;
    std::uint64_t wake_value_ = 0;
    bool is_wake_armed_ = false;
    std::atomic<bool> is_waking_{false};

    std::atomic<PoolResult*> pool_results_{nullptr};  // pushed by pool threads, newest first

    std::array<std::uint64_t, 32> random_{};
    std::size_t random_left_ = 0;
};

}  // namespace ringlay::env
