#include "relay/net/websocket_server.hpp"

#include "relay/net/dial.hpp"
#include "relay/net/websocket_handshake.hpp"

namespace ringlay::net {

Result<void> accept_websocket(env::Socket& socket, std::string_view accept,
                              const HttpHeaders& default_headers, Deadline deadline) {
    ResponseHeadOptions options;
    options.defaults = &default_headers;
    return socket.send(bytes_of(encode_response_head(upgrade_response(accept), options)), deadline);
}

WebSocketInbound::WebSocketInbound(const env::Env& env, env::Socket& socket, Buffer already_read,
                                   const WebSocketInboundOptions& options)
    : env_(env),
      socket_(socket),
      options_(options),
      decoder_({WebSocketDecoder::Role::server, WebSocketDecoder::Data::discard,
                options.max_message_bytes}),
      rest_(std::move(already_read)),
      input_(rest_),
      span_began_(env_.clock.now()),
      span_bytes_(rest_.size()),
      last_heard_(span_began_) {}

Result<WebSocketInbound::Event> WebSocketInbound::next(Deadline deadline) {
    using Kind = WebSocketDecoder::Event::Kind;
    for (;;) {
        auto event = decoder_.next(input_);
        if (!event) {
            violation_code_ = decoder_.violation_code();
            return std::unexpected(event.error());
        }
        if (*event) {
            // The caller may take its time, and the worker has few receive buffers.
            if (!chunk_.empty()) {
                rest_.assign(input_.begin(), input_.end());
                input_ = rest_;
                chunk_ = env::Chunk();
            }
            Event::Kind kind = (*event)->kind == Kind::ping   ? Event::Kind::ping
                               : (*event)->kind == Kind::pong ? Event::Kind::pong
                                                              : Event::Kind::close;
            return Event{kind, (*event)->payload, (*event)->close_code};
        }
        chunk_ = env::Chunk();
        rest_ = Buffer();
        auto received = socket_.receive(deadline);
        if (!received) return std::unexpected(received.error());
        if (received->empty()) return fail(Errc::closed, "websocket: the client hung up");
        auto admitted = admit(received->bytes().size());
        if (!admitted) return std::unexpected(admitted.error());
        chunk_ = std::move(*received);
        input_ = chunk_.writable();
    }
}

Result<void> WebSocketInbound::admit(std::size_t bytes) {
    last_heard_ = env_.clock.now();
    if (last_heard_ - span_began_ >= options_.span) {
        span_began_ = last_heard_;
        span_bytes_ = 0;
    }
    span_bytes_ += bytes;
    if (span_bytes_ <= options_.max_bytes) return {};
    violation_code_ = close_code::policy;
    return fail(Errc::busy, "websocket: too much from a client of a one-way stream");
}

}  // namespace ringlay::net
