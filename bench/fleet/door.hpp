// How a fake host is reached: a port that talks HTTP/1.1, plain or under TLS, one request of a
// connection at a time. Small, because there are thousands of them: a fiber that accepts, and one
// for each connection.
//
// A handler answers with a response, or takes the connection over with nothing sent yet.
//
// Owner    Group, HostileRoom. serve() runs in a fiber; cancelling it ends all connections.
// Thread   one worker.
// Bound    max_connections; beyond it connections are closed at once.
#pragma once

#include <cstdint>
#include <functional>

#include "crypto/tls.hpp"
#include "relay/env/env.hpp"
#include "relay/net/http_message.hpp"
#include "relay/net/http_parser.hpp"
#include "relay/net/stream.hpp"

namespace ringlay::bench {

struct DoorReply {
    // `already_read`: what came behind the request.
    using TakeOver = std::move_only_function<void(net::Stream& stream, Buffer already_read)>;

    DoorReply(net::HttpResponse answer) : response(std::move(answer)) {}
    DoorReply(TakeOver function) : take_over(std::move(function)) {}

    net::HttpResponse response;
    TakeOver take_over;  // if there is one, `response` means nothing
};

class Door {
  public:
    using Handler = std::move_only_function<DoorReply(const net::HttpRequest& request)>;
    using OnSocket = std::move_only_function<void(env::Socket& socket)>;
    static constexpr std::size_t max_connections = 64;

    // `tls`: null for plain HTTP; it outlives the door.
    Door(const crypto::TlsServerContext* tls, Handler handler);
    // Nothing is read or said before `on_socket` is given the connection.
    explicit Door(OnSocket on_socket);
    ~Door() { connections_.cancel_and_join(); }
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    void serve(env::Listener& listener);

    std::uint64_t accepted() const { return accepted_; }

  private:
    void converse(env::Socket socket);
    // One request and its answer. False: the connection is over.
    bool answer_one(net::Stream& stream, net::HttpRequestParser& parser, Buffer& rest);

    const crypto::TlsServerContext* tls_ = nullptr;
    Handler handler_;
    OnSocket on_socket_;
    std::uint64_t accepted_ = 0;
    fiber::TaskGroup connections_;
};

}  // namespace ringlay::bench
