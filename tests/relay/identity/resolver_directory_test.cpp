#include "relay/env/sim/world.hpp"
#include "relay/identity/directory_pace.hpp"
#include "relay/identity/resolver.hpp"
#include "tests/relay/identity/rig.hpp"

using namespace ringlay;
using namespace ringlay::identity;
using namespace std::chrono_literals;
using Kind = LookUp::Kind;

TEST_IN_SIMULATION("the directory has no more requests at once than it may have") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.plc_concurrency = 4; });
    rig.plc.be_slow(10ms);
    for (std::size_t i = 0; i < 51; ++i) rig.ask(plc_did(i));
    for (Asked& asked : rig.asked()) asked.wait();
    for (const Asked& asked : rig.asked()) CHECK(asked.calls == 1);
    CHECK(rig.plc.most_at_once() == 4);
    CHECK(rig.plc.requests() == 51);
}

TEST_IN_SIMULATION("a directory that says when to come back is left alone until then") {
    for (std::uint16_t status : std::vector<std::uint16_t>{429, 503}) {
        Rig rig(world.env());
        rig.plc.fail_with(status, "30");
        const LookUp& refused = rig.look_up(plc_did(1));
        CHECK(refused.kind == Kind::unavailable);
        CHECK(refused.reason == "PLC directory: status " + std::to_string(status));
        Nanos paused_at = fiber::now();
        rig.plc.be_slow(10ms);
        for (std::size_t i = 2; i < 12; ++i) rig.ask(plc_did(i));
        REQUIRE(fiber::sleep_for(29s).has_value());
        CHECK(rig.plc.requests() == 1);
        CHECK(rig.look_up(plc_did(1)).kind == Kind::none);
        CHECK(fiber::now() - paused_at >= 29s + 900ms);
        CHECK(fiber::now() - paused_at < 31s);
        CHECK(rig.plc.most_at_once() > 1);
    }
}

TEST_IN_SIMULATION("a pause is never longer than five minutes, whatever is asked for") {
    for (const char* much : {"86400", "18446744073709551617"}) {
        Rig rig(world.env(), [](ResolverOptions& options) { options.longest_wait = 1h; });
        rig.plc.fail_with(429, much);
        rig.look_up(plc_did(1));
        rig.plc.be_well();
        Nanos before = fiber::now();
        CHECK(rig.look_up(plc_did(1)).kind == Kind::none);
        CHECK(fiber::now() - before > 299s);
        CHECK(fiber::now() - before < 301s);
    }
}

TEST_IN_SIMULATION("Retry-After that is none, or of another status, is no pause by itself") {
    for (auto [status, text] : {std::pair<std::uint16_t, const char*>(429, "soon"),
                                {429, ""},
                                {429, "-5"},
                                {500, "30"}}) {
        CAPTURE(status, text);
        Rig rig(world.env());
        rig.plc.fail_with(status, text);
        rig.look_up(plc_did(1));
        Nanos before = fiber::now();
        rig.plc.be_well();
        CHECK(rig.look_up(plc_did(1)).kind == Kind::none);
        CHECK(fiber::now() - before < 1s);
    }
}

TEST_IN_SIMULATION(
    "a directory that is down is probed by one request at a time, ever more rarely") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.longest_wait = 24h; });
    rig.plc.fail_with(500);
    for (std::size_t i = 0; i < 300; ++i) rig.ask(plc_did(i));
    REQUIRE(fiber::sleep_for(1min).has_value());
    // 16 at first; then after about 1, 3, 7, 15, 31, 63 s.
    CHECK(rig.plc.requests() >= 16 + 4);
    CHECK(rig.plc.requests() <= 16 + 12);
    REQUIRE(fiber::sleep_for(1h).has_value());
    std::size_t after_an_hour = rig.plc.requests();
    CHECK(after_an_hour >= 16 + 60);
    CHECK(after_an_hour <= 16 + 12 + 121);
    CHECK(rig.counters.plc_unavailable.value() == after_an_hour);

    rig.plc.be_well();
    for (Asked& asked : rig.asked()) asked.wait();
    for (const Asked& asked : rig.asked()) CHECK(asked.calls == 1);
    CHECK(rig.counters.plc_none.value() > 100);
}

TEST_IN_SIMULATION("probes of a silent directory never overlap") {
    Rig rig(world.env(), [](ResolverOptions& options) {
        options.longest_wait = 24h;
        options.plc_concurrency = 3;
    });
    rig.plc.be_silent();
    for (std::size_t i = 0; i < 100; ++i) rig.ask(plc_did(i));
    REQUIRE(fiber::sleep_for(4s).has_value());
    CHECK(rig.plc.requests() == 3);
    REQUIRE(fiber::sleep_for(10min).has_value());
    // Each probe takes five seconds, and a pause comes after each.
    CHECK(rig.counters.plc_unavailable.value() < 3 + 30);
    CHECK(rig.counters.plc_unavailable.value() > 3 + 9);
    CHECK(rig.plc.requests() - rig.counters.plc_unavailable.value() <= 1);
}

TEST_IN_SIMULATION("answers that are good end the back-off for all") {
    Rig rig(world.env());
    rig.plc.fail_with(502);
    for (std::size_t i = 0; i < 3; ++i) rig.look_up(plc_did(i));
    Nanos before = fiber::now();
    rig.plc.be_well();
    rig.plc.be_slow(100ms);
    for (std::size_t i = 0; i < 160; ++i) rig.ask(plc_did(i));
    for (Asked& asked : rig.asked()) asked.wait();
    CHECK(rig.counters.plc_none.value() == 160);
    CHECK(fiber::now() - before < 4s);  // one alone would take 16
    CHECK(fiber::now() - before > 500ms);
}

TEST_IN_SIMULATION("whose turn does not come is told, and why") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.longest_wait = 10s; });
    rig.plc.fail_with(503, "200");
    rig.look_up(plc_did(1));
    Nanos before = fiber::now();
    rig.plc.be_well();
    Asked& early = rig.ask(plc_did(2));
    REQUIRE(fiber::sleep_for(5s).has_value());
    Asked& late = rig.ask(plc_did(3));
    rig.ask(plc_did(2));
    CHECK(early.wait().kind == Kind::unavailable);
    CHECK(early.answer.reason ==
          "PLC directory: its turn has not come; last failure: PLC directory: status 503");
    CHECK(fiber::now() - before < 10s + 10ms);
    CHECK(fiber::now() - before >= 10s);
    CHECK(rig.asked().back().calls == 1);
    CHECK(late.calls == 0);
    late.wait();
    CHECK(fiber::now() - before >= 15s);
    CHECK(rig.resolver->waiting() == 0);
    CHECK(rig.plc.requests() == 1);
}

TEST_IN_SIMULATION("an old failure is no reason for what comes after a good answer") {
    Rig rig(world.env(), [](ResolverOptions& options) {
        options.plc_concurrency = 1;
        options.longest_wait = 2s;
    });
    rig.plc.fail_with(500);
    CHECK(rig.look_up(plc_did(1)).kind == Kind::unavailable);
    rig.plc.be_well();
    CHECK(rig.look_up(plc_did(1)).kind == Kind::none);
    rig.plc.be_silent();
    rig.ask(plc_did(1));
    CHECK(rig.look_up(plc_did(2)).reason == "PLC directory: its turn has not come");
}

TEST_IN_SIMULATION("what no waiting would change begins no back-off") {
    for (bool wants_tls : {false, true}) {
        Rig rig(world.env(), [&](ResolverOptions& options) {
            if (wants_tls) options.plc_url = "https://127.0.0.1:1";
            options.max_document_bytes = 100;
        });
        rig.plc.set_answer(plc_did(1), 200, std::string(1000, ' '));
        Nanos before = fiber::now();
        for (int i = 0; i < 5; ++i) CHECK(rig.look_up(plc_did(1)).kind == Kind::unavailable);
        CHECK(fiber::now() - before < DirectoryPace::first / 2);
    }
}

TEST_IN_SIMULATION("whatever the directory does, each look-up is answered once") {
    for (int round = 0; round < 8; ++round) {
        env::Random& random = world.env().random;
        Rig rig(world.env(), [&](ResolverOptions& options) {
            options.plc_concurrency = 1 + random.below(8);
            options.web_concurrency = 1 + random.below(3);
            options.max_waiting = 1 + random.below(60);
            options.max_waiting_per_domain = 1 + random.below(4);
            options.longest_wait = std::chrono::milliseconds(1 + random.below(20'000));
            options.request_timeout = std::chrono::milliseconds(1 + random.below(3000));
        });
        for (std::size_t i = 0; i < 20; ++i) rig.plc.set(plc_did(i), some_key(), "https://a.com");
        std::string web = "did:web:LOCALHOST%3A" + std::to_string(rig.server.port());
        for (int step = 0; step < 300; ++step) {
            switch (random.below(14)) {
                case 0:
                    rig.plc.be_well();
                    break;
                case 1:
                    rig.plc.be_slow(std::chrono::milliseconds(random.below(2000)));
                    break;
                case 2:
                    rig.plc.be_silent();
                    break;
                case 3:
                    rig.plc.fail_with(random.below(2) == 0 ? 429 : 503,
                                      std::to_string(random.below(3)));
                    break;
                case 4:
                    rig.plc.fail_with(500);
                    break;
                case 5: {
                    std::string did = web;
                    std::size_t letter = 8 + random.below(9);
                    did[letter] = static_cast<char>(did[letter] + ('a' - 'A'));
                    rig.ask(did);
                    break;
                }
                case 6:
                    rig.ask("did:example:other");
                    break;
                case 7:
                    REQUIRE(fiber::sleep_for(std::chrono::milliseconds(random.below(4000))));
                    break;
                default:
                    rig.ask(plc_did(random.below(30)));
            }
            CHECK(rig.resolver->waiting() <= rig.options.max_waiting);
        }
        if (round % 2 == 0) {
            rig.plc.be_well();
            REQUIRE(fiber::sleep_for(20min).has_value());
            CHECK(rig.resolver->waiting() == 0);
            CHECK(rig.resolver->web_lanes() == 0);
        }
        rig.resolver->stop();
        std::size_t answered = 0;
        for (const Asked& asked : rig.asked()) answered += asked.calls == 1;
        CHECK(answered == rig.asked().size());
        IdentityMetrics& counters = rig.counters;
        CHECK(counters.waiting.depth() == 0);
        CHECK(counters.plc_found.value() + counters.plc_none.value() +
                  counters.plc_unavailable.value() + counters.web_found.value() +
                  counters.web_none.value() + counters.web_unavailable.value() +
                  counters.other_none.value() + counters.refused_full.value() ==
              answered);
    }
}

TEST_CASE("a directory on another machine serves a simulated world, and may be out of reach") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        base::Metrics metrics(1);
        IdentityMetrics counters(metrics, 100);
        std::optional<support::SimPlc> plc;
        env::Env env;
        std::vector<LookUp> answers;
        bool is_parted = false;
        env::WorldOptions options;
        options.seed = seed;
        env::World world(options);
        plc.emplace(world, "plc");
        plc->set(plc_did(1), some_key(1), "http://pds.test:2583");
        plc->lag();
        plc->set(plc_did(1), some_key(2), "http://pds.test:2583");
        world.machine("relay").start_worker({.name = "relay", .index = 0}, [&] {
            ResolverOptions chosen;
            chosen.plc_url = plc->url();
            Resolver resolver(env, chosen, counters);
            for (int i = 0; i < 4; ++i) {
                fiber::Event done;
                resolver.look_up(plc_did(1), 0, [&](const LookUp& answer) {
                    answers.push_back(answer);
                    done.set();
                });
                if (!done.wait()) return;
                if (i == 0) plc->catch_up();
                if (i == 1) {
                    world.net().partition(world.machine("relay"), world.machine("plc"));
                    is_parted = true;
                }
                if (i == 2) world.net().heal_all();
            }
            world.machine("plc").stop();
        });
        auto stuck = world.run();
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        REQUIRE(answers.size() == 4);
        CHECK(answers[0].identity == Identity{some_key(1), "pds.test:2583"});
        CHECK(answers[1].identity == Identity{some_key(2), "pds.test:2583"});
        CHECK(is_parted);
        CHECK(answers[2].kind == Kind::unavailable);
        CHECK(answers[3].kind == Kind::found);
    }
}

TEST_IN_SIMULATION("hosts take turns: what one wants to know does not keep another waiting") {
    Rig rig(world.env(), [](ResolverOptions& options) { options.plc_concurrency = 1; });
    rig.plc.be_slow(100ms);
    for (std::size_t i = 0; i < 50; ++i) rig.ask(plc_did(i), 1);
    Asked& other = rig.ask(plc_did(100), 2);
    Asked& third = rig.ask(plc_did(101), 3);
    // Who asked for it first is in the long lane.
    Asked& same = rig.ask(plc_did(49), 2);
    static_cast<void>(other.wait());
    CHECK(rig.plc.requests() <= 3);
    static_cast<void>(third.wait());
    static_cast<void>(same.wait());
    CHECK(rig.plc.requests() <= 6);
    for (Asked& asked : rig.asked()) asked.wait();
    CHECK(rig.plc.requests() == 52);
}

TEST_IN_SIMULATION("a host whose look-ups were given up takes turns again afterwards") {
    Rig rig(world.env(), [](ResolverOptions& options) {
        options.plc_concurrency = 1;
        options.longest_wait = 1s;
    });
    rig.plc.be_slow(3s);
    for (std::size_t i = 0; i < 5; ++i) rig.ask(plc_did(i), 1 + static_cast<std::uint32_t>(i % 2));
    for (Asked& asked : rig.asked()) asked.wait();
    rig.plc.be_well();
    CHECK(rig.ask(plc_did(20), 1).wait().kind == LookUp::Kind::none);
    CHECK(rig.ask(plc_did(21), 2).wait().kind == LookUp::Kind::none);
}
