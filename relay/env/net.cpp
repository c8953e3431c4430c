#include "relay/env/net.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "proto/base/assert.hpp"

namespace ringlay::env {
namespace {

using fiber::Op;

constexpr std::size_t max_send_parts = 8;
constexpr std::size_t max_host_bytes = 253;

void close_handle(int handle) {
    fiber::Worker::current().kernel().close(handle);
}

// For an object that no one may move or close while a fiber waits in it.
class OpenOp {
  public:
    explicit OpenOp(std::uint32_t& count) : count_(count) { ++count_; }
    ~OpenOp() { --count_; }
    OpenOp(const OpenOp&) = delete;
    OpenOp& operator=(const OpenOp&) = delete;

  private:
    std::uint32_t& count_;
};

}  // namespace

Chunk::Chunk(const Chunk& other) : shared_(other.shared_) {
    if (shared_ != nullptr) ++shared_->owners;
}

std::span<std::uint8_t> Chunk::writable() {
    return shared_ == nullptr ? std::span<std::uint8_t>() : shared_->bytes;
}

void Chunk::release() {
    if (shared_ == nullptr || --shared_->owners > 0) return;
    RINGLAY_ASSERT(shared_->kernel == &fiber::Worker::current().kernel());
    shared_->kernel->release_buffer(shared_->buffer_id);
    delete shared_;
}

Socket::Socket(Socket&& other) noexcept
    : handle_(std::exchange(other.handle_, -1)), peer_(other.peer_) {
    RINGLAY_ASSERT(other.open_ops_ == 0);
}

Socket& Socket::operator=(Socket&& other) noexcept {
    if (this == &other) return *this;
    RINGLAY_ASSERT(other.open_ops_ == 0);
    close();
    handle_ = std::exchange(other.handle_, -1);
    peer_ = other.peer_;
    return *this;
}

Result<Chunk> Socket::receive(Deadline deadline) {
    if (!is_open()) return fail(Errc::closed, "socket: closed");
    Op op;
    op.kind = Op::Kind::receive;
    op.handle = handle_;
    OpenOp open(open_ops_);
    auto received = fiber::perform(op, deadline);
    if (!received) return std::unexpected(received.error());
    if (*received == 0) return Chunk();
    auto size = static_cast<std::size_t>(*received);
    return Chunk(new Chunk::Shared{&fiber::Worker::current().kernel(), op.buffer.id, 1,
                                   std::span(op.buffer.data, size)});
}

Result<std::size_t> Socket::send_now(std::span<const Bytes> parts) {
    RINGLAY_ASSERT(parts.size() <= max_send_parts);
    if (!is_open()) return fail(Errc::closed, "socket: closed");
    Op op;
    op.kind = Op::Kind::send_now;
    op.handle = handle_;
    op.out = parts;
    OpenOp open(open_ops_);
    auto sent = fiber::perform(op, Deadline::never());
    if (sent) return static_cast<std::size_t>(*sent);
    if (op.result == -EAGAIN) return 0;
    return std::unexpected(sent.error());
}

Result<void> Socket::wait_writable(Deadline deadline) {
    if (!is_open()) return fail(Errc::closed, "socket: closed");
    Op op;
    op.kind = Op::Kind::wait_writable;
    op.handle = handle_;
    OpenOp open(open_ops_);
    auto waited = fiber::perform(op, deadline);
    if (!waited) return std::unexpected(waited.error());
    return {};
}

Result<void> Socket::send(Bytes bytes, Deadline deadline) {
    while (!bytes.empty()) {
        auto sent = send_now(std::span(&bytes, 1));
        if (!sent) return std::unexpected(sent.error());
        bytes = bytes.subspan(*sent);
        if (*sent > 0) continue;
        auto writable = wait_writable(deadline);
        if (!writable) return writable;
    }
    return {};
}

void Socket::shutdown() {
    if (!is_open()) return;
    Op op;
    op.kind = Op::Kind::shutdown;
    op.handle = handle_;
    OpenOp open(open_ops_);
    fiber::CancelBlocker blocker;
    // A connection that is gone already is as shut as can be.
    static_cast<void>(fiber::perform(op, Deadline::never()));
}

void Socket::close() {
    if (!is_open()) return;
    RINGLAY_ASSERT(open_ops_ == 0);
    close_handle(std::exchange(handle_, -1));
}

Listener::Listener(Listener&& other) noexcept
    : handle_(std::exchange(other.handle_, -1)), local_(other.local_) {}

Listener& Listener::operator=(Listener&& other) noexcept {
    if (this == &other) return *this;
    close();
    handle_ = std::exchange(other.handle_, -1);
    local_ = other.local_;
    return *this;
}

Result<Socket> Listener::accept(Deadline deadline) {
    if (handle_ < 0) return fail(Errc::closed, "listener: closed");
    Op op;
    op.kind = Op::Kind::accept;
    op.handle = handle_;
    auto handle = fiber::perform(op, deadline);
    if (!handle) return std::unexpected(handle.error());
    return Socket(static_cast<int>(*handle), op.peer);
}

void Listener::close() {
    if (handle_ >= 0) close_handle(std::exchange(handle_, -1));
}

Result<std::vector<Address>> Net::resolve(std::string_view host, std::uint16_t port,
                                          Deadline deadline) {
    if (auto literal = Address::parse(host, port)) return std::vector{*literal};
    // The system's resolver takes a C string: a zero byte would make it look up another name.
    bool is_name = !host.empty() && host.size() <= max_host_bytes && !host.contains('\0');
    if (!is_name) return fail(Errc::unreachable, "resolve: no such name");
    std::vector<Address> addresses;
    Op op;
    op.kind = Op::Kind::resolve;
    op.name = host;
    op.address.port = port;
    op.addresses = &addresses;
    auto count = fiber::perform(op, deadline);
    if (!count) return std::unexpected(count.error());
    RINGLAY_ASSERT(!addresses.empty());
    return addresses;
}

Result<Socket> Net::connect(const Address& address, Deadline deadline) {
    Op op;
    op.kind = Op::Kind::connect;
    op.address = address;
    auto handle = fiber::perform(op, deadline);
    if (!handle) return std::unexpected(handle.error());
    return Socket(static_cast<int>(*handle), address);
}

Result<Listener> Net::listen(const Address& address) {
    Op op;
    op.kind = Op::Kind::listen;
    op.address = address;
    auto handle = fiber::perform(op, Deadline::never());
    if (!handle) return std::unexpected(handle.error());
    return Listener(static_cast<int>(*handle), op.address);
}

}  // namespace ringlay::env
