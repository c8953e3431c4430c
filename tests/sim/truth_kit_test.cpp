// The simulated network by itself: what it calls honest passes the fifteen checks, and what it
// calls a lie does not. A relay is then measured by it (truth_test.cpp).

#include <catch2/catch.hpp>
#include <chrono>
#include <map>

#include "relay/ingest/rules.hpp"
#include "tests/sim/line_peers.hpp"
#include "tests/support/arrival.hpp"
#include "tests/support/sim_network.hpp"

using namespace ringlay;
using namespace ringlay::support;
using namespace std::chrono_literals;
using event_log::FactsKind;
using ingest::Check;

namespace {

// The network, and one who listens to each host.
struct Stage {
    explicit Stage(std::uint64_t seed = 1) : world(options(seed)) {
        network.publish = [](const SimAccount&) {};
    }
    static env::WorldOptions options(std::uint64_t seed) {
        env::WorldOptions options;
        options.seed = seed;
        return options;
    }

    std::size_t add_host() {
        std::string name = "pds" + std::to_string(network.host_count());
        std::size_t number = network.add_host(name);
        listeners.push_back(std::make_unique<SimConsumer>(
            world, "listener" + std::to_string(number), network.host(number).address(), 0));
        return number;
    }

    std::size_t new_account(std::size_t host, bool is_bridged = false) {
        std::size_t number = network.create_account(host, is_bridged);
        network.say_identity(number);
        network.say_standing(number);
        network.say_commit(number, 2);
        return number;
    }

    // By the checks, knowing what is true now.
    ingest::Ruling examine(const Emission& emission, const SimAccount& account,
                           std::uint64_t rev_before, bool was_active = true) {
        ingest::HostRef host{static_cast<std::uint32_t>(emission.host) + 1,
                             network.host(emission.host).name()};
        ingest::Knowledge known;
        known.has_identity = true;
        known.key = network.key(account.bindings.back().key).public_key();
        std::string pds_host = network.host(account.bindings.back().host).name();
        known.pds_host = pds_host;
        known.rev = rev_before;
        known.now = world.wall();
        if (!was_active) known.upstream = {.is_active = false};
        Arrival arrival(host, emission.frame);
        return ingest::examine(arrival.event, known);
    }

    SimNetwork network{world};  // keeps a reference; the world goes first
    std::vector<std::unique_ptr<SimConsumer>> listeners;
    env::World world;
};

}  // namespace

TEST_CASE("a simulated host serves all that it has said, from any cursor, through hang-ups") {
    Stage stage(7);
    std::size_t host = stage.add_host();
    stage.network.host(host).set_hang_ups(100);
    std::size_t alice = stage.new_account(host);
    for (int i = 0; i < 40; ++i) {
        stage.network.say_commit(alice, stage.world.prng().below(4));
        stage.world.run_for(1ms * stage.world.prng().below(5));
    }
    stage.network.host(host).set_silent(true);
    stage.network.say_identity(alice);
    stage.world.run_for(10s);
    CHECK(stage.listeners[0]->seen().size() < stage.network.ledger().size());
    stage.network.host(host).set_silent(false);
    stage.world.run_for(10s);
    REQUIRE(stage.listeners[0]->seen().size() == stage.network.ledger().size());
    CHECK(stage.listeners[0]->complaint().empty());
    for (std::size_t i = 0; i < stage.network.ledger().size(); ++i) {
        CHECK(stage.listeners[0]->seen()[i].event ==
              frame_without_seq(stage.network.ledger()[i].frame));
        CHECK(number_of_frame(stage.listeners[0]->seen()[i].event) == i);
    }
    CHECK(stage.network.host(host).cursors().size() > 2);
}

TEST_CASE("a restored host has lost what came after its backup, and says so to cursors of before") {
    Stage stage(3);
    std::size_t host = stage.add_host();
    std::size_t alice = stage.new_account(host);
    stage.network.take_backup(host);
    std::uint64_t rev_before = stage.network.account(alice).rev;
    for (int i = 0; i < 5; ++i) stage.network.say_commit(alice, 1);
    stage.world.run_for(5s);
    std::uint64_t rev_lost = stage.network.account(alice).rev;
    stage.network.restore(host);
    CHECK(stage.network.host_life(host) == 1);
    CHECK(stage.network.account(alice).rev == rev_before);
    stage.world.run_for(5s);
    CHECK(stage.listeners[0]->complaint().find("broken frame") == std::string::npos);
    CHECK(stage.listeners[0]->complaint().find("FutureCursor") != std::string::npos);
    stage.network.say_commit(alice, 1);
    CHECK(stage.network.account(alice).rev > rev_lost);
}

TEST_CASE("what is honest passes every check, in any life of an account") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        Stage stage(seed);
        std::size_t first = stage.add_host(), second = stage.add_host();
        std::vector<std::size_t> accounts{stage.new_account(first), stage.new_account(first, true)};
        std::map<std::size_t, std::uint64_t> revs;
        std::size_t looked_at = 0;
        auto look = [&] {
            for (; looked_at < stage.network.ledger().size(); ++looked_at) {
                const Emission& emission = stage.network.ledger()[looked_at];
                INFO(emission.what);
                auto ruling = stage.examine(emission, stage.network.account(emission.account),
                                            revs[emission.account]);
                INFO(ruling.why);
                REQUIRE(ruling.disposition == ingest::Disposition::pass);
                if (!ruling.proof) continue;
                CHECK(ruling.proof->is_verified);
                CHECK(ruling.proof->rev == emission.rev);
                CHECK(ruling.proof->data == emission.data);
                CHECK(ruling.proof->commit == emission.commit);
                revs[emission.account] = ruling.proof->rev;
            }
        };
        look();
        for (int i = 0; i < 60; ++i) {
            std::size_t account = accounts[stage.world.prng().below(2)];
            switch (stage.world.prng().below(8)) {
                case 0:
                    stage.network.say_sync(account, stage.world.prng().coin());
                    break;
                case 1:
                    stage.network.rotate_key(account);
                    stage.network.say_identity(account);
                    stage.network.say_sync(account, true);
                    break;
                case 2:
                    if (account != accounts[0]) break;
                    stage.network.move_account(
                        account, stage.network.account(account).home == first ? second : first,
                        true);
                    stage.network.say_standing(account);
                    stage.network.say_commit(account, 0);
                    break;
                default:
                    stage.network.say_commit(account, stage.world.prng().below(5));
            }
            look();
            stage.world.run_for(1ms);
        }
        CHECK(revs[accounts[0]] == stage.network.account(accounts[0]).rev);
    }
}

TEST_CASE("no lie passes, and each fails at the check that it is made for") {
    const std::map<Lie, Check> expected{
        {Lie::foreign_commit, Check::authority},
        {Lie::foreign_unsigned, Check::authority},
        {Lie::foreign_genuine, Check::authority},
        {Lie::foreign_sync, Check::authority},
        {Lie::foreign_account, Check::authority},
        {Lie::foreign_identity, Check::authority},
        {Lie::foreign_farewell, Check::authority},
        {Lie::wrong_signature, Check::signature},
        {Lie::old_rev, Check::rev},
        {Lie::future_rev, Check::future},
        {Lie::broken_block, Check::car},
        {Lie::cut_archive, Check::car},
        {Lie::wrong_root, Check::root},
        {Lie::wrong_did, Check::match},
        {Lie::wrong_rev, Check::match},
        {Lie::replayed, Check::rev},
    };
    REQUIRE(expected.size() == lie_count);
    for (bool is_bridged : {false, true}) {
        Stage stage(5);
        std::size_t home = stage.add_host(), liar = stage.add_host();
        std::size_t alice = stage.new_account(home, is_bridged);
        stage.network.say_commit(alice, 3);
        const std::uint64_t rev = stage.network.account(alice).rev;
        for (std::size_t i = 0; i < lie_count; ++i) {
            Lie lie = static_cast<Lie>(i);
            CAPTURE(name_of(lie));
            stage.world.run_for(1ms);
            CHECK_FALSE(stage.network.tell(lie, i < foreign_lies ? home : liar, alice));
            REQUIRE(stage.network.tell(lie, i < foreign_lies ? liar : home, alice));
            const Emission& emission = stage.network.ledger().back();
            CHECK_FALSE(emission.is_honest);
            CHECK(emission.what == name_of(lie));
            auto ruling = stage.examine(emission, stage.network.account(alice), rev);
            CHECK(ruling.disposition != ingest::Disposition::pass);
            CHECK(ruling.check == expected.at(lie));
            CHECK(stage.network.account(alice).rev == rev);
        }
        // And is told apart: a sound one passes every check but those that need to know more.
        for (const Emission& emission : stage.network.ledger()) {
            CAPTURE(emission.what);
            SimAccount account = stage.network.account(alice);
            if (emission.is_honest || emission.signed_by == no_key) continue;
            account.bindings.back() = {{}, emission.signed_by, emission.host};
            auto ruling = stage.examine(emission, account, 0);
            CHECK((ruling.disposition == ingest::Disposition::pass) == emission.is_sound);
        }
    }
}
