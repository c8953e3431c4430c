#include "relay/net/http_server.hpp"

#include <algorithm>
#include <exception>

#include "proto/base/assert.hpp"
#include "relay/net/client_address.hpp"
#include "relay/net/dial.hpp"

namespace ringlay::net {
namespace {

constexpr Nanos accept_pause = std::chrono::milliseconds(100);
constexpr std::size_t max_drain_bytes = 256 * 1024;

void count(std::atomic<std::uint64_t>& counter) {
    counter.fetch_add(1, std::memory_order_relaxed);
}

std::string_view error_name(std::uint16_t status) {
    switch (status) {
        case 408:
            return "RequestTimeout";
        case 413:
        case 414:
        case 431:
            return "PayloadTooLarge";
        case 429:
            return "RateLimitExceeded";
        case 500:
            return "InternalServerError";
        case 501:
            return "MethodNotImplemented";
        case 503:
            return "NotEnoughResources";
        default:
            return "InvalidRequest";
    }
}

HttpResponse refusal(std::uint16_t status, std::string_view message) {
    return json_error(status, error_name(status), message);
}

constexpr std::string_view methods = "GET, HEAD, POST, OPTIONS";

HttpResponse options_response(bool is_for_any_site) {
    HttpResponse response{204, {{"Allow", methods}}, {}};
    if (!is_for_any_site) return response;
    response.headers.add("Access-Control-Allow-Methods", methods);
    response.headers.add("Access-Control-Allow-Headers", "*");
    response.headers.add("Access-Control-Max-Age", "86400");
    return response;
}

}  // namespace

// One connection from accept to close.
class HttpServer::Conversation {
  public:
    Conversation(HttpServer& server, Connection& connection, env::Socket& socket)
        : server_(server),
          connection_(connection),
          socket_(socket),
          parser_(server.options_.limits) {}

    void run() {
        bool is_first = true;
        while (read_header(is_first) && read_body() && answer()) is_first = false;
    }

  private:
    const HttpServerOptions& options() const { return server_.options_; }
    HttpServerCounters& counters() const { return server_.counters_; }

    // False, here and below: the connection is over, and the client was told if it can be.
    bool read_header(bool is_first) {
        while (!parser_.has_header()) {
            if (!rest_.empty()) {
                if (!parser_.has_begun()) deadline_ = Deadline::in(options().header_time);
                Buffer rest = std::exchange(rest_, {});
                auto fed = feed(rest);
                if (!fed) return refuse(fed.error());
                continue;
            }
            bool has_begun = parser_.has_begun();
            if (!has_begun) {
                deadline_ = Deadline::in(is_first ? options().header_time : options().idle_time);
            }
            connection_.is_idle = !has_begun;
            connection_.idle_since = server_.env_.clock.now();
            bool is_header_late = has_begun || is_first;
            if (!receive(deadline_,
                         is_header_late ? counters().header_timeouts : counters().idle_timeouts)) {
                return false;
            }
            if (!has_begun && !is_first) deadline_ = Deadline::in(options().header_time);
        }
        return true;
    }

    bool read_body() {
        Deadline deadline = Deadline::in(options().body_time);
        if (parser_.expects_continue() && rest_.empty()) {
            auto sent = socket_.send(bytes_of("HTTP/1.1 100 Continue\r\n\r\n"), deadline);
            if (!sent) return false;
        }
        while (!parser_.is_complete()) {
            if (!receive(deadline, counters().body_timeouts)) return false;
        }
        return true;
    }

    // The worker has few receive buffers: this one is given back before anything is answered.
    bool receive(Deadline deadline, std::atomic<std::uint64_t>& timeouts) {
        Result<void> fed;
        {
            auto chunk = socket_.receive(deadline);
            connection_.is_idle = false;
            if (!chunk) return give_up(chunk.error(), timeouts);
            if (chunk->empty()) return false;
            fed = feed(chunk->bytes());
        }
        return fed ? true : refuse(fed.error());
    }

    Result<void> feed(Bytes bytes) {
        auto taken = parser_.feed(bytes);
        if (!taken) return std::unexpected(taken.error());
        Bytes rest = bytes.subspan(*taken);
        rest_.assign(rest.begin(), rest.end());
        return {};
    }

    bool give_up(const Error& error, std::atomic<std::uint64_t>& timeouts) {
        if (error.code != Errc::timed_out) return false;
        count(timeouts);
        if (!parser_.has_begun()) return false;
        return refuse(408, "the request did not come in time");
    }

    bool refuse(const Error& error) {
        count(error.code == Errc::too_large ? counters().refused_too_large
                                            : counters().refused_malformed);
        return refuse(parser_.refusal_status(), error.what);
    }

    bool refuse(std::uint16_t status, std::string_view message) {
        if (!send(refusal(status, message), true, false, 1)) return false;
        Deadline deadline = Deadline::in(options().drain_time);
        for (std::size_t drained = 0; drained < max_drain_bytes;) {
            auto chunk = socket_.receive(deadline);
            if (!chunk || chunk->empty()) break;
            drained += chunk->bytes().size();
        }
        return false;
    }

    // True: the connection may carry another request.
    bool answer() {
        HttpRequest request = parser_.take();
        count(counters().requests);
        HttpReply reply = reply_to(request);
        if (reply.take_over) {
            count(counters().taken_over);
            server_.release(connection_);
            connection_.is_taken = true;
            if (server_.is_stopping_) return false;
            reply.take_over(std::move(socket_), std::move(rest_));
            return false;
        }
        bool closes = !request.is_keep_alive || server_.is_stopping_ ||
                      reply.response.headers.has_token("connection", "close");
        bool is_head = request.method == HttpMethod::head;
        if (is_for_any_site(request)) {
            reply.response.headers.add("Access-Control-Allow-Origin", "*");
        }
        return send(reply.response, closes, is_head, request.minor_version) && !closes;
    }

    bool is_for_any_site(const HttpRequest& request) const {
        return options().is_for_any_site && options().is_for_any_site(request.path());
    }

    HttpReply reply_to(const HttpRequest& request) {
        if (request.method == HttpMethod::options) {
            return options_response(is_for_any_site(request));
        }
        try {
            return server_.handler_(request, socket_.peer());
        } catch (const std::exception&) {
            count(counters().handler_failures);
            return refusal(500, "internal error");
        }
    }

    bool send(const HttpResponse& response, bool closes, bool is_head, std::uint8_t minor_version) {
        ResponseHeadOptions head_options;
        head_options.defaults = &options().default_headers;
        head_options.close = closes;
        head_options.to_http_1_0 = minor_version == 0;
        head_options.date = server_.env_.clock.wall();
        std::string head = encode_response_head(response, head_options);
        std::string_view body = is_head ? std::string_view() : std::string_view(response.body);
        std::uint64_t extra_s = body.size() / options().least_write_bytes_per_s;
        Nanos time = options().write_time + std::chrono::seconds(extra_s);
        const Bytes parts[] = {bytes_of(head), bytes_of(body)};
        auto sent = send_parts(socket_, parts, Deadline::in(time));
        if (!sent && sent.error().code == Errc::timed_out) count(counters().write_timeouts);
        return sent.has_value();
    }

    HttpServer& server_;
    Connection& connection_;
    env::Socket& socket_;
    HttpRequestParser parser_;
    Deadline deadline_ = Deadline::never();  // of the header that is coming
    Buffer rest_;                            // received, of the next request
};

HttpServer::HttpServer(const env::Env& env, HttpServerOptions options, HttpServerCounters& counters,
                       HttpHandler handler)
    : env_(env), options_(std::move(options)), counters_(counters), handler_(std::move(handler)) {}

HttpServer::~HttpServer() {
    RINGLAY_ASSERT(fiber_count_ == 0);
}

void HttpServer::serve(env::Listener& listener) {
    is_stopping_ = false;
    for (;;) {
        auto socket = listener.accept();
        if (socket) {
            admit(std::move(*socket));
            continue;
        }
        Errc code = socket.error().code;
        if (code == Errc::cancelled || code == Errc::closed) break;
        count(counters_.accept_failures);
        // For want of a descriptor: one that is only held for later is given back for the next.
        if (code == Errc::busy) static_cast<void>(make_room());
        if (!fiber::sleep_for(accept_pause)) break;
    }
    finish();
}

void HttpServer::admit(env::Socket socket) {
    count(counters_.connections);
    const Address party = party_of(socket.peer());
    bool is_limited = (options_.limits_loopback || !socket.peer().is_loopback()) &&
                      !is_in(socket.peer(), options_.trusted_proxies);
    auto of_party = per_party_.find(party);
    HttpResponse response;
    if (is_limited && of_party != per_party_.end() &&
        of_party->second >= options_.max_connections_per_address) {
        count(counters_.refused_by_address_limit);
        response = refusal(429, "too many connections from this address");
    } else if ((connection_count_ >= options_.max_connections && !make_room()) ||
               !fiber::Worker::current().has_room()) {
        count(counters_.refused_by_limit);
        response = refusal(503, "too many connections");
    } else {
        ++per_party_[party];
        ++connection_count_;
        ++fiber_count_;
        counters_.open_connections.fetch_add(1, std::memory_order_relaxed);
        if (connections_.size() >= reap_at_) reap();
        Connection& connection = connections_.emplace_back();
        connection.party = party;
        connection.is_counted = true;
        connection.task = fiber::spawn(
            "http connection",
            [this, &connection, socket = std::move(socket)]() mutable { run(connection, socket); });
        return;
    }
    ResponseHeadOptions head_options;
    head_options.close = true;
    std::string text = encode_response_head(response, head_options) + response.body;
    const Bytes parts[] = {bytes_of(text)};
    // What the socket does not take at once is not worth a fiber.
    static_cast<void>(send_parts(socket, parts, Deadline{env_.clock.now()}));
}

bool HttpServer::make_room() {
    Connection* longest = nullptr;
    for (Connection& connection : connections_) {
        const bool may_go = connection.is_counted && connection.is_idle;
        if (may_go && (longest == nullptr || connection.idle_since < longest->idle_since)) {
            longest = &connection;
        }
    }
    if (longest == nullptr) return false;
    count(counters_.idle_evicted);
    release(*longest);
    longest->task.cancel();
    return true;
}

void HttpServer::run(Connection& connection, env::Socket& socket) {
    Conversation(*this, connection, socket).run();
    socket.close();
    release(connection);
    if (--fiber_count_ == 0) all_ended_.set();
}

void HttpServer::release(Connection& connection) {
    if (!connection.is_counted) return;
    connection.is_counted = false;
    --connection_count_;
    counters_.open_connections.fetch_sub(1, std::memory_order_relaxed);
    auto of_party = per_party_.find(connection.party);
    if (--of_party->second == 0) per_party_.erase(of_party);
}

void HttpServer::reap() {
    std::erase_if(connections_, [](const Connection& connection) {
        return connection.task.is_joinable() && connection.task.is_done();
    });
    reap_at_ = std::max<std::size_t>(16, connections_.size() * 2);
}

void HttpServer::finish() {
    fiber::CancelBlocker blocker;
    is_stopping_ = true;
    all_ended_.reset();
    for (Connection& connection : connections_) {
        if (connection.is_idle || connection.is_taken) connection.task.cancel();
    }
    if (fiber_count_ > 0) static_cast<void>(all_ended_.wait(Deadline::in(options_.stop_time)));
    connections_.clear();
}

}  // namespace ringlay::net
