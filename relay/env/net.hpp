// The network door. Concrete classes, a few lines each over the Kernel of the current worker: on
// io_uring or in a simulated network, the code above is the same.
//
// Thread   an object is used by fibers of one worker at a time. A Socket without an open operation
//          may be moved to another worker.
// Errors   closed (reset, broken pipe, shut down), unreachable (refused, no route, unknown name),
//          timed_out, cancelled, busy (descriptors or ports exhausted), no_permission, io.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/address.hpp"
#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::env {

// Bytes that were received, in a buffer of the worker's bounded pool: hold it briefly. Copies share
// the buffer; the last one gives it back. Made, copied and destroyed on the worker that received.
class Chunk {
  public:
    Chunk() = default;
    Chunk(const Chunk& other);
    Chunk(Chunk&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    Chunk& operator=(Chunk other) noexcept {
        std::swap(shared_, other.shared_);
        return *this;
    }
    ~Chunk() { release(); }

    Bytes bytes() const { return shared_ == nullptr ? Bytes() : shared_->bytes; }
    bool empty() const { return bytes().empty(); }
    std::span<std::uint8_t> writable();  // to unmask in place

  private:
    friend class Socket;
    struct Shared {
        fiber::Kernel* kernel;
        std::uint32_t buffer_id;
        std::uint32_t owners;
        std::span<std::uint8_t> bytes;
    };
    explicit Chunk(Shared* shared) : shared_(shared) {}
    void release();
    Shared* shared_ = nullptr;
};

class Socket {
  public:
    Socket() = default;
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&& other) noexcept;
    ~Socket() { close(); }  // at once; what the peer has not yet been sent is still sent

    bool is_open() const { return handle_ >= 0; }
    const Address& peer() const { return peer_; }

    // At least one byte; an empty chunk means that the peer has finished sending.
    Result<Chunk> receive(Deadline deadline);

    // Hands over what the socket takes at once and returns how much that is, 0 if nothing. Keeps
    // no pointer to the bytes (design I8). At most 8 parts.
    Result<std::size_t> send_now(std::span<const Bytes> parts);
    Result<void> wait_writable(Deadline deadline);
    // All of it, by the two above: the bytes must stay as they are meanwhile.
    Result<void> send(Bytes bytes, Deadline deadline);

    void shutdown();  // both directions: fibers that wait on this socket return
    void close();     // none may wait

  private:
    friend class Net;
    friend class Listener;
    Socket(int handle, const Address& peer) : handle_(handle), peer_(peer) {}
    int handle_ = -1;
    std::uint32_t open_ops_ = 0;
    Address peer_;
};

class Listener {
  public:
    Listener() = default;
    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&& other) noexcept;
    ~Listener() { close(); }

    const Address& local() const { return local_; }
    Result<Socket> accept(Deadline deadline = Deadline::never());
    void close();

  private:
    friend class Net;
    Listener(int handle, const Address& local) : handle_(handle), local_(local) {}
    int handle_ = -1;
    Address local_;
};

class Net {
  public:
    // Literals are answered at once, names by the system's resolver on the pool; never empty.
    Result<std::vector<Address>> resolve(std::string_view host, std::uint16_t port,
                                         Deadline deadline);
    Result<Socket> connect(const Address& address, Deadline deadline);
    // Port 0: any free one, see local().
    Result<Listener> listen(const Address& address);
};

}  // namespace ringlay::env
