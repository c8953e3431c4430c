#include "relay/api/router.hpp"

#include <catch2/catch.hpp>

#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::api;
using namespace std::chrono_literals;
using enum net::HttpMethod;

namespace {

using Port = Router::Port;

Address ip(std::string_view text) {
    return Address::parse(text, 4711).value();
}

struct Rig {
    explicit Rig(env::Env& env, RouterLimits limits = {})
        : firehose_metrics(metrics),
          firehose(firehose_metrics, {}, {}),
          gate(env, logger, metrics, {"pass"}),
          router(sources(limits)) {}

    RouterSources sources(RouterLimits limits) {
        auto answers = [this](std::string_view path, std::string_view text) {
            return [this, path, text](const net::HttpRequest& request,
                                      const Caller& asking) -> std::optional<net::HttpResponse> {
                if (request.path() != path) return std::nullopt;
                caller = asking;
                return net::HttpResponse{200, {}, std::string(text)};
            };
        };
        return {.version = "1",
                .log_status = [this] { return log; },
                .relay_status =
                    [this] {
                        ++stats_made;
                        return RelayStatus();
                    },
                .metrics = metrics,
                .logger = logger,
                .firehose = firehose,
                .queries = {answers("/xrpc/q.one", "one"), answers("/xrpc/q.two", "two")},
                .procedures = {answers("/xrpc/p.one", "done")},
                .admin = {answers("/admin/a.one", "first"), answers("/admin/a.two", "second")},
                .gate = &gate,
                .trusted_proxies = {Network::parse("10.0.0.0/8").value()},
                .limits = limits};
    }

    net::HttpResponse ask(Port port, net::HttpMethod method, std::string target,
                          std::initializer_list<net::HttpHeaders::Field> fields = {},
                          std::string_view peer = "203.0.113.5") {
        net::HttpRequest request;
        request.method = method;
        request.target = std::move(target);
        for (const auto& field : fields) request.headers.add(field.name, field.value);
        return router.answer(port, request, ip(peer)).response;
    }
    int status(Port port, net::HttpMethod method, std::string target) {
        return ask(port, method, std::move(target)).status;
    }
    bool has_counted(std::string_view line) {
        return metrics.expose().find(std::string(line) + "\n") != std::string::npos;
    }

    base::Logger logger{base::LogLevel::warn, base::LogFormat::text, 64};
    base::Metrics metrics{1};
    firehose::FirehoseMetrics firehose_metrics;
    firehose::Firehose firehose;
    AdminGate gate;
    LogStatus log;
    Caller caller;
    int stats_made = 0;
    Router router;
};

constexpr net::HttpHeaders::Field right{"Authorization", "Bearer pass"};

}  // namespace

TEST_ON_BOTH_KERNELS("the firehose port has the public part, the http port everything") {
    Rig rig(world.env());
    for (std::string path : {"/", "/_health", "/_healthz", "/_readyz", "/xrpc/_health",
                             "/xrpc/q.one", "/xrpc/q.two", "/xrpc/p.one"}) {
        CAPTURE(path);
        CHECK(rig.status(Port::firehose, get, path) == 200);
        CHECK(rig.status(Port::http, get, path) == 200);
        CHECK(rig.status(Port::http, head, path + "?x=1") == 200);
    }
    for (std::string path : {"/_stats", "/metrics"}) {
        CAPTURE(path);
        CHECK(rig.status(Port::firehose, get, path) == 404);
        CHECK(rig.status(Port::http, get, path) == 200);
        CHECK(rig.status(Port::http, post, path) == 405);
    }
    CHECK(rig.ask(Port::firehose, get, "/admin/a.one", {right}).status == 404);
    CHECK(rig.ask(Port::firehose, get, "/admin", {right}).status == 404);
    CHECK(rig.ask(Port::http, get, "/admin/a.one", {right}).body == "first");
    CHECK(rig.ask(Port::http, post, "/admin/a.two", {right}).body == "second");
    for (Port port : {Port::firehose, Port::http}) {
        CHECK(rig.status(port, get, "/xrpc/com.atproto.sync.subscribeRepos") == 426);
        CHECK(rig.status(port, post, "/xrpc/com.atproto.sync.subscribeRepos") == 405);
        for (std::string path :
             {"/debug", "/administration", "/_stats/", "//metrics", "/x/../metrics", "/%6detrics",
              "/METRICS", "/xrpc", "/..%2fmetrics", "*"}) {
            CAPTURE(path);
            CHECK(rig.status(port, get, path) == 404);
        }
    }
}

TEST_CASE("pages of any site may read what is for the world, and nothing of the operator's") {
    for (std::string_view path :
         {"/", "/_health", "/_healthz", "/_readyz", "/xrpc/_health",
          "/xrpc/com.atproto.sync.listRepos", "/xrpc/com.atproto.sync.subscribeRepos"}) {
        CAPTURE(path);
        CHECK(Router::is_for_any_site(path));
    }
    for (std::string_view path : {"/_stats", "/metrics", "/admin", "/admin/", "/admin/hosts",
                                  "/nothing", "/xrpc", "//xrpc/", ""}) {
        CAPTURE(path);
        CHECK_FALSE(Router::is_for_any_site(path));
    }
}

TEST_ON_BOTH_KERNELS("queries are looks only; procedures and the administration take a POST") {
    Rig rig(world.env());
    for (Port port : {Port::firehose, Port::http}) {
        CHECK(rig.status(port, post, "/xrpc/q.one") == 405);
        CHECK(rig.ask(port, post, "/xrpc/p.one").body == "done");
        CHECK(rig.status(port, post, "/_health") == 405);
        CHECK(rig.ask(port, del, "/nothing").headers.find("Allow") == "GET, HEAD, OPTIONS");
        CHECK(rig.status(port, get, "/xrpc/unknown") == 501);
    }
}

TEST_ON_BOTH_KERNELS("nothing below /admin is answered, nor said to exist, without the password") {
    Rig rig(world.env());
    for (std::string path : {"/admin/a.one", "/admin/unknown", "/admin/", "/admin"}) {
        CHECK(rig.status(Port::http, get, path) == 401);
        CHECK(rig.status(Port::http, post, path) == 401);
    }
    CHECK(rig.ask(Port::http, get, "/admin/unknown", {right}).status == 404);
    CHECK(rig.ask(Port::http, get, "/admin/a.one", {right}).headers.find("Cache-Control") ==
          "no-store");
}

TEST_ON_BOTH_KERNELS("handlers are told the client's address, as trusted proxies say it") {
    Rig rig(world.env());
    rig.ask(Port::http, get, "/xrpc/q.one", {{"X-Forwarded-For", "198.51.100.7"}});
    CHECK(rig.caller.address == ip("203.0.113.5"));
    CHECK_FALSE(rig.caller.is_proxied);
    rig.ask(Port::http, get, "/xrpc/q.one", {{"X-Forwarded-For", "198.51.100.7"}}, "10.0.0.1");
    CHECK(rig.caller.address.ip_text() == "198.51.100.7");
    CHECK(rig.caller.peer == ip("10.0.0.1"));
    CHECK(rig.caller.is_proxied);
}

TEST_ON_BOTH_KERNELS(
    "an address has so many requests; others have theirs, this machine and port 3001's health "
    "any") {
    Rig rig(world.env(), {.xrpc_burst = 2,
                          .xrpc_refill = 90s,
                          .subscribe_burst = 1,
                          .subscribe_refill = 30s,
                          .max_addresses = 8});
    auto from = [&](std::string_view client, std::string path = "/xrpc/q.one") {
        return rig.ask(Port::firehose, get, std::move(path), {{"X-Forwarded-For", client}},
                       "10.0.0.1");
    };
    CHECK(from("198.51.100.1").status == 200);
    CHECK(from("198.51.100.1", "/xrpc/unknown").status == 501);
    net::HttpResponse refusal = from("198.51.100.1");
    CHECK(refusal.status == 429);
    const int wait = std::stoi(std::string(refusal.headers.find("Retry-After").value_or("0")));
    CHECK(wait <= 90);
    CHECK(wait > 60);
    CHECK(from("198.51.100.2").status == 200);
    for (int i = 0; i < 10; ++i) {
        CHECK(rig.ask(Port::firehose, get, "/xrpc/q.one", {}, "127.0.0.1").status == 200);
        CHECK(rig.ask(Port::firehose, get, "/_health", {}, "127.0.0.1").status == 200);
        CHECK(rig.ask(Port::http, get, "/xrpc/_health", {}, "198.51.100.1").status == 200);
        CHECK(rig.ask(Port::http, get, "/metrics", {}, "198.51.100.1").status == 200);
    }
    const std::string subscribe = "/xrpc/com.atproto.sync.subscribeRepos";
    CHECK(from("198.51.100.1", subscribe).status == 426);
    CHECK(from("198.51.100.1", subscribe).status == 429);
    CHECK(from("198.51.100.2", subscribe).status == 426);
    CHECK(rig.has_counted("relay_http_limited_total{what=\"xrpc\"} 1"));
    CHECK(rig.has_counted("relay_http_limited_total{what=\"subscribe\"} 1"));
    CHECK(rig.has_counted("relay_queue_depth{queue=\"xrpc_addresses\"} 2"));
    CHECK(rig.has_counted("relay_queue_bound{queue=\"xrpc_addresses\"} 8"));
}

TEST_ON_BOTH_KERNELS("pages of the firehose port, and what is not there, are requests as others") {
    for (std::string path : {"/", "/_health", "/xrpc/_health", "/_healthz", "/none", "/metrics"}) {
        CAPTURE(path);
        Rig rig(world.env(), {.xrpc_burst = 2, .xrpc_refill = 90s});
        CHECK(rig.status(Port::firehose, get, "/xrpc/q.one") == 200);
        CHECK(rig.status(Port::firehose, get, path) != 429);
        CHECK(rig.status(Port::firehose, get, path) == 429);
        CHECK(rig.status(Port::firehose, post, path) == 429);
        CHECK(rig.has_counted("relay_http_limited_total{what=\"page\"} 2"));
    }
}

TEST_ON_BOTH_KERNELS("who is said by a proxy to be this machine has the limits of a stranger") {
    Rig rig(world.env(),
            {.xrpc_burst = 1, .xrpc_refill = 90s, .subscribe_burst = 1, .subscribe_refill = 90s});
    for (std::string path : {"/xrpc/q.one", "/xrpc/com.atproto.sync.subscribeRepos"}) {
        CAPTURE(path);
        auto ask = [&] {
            return rig.ask(Port::http, get, path, {{"X-Forwarded-For", "127.0.0.1"}}, "10.0.0.1");
        };
        CHECK(ask().status != 429);
        CHECK(ask().status == 429);
    }
}

TEST_ON_BOTH_KERNELS("a proxy on this machine that is not named is warned of, once an hour") {
    Rig rig(world.env());
    auto warnings = [&] {
        int count = 0;
        rig.logger.flush([&](std::string_view line) {
            if (line.find("RELAY_TRUSTED_PROXIES") != line.npos) ++count;
        });
        return count;
    };
    const net::HttpHeaders::Field told{"X-Forwarded-For", "198.51.100.7"};
    rig.ask(Port::http, get, "/", {}, "127.0.0.1");
    rig.ask(Port::http, get, "/", {told}, "203.0.113.5");
    rig.ask(Port::http, get, "/", {told}, "10.0.0.1");
    CHECK(warnings() == 0);
    for (int i = 0; i < 3; ++i) rig.ask(Port::http, get, "/", {told}, "127.0.0.1");
    CHECK(warnings() == 1);
    if (!world.is_simulated()) return;
    static_cast<void>(fiber::sleep_for(61min));
    rig.ask(Port::http, get, "/", {told}, "127.0.0.1");
    CHECK(warnings() == 1);
}

TEST_ON_BOTH_KERNELS(
    "health is 503 with its reason when something is wrong, alive is another page") {
    Rig rig(world.env());
    rig.log.is_stalled = true;
    rig.log.stall = "disk full";
    for (std::string path : {"/_health", "/xrpc/_health", "/_readyz"}) {
        CHECK(rig.status(Port::firehose, get, path) == 503);
        CHECK(rig.ask(Port::http, get, path).body.find("log: disk full") != std::string::npos);
    }
    CHECK(rig.status(Port::http, get, "/_healthz") == 200);
    rig.log.wedge = "stuck";
    CHECK(rig.status(Port::http, get, "/_healthz") == 503);
}

TEST_ON_BOTH_KERNELS("statistics are made once a second, however often they are asked for") {
    if (!world.is_simulated()) return;
    Rig rig(world.env());
    for (int i = 0; i < 5; ++i) CHECK(rig.status(Port::http, get, "/_stats") == 200);
    CHECK(rig.stats_made == 1);
    static_cast<void>(fiber::sleep_for(1s));
    CHECK(rig.status(Port::http, get, "/_stats") == 200);
    CHECK(rig.stats_made == 2);
}
