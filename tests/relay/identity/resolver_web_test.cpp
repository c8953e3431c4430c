#include "relay/env/sim/world.hpp"
#include "relay/identity/resolver.hpp"
#include "tests/relay/identity/rig.hpp"

using namespace ringlay;
using namespace ringlay::identity;
using namespace std::chrono_literals;
using Kind = LookUp::Kind;

namespace {

// A host that has one document, for whichever did:web it is asked as.
class WebHost {
  public:
    explicit WebHost(env::Env& env)
        : served_(env, [this](const net::HttpRequest& request, const Address&) -> net::HttpReply {
              ++requests;
              most_at_once = std::max(most_at_once, ++at_once_);
              last_path = request.target;
              if (delay > Nanos(0)) static_cast<void>(fiber::sleep_for(delay));
              --at_once_;
              net::HttpResponse response{status, {}, body};
              if (status == 302) response.headers.add("Location", "/elsewhere");
              return response;
          }) {}

    std::string did(std::string_view name = "localhost") const {
        return "did:web:" + std::string(name) + "%3A" + std::to_string(served_.port());
    }
    std::string host() const { return "localhost:" + std::to_string(served_.port()); }

    std::uint16_t status = 200;
    std::string body;
    Nanos delay{0};
    std::size_t requests = 0;
    std::size_t most_at_once = 0;
    std::string last_path;

  private:
    std::size_t at_once_ = 0;
    Served served_;
};

}  // namespace

TEST_ON_BOTH_KERNELS("a did:web's document is at its own host") {
    Rig rig(world.env());
    WebHost host(world.env());
    host.body = support::did_document(host.did(), crypto::to_multikey(some_key(3)),
                                      "http://" + host.host());
    Asked& asked = rig.ask(host.did());
    CHECK(rig.resolver->web_lanes() == 1);
    const LookUp& answer = asked.wait();
    CHECK(answer.kind == Kind::found);
    CHECK(answer.identity == Identity{some_key(3), host.host()});
    CHECK(host.last_path == "/.well-known/did.json");
    CHECK(rig.plc.requests() == 0);
    CHECK(rig.counters.web_requests.value() == 1);
    CHECK(rig.counters.web_found.value() == 1);

    // The same host under another DID: not this document's.
    const LookUp& other = rig.look_up(host.did("LOCALHOST"));
    CHECK(other.kind == Kind::unavailable);
    CHECK(other.reason == "did:web: DID document: of another DID");
}

TEST_ON_BOTH_KERNELS("a did:web host that says it has none is definite, one that fails is not") {
    Rig rig(world.env());
    WebHost host(world.env());
    for (std::uint16_t status : std::vector<std::uint16_t>{404, 410}) {
        host.status = status;
        CHECK(rig.look_up(host.did()).kind == Kind::none);
    }
    for (std::uint16_t status : std::vector<std::uint16_t>{204, 302, 400, 403, 429, 500, 503}) {
        CAPTURE(status);
        host.status = status;
        const LookUp& answer = rig.look_up(host.did());
        CHECK(answer.kind == Kind::unavailable);
        CHECK(answer.reason == "did:web: status " + std::to_string(status));
    }
    CHECK(host.requests == 9);
    CHECK(host.last_path == "/.well-known/did.json");  // no redirect was followed
    host.status = 200;
    CHECK(rig.look_up(host.did()).reason == "did:web: DID document: not JSON");
    CHECK(rig.counters.web_none.value() == 2);
    CHECK(rig.counters.web_unavailable.value() == 8);

    std::string nobody;
    {
        WebHost gone(world.env());
        nobody = gone.did("127.0.0.1");
    }
    CHECK(rig.look_up(nobody).reason.starts_with("did:web: cannot connect to "));
    CHECK(rig.look_up("did:web:alice.com").reason == "did:web: TLS is not supported");
}

TEST_IN_SIMULATION("a did:web whose name leads into a private network has no document") {
    auto identity = crypto::make_self_signed(std::vector<std::string>{"alice.com"}, 0, 1).value();
    auto tls = crypto::TlsClientContext::from_pem(identity.certificate_pem).value();
    const net::Outbound guard(tls.get(), base::PrivateHosts::parse("carol.lan").value());
    Rig rig(world.env(), [&](ResolverOptions& options) { options.outbound = &guard; });
    auto& names = dynamic_cast<env::World&>(world.runtime()).net();
    names.set_name("alice.com", {Address::parse("169.254.169.254", 0).value()});
    names.set_name("bob.com", {Address::parse("93.184.216.34", 0).value()});
    names.set_name("carol.lan", {Address::parse("10.250.0.1", 0).value()});
    const LookUp& inside = rig.look_up("did:web:alice.com");
    CHECK(inside.kind == Kind::none);
    CHECK(inside.reason.starts_with("did:web: alice.com: 169.254.169.254 is not on the public"));
    CHECK(guard.refused == 1);
    // Nobody is there, or nobody yet: that may change.
    for (std::string_view did : {"did:web:bob.com", "did:web:carol.lan", "did:web:unknown.com"}) {
        CAPTURE(did);
        CHECK(rig.look_up(did).kind == Kind::unavailable);
    }
    // The directory is refused, too, unless it was named.
    CHECK(rig.look_up(plc_did(1)).kind == Kind::unavailable);
    CHECK(guard.refused == 2);
    CHECK(rig.plc.requests() == 0);
}

TEST_ON_BOTH_KERNELS("a directory that was named is asked wherever it is, and nothing else there") {
    std::optional<net::Outbound> guard;
    Rig rig(world.env());
    rig.plc.set(plc_did(1), some_key(), "https://a.com");
    base::PrivateHosts allowed;
    auto directory = proto::parse_url(rig.options.plc_url).value();
    allowed.add_host(directory.host, directory.port);
    guard.emplace(nullptr, allowed);
    rig.options.outbound = &*guard;
    rig.resolver.emplace(rig.env, rig.options, rig.counters);
    CHECK(rig.look_up(plc_did(1)).kind == Kind::found);
    WebHost host(world.env());
    CHECK(rig.look_up(host.did()).kind == Kind::none);
    CHECK(rig.look_up(host.did("127.0.0.1")).kind == Kind::none);
    CHECK(host.requests == 0);
    rig.resolver.reset();  // before the guard
}

TEST_IN_SIMULATION("failures of did:web hosts do not slow the directory, nor the other way") {
    Rig rig(world.env());
    WebHost host(world.env());
    host.status = 503;
    for (int i = 0; i < 5; ++i) rig.look_up(host.did());
    rig.plc.fail_with(500);
    for (int i = 0; i < 2; ++i) CHECK(rig.look_up(plc_did(1)).kind == Kind::unavailable);
    rig.look_up(plc_did(1));
    Asked& waits = rig.ask(plc_did(1));  // the directory is left alone for half a second
    host.status = 404;
    CHECK(rig.look_up(host.did()).kind == Kind::none);
    CHECK(waits.calls == 0);
}

TEST_ON_BOTH_KERNELS("a site has one request at a time") {
    Rig rig(world.env());
    WebHost host(world.env());
    host.status = 404;
    host.delay = 2ms;
    for (std::string_view name :
         {"localhost", "Localhost", "LOCALHOST", "locALhost", "localhosT"}) {
        rig.ask(host.did(name));
        rig.ask(host.did(name));
    }
    for (Asked& asked : rig.asked()) asked.wait();
    for (const Asked& asked : rig.asked()) {
        CHECK(asked.calls == 1);
        CHECK(asked.answer.kind == Kind::none);
    }
    CHECK(host.requests == 5);
    CHECK(host.most_at_once == 1);
}

TEST_ON_BOTH_KERNELS("a site has room for so many look-ups, others have theirs") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.max_waiting_per_domain = 3; });
    WebHost host(world.env()), other(world.env());
    host.status = other.status = 404;
    host.delay = 2ms;
    rig.ask(host.did());
    rig.ask(host.did());
    rig.ask(host.did("LOCALHOST"));
    Asked& fourth = rig.ask(host.did("Localhost"));
    Asked& fifth = rig.ask(host.did());
    CHECK(fourth.wait().reason == "too many look-ups wait");
    CHECK(fifth.wait().kind == Kind::unavailable);
    CHECK(rig.look_up(other.did()).kind == Kind::none);
    CHECK(rig.look_up(plc_did(1)).kind == Kind::none);
    CHECK(rig.counters.refused_full.value() == 2);
    for (Asked& asked : rig.asked()) asked.wait();
    CHECK(rig.look_up(host.did("Localhost")).kind == Kind::none);
    CHECK(host.requests == 3);
}

TEST_IN_SIMULATION("a site that never answers takes one place; all others go on") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.web_concurrency = 2; });
    WebHost stuck(world.env()), good(world.env()), better(world.env());
    stuck.delay = 10min;
    good.status = better.status = 404;
    std::string name = "localhost";
    for (std::size_t i = 0; i < 6; ++i) {
        name[i] = static_cast<char>(name[i] - ('a' - 'A'));
        rig.ask(stuck.did(name));
    }
    REQUIRE(fiber::sleep_for(100ms).has_value());
    Nanos before = fiber::now();
    for (int i = 0; i < 20; ++i) {
        CHECK(rig.look_up(good.did()).kind == Kind::none);
        CHECK(rig.look_up(better.did()).kind == Kind::none);
        CHECK(rig.look_up(plc_did(1)).kind == Kind::none);
    }
    CHECK(fiber::now() - before < 4s);
    CHECK(stuck.requests == 1);
    CHECK(rig.asked().front().calls == 0);
    REQUIRE(fiber::sleep_for(31s).has_value());
    CHECK(stuck.requests == 6);
    for (const Asked& asked : rig.asked()) CHECK(asked.calls == 1);
    CHECK(rig.resolver->waiting() == 0);
}

TEST_IN_SIMULATION("sites share the places for did:web, and take turns") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.web_concurrency = 3; });
    std::list<WebHost> hosts;
    std::size_t at_once = 0;
    for (int i = 0; i < 12; ++i) {
        WebHost& host = hosts.emplace_back(world.env());
        host.status = 404;
        host.delay = 1s;
    }
    Nanos before = fiber::now();
    for (const WebHost& host : hosts) {
        rig.ask(host.did());
        rig.ask(host.did("LOCALHOST"));
    }
    REQUIRE(fiber::sleep_for(500ms).has_value());
    for (const WebHost& host : hosts) at_once += host.requests;
    CHECK(at_once == 3);
    REQUIRE(fiber::sleep_for(3800ms).has_value());
    for (const WebHost& host : hosts) CHECK(host.requests >= 1);  // nobody has had two by then
    for (Asked& asked : rig.asked()) asked.wait();
    CHECK(fiber::now() - before >= 8s);
    CHECK(fiber::now() - before < 9s);
}

TEST_IN_SIMULATION("a look-up that waits behind a stuck one is given up in time") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.longest_wait = 7s; });
    WebHost stuck(world.env());
    stuck.delay = 10min;
    for (std::string_view name : {"localhost", "Localhost", "LOCALHOST", "locALhost"}) {
        rig.ask(stuck.did(name));
    }
    REQUIRE(fiber::sleep_for(6s).has_value());
    CHECK(stuck.requests == 2);
    REQUIRE(fiber::sleep_for(1100ms).has_value());
    CHECK(rig.resolver->waiting() == 1);
    CHECK(rig.asked().back().answer.reason == "did:web: its turn has not come");
    REQUIRE(fiber::sleep_for(10s).has_value());
    CHECK(stuck.requests == 2);
    for (const Asked& asked : rig.asked()) CHECK(asked.calls == 1);
    stuck.delay = 0s;
    stuck.status = 404;
    CHECK(rig.look_up(stuck.did()).kind == Kind::none);
}

TEST_IN_SIMULATION("a site whose last look-up was given up before its turn is forgotten") {
    Rig rig(world.env(), [](ResolverOptions& options) {
        options.web_concurrency = 1;
        options.longest_wait = 2s;
    });
    WebHost stuck(world.env()), other(world.env());
    stuck.delay = 10min;
    other.status = 404;
    rig.ask(stuck.did());
    REQUIRE(fiber::sleep_for(1ms).has_value());
    CHECK(rig.look_up(other.did()).kind == Kind::unavailable);
    CHECK(other.requests == 0);
    CHECK(rig.resolver->web_lanes() == 2);
    REQUIRE(fiber::sleep_for(4s).has_value());
    CHECK(rig.resolver->web_lanes() == 0);
    CHECK(rig.look_up(other.did()).kind == Kind::none);
    CHECK(other.requests == 1);
}
