#include "bench/fleet/door.hpp"

#include "relay/net/dial.hpp"

namespace ringlay::bench {
namespace {

constexpr auto handshake_time = std::chrono::seconds(15);
constexpr auto request_time = std::chrono::seconds(60);
constexpr auto answer_time = std::chrono::seconds(30);
constexpr auto accept_pause = std::chrono::milliseconds(100);

}  // namespace

Door::Door(const crypto::TlsServerContext* tls, Handler handler)
    : tls_(tls), handler_(std::move(handler)) {}

Door::Door(OnSocket on_socket) : on_socket_(std::move(on_socket)) {}

void Door::serve(env::Listener& listener) {
    for (;;) {
        auto socket = listener.accept();
        if (!socket) {
            Errc code = socket.error().code;
            if (code == Errc::cancelled || code == Errc::closed) break;
            if (!fiber::sleep_for(accept_pause)) break;
            continue;
        }
        ++accepted_;
        if (connections_.size() >= max_connections) continue;
        connections_.spawn("host connection", [this, taken = std::move(*socket)]() mutable {
            converse(std::move(taken));
        });
    }
    connections_.cancel_and_join();
}

void Door::converse(env::Socket socket) {
    if (on_socket_) {
        on_socket_(socket);
        return;
    }
    net::Stream stream(std::move(socket));
    if (tls_ != nullptr && !stream.start_tls(tls_->accept(), Deadline::in(handshake_time))) return;
    net::HttpRequestParser parser{net::HttpLimits()};
    Buffer rest;
    while (answer_one(stream, parser, rest)) {
    }
    if (stream.is_open() && !fiber::is_cancelled()) stream.shutdown();
}

bool Door::answer_one(net::Stream& stream, net::HttpRequestParser& parser, Buffer& rest) {
    Deadline deadline = Deadline::in(request_time);
    while (!parser.is_complete()) {
        net::StreamChunk chunk;
        Buffer before = std::exchange(rest, {});
        Bytes bytes = before;
        if (bytes.empty()) {
            auto received = stream.receive(deadline);
            if (!received || received->empty()) return false;
            chunk = std::move(*received);
            bytes = chunk.bytes();
        }
        auto taken = parser.feed(bytes);
        if (!taken) return false;
        Bytes behind = bytes.subspan(*taken);
        rest.assign(behind.begin(), behind.end());
    }
    net::HttpRequest request = parser.take();
    DoorReply reply = handler_(request);
    if (reply.take_over) {
        reply.take_over(stream, std::move(rest));
        return false;
    }
    net::ResponseHeadOptions options;
    options.close = !request.is_keep_alive;
    std::string text = encode_response_head(reply.response, options);
    if (request.method != net::HttpMethod::head) text += reply.response.body;
    return stream.send(net::bytes_of(text), Deadline::in(answer_time)) && request.is_keep_alive;
}

}  // namespace ringlay::bench
