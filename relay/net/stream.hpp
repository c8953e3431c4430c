// A connection to a peer, plain or under TLS: the calls of env::Socket, so that HTTP and WebSocket
// do not know which it is.
//
// Plain, receive() hands out the worker's receive buffer itself; under TLS, bytes that were
// decrypted into memory of their own, which never needs one of the worker's few buffers. Either way
// they may be changed in place.
//
// Owner    whoever dialled or accepted. Destroyed while open, it hangs up.
// Thread   fibers of one worker: one that receives, one that sends. Without an open operation it
//          may be moved to another worker.
// Bound    under TLS: one record that has come in part (16 KiB) and 64 KiB that are leaving,
//          nothing of it while the connection is idle.
// Errors   those of env::Socket. Under TLS also malformed (the peer's TLS is not in order) and, for
//          a connection that ended without the goodbye of TLS, closed.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "crypto/tls.hpp"
#include "relay/env/net.hpp"
#include "relay/net/address_places.hpp"

namespace ringlay::net {

// Bytes that were received. Copies share them.
class StreamChunk {
  public:
    StreamChunk() = default;
    explicit StreamChunk(env::Chunk received) : received_(std::move(received)) {}
    StreamChunk(std::shared_ptr<std::uint8_t[]> decrypted, std::size_t size)
        : decrypted_(std::move(decrypted)), size_(size) {}

    Bytes bytes() const { return decrypted_ ? Bytes(decrypted_.get(), size_) : received_.bytes(); }
    bool empty() const { return bytes().empty(); }
    std::span<std::uint8_t> writable() {
        return decrypted_ ? std::span(decrypted_.get(), size_) : received_.writable();
    }

  private:
    env::Chunk received_;
    std::shared_ptr<std::uint8_t[]> decrypted_;
    std::size_t size_ = 0;  // of decrypted_
};

class Stream {
  public:
    Stream();
    explicit Stream(env::Socket socket);  // plain
    Stream(Stream&& other) noexcept;
    Stream& operator=(Stream&& other) noexcept;
    ~Stream();

    // Talks TLS from now on, as whichever end the engine is: the handshake, within the deadline.
    Result<void> start_tls(crypto::TlsEngine engine, Deadline deadline);
    // What was wrong with the TLS of the peer, in words for an operator; empty: nothing.
    std::string_view tls_failure() const;

    bool is_open() const { return socket_.is_open(); }
    bool is_tls() const { return tls_ != nullptr; }
    const Address& peer() const { return socket_.peer(); }

    // At least one byte; an empty chunk means that the peer has finished sending.
    Result<StreamChunk> receive(Deadline deadline);

    // As env::Socket, with one rule more: what was offered and not taken has to be offered again
    // before anything else, because a part of it may have left in encrypted form.
    Result<std::size_t> send_now(std::span<const Bytes> parts);
    Result<void> wait_writable(Deadline deadline);
    Result<void> send(Bytes bytes, Deadline deadline);

    // Given back when the connection is destroyed.
    void keep(AddressPlaces::Place place) { place_ = std::move(place); }

    void shutdown();  // under TLS it says goodbye before
    void close();

  private:
    struct Tls;
    Result<bool> flush_now();
    Result<StreamChunk> receive_tls(Deadline deadline);
    Result<std::size_t> send_tls_now(std::span<const Bytes> parts);
    env::Socket socket_;
    std::unique_ptr<Tls> tls_;
    AddressPlaces::Place place_;
};

}  // namespace ringlay::net
