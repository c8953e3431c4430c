#include "relay/net/stream.hpp"

namespace ringlay::net {

struct Stream::Tls {};

Stream::Stream() = default;
Stream::Stream(env::Socket socket) : socket_(std::move(socket)) {}
Stream::Stream(Stream&& other) noexcept = default;
Stream& Stream::operator=(Stream&& other) noexcept = default;
Stream::~Stream() = default;

Result<StreamChunk> Stream::receive(Deadline deadline) {
    auto received = socket_.receive(deadline);
    if (!received) return std::unexpected(received.error());
    return StreamChunk(std::move(*received));
}

Result<std::size_t> Stream::send_now(std::span<const Bytes> parts) {
    return socket_.send_now(parts);
}

Result<void> Stream::wait_writable(Deadline deadline) {
    return socket_.wait_writable(deadline);
}

Result<void> Stream::send(Bytes bytes, Deadline deadline) {
    return socket_.send(bytes, deadline);
}

void Stream::shutdown() {
    socket_.shutdown();
}

void Stream::close() {
    socket_.close();
}

}  // namespace ringlay::net
