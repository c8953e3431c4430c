// Serves HTTP/1.1 on a listener: one fiber for each connection, one request of it at a time.
//
// A handler answers a request with a response, or takes the connection over (an upgrade, a stream):
// then it gets the socket, with nothing sent yet, in the connection's fiber; it may use it there or
// move it to another worker. HEAD needs no care by the handler: the body is kept back. OPTIONS is
// answered here, and so is whatever is not a request in order.
//
// Owner    Relay. serve() runs in a fiber; cancelling that fiber stops the server: no new
//          connections, requests under way are answered, then everything is closed.
// Thread   one worker. Several servers may share a HttpServerCounters.
// Bound    connections, connections of an address, every size (HttpLimits), every wait. When all
//          places are taken the connection that has been idle for longest makes room, so that those
//          that only hold places keep nobody out; when none is idle a new one is refused.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string_view>
#include <vector>

#include "proto/base/network.hpp"
#include "relay/env/env.hpp"
#include "relay/net/http_message.hpp"
#include "relay/net/http_parser.hpp"

namespace ringlay::net {

struct HttpServerOptions {
    HttpLimits limits;
    Nanos header_time = std::chrono::seconds(10);  // from the first byte, or from the accept
    Nanos body_time = std::chrono::seconds(10);
    Nanos idle_time = std::chrono::seconds(60);   // between two requests
    Nanos write_time = std::chrono::seconds(10);  // of a response, and more for a large one:
    std::uint64_t least_write_bytes_per_s = 64 * 1024;
    // After a refusal, what the client still sends is read away, or it would never see the answer.
    Nanos drain_time = std::chrono::seconds(1);
    Nanos stop_time = std::chrono::seconds(5);  // for requests under way when the server stops
    std::size_t max_connections = 4096;
    std::size_t max_connections_per_address = 64;  // an IPv6 /64 counts as one
    bool limits_loopback = false;                  // whether that holds for this machine, too
    // Not for these: their connections are those of many clients.
    std::vector<Network> trusted_proxies;
    HttpHeaders default_headers;  // of every response that has not set them
    // The paths whose answers pages of any site may read, those to OPTIONS too. Empty: none.
    std::function<bool(std::string_view path)> is_for_any_site;
};

// What happened, counted; relaxed, from any worker.
struct HttpServerCounters {
    using Count = std::atomic<std::uint64_t>;
    Count connections{0};
    Count open_connections{0};  // a gauge; without those taken over
    Count requests{0};
    Count taken_over{0};
    Count refused_by_limit{0};          // max_connections, or no fiber to be had
    Count idle_evicted{0};              // likewise, for others
    Count refused_by_address_limit{0};  // max_connections_per_address
    Count refused_malformed{0};         // 400, 417, 501, 505
    Count refused_too_large{0};         // 413, 414, 431
    Count header_timeouts{0};
    Count body_timeouts{0};
    Count idle_timeouts{0};
    Count write_timeouts{0};
    Count handler_failures{0};  // answered with 500
    Count accept_failures{0};   // out of descriptors, mostly
};

struct HttpReply {
    // `already_read`: what came behind the request.
    using TakeOver = std::move_only_function<void(env::Socket socket, Buffer already_read)>;

    HttpReply(HttpResponse answer) : response(std::move(answer)) {}
    HttpReply(TakeOver function) : take_over(std::move(function)) {}

    HttpResponse response;
    TakeOver take_over;  // if there is one, `response` means nothing
};

// May wait. Calls overlap whenever one of them waits.
using HttpHandler =
    std::move_only_function<HttpReply(const HttpRequest& request, const Address& peer)>;

class HttpServer {
  public:
    HttpServer(const env::Env& env, HttpServerOptions options, HttpServerCounters& counters,
               HttpHandler handler);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    // Returns when the listener is closed or the fiber is cancelled, after all connections have
    // ended. One call at a time.
    void serve(env::Listener& listener);

    std::size_t connection_count() const { return connection_count_; }

  private:
    class Conversation;
    struct Connection {
        Address party;            // see party_of()
        bool is_counted = false;  // in connection_count_ and per_party_
        bool is_idle = false;     // waits for a request: may be cut at any time
        Nanos idle_since{};       // if it is
        bool is_taken = false;
        fiber::Task task;
    };

    void admit(env::Socket socket);
    bool make_room();
    void run(Connection& connection, env::Socket& socket);
    void release(Connection& connection);
    void reap();
    void finish();

    env::Env env_;
    const HttpServerOptions options_;
    HttpServerCounters& counters_;
    HttpHandler handler_;
    bool is_stopping_ = false;
    std::size_t connection_count_ = 0;
    std::size_t fiber_count_ = 0;
    std::size_t reap_at_ = 16;
    std::map<Address, std::size_t> per_party_;
    fiber::Event all_ended_;
    std::list<Connection> connections_;  // last: their fibers end before the rest goes
};

}  // namespace ringlay::net
