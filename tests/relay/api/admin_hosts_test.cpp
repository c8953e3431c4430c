#include "relay/api/admin_hosts.hpp"

#include "tests/support/fake_hosts.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::api;
using namespace ringlay::hosts;
using Names = std::vector<std::string>;

#define TEST_IN_SIMULATION(name)                       \
    RINGLAY_TEST_ON(INTERNAL_CATCH_UNIQUE_NAME(body_), \
                    ([](auto body) { support::in_simulation({1}, body); }), name)

namespace {

const Address operator_address = Address::v4(192, 0, 2, 1, 50000);

struct Rig {
    explicit Rig(env::Env& env)
        : crawl(env, lines.logger, metrics, hosts.book(),
                [](const base::HostAddress&, const auto&) { return HostCheckAnswer(); }, {}),
          admin(env, lines.logger,
                {.book = hosts.book(),
                 .figures = [this] { return std::make_shared<HostFigures>(figures); },
                 .totals = [this] { return totals; },
                 .discovery = [this] { return discovery; },
                 .consumers = [this] { return consumers; },
                 .crawl = &crawl,
                 .trusted_domains = {"*.Host.Bsky.network", "pds.trusted.example"},
                 .new_hosts_per_day = 1000}) {}

    std::optional<net::HttpResponse> send(net::HttpMethod method, std::string target,
                                          std::string body = "") {
        net::HttpRequest request;
        request.method = method;
        request.target = std::move(target);
        request.body = std::move(body);
        return admin.answer(request, operator_address);
    }
    std::string get(std::string target) {
        auto response = send(net::HttpMethod::get, std::move(target)).value();
        CHECK(response.status == 200);
        CHECK(response.headers.find("Content-Type") == "application/json");
        return response.body;
    }
    net::HttpResponse post(std::string target, std::string body = "") {
        return send(net::HttpMethod::post, std::move(target), std::move(body)).value();
    }
    // `host` alone, and `more` behind it.
    net::HttpResponse act(std::string verb, std::string_view host, std::string more = "") {
        return post("/admin/hosts/" + verb, "{\"host\":\"" + std::string(host) + "\"" + more + "}");
    }

    support::FakeHosts hosts;
    HostFigures figures;
    Registry::Totals totals;
    std::vector<DiscoveryStatus> discovery;
    std::vector<firehose::ConsumerStatus> consumers;
    support::LogLines lines;
    base::Metrics metrics{1};
    CrawlRequests crawl;
    AdminHosts admin;
};

bool is_error(const net::HttpResponse& response, std::uint16_t status, std::string_view error,
              std::string_view words = "") {
    CAPTURE(response.status, response.body, words);
    const bool is =
        response.status == status &&
        response.body.starts_with("{\"error\":\"" + std::string(error) + "\",\"message\":\"") &&
        !response.body.ends_with(":\"\"}") && response.body.find(words) != std::string::npos;
    CHECK(is);
    return is;
}

bool is_done(const net::HttpResponse& response, std::string_view body = R"({"success":"true"})") {
    CAPTURE(response.status, response.body);
    CHECK(response.status == 200);
    CHECK(response.body == body);
    return response.status == 200 && response.body == body;
}

const std::string_view one_host = R"({"success":"true","hosts":1})";

Names names_in(const std::string& body) {
    Names names;
    const std::string key = "\"hostname\":\"";
    for (std::size_t at = body.find(key); at != body.npos; at = body.find(key, at + 1)) {
        names.push_back(
            body.substr(at + key.size(), body.find('"', at + key.size()) - at - key.size()));
    }
    return names;
}

void add_sample(Rig& rig) {
    HostView& view = rig.hosts.add("a.example", HostState::offline);
    view.row.source = HostSource::crawl;
    view.row.limits = {.events_per_second = 70, .bytes_per_second = {}, .new_accounts_per_hour = 9};
    view.row.is_trusted = true;
    view.row.added = WallMillis(1'704'164'645'000);
    view.row.last_connected = WallMillis(2000);
    view.row.last_event = WallMillis(3000);
    view.row.failure = "connect: \"gone\"";
    view.row.added_from = "198.51.100.7";
    view.live = HostStatus();
    view.live->name = "a.example";
    view.live->last_seq = 80;
    view.live->events = 12;
    view.live->connections = 3;
    view.live->window_events = 4;
    view.live->window_bytes = 500;
    view.live->last_event = WallMillis(3001);
    view.live->next_attempt = WallMillis(9000);
    view.live->failure = "stream: closed";
    view.live->failed_at = WallMillis(8000);
    view.live->connected_since = WallMillis(7000);
    view.live->server = "pds/1";
    view.live->passed = 21;
    view.live->refused = 22;
    view.live->forged = 23;
    view.live->limited = 25;
    view.live->unverified = 26;
    view.live->troubles = {.stale = 31,
                           .unreadable = 32,
                           .poison_steps = 33,
                           .seq_leaps = 34,
                           .seq_regressions = 35,
                           .future_cursors = 36,
                           .rate_waits = 37};
    view.live->lag_ms = 24;
    view.live->rev_ahead_ms = 27;
    view.live->events_per_second = 0.26;
    view.live->bytes_per_second = 1000.6;
    view.live->limit_events_per_second = 70;
    view.live->is_quarantined = true;
    rig.figures["a.example"] = {.seq = 77, .accounts = 5};
}

}  // namespace

TEST_IN_SIMULATION("an operator sees of each host all that is known") {
    Rig rig(world.env());
    add_sample(rig);
    HostView& banned = rig.hosts.add("localhost:2583", HostState::banned);
    banned.row.ban_reason = "spam";
    rig.totals = {
        .hosts = 7, .connected = 6, .pending = 5, .offline = 4, .quarantined = 3, .banned = 2};
    rig.discovery.push_back({.upstream = "bsky.network",
                             .last_success = WallMillis(5),
                             .next_attempt = WallMillis(6),
                             .listed = 7,
                             .added = 8,
                             .rejected = 9,
                             .rejection = "x: no",
                             .is_cut = true,
                             .failure = "not reachable"});
    rig.discovery.push_back({.upstream = "other.example"});
    const std::string body = rig.get("/admin/hosts");
    CHECK(body.starts_with(
        R"({"totals":{"hosts":7,"connected":6,"pending":5,"offline":4,"quarantined":3,"banned":2},)"
        R"("request_crawl":true,"upstreams":[{"upstream":"bsky.network","last_success_ms":5,)"
        R"("next_attempt_ms":6,"listed":7,"added":8,"rejected":9,"rejection":"x: no","cut":true,)"
        R"("failure":"not reachable"},{"upstream":"other.example","listed":0,"added":0,)"
        R"("rejected":0,"cut":false}],"hosts":[{"id":10,"hostname":"a.example","tls":true,)"
        R"("state":"offline","source":"crawl","trusted":true,"seq":77,"accounts":5,)"
        R"("failure":"connect: \"gone\"","added_from":"198.51.100.7","added_ms":1704164645000,)"
        R"("last_connected_ms":2000,"last_event_ms":3000,"limits":{"events_per_second":70,)"
        R"("bytes_per_second":null,"new_accounts_per_hour":9},"live":{)"));
    CHECK(
        body.find(R"("live":{"phase":"waiting","throttled":false,"quarantined":true,"relay":false,)"
                  R"("server":"pds/1","seq":80,"events":12,"passed":21,"refused":22,"forged":23,)"
                  R"("limited":25,"unverified":26,"troubles":{"stale":31,"unreadable":32,)"
                  R"("poison_steps":33,"seq_leaps":34,"seq_regressions":35,"future_cursors":36,)"
                  R"("rate_waits":37},)"
                  R"("connections":3,"lag_ms":24,"rev_ahead_ms":27,"events_per_minute":16,)"
                  R"("bytes_per_second":1001,)"
                  R"("limit_events_per_second":70,"window_events":4,"window_bytes":500,)"
                  R"("last_event_ms":3001,"connected_since_ms":7000,"next_attempt_ms":9000,)"
                  R"("failure":"stream: closed","failed_ms":8000}})") != body.npos);
    CHECK(body.ends_with(
        R"({"id":20,"hostname":"localhost:2583","tls":false,"state":"banned","source":"settings",)"
        R"("trusted":false,"seq":0,"accounts":0,"ban_reason":"spam","limits":{)"
        R"("events_per_second":null,"bytes_per_second":null,"new_accounts_per_hour":null},)"
        R"("live":null}]})"));
}

TEST_IN_SIMULATION("when a host is dialled next is said only while it waits") {
    Rig rig(world.env());
    add_sample(rig);
    HostView& view = rig.hosts.add("b.example", HostState::active);
    view.live = HostStatus();
    view.live->phase = HostPhase::connected;
    view.live->next_attempt = WallMillis(9001);
    const std::string body = rig.get("/admin/hosts");
    CHECK(body.find("9001") == body.npos);
    CHECK(body.find(R"("phase":"connected")") != body.npos);
}

TEST_IN_SIMULATION("hosts come in pages, by state and by a part of the name") {
    Rig rig(world.env());
    for (int i = 0; i < 250; ++i) {
        rig.hosts.add("h" + std::to_string(i) + (i % 2 == 0 ? ".even" : ".odd") + ".example",
                      i % 5 == 0 ? HostState::pending : HostState::active);
    }
    std::string body = rig.get("/admin/hosts");
    CHECK(names_in(body).size() == 200);
    CHECK(body.ends_with(R"("cursor":"2000"})"));
    body = rig.get("/admin/hosts?cursor=2000");
    CHECK(names_in(body).size() == 50);
    CHECK(body.find("cursor") == body.npos);
    body = rig.get("/admin/hosts?state=pending&limit=50");
    CHECK(names_in(body).size() == 50);
    CHECK(body.find("cursor") == body.npos);
    body = rig.get("/admin/hosts?state=pending&limit=49");
    CHECK(names_in(body).size() == 49);
    CHECK(body.find("cursor") != body.npos);
    CHECK(names_in(rig.get("/admin/hosts?name=h24.EVEN")) == Names{"h24.even.example"});
    CHECK(names_in(rig.get("/admin/hosts?state=pending&name=5.odd&limit=2")) ==
          Names{"h5.odd.example", "h15.odd.example"});
    CHECK(names_in(rig.get("/admin/hosts?state=nothing")).empty());
    for (std::string query : {"limit=0", "limit=1001", "cursor=x", "name=%zz", "state=%zz"}) {
        CAPTURE(query);
        CHECK(is_error(rig.send(net::HttpMethod::get, "/admin/hosts?" + query).value(), 400,
                       "BadRequest"));
    }
}

TEST_IN_SIMULATION(
    "a host is blocked and unblocked, under any form of its name, and the log says by whom") {
    Rig rig(world.env());
    CHECK(is_done(rig.act("block", "https://A.example", R"(,"reason":"spam")"), one_host));
    CHECK(rig.hosts.bans == std::map<std::string, std::string>{{"a.example", "spam"}});
    auto lines = rig.lines.take();
    REQUIRE(lines.size() == 1);
    for (std::string_view part : {R"("action":"block")", R"("host":"a.example")",
                                  R"("detail":"spam")", R"("by":"192.0.2.1")"}) {
        CHECK(lines[0].find(part) != std::string::npos);
    }
    CHECK(is_done(rig.post("/admin/hosts/unblock", R"({"hostname":"a.example"})"), one_host));
    CHECK(rig.hosts.bans.empty());
    CHECK(rig.lines.take().size() == 1);
    // Once more is an error, and no deed.
    CHECK(is_error(rig.act("unblock", "a.example"), 404, "HostNotFound"));
    CHECK(rig.lines.take().empty());
}

TEST_IN_SIMULATION(
    "a domain is blocked at once if little hangs on it, and with a word more otherwise") {
    Rig rig(world.env());
    for (int i = 0; i < 10; ++i) {
        rig.hosts.add("h" + std::to_string(i) + ".few.example", HostState::active);
        rig.hosts.add("h" + std::to_string(i) + ".many.example", HostState::active);
    }
    rig.hosts.add("few.example", HostState::active);     // is not below itself
    rig.hosts.add("notfew.example", HostState::active);  // nor is this
    rig.hosts.add("a.b.many.example", HostState::active);
    CHECK(is_done(rig.act("block", "*.Few.example"), one_host));
    CHECK(rig.hosts.bans.contains("*.few.example"));
    CHECK(is_error(rig.act("block", "*.many.example"), 400, "ConfirmationRequired",
                   "this bans 11 hosts"));
    CHECK(is_error(rig.act("block", "*.many.example", R"(,"confirm":"true")"), 400,
                   "ConfirmationRequired"));
    CHECK_FALSE(rig.hosts.bans.contains("*.many.example"));
    CHECK(rig.lines.take().size() == 1);
    CHECK(is_done(rig.act("block", "*.many.example", R"(,"confirm":true)"), one_host));
    CHECK(rig.hosts.bans.contains("*.many.example"));
    for (std::string domain :
         {"*.host.bsky.network", "*.bsky.network", "*.us.host.bsky.network", "*.trusted.example"}) {
        CAPTURE(domain);
        CHECK(is_error(rig.act("block", domain), 400, "ConfirmationRequired", "a trusted domain"));
    }
    for (std::string domain : {"*.com", "*.network"}) {
        CHECK(is_error(rig.act("block", domain), 400, "ConfirmationRequired", "top-level"));
    }
    // One host is not wide, whatever domain it is of.
    CHECK(is_done(rig.act("block", "morel.host.bsky.network"), one_host));
    CHECK(is_done(rig.act("unblock", "*.many.example"), one_host));
}

TEST_CASE("a domain overlaps a trusted one above it, below it and beside it") {
    CHECK(overlaps("*.bsky.network", "*.host.bsky.network"));
    CHECK(overlaps("*.host.bsky.network", "*.host.bsky.network"));
    CHECK(overlaps("*.us.host.bsky.network", "*.host.bsky.network"));
    CHECK(overlaps("*.example", "pds.example"));
    CHECK_FALSE(overlaps("*.pds.example", "pds.example"));
    CHECK_FALSE(overlaps("*.a.pds.example", "pds.example"));
    CHECK_FALSE(overlaps("*.ost.bsky.network", "*.host.bsky.network"));
    CHECK_FALSE(overlaps("*.ghost.bsky.network", "*.host.bsky.network"));
    CHECK_FALSE(overlaps("*.other.network", "*.host.bsky.network"));
}

TEST_IN_SIMULATION("what is no host and no domain is not blocked") {
    Rig rig(world.env());
    for (std::string name : {"", "*", "*.", "*..a", "*.a..b", "*.a.", "*.a b.example",
                             "*.*.example", "*.a/b", "no name", "localhost"}) {
        CAPTURE(name);
        CHECK(is_error(rig.act("block", name), 400, "BadRequest"));
        CHECK(is_error(rig.act("unblock", name), 400, "BadRequest"));
    }
    CHECK(is_error(rig.act("block", "*." + std::string(254, 'a')), 400, "BadRequest"));
    for (std::string verb : {"block", "unblock", "changeLimits", "resetCursor", "add"}) {
        CAPTURE(verb);
        CHECK(is_error(rig.post("/admin/hosts/" + verb), 400, "BadRequest", "empty"));
        CHECK(
            is_error(rig.post("/admin/hosts/" + verb, "{}"), 400, "BadRequest", "host is missing"));
        CHECK(is_error(rig.post("/admin/hosts/" + verb, R"({"host":7})"), 400, "BadRequest",
                       "host is missing"));
    }
    CHECK(rig.hosts.bans.empty());
    CHECK(rig.hosts.changes.empty());
    CHECK(rig.lines.take().empty());
}

TEST_IN_SIMULATION("limits are changed one by one; null is the default, 0 is refused") {
    Rig rig(world.env());
    add_sample(rig);
    CHECK(is_done(rig.act("changeLimits", "A.example", R"(,"bytes_per_second":5000000000)")));
    CHECK(rig.hosts.changes == Names{"limits a.example 70 5000000000 9"});
    CHECK(is_done(rig.act("changeLimits", "a.example",
                          R"(,"events_per_second":null,"new_accounts_per_hour":10)")));
    CHECK(rig.hosts.changes.back() == "limits a.example - - 10");
    CHECK(is_done(rig.act("changeLimits", "a.example",
                          R"(,"events_per_second":4294967295,"new_accounts_per_hour":null)")));
    CHECK(rig.hosts.changes.back() == "limits a.example 4294967295 - -");
    auto lines = rig.lines.take();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].find("events_per_second 70, bytes_per_second 5000000000, "
                        "new_accounts_per_hour 9") != std::string::npos);
    CHECK(lines[1].find("events_per_second default") != std::string::npos);
    CHECK(lines[2].find(R"("by":"192.0.2.1")") != std::string::npos);
    // Nothing to change is no change.
    CHECK(is_done(rig.act("changeLimits", "a.example", R"(,"events_per_second":70)")));
    CHECK(rig.hosts.changes.size() == 3);
    CHECK(rig.lines.take().empty());
    for (std::string bad :
         {R"("events_per_second":0)", R"("bytes_per_second":0)", R"("new_accounts_per_hour":0)",
          R"("events_per_second":-1)", R"("events_per_second":1.5)", R"("events_per_second":"7")",
          R"("events_per_second":4294967296)", R"("new_accounts_per_hour":4294967296)"}) {
        CAPTURE(bad);
        CHECK(is_error(rig.act("changeLimits", "a.example", "," + bad), 400, "BadRequest",
                       "above 0"));
    }
    CHECK(is_error(rig.act("changeLimits", "b.example", R"(,"events_per_second":7)"), 404,
                   "HostNotFound"));
    CHECK(is_error(rig.act("changeLimits", "no name", R"(,"events_per_second":7)"), 404,
                   "HostNotFound"));
    CHECK(rig.hosts.changes.size() == 3);
}

TEST_IN_SIMULATION("a cursor is set to a seq, to the beginning, or to live") {
    Rig rig(world.env());
    rig.hosts.add("a.example", HostState::active);
    CHECK(is_done(rig.act("resetCursor", "a.example", R"(,"cursor":9007199254740991)")));
    CHECK(is_done(rig.act("resetCursor", "a.example", R"(,"cursor":0)")));
    CHECK(is_done(rig.act("resetCursor", "a.example", R"(,"cursor":null)")));
    CHECK(rig.hosts.changes == Names{"cursor a.example 9007199254740991", "cursor a.example 0",
                                     "cursor a.example live"});
    auto lines = rig.lines.take();
    REQUIRE(lines.size() == 3);
    CHECK(lines[1].find(R"("detail":"0")") != std::string::npos);
    CHECK(lines[2].find(R"("detail":"live")") != std::string::npos);
    CHECK(is_error(rig.act("resetCursor", "a.example"), 400, "BadRequest", "cursor is missing"));
    for (std::string bad : {"9007199254740992", "-1", "\"7\"", "[]", "true"}) {
        CAPTURE(bad);
        CHECK(is_error(rig.act("resetCursor", "a.example", ",\"cursor\":" + bad), 400, "BadRequest",
                       "below 2^53"));
    }
    CHECK(is_error(rig.act("resetCursor", "b.example", R"(,"cursor":0)"), 404, "HostNotFound"));
    CHECK(rig.hosts.changes.size() == 3);
}

TEST_IN_SIMULATION("an operator adds any host, without a check and without a quota's address") {
    Rig rig(world.env());
    CHECK(is_done(rig.act("add", "localhost:2583")));
    CHECK(is_done(rig.post("/admin/pds/requestCrawl", R"({"hostname":"a.example"})")));
    REQUIRE(rig.hosts.offers.size() == 2);
    CHECK(rig.hosts.offered() == Names{"localhost:2583", "a.example"});
    for (const auto& offer : rig.hosts.offers) {
        CHECK(offer.source == HostSource::admin);
        CHECK_FALSE(offer.from);
    }
    CHECK(is_done(rig.act("add", "a.example")));
    auto lines = rig.lines.take();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].find(R"("detail":"new")") != std::string::npos);
    CHECK(lines[2].find(R"("detail":"known")") != std::string::npos);
    CHECK(is_error(rig.act("add", "localhost"), 400, "BadRequest", "localhost:2583"));
}

TEST_IN_SIMULATION("what the registry refuses is said, and not logged as done") {
    Rig rig(world.env());
    rig.hosts.add("a.example", HostState::active);
    rig.hosts.refusals[""] = Refusal::Why::disk;
    CHECK(is_error(rig.act("block", "a.example"), 500, "InternalServerError", "the book refuses"));
    CHECK(is_error(rig.act("unblock", "a.example"), 500, "InternalServerError"));
    CHECK(is_error(rig.act("changeLimits", "a.example", R"(,"events_per_second":7)"), 500,
                   "InternalServerError"));
    CHECK(is_error(rig.act("resetCursor", "a.example", R"(,"cursor":0)"), 500,
                   "InternalServerError"));
    rig.hosts.refusals[""] = Refusal::Why::banned;
    CHECK(is_error(rig.act("add", "a.example"), 403, "HostBanned"));
    CHECK(rig.lines.take().empty());
}

TEST_IN_SIMULATION("a wrong method is refused, another path is none of these") {
    Rig rig(world.env());
    auto get_block = rig.send(net::HttpMethod::get, "/admin/hosts/block").value();
    CHECK(is_error(get_block, 405, "MethodNotAllowed", "POST"));
    CHECK(get_block.headers.find("Allow") == "POST, OPTIONS");
    auto post_list = rig.post("/admin/hosts", "{}");
    CHECK(is_error(post_list, 405, "MethodNotAllowed", "GET"));
    CHECK(post_list.headers.find("Allow") == "GET, HEAD, OPTIONS");
    CHECK(is_error(rig.send(net::HttpMethod::head, "/admin/hosts/add").value(), 405,
                   "MethodNotAllowed"));
    CHECK(rig.send(net::HttpMethod::head, "/admin/hosts").value().status == 200);
    for (std::string path : {"/admin", "/admin/hosts/", "/admin/hosts/delete", "/hosts", "/",
                             "/admin/repo/takeDown", "/xrpc/com.atproto.sync.listHosts"}) {
        CAPTURE(path);
        CHECK_FALSE(rig.send(net::HttpMethod::get, path));
        CHECK_FALSE(rig.send(net::HttpMethod::post, path));
    }
}

TEST_IN_SIMULATION("tools written for the Go relay find the hosts where they expect them") {
    Rig rig(world.env());
    CHECK(rig.get("/admin/pds/list") == "[]");
    CHECK(rig.get("/admin/subs/getUpstreamConns") == "[]");
    add_sample(rig);
    HostView& connected = rig.hosts.add("localhost:2583", HostState::active);
    connected.live = HostStatus();
    connected.live->phase = HostPhase::connected;
    rig.hosts.add("bad.example", HostState::banned);
    const std::string body = rig.get("/admin/pds/list");
    CHECK(body.starts_with(
        R"([{"ID":10,"CreatedAt":"2024-01-02T03:04:05Z","Host":"a.example","SSL":true,)"
        R"("Cursor":77,"Registered":true,"Blocked":false,"CrawlRateLimit":0,"RepoCount":5,)"
        R"("RepoLimit":0,"HasActiveConnection":false,"EventsSeenSinceStartup":12,)"
        R"("PerSecondEventRate":{"Max":70,"Window":1},"PerHourEventRate":{"Max":-1,"Window":3600},)"
        R"("PerDayEventRate":{"Max":-1,"Window":86400},"UserCount":5,)"
        R"("AccountLimitAlertsSilenced":true,"AccountLimitAlertState":"ok"},)"));
    CHECK(body.find(R"("Host":"localhost:2583","SSL":false,"Cursor":0)") != body.npos);
    CHECK(body.find(R"("HasActiveConnection":true)") != body.npos);
    CHECK(body.find(R"("PerSecondEventRate":{"Max":-1,"Window":1})") != body.npos);
    CHECK(body.find(
              R"("Host":"bad.example","SSL":true,"Cursor":0,"Registered":false,"Blocked":true)") !=
          body.npos);
    CHECK(rig.get("/admin/subs/getUpstreamConns") == R"(["a.example","localhost:2583"])");
    CHECK(rig.get("/admin/subs/perDayLimit") == R"({"limit":1000})");
}

TEST_IN_SIMULATION("the Go relay's ways to block, to limit and to switch work, with our guards") {
    Rig rig(world.env());
    add_sample(rig);
    CHECK(is_done(rig.post("/admin/pds/block?host=A.example"), one_host));
    CHECK(rig.hosts.bans.contains("a.example"));
    CHECK(is_done(rig.post("/admin/pds/unblock?host=a.example"), one_host));
    CHECK(rig.hosts.bans.empty());
    for (std::string path : {"/admin/pds/block", "/admin/pds/unblock",
                             "/admin/pds/block?host=", "/admin/pds/block?host=%zz"}) {
        CHECK(is_error(rig.post(path), 400, "BadRequest"));
    }
    CHECK(is_error(rig.post("/admin/pds/block?host=*.com"), 400, "ConfirmationRequired"));
    CHECK(
        is_error(rig.post("/admin/pds/block?host=*.com&confirm=yes"), 400, "ConfirmationRequired"));
    CHECK(is_done(rig.post("/admin/pds/block?host=*.com&confirm=true"), one_host));

    // A limit on accounts means what a host with so many may send.
    CHECK(
        is_done(rig.post("/admin/pds/changeLimits", R"({"host":"a.example","repo_limit":20000})")));
    CHECK(rig.hosts.changes.back() == "limits a.example 250 - 9");
    CHECK(is_done(rig.post("/admin/pds/changeLimits",
                           R"({"host":"a.example","repo_limit":18446744073709551615})")));
    CHECK(rig.hosts.changes.back() == "limits a.example 1000000 - 9");
    CHECK(is_done(
        rig.post("/admin/pds/changeLimits", R"({"host":"a.example","bytes_per_second":7})")));
    CHECK(rig.hosts.changes.back() == "limits a.example 70 7 9");
    CHECK(is_error(rig.post("/admin/pds/changeLimits", R"({"host":"a.example","repo_limit":0})"),
                   400, "BadRequest", "above 0"));
    CHECK(is_error(rig.post("/admin/pds/changeLimits", R"({"host":"b.example","repo_limit":7})"),
                   404, "HostNotFound"));
    CHECK(is_error(rig.post("/admin/pds/changeLimits", "7"), 400, "BadRequest"));

    CHECK(rig.get("/admin/subs/getEnabled") == R"({"enabled":true})");
    CHECK(is_done(rig.post("/admin/subs/setEnabled?enabled=false")));
    CHECK_FALSE(rig.crawl.is_on());
    CHECK(rig.get("/admin/subs/getEnabled") == R"({"enabled":false})");
    CHECK(rig.get("/admin/hosts").find(R"("request_crawl":false)") != std::string::npos);
    CHECK(is_done(rig.post("/admin/subs/setEnabled?enabled=true")));
    CHECK(rig.crawl.is_on());
    CHECK(is_error(rig.post("/admin/subs/setEnabled?enabled=1"), 400, "BadRequest"));
    CHECK(is_error(rig.post("/admin/subs/setEnabled"), 400, "BadRequest"));
}

TEST_IN_SIMULATION("a domain's ban, as the Go relay has it, is of the name and of all below it") {
    Rig rig(world.env());
    for (std::string key : {"domain", "Domain"}) {
        CHECK(is_done(rig.post("/admin/subs/banDomain", "{\"" + key + "\":\"Evil.example\"}"),
                      R"({"success":"true","hosts":2})"));
        CHECK(rig.hosts.bans.size() == 2);
        CHECK(rig.hosts.bans.contains("evil.example"));
        CHECK(rig.hosts.bans.contains("*.evil.example"));
        CHECK(rig.lines.take().size() == 2);
        CHECK(is_done(rig.post("/admin/subs/unbanDomain", "{\"" + key + "\":\"evil.example\"}"),
                      R"({"success":"true","hosts":2})"));
        CHECK(rig.hosts.bans.empty());
        rig.lines.take();
    }
    rig.hosts.bans["*.half.example"] = "";
    CHECK(is_done(rig.post("/admin/subs/unbanDomain", R"({"domain":"half.example"})"), one_host));
    CHECK(is_error(rig.post("/admin/subs/unbanDomain", R"({"domain":"half.example"})"), 404,
                   "HostNotFound"));
    CHECK(is_error(rig.post("/admin/subs/banDomain", R"({"domain":"host.bsky.network"})"), 400,
                   "ConfirmationRequired"));
    CHECK(rig.hosts.bans.empty());
    CHECK(is_done(
        rig.post("/admin/subs/banDomain", R"({"domain":"host.bsky.network","confirm":true})"),
        R"({"success":"true","hosts":2})"));
    for (std::string path : {"/admin/subs/banDomain", "/admin/subs/unbanDomain"}) {
        CHECK(is_error(rig.post(path, "{}"), 400, "BadRequest", "domain is missing"));
        CHECK(is_error(rig.post(path, R"({"domain":"no name"})"), 400, "BadRequest"));
        CHECK(is_error(rig.post(path, ""), 400, "BadRequest"));
    }
}

TEST_IN_SIMULATION("bans are listed with their reasons, and as the Go relay has them") {
    Rig rig(world.env());
    CHECK(rig.get("/admin/hosts/bans") == R"({"bans":[]})");
    CHECK(rig.get("/admin/subs/listDomainBans") == R"({"banned_domains":[]})");
    CHECK(is_done(rig.act("block", "one.example", R"(,"reason":"\"spam\"")"), one_host));
    CHECK(is_done(rig.post("/admin/subs/banDomain", R"({"domain":"evil.example"})"),
                  R"({"success":"true","hosts":2})"));
    CHECK(rig.get("/admin/hosts/bans") ==
          R"({"bans":[{"host":"*.evil.example","reason":""},{"host":"evil.example","reason":""},)"
          R"({"host":"one.example","reason":"\"spam\""}]})");
    CHECK(rig.get("/admin/subs/listDomainBans") ==
          R"({"banned_domains":["evil.example","one.example"]})");
}

TEST_IN_SIMULATION("consumers are listed as the Go relay has them") {
    Rig rig(world.env());
    CHECK(rig.get("/admin/consumers/list") == "[]");
    rig.consumers.push_back({.id = 7,
                             .peer = "192.0.2.9:5000",
                             .user_agent = "a \"b\"",
                             .lag_bytes = 1,
                             .frames_sent = 12,
                             .connected_at = WallMillis(1'704'164'645'000)});
    CHECK(rig.get("/admin/consumers/list") ==
          R"([{"id":7,"remote_addr":"192.0.2.9:5000","user_agent":"a \"b\"",)"
          R"("events_consumed":12,"connected_at":"2024-01-02T03:04:05Z"}])");
}

TEST_IN_SIMULATION("a host that is removed is forgotten; what the registry refuses is told") {
    Rig rig(world.env());
    rig.hosts.add("a.example", HostState::pending);
    rig.hosts.add("localhost:2583", HostState::active);
    CHECK(is_done(rig.act("remove", "A.example")));
    CHECK(rig.hosts.changes == Names{"remove a.example"});
    auto lines = rig.lines.take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find(R"("action":"remove","host":"a.example")") != std::string::npos);
    rig.hosts.refusals["localhost:2583"] = Refusal::Why::invalid;
    CHECK(is_error(rig.act("remove", "localhost:2583"), 400, "BadRequest", "the book refuses"));
    CHECK(is_error(rig.act("remove", "b.example"), 404, "HostNotFound"));
    CHECK(is_error(rig.post("/admin/hosts/remove", "{}"), 400, "BadRequest", "host is missing"));
}

TEST_IN_SIMULATION("a trusted host is banned by its name only when that is confirmed") {
    Rig rig(world.env());
    for (std::string_view name : {"PDS.trusted.example", "pds.trusted.example:8443"}) {
        CHECK(is_error(rig.act("block", name), 400, "ConfirmationRequired",
                       "pds.trusted.example, a trusted host"));
    }
    CHECK(rig.hosts.bans.empty());
    CHECK(is_done(rig.act("block", "pds.trusted.example", ",\"confirm\":true"), one_host));
    CHECK(is_done(rig.act("block", "pds.trusted.example.com"), one_host));
    CHECK(is_done(rig.act("block", "x.pds.trusted.example"), one_host));
}
