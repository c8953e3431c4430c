#include "relay/identity/resolver.hpp"

#include "tests/relay/identity/rig.hpp"

using namespace ringlay;
using namespace ringlay::identity;
using namespace std::chrono_literals;
using Kind = LookUp::Kind;

TEST_ON_BOTH_KERNELS("an account of the directory has a key and a PDS") {
    Rig rig(world.env());
    rig.plc.set(plc_did(1), some_key(1), "https://PDS.Example.com/");
    WallMillis before = world.env().clock.wall();
    const LookUp& answer = rig.look_up(plc_did(1));
    CHECK(answer.kind == Kind::found);
    CHECK(answer.identity == Identity{some_key(1), "pds.example.com"});
    CHECK(answer.at >= before);
    CHECK(answer.at <= world.env().clock.wall());
    CHECK(answer.reason == "");
    CHECK(rig.plc.requests(plc_did(1)) == 1);
    CHECK(rig.plc.last_user_agent() == "ringlay/test");
    CHECK(rig.resolver->waiting() == 0);
    CHECK(rig.counters.plc_requests.value() == 1);
    CHECK(rig.counters.plc_found.value() == 1);
    CHECK(rig.counters.waiting.depth() == 0);
    CHECK(rig.metrics.expose().find("relay_identity_lookup_seconds_count 1\n") !=
          std::string::npos);
}

TEST_ON_BOTH_KERNELS("a slash behind the directory's address is none of the path") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.plc_url += "/"; });
    rig.plc.set(plc_did(1), some_key(1), "https://pds.example.com");
    CHECK(rig.look_up(plc_did(1)).kind == Kind::found);
}

TEST_ON_BOTH_KERNELS("a document without key or PDS is found, and does not work") {
    Rig rig(world.env());
    rig.plc.set_answer(plc_did(1), 200, "{\"id\":\"" + plc_did(1) + "\"}");
    const LookUp& answer = rig.look_up(plc_did(1));
    CHECK(answer.kind == Kind::found);
    CHECK_FALSE(answer.identity.is_working());
}

TEST_ON_BOTH_KERNELS("404 and 410 are definite; the next look-up asks again") {
    Rig rig(world.env());
    const LookUp& unknown = rig.look_up(plc_did(1));
    CHECK(unknown.kind == Kind::none);
    CHECK(unknown.reason == "PLC directory: status 404");
    rig.plc.set_answer(plc_did(2), 410, "");
    CHECK(rig.look_up(plc_did(2)).kind == Kind::none);
    rig.plc.set(plc_did(1), some_key(), "https://a.com");
    CHECK(rig.look_up(plc_did(1)).kind == Kind::found);
    CHECK(rig.counters.plc_none.value() == 2);
}

TEST_ON_BOTH_KERNELS("what is no document of this DID says nothing about it") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.max_document_bytes = 10'000; });
    std::string other = support::did_document(plc_did(2), "z1", "https://a.com");
    std::string huge = support::did_document(plc_did(1), std::string(10'000, 'z'), "https://a.com");
    for (const std::string& body :
         {std::string("<html>"), std::string(), std::string("{}"), other, huge}) {
        CAPTURE(body.substr(0, 60));
        rig.plc.set_answer(plc_did(1), 200, body);
        const LookUp& answer = rig.look_up(plc_did(1));
        CHECK(answer.kind == Kind::unavailable);
        CHECK(answer.reason.starts_with("PLC directory: "));
    }
    for (std::uint16_t status : std::vector<std::uint16_t>{201, 204, 301, 400, 403, 418}) {
        CAPTURE(status);
        rig.plc.set_answer(plc_did(1), status, "");
        const LookUp& answer = rig.look_up(plc_did(1));
        CHECK(answer.kind == Kind::unavailable);
        CHECK(answer.reason == "PLC directory: status " + std::to_string(status));
    }
    // All of them are answers: a directory that answers is not left alone.
    rig.plc.set(plc_did(1), some_key(), "https://a.com");
    CHECK(rig.look_up(plc_did(1)).kind == Kind::found);
}

TEST_ON_BOTH_KERNELS("a directory that refuses, hangs or wants TLS makes look-ups unavailable") {
    {
        Rig rig(world.env(), [&](ResolverOptions& options) {
            env::Listener gone = world.env().net.listen(Address::loopback(0)).value();
            options.plc_url = "http://" + gone.local().text() + "/";
        });
        const LookUp& answer = rig.look_up(plc_did(1));
        CHECK(answer.kind == Kind::unavailable);
        CHECK(answer.reason.starts_with("PLC directory: cannot connect to 127.0.0.1:"));
    }
    {
        Rig rig(world.env(), [](ResolverOptions& options) { options.request_timeout = 20ms; });
        rig.plc.be_silent();
        const LookUp& answer = rig.look_up(plc_did(1));
        CHECK(answer.kind == Kind::unavailable);
        CHECK(answer.reason.ends_with(": deadline passed"));
    }
    for (auto [url, reason] : {std::pair("https://127.0.0.1:1", "TLS is not supported"),
                               std::pair("plc.directory", "url: no scheme")}) {
        Rig rig(world.env(), [&](ResolverOptions& options) { options.plc_url = url; });
        const LookUp& answer = rig.look_up(plc_did(1));
        CHECK(answer.kind == Kind::unavailable);
        CHECK(answer.reason == std::string("PLC directory: ") + reason);
    }
}

TEST_ON_BOTH_KERNELS("DIDs of other methods have no identity, and nobody is asked") {
    const net::Outbound guard(nullptr);
    Rig rig(world.env(), [&](ResolverOptions& options) { options.outbound = &guard; });
    for (std::string_view did : {"did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc",
                                 "did:plc:short", "did:plc:AAAAAAAAAAAAAAAAAAAAAAAA",
                                 "did:example:1", "alice.com", "", "did:web:localhost%3A2600",
                                 "did:web:alice.com:user", "did:web:", "did:web:alice.com/x"}) {
        CAPTURE(did);
        CHECK(rig.look_up(did).kind == Kind::none);
    }
    CHECK(rig.plc.requests() == 0);
    CHECK(rig.counters.other_none.value() == 6);
    CHECK(rig.counters.web_none.value() == 4);
    CHECK(rig.counters.web_requests.value() == 0);
}

TEST_ON_BOTH_KERNELS("look-ups of one DID at once are one request") {
    Rig rig(world.env());
    rig.plc.set(plc_did(1), some_key(), "https://a.com");
    rig.plc.be_slow(5ms);
    for (int i = 0; i < 5; ++i) rig.ask(plc_did(1));
    while (rig.plc.requests() == 0) fiber::yield();
    for (int i = 0; i < 5; ++i) rig.ask(plc_did(1));  // while it is under way
    CHECK(rig.asked().front().calls == 0);
    CHECK(rig.resolver->waiting() == 10);
    CHECK(rig.counters.waiting.depth() == 10);
    for (Asked& asked : rig.asked()) asked.wait();
    for (const Asked& asked : rig.asked()) CHECK(asked.calls == 1);
    CHECK(rig.plc.requests(plc_did(1)) == 1);
    CHECK(rig.counters.plc_found.value() == 10);
    rig.look_up(plc_did(1));
    CHECK(rig.plc.requests(plc_did(1)) == 2);
}

TEST_ON_BOTH_KERNELS("whoever is answered may look up at once, and is not answered inside that") {
    Rig rig(world.env());
    bool is_inside = false;
    int depth_errors = 0;
    fiber::Event done;
    rig.resolver->look_up(plc_did(1), 0, [&](const LookUp& first) {
        CHECK(first.kind == Kind::none);
        rig.plc.set(plc_did(1), some_key(), "https://a.com");
        is_inside = true;
        rig.resolver->look_up(plc_did(1), 0, [&](const LookUp& second) {
            depth_errors += is_inside;
            CHECK(second.kind == Kind::found);
            rig.resolver->look_up("did:key:z1", 0, [&](const LookUp& third) {
                depth_errors += is_inside;
                CHECK(third.kind == Kind::none);
                done.set();
            });
        });
        is_inside = false;
    });
    REQUIRE(done.wait().has_value());
    CHECK(depth_errors == 0);
}

TEST_ON_BOTH_KERNELS("more look-ups than there is room for are refused, later and unavailable") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.max_waiting = 3; });
    rig.plc.be_slow(5ms);
    Asked& one = rig.ask(plc_did(1));
    Asked& two = rig.ask("did:key:z1");
    Asked& three = rig.ask(plc_did(1));
    Asked& four = rig.ask(plc_did(1));
    Asked& five = rig.ask(plc_did(2));
    Asked& six = rig.ask("did:key:z1");
    CHECK(four.calls + five.calls + six.calls == 0);
    CHECK(rig.resolver->waiting() == 3);
    for (Asked* refused : {&four, &five, &six}) {
        CHECK(refused->wait().kind == Kind::unavailable);
        CHECK(refused->answer.reason == "too many look-ups wait");
    }
    CHECK(one.wait().kind == Kind::none);
    CHECK(two.wait().kind == Kind::none);
    CHECK(three.wait().kind == Kind::none);
    CHECK(rig.plc.requests() == 1);
    CHECK(rig.counters.refused_full.value() == 3);
    CHECK(rig.resolver->waiting() == 0);
    CHECK(rig.look_up(plc_did(2)).kind == Kind::none);
}

TEST_ON_BOTH_KERNELS("a host's refreshes are counted") {
    Rig rig(world.env(),
            [](ResolverOptions& options) { options.refreshes_per_host_per_minute = 2; });
    CHECK(rig.resolver->take_refresh(1));
    CHECK(rig.resolver->take_refresh(1));
    CHECK_FALSE(rig.resolver->take_refresh(1));
    CHECK(rig.resolver->take_refresh(2));
    CHECK(rig.counters.refused_budget.value() == 1);
}

TEST_ON_BOTH_KERNELS("stopping answers everybody who waits, once") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.plc_concurrency = 2; });
    rig.plc.be_silent();
    for (std::size_t i = 0; i < 5; ++i) rig.ask(plc_did(i));
    rig.ask(plc_did(0));
    rig.ask("did:web:127.0.0.1%3A" + std::to_string(rig.server.port()));
    while (rig.plc.requests() < 3) fiber::yield();  // two, and the did:web one
    rig.ask("did:key:z1");
    Asked again;
    rig.resolver->look_up(plc_did(9), 0, [&](const LookUp&) {
        rig.resolver->look_up(plc_did(8), 0, [&](const LookUp& answer) {
            ++again.calls;
            again.answer = answer;
        });
    });
    rig.resolver->stop();
    for (const Asked& asked : rig.asked()) {
        CHECK(asked.calls == 1);
        if (asked.answer.kind == Kind::none) continue;
        CHECK(asked.answer.kind == Kind::unavailable);
        CHECK(asked.answer.reason == "stopping");
    }
    CHECK(again.calls == 1);
    CHECK(again.answer.reason == "stopping");
    CHECK(rig.resolver->waiting() == 0);
    CHECK(rig.counters.waiting.depth() == 0);
    CHECK(rig.counters.plc_unavailable.value() == 7);
    CHECK(rig.counters.web_unavailable.value() == 1);

    Asked& late = rig.ask(plc_did(1));
    CHECK(late.calls == 1);
    CHECK(late.answer.kind == Kind::unavailable);
    rig.resolver->stop();
}

TEST_ON_BOTH_KERNELS("a resolver that nobody has asked ends at once") {
    Rig rig(world.env());
    rig.resolver.reset();
    rig.resolver.emplace(rig.env, rig.options, rig.counters);
    fiber::yield();
    rig.resolver.reset();
    CHECK(rig.plc.requests() == 0);
}
