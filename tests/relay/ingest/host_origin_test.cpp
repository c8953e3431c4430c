#include "relay/ingest/host_origin.hpp"

#include "relay/ingest/status_asker.hpp"
#include "relay/net/http_server.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::ingest;

TEST_CASE("a host's name says where its XRPC is, as far as it can") {
    auto allowed = base::PrivateHosts::parse("localhost:2583,[::1]:*").value();
    const struct {
        const char* name;
        std::optional<bool> is_tls;
        const char* origin;
    } cases[] = {
        {"pds.example", std::nullopt, "https://pds.example"},
        {"pds.example", false, "https://pds.example"},  // without a port it is https
        {"pds.example", true, "https://pds.example"},
        {"localhost", std::nullopt, "https://localhost"},
        {"pds.example:8443", std::nullopt, "https://pds.example:8443"},
        {"pds.example:8443", true, "https://pds.example:8443"},
        {"pds.example:8443", false, "http://pds.example:8443"},
        {"localhost:2583", std::nullopt, "http://localhost:2583"},
        {"localhost:2583", true, "https://localhost:2583"},
        {"localhost:2584", std::nullopt, "https://localhost:2584"},
        {"[::1]:2583", std::nullopt, "http://[::1]:2583"},
        {"[::1]", std::nullopt, "https://[::1]"},
        {"", std::nullopt, ""},
        {"pds.example/path", std::nullopt, ""},
        {"pds.example?x", true, ""},
        {"a@b", std::nullopt, ""},
        {"pds.example:0", std::nullopt, ""},
    };
    for (const auto& each : cases) {
        CAPTURE(each.name);
        CHECK(origin_of_host(each.name, each.is_tls, allowed) == each.origin);
    }
}

TEST_ON_BOTH_KERNELS("a host is asked for a status where the guard allows it, and nowhere else") {
    net::HttpServerCounters counters;
    std::size_t asked = 0;
    auto listener = world.env().net.listen(Address::loopback(0)).value();
    net::HttpServer server(world.env(), {}, counters,
                           [&](const net::HttpRequest& request, const Address&) -> net::HttpReply {
                               ++asked;
                               CHECK(request.path() == "/xrpc/com.atproto.sync.getRepoStatus");
                               return net::HttpResponse{
                                   200, {}, R"({"did":"did:plc:a","active":true})"};
                           });
    fiber::Task serving = fiber::spawn("serve", [&] { server.serve(listener); });
    const std::string name = listener.local().text();

    const net::Outbound closed(nullptr);
    const net::Outbound open(nullptr, base::PrivateHosts::parse(name).value());
    auto answer_of = [&](const net::Outbound* outbound, std::string_view host, bool is_tls,
                         bool is_strangers = false) {
        HostRef ref;
        ref.id = 1;
        ref.name = host;
        ref.is_tls = is_tls;
        ref.is_strangers = is_strangers;
        StatusAsker asker(world.env(), "ringlay (test)", outbound, &closed);
        HostAnswer answer = HostAnswer::inactive;
        fiber::Event done;
        asker.ask("did:plc:a", ref, [&](HostAnswer given) {
            answer = given;
            done.set();
        });
        static_cast<void>(done.wait());
        asker.stop();
        return answer;
    };
    CHECK(answer_of(nullptr, name, false) == HostAnswer::active);
    CHECK(answer_of(&open, name, false) == HostAnswer::active);
    CHECK(asked == 2);
    CHECK(answer_of(&closed, name, false) == HostAnswer::none);
    CHECK(closed.refused == 1);
    // Whom a stranger announced is not asked inside, although the operator allows it to others.
    CHECK(answer_of(&open, name, false, true) == HostAnswer::none);
    CHECK(closed.refused == 2);
    CHECK(answer_of(&open, name, true) == HostAnswer::none);  // no TLS here
    CHECK(answer_of(&open, "127.0.0.1", false) == HostAnswer::none);
    CHECK(answer_of(&open, "no host", false) == HostAnswer::none);
    CHECK(asked == 2);
    serving.cancel_and_join();
}
