// The seam between the relay and the world: one operation at a time, submitted by a fiber that
// sleeps until it is done. Two classes implement it: env::UringKernel (io_uring) and
// env::SimKernel (a seeded simulation). Everything above (parking, deadlines, cancel-and-join,
// mailboxes, shutdown) is the same code in both.
//
// Owner    one Kernel for each Worker; it outlives the worker.
// Thread   all calls come from the worker's thread, except wake() and close().
// Errors   Op::result is >= 0, or -errno; errno itself is never looked at above.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/address.hpp"
#include "proto/base/bytes.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::fiber {

class Fiber;

// One operation. It lives on the stack of the fiber that waits for it, and that fiber never leaves
// before its completion has come (perform() sees to it): the kernel may point into it all the time.
struct Op {
    enum class Kind : std::uint8_t {
        // network
        listen,         // address -> handle; address.port is filled in when it was 0
        accept,         // handle -> new handle; peer is filled in
        connect,        // address -> new handle
        receive,        // handle -> byte count, buffer is filled in; 0: the peer has finished
        send_now,       // handle, out -> bytes taken, or -EAGAIN: never keeps a pointer to `out`
        wait_writable,  // handle -> 0
        shutdown,       // handle -> 0; both directions, pending operations end
        resolve,        // name, address.port -> number of addresses, put into *addresses
        // files
        open,      // path, flags -> handle
        read_at,   // handle, in, offset -> bytes read; 0: end of file
        write_at,  // handle, out, offset -> bytes written; may be fewer than asked for
        sync,      // handle -> 0; data and what is needed to read it back are durable
        truncate,  // handle, offset: the new size -> 0
        allocate,  // handle, offset: size to reserve; the visible size stays -> 0, or -EOPNOTSUPP
        size,      // handle -> bytes
        // directories
        make_directory,  // path -> 0; parents too; existing is fine
        list,            // path -> number of names, sorted bytewise into *names
        rename,          // path, path_to -> 0; replaces; durable after sync_directory
        remove,          // path -> 0; durable after sync_directory
        sync_directory,  // path -> 0
        lock,            // path of a file -> handle that holds the lock, or -EWOULDBLOCK
        free_bytes,      // path of a directory -> bytes that we may still use on its volume
        // a function on the blocking pool
        blocking,  // job -> 0
    };

    // How open() behaves. The simulator knows exactly these.
    enum OpenFlags : std::uint32_t {
        open_read = 0,
        open_write = 1,      // and read
        open_create = 2,     // with open_write: make it when it is not there
        open_exclusive = 4,  // with open_create: -EEXIST when it is there
    };

    // A buffer of the kernel that a receive has filled. Give it back with release_buffer().
    struct ReceiveBuffer {
        std::uint8_t* data = nullptr;
        std::uint32_t id = 0;
    };

    Kind kind{};
    std::uint32_t flags = 0;
    int handle = -1;
    std::span<const Bytes> out;
    std::span<std::uint8_t> in;
    std::uint64_t offset_bytes = 0;
    Address address;
    Address peer;
    ReceiveBuffer buffer;
    std::string_view name;  // of a host
    std::string_view path;
    std::string_view path_to;
    std::vector<std::string>* names = nullptr;
    std::vector<Address>* addresses = nullptr;
    std::move_only_function<void()>* job = nullptr;

    std::int64_t result = 0;
    bool done = false;
    Fiber* fiber = nullptr;       // who waits
    Op* next = nullptr;           // in the list of completed operations
    void* kernel_data = nullptr;  // the kernel's own, from submit to completion
};

// Completed operations in the order of their completion.
class OpList {
  public:
    bool empty() const { return first_ == nullptr; }
    void push(Op& op) {
        op.next = nullptr;
        (first_ == nullptr ? first_ : last_->next) = &op;
        last_ = &op;
    }
    Op* pop() {
        Op* op = first_;
        if (op != nullptr) first_ = op->next;
        return op;
    }

  private:
    Op* first_ = nullptr;
    Op* last_ = nullptr;
};

class Kernel {
  public:
    virtual ~Kernel() = default;

    // First and last call on the worker's own thread. No operation may be open at stop().
    virtual void start() = 0;
    virtual void stop() = 0;

    virtual Nanos now() = 0;
    virtual WallMillis wall() = 0;

    // The operation completes exactly once, later, never inside this call.
    virtual void submit(Op&) = 0;
    // Asks for an early end: the operation still completes exactly once, with -ECANCELED or with
    // what it had already achieved.
    virtual void cancel(Op&) = 0;

    // Sleeps until something has completed, wake() was called, or `until`; an instant that has
    // passed means: look, do not sleep. Then moves what is complete into completed().
    virtual void wait(Nanos until) = 0;
    OpList& completed() { return completed_; }

    // From any thread: ends the present or the next sleep.
    virtual void wake() = 0;

    // Which of `count` ready fibers runs next: 0 in the real world, the seed's choice in the other.
    virtual std::size_t choose(std::size_t count) = 0;
    virtual std::uint64_t random() = 0;

    // From the thread that received it.
    virtual void release_buffer(std::uint32_t id) = 0;
    // From the thread of any worker; no operation on the handle may be open.
    virtual void close(int handle) = 0;

  protected:
    OpList completed_;
};

}  // namespace ringlay::fiber
