#include "relay/api/router.hpp"

#include <algorithm>
#include <array>

namespace ringlay::api {
namespace {

constexpr std::string_view xrpc_prefix = "/xrpc/";
constexpr std::string_view admin_path = "/admin";
constexpr std::string_view admin_prefix = "/admin/";
constexpr std::string_view limited_name = "relay_http_limited_total";
constexpr std::string_view limited_help = "Requests refused because their address sends many.";

net::HttpResponse content(std::uint16_t status, std::string_view type, std::string body) {
    net::HttpResponse response;
    response.status = status;
    response.headers.add("Content-Type", type);
    response.headers.add("Cache-Control", "no-store");
    response.body = std::move(body);
    return response;
}

net::HttpResponse health_answer(Health health) {
    return content(health.is_ok ? 200 : 503, "application/json", std::move(health.json));
}

bool is_look(const net::HttpRequest& request) {
    return request.method == net::HttpMethod::get || request.method == net::HttpMethod::head;
}

net::HttpResponse only_looks() {
    net::HttpResponse refusal =
        net::json_error(405, "MethodNotAllowed", "only GET and HEAD are served here");
    refusal.headers.add("Allow", "GET, HEAD, OPTIONS");
    return refusal;
}

std::optional<net::HttpResponse> ask(const std::vector<Handler>& handlers,
                                     const net::HttpRequest& request, const Caller& caller) {
    for (const Handler& handler : handlers) {
        if (auto answer = handler(request, caller)) return answer;
    }
    return std::nullopt;
}

}  // namespace

// Pages without a caller, all GET and HEAD; what has many paths is found by its prefix.
struct Router::Route {
    std::string_view path;
    bool is_public;  // on the firehose port, too
    net::HttpResponse (Router::*page)(const net::HttpRequest&);
};

std::span<const Router::Route> Router::routes() {
    static constexpr std::array<Route, 7> all{{
        {"/", true, &Router::home},
        {"/_healthz", true, &Router::liveness},
        {"/_readyz", true, &Router::readiness},
        {"/_health", true, &Router::readiness},
        {"/xrpc/_health", true, &Router::readiness},
        {"/_stats", false, &Router::stats},
        {"/metrics", false, &Router::metrics},
    }};
    return all;
}

Router::Router(RouterSources sources)
    : sources_(std::move(sources)),
      stats_page_(sources_.relay_status),
      xrpc_(sources_.limits.xrpc_burst, sources_.limits.xrpc_refill, sources_.limits.max_addresses),
      subscribe_(sources_.limits.subscribe_burst, sources_.limits.subscribe_refill,
                 sources_.limits.max_addresses),
      xrpc_known_(sources_.metrics.queue("xrpc_addresses", sources_.limits.max_addresses)),
      subscribe_known_(
          sources_.metrics.queue("subscribe_addresses", sources_.limits.max_addresses)),
      xrpc_refused_(sources_.metrics.counter(limited_name, limited_help, {{"what", "xrpc"}})),
      pages_refused_(sources_.metrics.counter(limited_name, limited_help, {{"what", "page"}})),
      subscribe_refused_(
          sources_.metrics.counter(limited_name, limited_help, {{"what", "subscribe"}})) {}

bool Router::is_for_any_site(std::string_view path) {
    const auto route = std::ranges::find(routes(), path, &Route::path);
    return route != routes().end() ? route->is_public : path.starts_with(xrpc_prefix);
}

net::HttpReply Router::answer(Port port, const net::HttpRequest& request, const Address& peer) {
    const net::Client client = net::client_of(request, peer, sources_.trusted_proxies);
    warn_of_proxy(request, client, peer);
    const Caller caller{.address = client.address, .peer = peer, .is_proxied = client.is_proxied};
    const std::string_view path = request.path();
    if (path == firehose::subscribe_path) {
        if (!is_look(request)) return only_looks();
        return subscribe(request, caller);
    }
    const auto route = std::ranges::find(routes(), path, &Route::path);
    const bool is_page = route != routes().end() && (route->is_public || port == Port::http);
    if (!is_page && path.starts_with(xrpc_prefix)) return xrpc(request, caller);
    const bool is_admin = path == admin_path || path.starts_with(admin_prefix);
    if (is_admin && port == Port::http && sources_.gate != nullptr) {
        return admin(request, caller);
    }
    if (port == Port::firehose) {
        if (auto refusal = limit(xrpc_, xrpc_known_, pages_refused_, caller)) {
            return std::move(*refusal);
        }
    }
    if (is_page) return is_look(request) ? (this->*route->page)(request) : only_looks();
    if (!is_look(request)) return only_looks();
    return net::json_error(404, "NotFound", "nothing is served at this path");
}

// A proxy on this machine that is not named: then whatever it passes on is this machine's own, and
// no limit of addresses holds for anybody.
void Router::warn_of_proxy(const net::HttpRequest& request, const net::Client& client,
                           const Address& peer) {
    if (!peer.is_loopback() || client.is_proxied || !request.headers.find("X-Forwarded-For"))
        return;
    if (net::is_in(peer, sources_.trusted_proxies)) return;
    sources_.logger.log(proxy_warnings_, base::LogLevel::warn,
                        static_cast<std::uint64_t>(fiber::wall().count()),
                        "a proxy on this machine is not trusted: limits of addresses are off",
                        {{"setting", "RELAY_TRUSTED_PROXIES"}, {"proxy", peer.ip_text()}});
}

net::HttpReply Router::subscribe(const net::HttpRequest& request, const Caller& caller) {
    if (auto refusal = limit(subscribe_, subscribe_known_, subscribe_refused_, caller)) {
        return std::move(*refusal);
    }
    auto seat = sources_.firehose.admit(
        request, {.address = caller.address, .is_proxied = caller.is_proxied});
    if (!seat) return std::move(seat.error());
    return net::HttpReply::TakeOver(
        [this, seat = std::move(*seat)](env::Socket socket, Buffer already_received) mutable {
            sources_.firehose.seat(std::move(seat), std::move(socket), std::move(already_received));
        });
}

net::HttpResponse Router::home(const net::HttpRequest&) {
    return content(200, "text/plain; charset=utf-8",
                   "ringlay " + sources_.version +
                       ", an AT Protocol relay\n\n"
                       "  firehose  " +
                       std::string(firehose::subscribe_path) +
                       "?cursor=N  (WebSocket)\n"
                       "  repos     /xrpc/com.atproto.sync.listRepos, getRepoStatus,\n"
                       "            getLatestCommit, getRepo\n"
                       "  hosts     /xrpc/com.atproto.sync.listHosts, getHostStatus,\n"
                       "            requestCrawl\n"
                       "  health    /_health\n");
}

net::HttpResponse Router::liveness(const net::HttpRequest&) {
    return health_answer(liveness_page(sources_.log_status(), sources_.version));
}

net::HttpResponse Router::readiness(const net::HttpRequest&) {
    return health_answer(readiness_page(sources_.log_status(), sources_.version));
}

net::HttpResponse Router::stats(const net::HttpRequest&) {
    return content(200, "application/json", *stats_page_.get());
}

net::HttpResponse Router::metrics(const net::HttpRequest&) {
    return content(200, "text/plain; version=0.0.4; charset=utf-8", sources_.metrics.expose());
}

net::HttpResponse Router::xrpc(const net::HttpRequest& request, const Caller& caller) {
    if (auto refusal = limit(xrpc_, xrpc_known_, xrpc_refused_, caller)) {
        return std::move(*refusal);
    }
    if (is_look(request)) {
        if (sources_.repos != nullptr) {
            if (auto answer = sources_.repos->answer(request)) return std::move(*answer);
        }
        if (auto answer = ask(sources_.queries, request, caller)) return std::move(*answer);
    }
    if (auto answer = ask(sources_.procedures, request, caller)) return std::move(*answer);
    if (!is_look(request)) return only_looks();
    return net::json_error(501, "MethodNotImplemented", "this method is not served here");
}

net::HttpResponse Router::admin(const net::HttpRequest& request, const Caller& caller) {
    auto answer = sources_.gate->check(request, caller);
    if (!answer) {
        answer = ask(sources_.admin, request, caller);
        if (!answer) answer = net::json_error(404, "NotFound", "nothing is served at this path");
        sources_.gate->note(request, caller, answer->status);
    }
    answer->headers.add("Cache-Control", "no-store");
    return std::move(*answer);
}

std::optional<net::HttpResponse> Router::limit(Buckets& buckets, base::QueueGauge& known,
                                               base::Counter& refused, const Caller& caller) {
    if (caller.is_this_machine() && !sources_.limits.limits_loopback) return std::nullopt;
    const auto wait = buckets.take(client_key(caller.address), fiber::now());
    known.set_depth(buckets.size());
    if (!wait) return std::nullopt;
    refused.add_shared();
    net::HttpResponse refusal =
        net::json_error(429, "RateLimitExceeded", "too many requests from your address");
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*wait).count();
    refusal.headers.add("Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1)));
    return refusal;
}

}  // namespace ringlay::api
