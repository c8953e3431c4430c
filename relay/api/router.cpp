#include "relay/api/router.hpp"

namespace ringlay::api {
namespace {

net::HttpResponse content(std::uint16_t status, std::string_view type, std::string body) {
    net::HttpResponse response;
    response.status = status;
    response.headers.add("Content-Type", type);
    response.body = std::move(body);
    return response;
}

bool is_public_only(Router::Port port) {
    return port == Router::Port::firehose;
}

}  // namespace

net::HttpReply Router::answer(Port port, const net::HttpRequest& request, const Address& peer) {
    std::string_view path = request.path();
    if (path == firehose::subscribe_path) return subscribe(request, peer);
    if (request.method != net::HttpMethod::get && request.method != net::HttpMethod::head) {
        net::HttpResponse refusal =
            net::json_error(405, "MethodNotAllowed", "only GET and HEAD are served here");
        refusal.headers.add("Allow", "GET, HEAD, OPTIONS");
        return refusal;
    }
    return page(port, request);
}

net::HttpReply Router::subscribe(const net::HttpRequest& request, const Address& peer) {
    auto seat = sources_.firehose.admit(request, peer);
    if (!seat) return std::move(seat.error());
    return net::HttpReply::TakeOver(
        [this, seat = std::move(*seat)](env::Socket socket, Buffer already_received) mutable {
            sources_.firehose.seat(std::move(seat), std::move(socket), std::move(already_received));
        });
}

net::HttpResponse Router::page(Port port, const net::HttpRequest& request) {
    std::string_view path = request.path();
    if (path == "/_health" || path == "/xrpc/_health" || path == "/_healthz" ||
        path == "/_readyz") {
        Health health = health_page(sources_.log_status(), sources_.version);
        return content(health.is_ok ? 200 : 503, "application/json", std::move(health.json));
    }
    if (path == "/") {
        return content(200, "text/plain; charset=utf-8",
                       "ringlay " + sources_.version +
                           ", an AT Protocol relay\n\n"
                           "  firehose  " +
                           std::string(firehose::subscribe_path) +
                           "?cursor=N  (WebSocket)\n"
                           "  repos     /xrpc/com.atproto.sync.listRepos, getRepoStatus,\n"
                           "            getLatestCommit, getRepo\n"
                           "  health    /_health\n");
    }
    if (!is_public_only(port)) {
        if (path == "/_stats") {
            return content(200, "application/json", stats_page(sources_.relay_status()));
        }
        if (path == "/metrics") {
            return content(200, "text/plain; version=0.0.4; charset=utf-8",
                           sources_.metrics.expose());
        }
    }
    if (path.starts_with("/xrpc/")) {
        if (sources_.repos != nullptr) {
            if (auto answer = sources_.repos->answer(request)) return std::move(*answer);
        }
        return net::json_error(501, "MethodNotImplemented", "this method is not served here");
    }
    return net::json_error(404, "NotFound", "nothing is served at this path");
}

}  // namespace ringlay::api
