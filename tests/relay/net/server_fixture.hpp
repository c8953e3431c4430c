// A server in a fiber of the test's worker, and raw connections to it.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "relay/net/dial.hpp"
#include "relay/net/http_server.hpp"
#include "tests/support/worlds.hpp"

namespace ringlay::net {

class RunningServer {
  public:
    RunningServer(env::Env& env, HttpServerOptions options, HttpHandler handler)
        : env_(env),
          listener_(env.net.listen(Address::loopback(0)).value()),
          server_(env, std::move(options), counters, std::move(handler)),
          serving_(fiber::spawn("serve", [this] { server_.serve(listener_); })) {}
    ~RunningServer() { stop(); }

    void stop() {
        if (serving_.is_joinable()) serving_.cancel_and_join();
    }
    void ask_to_stop() { serving_.cancel(); }
    bool has_stopped() const { return serving_.is_done(); }

    env::Socket connect() {
        return env_.net.connect(listener_.local(), Deadline::in(std::chrono::seconds(30))).value();
    }
    std::string url(std::string_view path, std::string_view scheme = "http") const {
        return std::string(scheme) + "://" + listener_.local().text() + std::string(path);
    }
    std::size_t connection_count() const { return server_.connection_count(); }

    HttpServerCounters counters;

  private:
    env::Env& env_;
    env::Listener listener_;
    HttpServer server_;
    fiber::Task serving_;
};

// What a raw client sees: everything until the server hangs up, or until nothing comes any more.
inline std::string read_all(env::Socket& socket, Nanos patience = std::chrono::seconds(100)) {
    std::string text;
    for (;;) {
        auto chunk = socket.receive(Deadline::in(patience));
        if (!chunk || chunk->empty()) return text;
        text.append(reinterpret_cast<const char*>(chunk->bytes().data()), chunk->bytes().size());
    }
}

// Reads until this text has come; empty when it does not come.
inline std::string read_until(env::Socket& socket, std::string_view wanted) {
    std::string text;
    while (text.find(wanted) == text.npos) {
        auto chunk = socket.receive(Deadline::in(std::chrono::seconds(30)));
        if (!chunk || chunk->empty()) return "";
        text.append(reinterpret_cast<const char*>(chunk->bytes().data()), chunk->bytes().size());
    }
    return text;
}

inline void send_text(env::Socket& socket, std::string_view text) {
    static_cast<void>(socket.send(bytes_of(text), Deadline::in(std::chrono::seconds(30))));
}

// Answers with the request's method, target and body; `/large` with a megabyte, `/slow` after a
// while, `/throw` not at all.
inline HttpReply echo(const HttpRequest& request, const Address&) {
    if (request.path() == "/throw") throw std::runtime_error("thrown by the handler");
    if (request.path() == "/slow")
        static_cast<void>(fiber::sleep_for(std::chrono::milliseconds(200)));
    if (request.path() == "/large") return HttpResponse{200, {}, std::string(1 << 20, 'x')};
    std::string text(name_of(request.method));
    return HttpResponse{200, {}, text + " " + request.target + " " + request.body};
}

}  // namespace ringlay::net
