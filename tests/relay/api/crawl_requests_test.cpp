#include "relay/api/crawl_requests.hpp"

#include "tests/support/fake_hosts.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::api;
using namespace ringlay::hosts;
using namespace std::chrono_literals;
using Kind = HostCheckAnswer::Kind;
using Names = std::vector<std::string>;

#define TEST_IN_SIMULATION(name)                       \
    RINGLAY_TEST_ON(INTERNAL_CATCH_UNIQUE_NAME(body_), \
                    ([](auto body) { support::in_simulation({1}, body); }), name)

namespace {

const Address stranger = Address::v4(198, 51, 100, 7, 40000);

struct Rig {
    explicit Rig(env::Env& env, CrawlOptions options = {})
        : crawl(
              env, lines.logger, metrics, hosts.book(),
              [this](const base::HostAddress& address, const std::optional<Address>& from) {
                  checked.push_back(host_name(address));
                  checked_for = from;
                  return check;
              },
              options) {}

    net::HttpResponse post(std::string body, const Address& from = stranger) {
        net::HttpRequest request;
        request.method = net::HttpMethod::post;
        request.target = "/xrpc/com.atproto.sync.requestCrawl";
        request.body = std::move(body);
        return crawl.answer(request, {.address = from, .peer = from, .is_proxied = is_proxied})
            .value();
    }
    net::HttpResponse announce(std::string_view hostname, const Address& from = stranger) {
        return post("{\"hostname\":\"" + std::string(hostname) + "\"}", from);
    }
    std::size_t count(std::string_view outcome) const {
        const std::string page = metrics.expose();
        const std::string name =
            "relay_crawl_requests_total{outcome=\"" + std::string(outcome) + "\"} ";
        return std::stoul(page.substr(page.find(name) + name.size()));
    }

    support::FakeHosts hosts;
    support::LogLines lines;
    base::Metrics metrics{1};
    HostCheckAnswer check{.kind = Kind::pds, .words = ""};
    Names checked;
    std::optional<Address> checked_for;
    bool is_proxied = false;  // the address was told by a proxy
    CrawlRequests crawl;
};

bool is_empty_200(const net::HttpResponse& response) {
    CAPTURE(response.status, response.body);
    CHECK(response.status == 200);
    CHECK(response.body == "");
    return response.status == 200 && response.body.empty();
}

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

}  // namespace

TEST_IN_SIMULATION("a new host is asked whether it is a PDS, and offered for whoever named it") {
    Rig rig(world.env());
    CHECK(is_empty_200(rig.announce("PDS.example")));
    CHECK(rig.checked == Names{"pds.example"});
    REQUIRE(rig.hosts.offers.size() == 1);
    CHECK(rig.hosts.offers[0].name == "pds.example");
    CHECK(rig.hosts.offers[0].source == HostSource::crawl);
    CHECK(rig.hosts.offers[0].from == stranger);
    CHECK(rig.count("added") == 1);
    auto lines = rig.lines.take();
    REQUIRE(lines.size() == 1);
    for (std::string_view part :
         {R"("host":"pds.example")", R"("from":"198.51.100.7")", R"("outcome":"added")"}) {
        CHECK(lines[0].find(part) != std::string::npos);
    }
}

TEST_IN_SIMULATION("URLs are names, too, and notifyOfUpdate is the same method") {
    Rig rig(world.env());
    CHECK(is_empty_200(rig.announce("https://a.example/")));
    net::HttpRequest request;
    request.method = net::HttpMethod::post;
    request.target = "/xrpc/com.atproto.sync.notifyOfUpdate?hostname=ignored.example";
    request.headers.add("Content-Type", "text/plain");
    request.body = R"({"hostname":"b.example","more":[1]})";
    CHECK(is_empty_200(rig.crawl.answer(request, {.address = stranger, .peer = stranger}).value()));
    CHECK(rig.hosts.offered() == Names{"a.example", "b.example"});
}

TEST_IN_SIMULATION("other methods are none of these, and GET is refused") {
    Rig rig(world.env());
    net::HttpRequest request;
    request.method = net::HttpMethod::post;
    for (std::string target : {"/xrpc/com.atproto.sync.requestCrawls", "/xrpc/", "/",
                               "/xrpc/com.atproto.sync.listHosts"}) {
        request.target = target;
        CHECK_FALSE(rig.crawl.answer(request, {.address = stranger, .peer = stranger}));
    }
    request.target = "/xrpc/com.atproto.sync.requestCrawl";
    request.method = net::HttpMethod::get;
    auto refusal = rig.crawl.answer(request, {.address = stranger, .peer = stranger}).value();
    CHECK(is_error(refusal, 405, "MethodNotAllowed"));
    CHECK(refusal.headers.find("Allow") == "POST, OPTIONS");
    CHECK(rig.hosts.offers.empty());
}

TEST_IN_SIMULATION(
    "a known host is woken without a check, but nobody can have it dialled all the time") {
    Rig rig(world.env());
    rig.hosts.add("pds.example", HostState::offline);
    rig.check.kind = Kind::unreachable;
    for (int i = 0; i < 10; ++i) CHECK(is_empty_200(rig.announce("pds.example")));
    CHECK(rig.checked.empty());
    CHECK(rig.hosts.offers.size() == 3);
    CHECK(rig.count("known") == 10);
    static_cast<void>(fiber::sleep_for(20s));
    CHECK(is_empty_200(rig.announce("https://PDS.example")));
    CHECK(rig.hosts.offers.size() == 4);
    CHECK(rig.hosts.offers.back().name == "pds.example");
}

TEST_IN_SIMULATION("what is no request in order is BadRequest, and nobody is asked") {
    Rig rig(world.env());
    for (std::string body :
         {"", "hostname=a.example", "[]", "{}", R"({"hostname":7})", R"({"hostname":""})",
          R"({"hostname":null})", R"({"host":"a.example"})",
          R"({"hostname":"a.example","hostname":"b.example"})"}) {
        CAPTURE(body);
        CHECK(is_error(rig.post(body), 400, "BadRequest"));
    }
    CHECK(is_error(rig.post("{\"hostname\":\"" + std::string(5000, 'a') + "\"}"), 400, "BadRequest",
                   "too large"));
    for (std::string name : {"no name", "ftp://a.example", "-", "https://", "a..b"}) {
        CAPTURE(name);
        CHECK(is_error(rig.announce(name), 400, "BadRequest"));
    }
    CHECK(rig.checked.empty());
    CHECK(rig.hosts.offers.empty());
    CHECK(rig.count("malformed") == 15);
}

TEST_IN_SIMULATION("localhost without a port is told what to say") {
    Rig rig(world.env());
    for (std::string name : {"localhost", "LocalHost", "http://localhost", "https://localhost/"}) {
        CAPTURE(name);
        CHECK(is_error(rig.announce(name), 400, "BadRequest", "localhost:2583"));
    }
}

TEST_IN_SIMULATION(
    "a host without TLS is not even asked, unless private hosts are added for everybody") {
    for (std::string name : {"localhost:2583", "http://pds.example", "ws://pds.example", "intranet",
                             "10.0.0.1", "[::1]"}) {
        CAPTURE(name);
        Rig rig(world.env());
        CHECK(is_error(rig.announce(name), 400, "BadRequest", "https"));
        CHECK(rig.checked.empty());
        CHECK(rig.hosts.offers.empty());
        CHECK(rig.count("private") == 1);
    }
    Rig rig(world.env(), {.private_hosts = base::PrivateHosts::parse("all").value()});
    CHECK(is_empty_200(rig.announce("localhost:2583")));
    CHECK(rig.checked == Names{"localhost:2583"});
    // One that the operator has added may be woken by anybody.
    Rig known(world.env());
    known.hosts.add("localhost:2583", HostState::offline);
    CHECK(is_empty_200(known.announce("localhost:2583")));
    CHECK(known.hosts.offered() == Names{"localhost:2583"});
}

TEST_IN_SIMULATION("strangers name hosts by name on port 443, and nothing else is asked for them") {
    Rig rig(world.env());
    for (std::string name : {"https://8.8.8.8", "https://[2600::1]", "https://8.8.8.8:8443"}) {
        CAPTURE(name);
        CHECK(is_error(rig.announce(name), 400, "BadRequest", "by their names, not by addresses"));
    }
    for (std::string name :
         {"pds.example:8443", "https://pds.example:22", "wss://pds.example:80"}) {
        CAPTURE(name);
        CHECK(is_error(rig.announce(name), 400, "BadRequest", "on port 443 only"));
    }
    CHECK(is_empty_200(rig.announce("pds.example:443")));
    CHECK(rig.checked == Names{"pds.example"});
    CHECK(rig.count("malformed") == 6);

    Rig some(world.env(),
             {.private_hosts =
                  base::PrivateHosts::parse("pds.example:8443,*.mine.example,8.8.8.0/24").value()});
    for (std::string name : {"pds.example:8443", "a.mine.example:99", "https://8.8.8.8:7"}) {
        CAPTURE(name);
        CHECK(is_empty_200(some.announce(name)));
    }
    CHECK(is_error(some.announce("pds.example:8444"), 400, "BadRequest", "port 443 only"));
    CHECK(is_error(some.announce("https://8.8.9.8"), 400, "BadRequest", "not by addresses"));
    Rig all(world.env(), {.private_hosts = base::PrivateHosts::parse("all").value()});
    CHECK(is_empty_200(all.announce("https://8.8.8.8:7")));
    // What is known may be woken by anybody.
    rig.hosts.add("8.8.8.8:8443", HostState::offline);
    CHECK(is_empty_200(rig.announce("https://8.8.8.8:8443")));
}

TEST_IN_SIMULATION("a check takes a place of whoever asks; this machine has no share") {
    Rig rig(world.env());
    CHECK(is_empty_200(rig.announce("a.example")));
    CHECK(rig.checked_for == stranger);
    CHECK(is_empty_200(rig.announce("b.example", Address::loopback(1))));
    CHECK_FALSE(rig.checked_for);
    rig.check = {.kind = Kind::too_many, .words = "being asked"};
    auto refused = rig.announce("c.example");
    CHECK(is_error(refused, 429, "RateLimitExceeded", "being asked"));
    CHECK(refused.headers.find("Retry-After") == "5");
    CHECK(rig.count("rate") == 1);
}

TEST_IN_SIMULATION("what the check finds decides: HostNotFound, a relay, later") {
    Rig rig(world.env());
    rig.check = {.kind = Kind::unreachable, .words = "no answer", .detail = "10.3.4.5 is private"};
    auto unreachable = rig.announce("a.example");
    CHECK(is_error(unreachable, 400, "HostNotFound", "host server unreachable: no answer"));
    CHECK(unreachable.body.find("10.3.4.5") == std::string::npos);
    CHECK(rig.lines.take().back().find("10.3.4.5 is private") != std::string::npos);
    rig.check = {.kind = Kind::relay, .words = "says that it is a relay"};
    CHECK(is_error(rig.announce("b.example"), 400, "BadRequest", "no PDS: says that it is"));
    rig.check = {.kind = Kind::busy, .words = "too many"};
    auto busy = rig.announce("c.example");
    CHECK(is_error(busy, 503, "Busy", "too many"));
    CHECK(busy.headers.find("Retry-After") == "30");
    CHECK(rig.hosts.offers.empty());
    CHECK(rig.checked.size() == 3);
    CHECK(rig.count("unreachable") == 1);
    CHECK(rig.count("relay") == 1);
    CHECK(rig.count("busy") == 1);
}

TEST_IN_SIMULATION(
    "a banned host is HostBanned, known or not, and why is the operator's business") {
    Rig rig(world.env());
    rig.hosts.add("known.example", HostState::banned);
    rig.hosts.bans = {{"known.example", "spam"}, {"other.example", "spam"}};
    for (std::string name : {"known.example", "Other.example"}) {
        auto answer = rig.announce(name);
        CHECK(is_error(answer, 403, "HostBanned"));
        CHECK(answer.body.find("spam") == std::string::npos);
    }
    CHECK(rig.checked.empty());
    CHECK(rig.hosts.offers.empty());
    CHECK(rig.count("banned") == 2);
}

TEST_IN_SIMULATION("what the registry refuses has a name, a status, and a time to come again") {
    using Why = Refusal::Why;
    const struct {
        Why why;
        std::uint16_t status;
        std::string_view error;
        std::string_view outcome;
        std::string_view retry_after;
    } cases[] = {
        {Why::invalid, 400, "BadRequest", "malformed", ""},
        {Why::is_private, 400, "BadRequest", "private", ""},
        {Why::banned, 403, "HostBanned", "banned", ""},
        {Why::quota, 429, "RateLimitExceeded", "quota", "3600"},
        {Why::domain, 503, "TooManyHosts", "quota", "3600"},
        {Why::full, 503, "TooManyHosts", "quota", "3600"},
        {Why::unknown, 404, "HostNotFound", "malformed", ""},
        {Why::disk, 500, "InternalServerError", "busy", ""},
    };
    for (const auto& one : cases) {
        CAPTURE(one.error);
        Rig rig(world.env());
        rig.hosts.refusals["a.example"] = one.why;
        auto answer = rig.announce("a.example");
        CHECK(is_error(answer, one.status, one.error, "the book refuses"));
        CHECK(answer.headers.find("Retry-After").value_or("") == one.retry_after);
        CHECK(rig.count(one.outcome) == 1);
        CHECK(rig.count("added") == 0);
    }
}

TEST_IN_SIMULATION("where requests are off every one is Forbidden, until they are turned on") {
    Rig rig(world.env(), {.is_on = false});
    CHECK_FALSE(rig.crawl.is_on());
    rig.hosts.add("known.example", HostState::offline);
    CHECK(is_error(rig.announce("known.example"), 403, "Forbidden"));
    CHECK(is_error(rig.post("nonsense"), 403, "Forbidden"));
    CHECK(rig.count("off") == 2);
    CHECK(rig.hosts.offers.empty());
    rig.crawl.turn(true);
    CHECK(is_empty_200(rig.announce("known.example")));
    rig.crawl.turn(false);
    CHECK(is_error(rig.announce("known.example"), 403, "Forbidden"));
}

TEST_IN_SIMULATION("an address has a burst of requests, then one every other second") {
    Rig rig(world.env(), {.burst = 3});
    rig.hosts.add("known.example", HostState::active);
    for (int i = 0; i < 3; ++i) CHECK(is_empty_200(rig.announce("known.example")));
    auto refused = rig.announce("known.example");
    CHECK(is_error(refused, 429, "RateLimitExceeded", "from this address"));
    CHECK(refused.headers.find("Retry-After") == "2");
    CHECK(is_error(rig.post("nonsense"), 429, "RateLimitExceeded"));
    CHECK(rig.count("rate") == 2);
    CHECK(is_empty_200(rig.announce("known.example", Address::v4(198, 51, 100, 8, 1))));
    static_cast<void>(fiber::sleep_for(2s));
    CHECK(is_empty_200(rig.announce("known.example")));
    CHECK(is_error(rig.announce("known.example"), 429, "RateLimitExceeded"));
}

TEST_IN_SIMULATION("this machine's own requests have no limit, unless that is asked for") {
    Rig rig(world.env(), {.burst = 1});
    rig.hosts.add("known.example", HostState::active);
    for (int i = 0; i < 3; ++i) {
        CHECK(is_empty_200(rig.announce("known.example", Address::loopback(1))));
    }
    Rig proxied(world.env(), {.burst = 1});
    proxied.is_proxied = true;
    proxied.announce("nonsense", Address::loopback(1));
    CHECK(is_error(proxied.announce("nonsense", Address::loopback(1)), 429, "RateLimitExceeded"));
    Rig strict(world.env(), {.burst = 1, .limits_loopback = true});
    strict.announce("nonsense", Address::loopback(1));
    CHECK(is_error(strict.announce("nonsense", Address::loopback(1)), 429, "RateLimitExceeded"));
}

TEST_IN_SIMULATION("what another relay sends on is taken like any other, and counted") {
    Rig rig(world.env());
    auto sent_on = [&](std::string_view via) {
        net::HttpRequest request;
        request.method = net::HttpMethod::post;
        request.target = "/xrpc/com.atproto.sync.requestCrawl";
        if (!via.empty()) request.headers.add("Via", via);
        request.body = R"({"hostname":"a.example"})";
        CHECK(is_empty_200(
            rig.crawl.answer(request, {.address = stranger, .peer = stranger}).value()));
        const std::string page = rig.metrics.expose();
        const std::string name = "relay_crawl_requests_sent_on_total ";
        return std::stoul(page.substr(page.find("\n" + name) + 1 + name.size()));
    };
    CHECK(sent_on("") == 0);
    CHECK(sent_on("1.1 proxy.example") == 0);
    CHECK(sent_on("HTTP/1.1 atproto-relay") == 1);
}
