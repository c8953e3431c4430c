#include "relay/hosts/discovery.hpp"

#include "proto/base/json_writer.hpp"
#include "relay/net/http_server.hpp"
#include "tests/support/fake_hosts.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::hosts;
using namespace std::chrono_literals;
using Names = std::vector<std::string>;

#define TEST_IN_SIMULATION(name)                       \
    RINGLAY_TEST_ON(INTERNAL_CATCH_UNIQUE_NAME(body_), \
                    ([](auto body) { support::in_simulation({1}, body); }), name)

namespace {

std::string page_of(const Names& names, std::string_view cursor = "") {
    JsonWriter json;
    json.begin_object();
    if (!cursor.empty()) json.key("cursor").text(cursor);
    json.key("hosts").begin_array();
    for (const auto& name : names) json.begin_object().key("hostname").text(name).end_object();
    return json.end_array().end_object().take();
}

const std::string list_url = "https://up.example/xrpc/com.atproto.sync.listHosts";
const std::string first_page = list_url + "?limit=1000";

std::string page_url(std::string_view cursor) {
    return first_page + "&cursor=" + std::string(cursor);
}

struct Rig {
    explicit Rig(env::Env& doors, DiscoveryOptions wanted = {}) : env(doors), options(wanted) {
        if (options.upstreams.empty()) options.upstreams = {"https://up.example"};
        options.user_agent = "ringlay/test (atproto-relay)";
    }

    Discovery& begin() {
        discovery.emplace(env, lines.logger, metrics, hosts.book(), servers.fetch(), options);
        discovery->start();
        return *discovery;
    }
    // Until the list that is due now was read, or failed.
    DiscoveryStatus wait() {
        do {
            static_cast<void>(fiber::sleep_for(1ms));
        } while (discovery->status().front().next_attempt.count() == 0);
        return discovery->status().front();
    }
    DiscoveryStatus take() {
        begin();
        return wait();
    }
    void answer(std::string url, std::string body, std::uint16_t status = 200) {
        servers.answers[std::move(url)] = {
            .status = status, .body = std::move(body), .server = "", .failure = ""};
    }
    void fail(std::string why) {
        servers.answers[first_page] = {.body = "", .server = "", .failure = std::move(why)};
    }
    // How long it sleeps until the next attempt, which it then waits for.
    Nanos next() {
        const WallMillis pause = discovery->status().front().next_attempt - env.clock.wall();
        static_cast<void>(fiber::sleep_for(pause + 1ms));
        wait();
        return pause;
    }

    env::Env& env;
    DiscoveryOptions options;
    support::FakeHosts hosts;
    support::FakeServers servers;
    support::LogLines lines;
    base::Metrics metrics{1};
    std::optional<Discovery> discovery;
};

std::size_t count_of(const Names& lines, std::string_view what) {
    return static_cast<std::size_t>(std::ranges::count_if(
        lines, [&](const auto& line) { return line.find(what) != line.npos; }));
}

}  // namespace

TEST_IN_SIMULATION("at the start all pages of an upstream are read, and new hosts offered once") {
    Rig rig(world.env());
    rig.hosts.add("known.example", HostState::offline);
    rig.answer(first_page, page_of({"a.example", "known.example", "B.example"}, "1&=%/ü"));
    rig.answer(page_url("1%26%3D%25%2F%C3%BC"), page_of({"a.example", "c.example"}));
    WallMillis before = rig.env.clock.wall();
    DiscoveryStatus status = rig.take();
    CHECK(rig.hosts.offered() == Names{"a.example", "b.example", "c.example"});
    for (const auto& offer : rig.hosts.offers) {
        CHECK(offer.source == HostSource::upstream);
        CHECK_FALSE(offer.from);
    }
    CHECK(rig.servers.asked == Names{first_page, page_url("1%26%3D%25%2F%C3%BC")});
    CHECK(rig.servers.options[0].headers.find("User-Agent") == "ringlay/test (atproto-relay)");
    CHECK(rig.servers.options[0].max_body_bytes == 2'000'000);
    CHECK(status.upstream == "up.example");
    CHECK(status.listed == 5);
    CHECK(status.added == 3);
    CHECK(status.rejected == 0);
    CHECK_FALSE(status.is_cut);
    CHECK(status.failure == "");
    CHECK(status.last_success >= before);
    auto lines = rig.lines.take();
    CHECK(count_of(lines, "hosts listed") == 1);
    std::string page = rig.metrics.expose();
    CHECK(page.find("relay_discovery_lists_total 1\n") != page.npos);
    CHECK(page.find("relay_discovery_hosts_added_total 3\n") != page.npos);
    CHECK(page.find("relay_discovery_hosts_listed 5\n") != page.npos);
    CHECK(page.find("relay_discovery_failures_total 0\n") != page.npos);
    CHECK(page.find("relay_discovery_last_success_timestamp_seconds " +
                    std::to_string(status.last_success.count() / 1000) + "\n") != page.npos);
}

TEST_IN_SIMULATION("the list is read again every 20 minutes, with up to two minutes more") {
    Rig rig(world.env());
    rig.answer(first_page, page_of({"a.example"}));
    rig.take();
    Nanos least = 1h, most{0};
    for (int i = 0; i < 10; ++i) {
        if (i == 5) rig.answer(first_page, page_of({"a.example", "new.example"}));
        Nanos pause = rig.next();
        CHECK(pause >= 20min);
        CHECK(pause <= 22min);
        least = std::min(least, pause);
        most = std::max(most, pause);
    }
    CHECK(least < most);
    CHECK(rig.servers.asked.size() == 11);
    // A host that is known is left alone: it was offered once.
    CHECK(rig.hosts.offered() == Names{"a.example", "new.example"});
}

TEST_IN_SIMULATION("a failure is tried again after 30 s, then more seldom up to 20 minutes") {
    Rig rig(world.env());
    rig.answer(first_page, page_of({"first.example"}));
    rig.take();
    rig.fail("gone");
    rig.next();
    for (Nanos expected : std::vector<Nanos>{30s, 60s, 120s, 240s, 480s, 960s, 20min, 20min}) {
        Nanos pause = rig.next();
        CHECK(pause >= expected - 1ms);
        CHECK(pause <= expected + expected / 10);
    }
    rig.answer(first_page, page_of({"a.example"}));
    rig.next();
    CHECK(rig.discovery->status().front().failure == "");
    CHECK(rig.hosts.offered() == Names{"first.example", "a.example"});
    // And from the beginning when it fails again.
    rig.fail("gone");
    rig.next();
    CHECK(rig.next() <= 33s);
    std::string page = rig.metrics.expose();
    CHECK(page.find("relay_discovery_failures_total 11\n") != page.npos);
}

TEST_IN_SIMULATION("while no list was read, or no host is known, it is tried every 30 s") {
    Rig rig(world.env());
    rig.hosts.add("known.example", HostState::offline);
    rig.fail("cannot resolve up.example: no such name");
    DiscoveryStatus status = rig.take();
    CHECK(status.failure == "up.example not reachable: cannot resolve up.example: no such name");
    CHECK(status.last_success.count() == 0);
    auto is_soon = [&] {
        const Nanos pause = rig.next();
        return pause >= 30s - 1ms && pause <= 33s;
    };
    for (int i = 0; i < 50; ++i) CHECK(is_soon());
    rig.answer(first_page, page_of({}));
    rig.next();
    rig.fail("gone");
    rig.next();
    CHECK(is_soon());
    CHECK_FALSE(is_soon());
    // A list was read, but there was nothing in it.
    Rig empty(world.env());
    empty.answer(first_page, page_of({}));
    empty.take();
    empty.fail("gone");
    empty.next();
    for (int i = 0; i < 5; ++i) CHECK(empty.next() <= 33s);
    // What was known may be gone again, while the pauses have grown.
    Rig removed(world.env());
    removed.hosts.add("known.example", HostState::offline);
    removed.answer(first_page, page_of({}));
    bool is_empty = false;
    HostBook book = removed.hosts.book();
    book.views = [&is_empty, views = book.views] {
        return is_empty ? std::make_shared<std::vector<HostView>>() : views();
    };
    removed.discovery.emplace(removed.env, removed.lines.logger, removed.metrics, book,
                              removed.servers.fetch(), removed.options);
    removed.discovery->start();
    removed.wait();
    removed.fail("gone");
    for (int i = 0; i < 4; ++i) removed.next();
    is_empty = true;
    removed.next();
    CHECK(removed.next() <= 33s);
}

TEST_IN_SIMULATION("a list of one upstream is enough for the others to wait longer") {
    Rig rig(world.env(), {.upstreams = {"https://down.example", "https://up.example"}});
    rig.servers.otherwise.failure = "gone";
    rig.answer(first_page, page_of({"a.example"}));
    rig.begin();
    static_cast<void>(fiber::sleep_for(30min));
    CHECK(count_of(rig.servers.asked, "down.example") <= 8);
}

TEST_IN_SIMULATION("of what goes on failing a line is logged every five minutes at least") {
    Rig rig(world.env());
    rig.fail("cannot resolve up.example: no such name");
    rig.begin();
    static_cast<void>(fiber::sleep_for(60min));
    const auto lines = rig.lines.take();
    const std::size_t said = count_of(lines, "no such name; retrying in 30 s");
    CHECK(said >= 10);
    CHECK(said <= 13);
    CHECK(said == lines.size());
    const DiscoveryStatus status = rig.discovery->status().front();
    const std::string words = failure_words(status, status.next_attempt - WallMillis(7000));
    CHECK(words ==
          "up.example not reachable: cannot resolve up.example: no such name; next attempt in 7 s");
    CHECK(failure_words(status, status.next_attempt).ends_with("; it is being tried again"));
}

TEST_IN_SIMULATION("the new hosts of a page are offered together, a thousand at a time") {
    Rig rig(world.env());
    Names names;
    for (int i = 0; i < 2500; ++i) names.push_back("h" + std::to_string(i) + ".example");
    rig.answer(first_page, page_of(names, "1"));
    rig.answer(page_url("1"), page_of({"h1.example", "last.example"}));
    CHECK(rig.take().added == 2501);
    CHECK(rig.hosts.batches == std::vector<std::size_t>{1000, 1000, 500, 1});
}

TEST_IN_SIMULATION(
    "why there is no list is logged at once for each reason, with a remedy at first") {
    Rig rig(world.env());
    rig.fail("cannot resolve up.example: no such name");
    rig.take();
    for (int i = 0; i < 3; ++i) rig.next();
    auto lines = rig.lines.take();
    CHECK(count_of(lines, "no list of hosts") == 1);
    CHECK(count_of(lines,
                   "up.example not reachable: cannot resolve up.example: no such name; retrying in "
                   "30 s; `scripts/run --local-network` needs no internet") == 1);
    rig.answer(first_page, "oops", 503);
    rig.next();
    rig.next();
    lines = rig.lines.take();
    CHECK(count_of(lines, "up.example gives no list of hosts: status 503; retrying in ") == 1);
    CHECK(lines.size() == 1);
    rig.answer(first_page, page_of({}));
    rig.next();
    CHECK(count_of(rig.lines.take(), "hosts listed") == 1);
    // The remedy is for those who never had a list; after a success the same reason is news again.
    rig.answer(first_page, "oops", 503);
    rig.next();
    lines = rig.lines.take();
    CHECK(count_of(lines, "status 503; retrying in 30 s") == 1);
    CHECK(count_of(lines, "local-network") == 0);
}

TEST_IN_SIMULATION("an answer that is no list fails in words; what was read before it is kept") {
    for (auto [status, body, words] : {
             std::tuple(std::uint16_t{404}, "{}", "status 404"),
             std::tuple(std::uint16_t{302}, "", "status 302"),
             std::tuple(std::uint16_t{200}, "<html>", "not a JSON object"),
             std::tuple(std::uint16_t{200}, "", "an empty answer"),
             std::tuple(std::uint16_t{200}, R"({"hosts":7})", "no list of hosts in it"),
         }) {
        CAPTURE(status, body);
        Rig rig(world.env());
        rig.answer(first_page, page_of({"a.example"}, "7"));
        rig.answer(page_url("7"), body, status);
        DiscoveryStatus told = rig.take();
        CHECK(told.failure == std::string("up.example gives no list of hosts: ") + words);
        CHECK(told.last_success.count() == 0);
        CHECK(rig.hosts.offered() == Names{"a.example"});
    }
}

TEST_IN_SIMULATION("a list without end is read for 100 pages, and said to be cut") {
    Rig rig(world.env());
    for (int i = 0; i <= 200; ++i) {
        std::string number = std::to_string(i);
        rig.answer(i == 0 ? first_page : page_url(number),
                   page_of({"h" + number + ".example"}, std::to_string(i + 1)));
    }
    DiscoveryStatus status = rig.take();
    CHECK(rig.servers.asked.size() == 100);
    CHECK(rig.hosts.offers.size() == 100);
    CHECK(status.is_cut);
    CHECK(status.failure == "");
    CHECK(count_of(rig.lines.take(), R"("cut":true)") == 1);
}

TEST_IN_SIMULATION("a list whose hundredth page is its last is whole") {
    Rig rig(world.env());
    for (int i = 0; i < 100; ++i) {
        rig.answer(i == 0 ? first_page : page_url(std::to_string(i)),
                   page_of({}, i == 99 ? "" : std::to_string(i + 1)));
    }
    DiscoveryStatus status = rig.take();
    CHECK(rig.servers.asked.size() == 100);
    CHECK_FALSE(status.is_cut);
}

TEST_IN_SIMULATION("a cursor that was there before ends the list") {
    Rig rig(world.env());
    rig.answer(first_page, page_of({"a.example"}, "1"));
    rig.answer(page_url("1"), page_of({"b.example"}, "2"));
    rig.answer(page_url("2"), page_of({"c.example"}, "1"));
    DiscoveryStatus status = rig.take();
    CHECK(rig.servers.asked.size() == 3);
    CHECK(status.added == 3);
    CHECK_FALSE(status.is_cut);
}

TEST_IN_SIMULATION("no more hosts are looked at than allowed, whatever a page holds") {
    Rig rig(world.env(), {.max_hosts = 500});
    Names names;
    for (int i = 0; i < 501; ++i) names.push_back("h" + std::to_string(i) + ".example");
    rig.answer(first_page, page_of(names, "1"));
    DiscoveryStatus status = rig.take();
    CHECK(status.listed == 500);
    CHECK(rig.hosts.offers.size() == 500);
    CHECK(status.is_cut);
    CHECK(rig.servers.asked.size() == 1);
}

TEST_IN_SIMULATION("a full registry ends the list, another refusal does not") {
    Rig rig(world.env());
    rig.hosts.refusals["quota.example"] = Refusal::Why::quota;
    rig.hosts.refusals["full.example"] = Refusal::Why::full;
    rig.answer(first_page,
               page_of({"a.example", "quota.example", "b.example", "full.example", "c.example"}));
    DiscoveryStatus status = rig.take();
    CHECK(rig.hosts.offered() == Names{"a.example", "quota.example", "b.example", "full.example"});
    CHECK(status.added == 2);
    CHECK(status.rejected == 2);
    CHECK(status.rejection == "full.example: the book refuses");
    CHECK(status.is_cut);
    std::string page = rig.metrics.expose();
    CHECK(page.find("relay_discovery_hosts_rejected_total 2\n") != page.npos);
}

TEST_IN_SIMULATION(
    "hosts banned there, names that are none and the upstream itself are passed over") {
    Rig rig(world.env());
    rig.answer(first_page, R"({"hosts":[{"hostname":"bad.example","status":"banned"},)"
                           R"({"hostname":"off.example","status":"offline"},)"
                           R"({"hostname":"up.example"},{"hostname":"UP.example"},7,)"
                           R"({"hostname":"no name"},{"hostname":"ftp://x.example"}]})");
    DiscoveryStatus status = rig.take();
    CHECK(rig.hosts.offered() == Names{"off.example"});
    CHECK(status.listed == 6);
    CHECK(status.rejected == 4);
    CHECK(status.rejection.starts_with("ftp://x.example: "));
}

TEST_IN_SIMULATION("a list tells of itself alone, not of the one before it") {
    Rig rig(world.env(), {.max_hosts = 2});
    rig.answer(first_page, page_of({"a.example", "no name", "c.example"}));
    CHECK(rig.take().rejection.starts_with("no name: "));
    rig.answer(first_page, page_of({"a.example", "b.example"}));
    rig.next();
    const DiscoveryStatus status = rig.discovery->status().front();
    CHECK(status.listed == 2);
    CHECK(status.added == 1);
    CHECK(status.rejected == 0);
    CHECK(status.rejection == "");
    CHECK_FALSE(status.is_cut);
}

TEST_IN_SIMULATION("a host that somebody else has just added is not new") {
    Rig rig(world.env());
    rig.answer(first_page, page_of({"a.example", "b.example"}));
    HostBook book = rig.hosts.book();
    book.views = [] { return std::make_shared<std::vector<HostView>>(); };
    rig.hosts.add("a.example", HostState::pending);
    Discovery discovery(rig.env, rig.lines.logger, rig.metrics, book, rig.servers.fetch(),
                        rig.options);
    discovery.start();
    static_cast<void>(fiber::sleep_for(1s));
    CHECK(rig.hosts.offers.size() == 2);
    CHECK(discovery.status().front().added == 1);
}

TEST_IN_SIMULATION("each upstream has its own pace; a silent one holds up nobody") {
    Rig rig(world.env(), {.upstreams = {"https://slow.example/", "http://localhost:2470",
                                        "https://up.example"}});
    const std::string slow = "https://slow.example/xrpc/com.atproto.sync.listHosts";
    rig.servers.answers[slow] = {
        .body = page_of({"late.example"}), .server = "", .failure = "", .delay = 5min};
    rig.answer("http://localhost:2470/xrpc/com.atproto.sync.listHosts", page_of({"l.example"}));
    rig.answer(first_page, page_of({"a.example"}));
    rig.begin();
    static_cast<void>(fiber::sleep_for(1s));
    auto status = rig.discovery->status();
    REQUIRE(status.size() == 3);
    CHECK(status[0].upstream == "slow.example");
    CHECK(status[0].next_attempt.count() == 0);
    CHECK(status[1].upstream == "localhost:2470");
    CHECK(status[1].added == 1);
    CHECK(status[2].added == 1);
    // Stopped in the middle of a list: at once, and without a word.
    rig.lines.take();
    Nanos before = fiber::now();
    rig.discovery->stop();
    CHECK(fiber::now() - before < 1ms);
    CHECK(rig.lines.take().empty());
    CHECK(rig.discovery->status()[0].failure == "");
}

TEST_IN_SIMULATION("an address of an upstream that is none is said so") {
    Rig rig(world.env(), {.upstreams = {"up.example"}});
    CHECK(rig.take().failure.starts_with("up.example is no address of a relay: "));
    CHECK(rig.servers.asked.empty());
}

TEST_ON_BOTH_KERNELS("a page larger than allowed, and one that never ends, fail in their time") {
    env::Listener listener = world.env().net.listen(Address::loopback(0)).value();
    const std::string url = "http://" + listener.local().text();
    net::HttpServerCounters counters;
    net::HttpServerOptions options;
    options.stop_time = Nanos(1);
    std::string body = page_of({"a.example"}) + std::string(2000, ' ');
    bool is_silent = false;
    net::HttpServer server(
        world.env(), options, counters, [&](const net::HttpRequest& request, const Address&) {
            CHECK(request.target == "/xrpc/com.atproto.sync.listHosts?limit=1000");
            if (is_silent) static_cast<void>(fiber::sleep_for(1h));
            return net::HttpResponse{200, {}, body};
        });
    fiber::Task serving = fiber::spawn("serve", [&] { server.serve(listener); });
    support::FakeHosts hosts;
    support::LogLines lines;
    auto take = [&](DiscoveryOptions how) {
        base::Metrics metrics(1);
        how.upstreams = {url};
        Discovery discovery(
            world.env(), lines.logger, metrics, hosts.book(),
            [&](const proto::Url& where, const net::FetchOptions& fetch) {
                return net::fetch(world.env(), where, fetch);
            },
            how);
        discovery.start();
        while (discovery.status().front().next_attempt.count() == 0) {
            static_cast<void>(fiber::sleep_for(1ms));
        }
        return discovery.status().front();
    };
    CHECK(take({.max_page_bytes = 2100}).added == 1);
    const std::string gone = listener.local().text() + " not reachable: ";
    CHECK(take({.max_page_bytes = 2000}).failure ==
          gone + "answer out of form: http: body too large");
    is_silent = true;
    CHECK(take({.page_time = 20ms}).failure.starts_with(gone));
}
