// The server's end of a WebSocket on which only the server speaks: the handshake, and what the
// client says all the same. Messages are written by the owner of the socket, with the headers and
// control frames of websocket_frame.hpp.
//
// Owner    the connection: a socket, one fiber that reads with WebSocketInbound, one that writes.
// Thread   one worker.
// Bound    data of the client is dropped as it comes; all that it sends, control frames too, is
//          limited by bytes in a span of time, so that nobody keeps us busy for nothing.
// Source   RFC 6455; protocol 1.1 (one direction only).
#pragma once

#include <cstdint>
#include <span>

#include "relay/env/env.hpp"
#include "relay/net/http_message.hpp"
#include "relay/net/websocket_frame.hpp"

namespace ringlay::net {

// Sends the 101 for an accept value (check_upgrade() in websocket_handshake.hpp).
Result<void> accept_websocket(env::Socket& socket, std::string_view accept,
                              const HttpHeaders& default_headers, Deadline deadline);

struct WebSocketInboundOptions {
    std::uint64_t max_message_bytes = 64 * 1024;
    std::uint64_t max_bytes = 256 * 1024;  // in each span of:
    Nanos span = std::chrono::seconds(10);
};

class WebSocketInbound {
  public:
    struct Event {
        enum class Kind : std::uint8_t { ping, pong, close };
        Kind kind = Kind::ping;
        Bytes payload;  // a pong has to repeat that of the ping; of a close: the reason
        std::uint16_t close_code = close_code::none_received;
    };

    // `already_read` came behind the upgrade request. The socket must outlive this.
    WebSocketInbound(const env::Env& env, env::Socket& socket, Buffer already_read,
                     const WebSocketInboundOptions& options = {});

    // Waits for the next event; its payload is valid until the next call. Errors: timed_out and
    // cancelled (call again), closed (the client is gone), malformed, too_large and busy (a
    // violation: say violation_code() to the client and hang up).
    Result<Event> next(Deadline deadline);

    std::uint16_t violation_code() const { return violation_code_; }
    Nanos last_heard() const { return last_heard_; }
    std::uint64_t discarded_bytes() const { return decoder_.discarded_bytes(); }

  private:
    Result<void> admit(std::size_t bytes);

    env::Env env_;
    env::Socket& socket_;
    const WebSocketInboundOptions options_;
    WebSocketDecoder decoder_;
    Buffer rest_;
    env::Chunk chunk_;
    std::span<std::uint8_t> input_;  // of one of the two
    Nanos span_began_;
    std::uint64_t span_bytes_ = 0;
    Nanos last_heard_;
    std::uint16_t violation_code_ = close_code::protocol_error;
};

}  // namespace ringlay::net
