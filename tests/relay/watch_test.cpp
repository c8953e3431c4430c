#include "relay/watch.hpp"

#include "relay/net/http_server.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;

namespace {

// What a watch writes.
struct Screen {
    std::vector<std::string> written;
    std::optional<ScreenSize> size;

    WatchScreen doors() {
        return {.size = [this] { return size; },
                .write = [this](std::string_view text) { written.emplace_back(text); },
                .has_colour = false};
    }
};

// A port of which nobody listens.
std::uint16_t free_port(env::Env& env) {
    auto listener = env.net.listen(Address::loopback(0)).value();
    return listener.local().port;
}

std::string url_of(std::uint16_t port) {
    return "http://127.0.0.1:" + std::to_string(port);
}

net::HttpResponse answer(const net::HttpRequest& request) {
    net::HttpResponse response;
    if (request.path() == "/_stats") response.body = R"({"version":"9","consumers":[]})";
    if (request.path() == "/_health") {
        response.status = 503;
        response.body = R"({"status":"error","reasons":["log: full"],"ingest":{"hosts_known":4}})";
    }
    if (request.path() == "/metrics") response.body = "\nrelay_process_rss_bytes 5000\n";
    return response;
}

}  // namespace

TEST_ON_BOTH_KERNELS("a relay that is not there is awaited, and shown once it comes") {
    env::Env& env = world.env();
    const std::uint16_t port = free_port(env);
    Screen screen;
    net::HttpServerCounters counters;
    net::HttpServer server(env, {}, counters, [](const net::HttpRequest& request, const Address&) {
        return answer(request);
    });
    std::optional<env::Listener> listener;
    fiber::Task watching = fiber::spawn("watch", [&] {
        CHECK_FALSE(watch(env, {.url = url_of(port) + "/", .notes = {}}, screen.doors()));
    });
    while (screen.written.empty()) REQUIRE(fiber::sleep_for(std::chrono::milliseconds(5)));
    CHECK(screen.written[0].starts_with("no relay there yet: "));
    listener = env.net.listen(Address::loopback(port)).value();
    fiber::Task serving = fiber::spawn("serve", [&] { server.serve(*listener); });
    while (screen.written.size() < 2) REQUIRE(fiber::sleep_for(std::chrono::milliseconds(5)));
    CHECK(screen.written[1] ==
          "-/4 hosts, - events/s, - % verified, 0 consumers, seq -, log - -, -/h, memory 5.0 kB, "
          "error; log: full\n");
    watching.cancel_and_join();
    serving.cancel_and_join();
}

TEST_ON_BOTH_KERNELS("a terminal gets a page of its size each second, drawn over the last one") {
    env::Env& env = world.env();
    Screen screen;
    screen.size = ScreenSize{.columns = 30, .rows = 5};
    auto listener = env.net.listen(Address::loopback(0)).value();
    net::HttpServerCounters counters;
    net::HttpServer server(env, {}, counters, [](const net::HttpRequest& request, const Address&) {
        return answer(request);
    });
    fiber::Task serving = fiber::spawn("serve", [&] { server.serve(listener); });
    WatchOptions options{.url = url_of(listener.local().port), .notes = {"a note"}, .seconds = 1};
    CHECK_FALSE(watch(env, options, screen.doors()));
    REQUIRE(screen.written.size() == 2);
    for (const std::string& page : screen.written) {
        CHECK(page.starts_with("\x1b[Hringlay 9"));
        CHECK(page.find("! log: full\x1b[K\r\n") != page.npos);
        CHECK(page.ends_with("\r\na note\x1b[K\x1b[J"));
    }
    serving.cancel_and_join();
}

TEST_ON_BOTH_KERNELS("without a terminal there is a line every ten seconds") {
    env::Env& env = world.env();
    if (!world.is_simulated()) return;  // it would take ten seconds
    Screen screen;
    auto listener = env.net.listen(Address::loopback(0)).value();
    net::HttpServerCounters counters;
    net::HttpServer server(env, {}, counters, [](const net::HttpRequest& request, const Address&) {
        return answer(request);
    });
    fiber::Task serving = fiber::spawn("serve", [&] { server.serve(listener); });
    CHECK_FALSE(watch(env, {.url = url_of(listener.local().port), .notes = {}, .seconds = 25},
                      screen.doors()));
    CHECK(screen.written.size() == 3);
    serving.cancel_and_join();
}

TEST_ON_BOTH_KERNELS("what is no address of a relay is refused") {
    Screen screen;
    for (const char* url : {"127.0.0.1:3001", "https://relay.example", "http://h:1/_stats", ""}) {
        CAPTURE(url);
        CHECK(watch(world.env(), {.url = url, .notes = {}}, screen.doors()).has_value());
    }
    CHECK(screen.written.empty());
}
