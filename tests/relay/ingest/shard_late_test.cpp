// What a shard does while it cannot find out an account's key, and when it has.

#include "tests/relay/ingest/shard_rig.hpp"
#include "tests/support/frame_parts.hpp"

using namespace ringlay;
using namespace ringlay::ingest;
using namespace ringlay::ingest::test;
using namespace std::chrono_literals;
using event_log::FactsKind;
using proto::AccountStanding;
using proto::AccountStatus;
namespace forge = support::forge;

namespace {

std::string path(int number) {
    return "app.bsky.feed.post/" + std::to_string(number);
}

}  // namespace

TEST_CASE("a key that comes within its time is waited for") {
    ShardRig rig;
    rig.run([&] {
        rig.plc->be_slow(1500ms);
        SignedRepo alice = rig.new_account(0);
        Sent& sent = rig.send(0, alice.create(rig.seq(), rig.wall(), path(1)));
        rig.sleep(1s);
        CHECK(rig.is_waiting(sent));
        CHECK(rig.passes(sent));
        CHECK(rig.logged().back().tells(alice));
        CHECK(rig.metrics->verified.value() == 1);
    });
}

TEST_CASE("an event whose key does not come in time goes out unverified and writes no state") {
    ShardRig rig;
    rig.run([&] {
        rig.plc->be_silent();
        SignedRepo alice = rig.new_account(0);
        Nanos began = rig.now();
        Sent& sent = rig.send(0, alice.create(rig.seq(), rig.wall(), path(1)));
        CHECK(rig.passes(sent));
        CHECK(rig.now() - began >= 2s);
        CHECK(rig.now() - began < 2100ms);
        auto logged = rig.logged();
        REQUIRE(logged.size() == 1);
        CHECK(logged[0].is_unverified());
        CHECK(logged[0].is_bare());
        CHECK(rig.metrics->unverified.value() == 1);
        CHECK(rig.host_ref(0).counts.unverified == 1);
        CHECK(rig.shard->status().pending == 1);
        // Nobody waits for the next one.
        began = rig.now();
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.now() - began < 100ms);
        CHECK(rig.shard->status().pending == 2);
    });
}

TEST_CASE("without patience an event goes out at once") {
    ShardRig rig;
    rig.options.key_wait = 0s;
    rig.run([&] {
        rig.plc->be_slow(1s);
        SignedRepo alice = rig.new_account(0);
        Nanos began = rig.now();
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.now() - began < 100ms);
        rig.sleep(2s);
        auto logged = rig.logged();
        REQUIRE(logged.size() == 2);
        CHECK(logged[0].is_unverified());
        CHECK(logged[1].kind == FactsKind::late_verification);
        CHECK(logged[1].tells(alice));
        CHECK(rig.plc->requests() == 1);
        CHECK(rig.metrics->parked_key.value() == 0);
    });
}

TEST_CASE("what was passed unverified is verified when the key comes, in order") {
    ShardRig rig;
    rig.run([&] {
        rig.plc->fail_with(500);
        SignedRepo alice = rig.new_account(0);
        Buffer first = alice.create(rig.seq(), rig.wall(), path(1));
        std::string first_rev = alice.rev().to_text();
        CHECK(rig.passes(0, first));
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.shard->status().accounts_pinned == 1);
        rig.plc->be_well();
        rig.sleep(2min);
        auto logged = rig.logged();
        REQUIRE(logged.size() == 4);
        CHECK(logged[2].kind == FactsKind::late_verification);
        CHECK(logged[2].rev == first_rev);
        CHECK(logged[2].seq == 0);
        CHECK(logged[2].host_id == rig.host_ref(0).id);
        CHECK(logged[3].tells(alice));
        CHECK(rig.metrics->late_good.value() == 2);
        CHECK(rig.shard->status().pending == 0);
        // State is as if it had been verified in time.
        CHECK_FALSE(rig.passes(0, first));
        CHECK(rig.failed(Check::rev) == 1);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(3))));
        CHECK_FALSE(rig.logged().back().is_unverified());
        // It is pinned by its last event alone.
        rig.sleep(2s);
        rig.fold_everything();
        rig.sleep(5s);
        CHECK(rig.shard->status().accounts_pinned == 0);
    });
}

TEST_CASE("a fact without a frame keeps its account until the fold is beyond it") {
    ShardRig rig;
    rig.run([&] {
        rig.plc->fail_with(500);
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.plc->be_well();
        rig.sleep(2min);
        CHECK(rig.metrics->late_good.value() == 1);
        rig.fold_everything();
        rig.sleep(5s);
        CHECK(rig.shard->status().accounts_pinned == 1);
        SignedRepo bob = rig.new_account(0);
        CHECK(rig.passes(0, bob.create(rig.seq(), rig.wall(), path(1))));
        rig.fold_everything();
        rig.sleep(5s);
        CHECK(rig.shard->status().accounts_pinned == 0);
    });
}

TEST_CASE("what was forged while nobody could tell changes nothing when the key comes") {
    ShardRig rig;
    rig.run([&] {
        rig.plc->fail_with(500);
        SignedRepo alice = rig.new_account(0);
        Buffer good = alice.create(rig.seq(), rig.wall(), path(1));
        // By another key; and by the right one from another host.
        CHECK(rig.passes(0, forge::signature(alice, good)));
        CHECK(rig.passes(1, good));
        rig.plc->be_well();
        rig.sleep(2min);
        CHECK(rig.metrics->late_bad.value() == 2);
        CHECK(rig.metrics->late_good.value() == 0);
        CHECK(rig.logged().size() == 2);
        CHECK(rig.passes(0, good));
        CHECK(rig.logged().back().tells(alice));
    });
}

TEST_CASE("a DID that turns out to be nobody's makes its unverified events bad") {
    ShardRig rig;
    rig.run([&] {
        rig.plc->fail_with(500);
        SignedRepo ghost(999);
        CHECK(rig.passes(0, ghost.create(rig.seq(), rig.wall(), path(1))));
        rig.plc->be_well();
        rig.sleep(2min);
        CHECK(rig.metrics->late_bad.value() == 1);
        CHECK(rig.shard->status().pending == 0);
        CHECK(rig.shard->status().accounts_pinned == 0);
        CHECK_FALSE(rig.passes(0, ghost.create(rig.seq(), rig.wall(), path(2))));
    });
}

TEST_CASE("a repeat of an unverified event is known by its rev, for each host apart") {
    ShardRig rig;
    rig.run([&] {
        rig.plc->fail_with(500);
        SignedRepo alice = rig.new_account(0);
        Buffer first = alice.create(rig.seq(), rig.wall(), path(1));
        Buffer second = alice.create(rig.seq(), rig.wall(), path(2));
        CHECK(rig.passes(0, second));
        CHECK_FALSE(rig.passes(0, second));
        CHECK_FALSE(rig.passes(0, first));
        CHECK(rig.failed(Check::rev) == 2);
        CHECK(rig.passes(1, second));
        // A #sync of the same rev says something else.
        Buffer sync = alice.sync(rig.seq(), rig.wall());
        CHECK(rig.passes(0, sync));
        CHECK_FALSE(rig.passes(0, sync));
    });
}

TEST_CASE("nobody but its own host passes for a DID that is bound, while the directory is down") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        index::AccountRow row;
        rig.remember(alice, 0, row);
        SignedRepo bob = rig.new_account(0);  // its row is known, its identity is not
        row.host_id = rig.host_ref(0).id;
        index::AccountChange change{.did = bob.did(),
                                    .seq = 0,
                                    .host_id = row.host_id,
                                    .repo = {},
                                    .local = {},
                                    .upstream = {}};
        fiber::blocking([&](MayBlock may_block) {
            CHECK(rig.database->apply(may_block, {&change, 1}, {rig.log->log_id(), 0, 0, 0})
                      .has_value());
        });
        rig.plc->fail_with(500);
        Buffer alices = alice.create(rig.seq(), rig.wall(), path(1));
        Buffer bobs = bob.create(rig.seq(), rig.wall(), path(1));
        Nanos began = rig.now();
        Sent& forged = rig.send(1, forge::signature(alice, alices));
        Sent& forged_for_bob = rig.send(1, bobs);
        Sent& farewell = rig.send(2, alice.account(rig.seq(), rig.wall(), false, "deleted"));
        CHECK_FALSE(rig.passes(forged));
        CHECK_FALSE(rig.passes(forged_for_bob));
        CHECK_FALSE(rig.passes(farewell));
        CHECK(rig.now() - began > 59s);
        CHECK(rig.failed(Check::authority) == 2);
        CHECK(rig.failed(Check::identity) == 1);
        CHECK(rig.logged().empty());
        CHECK(rig.passes(0, alices));
        CHECK(rig.passes(0, bobs));
        CHECK(rig.logged().back().is_unverified());
    });
}

TEST_CASE("by policy nothing goes out unverified: held for a minute, then dropped") {
    ShardRig rig;
    rig.options.passes_unverified = false;
    rig.run([&] {
        rig.plc->fail_with(500);
        SignedRepo alice = rig.new_account(0);
        SignedRepo bob = rig.new_account(0);
        Nanos began = rig.now();
        Sent& given_up = rig.send(0, alice.create(rig.seq(), rig.wall(), path(1)));
        rig.sleep(40s);
        Sent& saved = rig.send(0, bob.create(rig.seq(), rig.wall(), path(1)));
        CHECK_FALSE(rig.passes(given_up));
        CHECK(rig.now() - began > 59s);
        CHECK(rig.now() - began < 61s);
        CHECK(rig.failed(Check::identity) == 1);
        CHECK(rig.is_waiting(saved));
        rig.plc->be_well();
        CHECK(rig.passes(saved));
        CHECK(rig.logged().size() == 1);
        CHECK(rig.logged()[0].tells(bob));
    });
}

TEST_CASE("an #account passed unverified counts when the key comes") {
    ShardRig rig;
    rig.run([&] {
        rig.plc->fail_with(500);
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        CHECK(rig.passes(1, alice.account(rig.seq(), rig.wall(), false, "takendown")));
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));  // no state yet
        rig.plc->be_well();
        rig.sleep(2min);
        auto logged = rig.logged();
        REQUIRE(logged.size() == 5);
        CHECK(logged[0].is_bare());
        CHECK(logged[3].kind == FactsKind::account_standing);
        AccountStanding deactivated{false, AccountStatus::deactivated};
        CHECK(logged[3].statuses == Buffer{AccountStanding{}.to_byte(), deactivated.to_byte()});
        CHECK(rig.metrics->late_good.value() == 2);
        CHECK(rig.metrics->late_bad.value() == 1);
        rig.host(0).say_active(alice.did(), false);
        CHECK_FALSE(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.failed(Check::active) == 1);
    });
}

TEST_CASE("an #identity passed unverified loses its handle, too, and the key is looked for") {
    ShardRig rig;
    rig.options.key_wait = 0s;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall(), "alice.example")));
        auto logged = rig.logged();
        CHECK(logged[0].is_unverified());
        CHECK_FALSE(support::FrameParts(logged[0].frame).payload.has("handle"));
        rig.sleep(1s);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.logged().back().kind == FactsKind::commit);
        CHECK_FALSE(rig.logged().back().is_unverified());
        CHECK(rig.plc->requests() == 1);
    });
}

TEST_CASE("unverified events are looked after at growing intervals while the directory is down") {
    ShardRig rig;
    rig.options.resolver.request_timeout = 1s;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        rig.plc->set_answer(alice.did(), 500, "");
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(10min);
        CHECK(rig.plc->requests() >= 8);
        CHECK(rig.plc->requests() <= 14);
        rig.publish(alice, 0);
        rig.sleep(2min);
        CHECK(rig.metrics->late_good.value() == 1);
    });
}

TEST_CASE("above their bound the oldest unverified events are forgotten") {
    ShardRig rig;
    rig.options.max_pending = 4;
    rig.run([&] {
        rig.plc->fail_with(500);
        std::vector<SignedRepo> repos;
        for (int i = 0; i < 6; ++i) {
            repos.push_back(rig.new_account(0));
            CHECK(rig.passes(0, repos.back().create(rig.seq(), rig.wall(), path(1))));
        }
        CHECK(rig.shard->status().pending == 4);
        CHECK(rig.shard->status().accounts_pinned == 4);
        CHECK(rig.metrics->late_forgotten.value() == 2);
        rig.plc->be_well();
        rig.sleep(2min);
        CHECK(rig.metrics->late_good.value() == 4);
        CHECK(rig.shard->status().pending == 0);
    });
}

TEST_CASE("an event is unverified because nothing is known, not because it is known to be none") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo ghost(555);
        CHECK_FALSE(rig.passes(0, ghost.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2min);  // known no more, but not forgotten
        rig.plc->fail_with(500);
        CHECK_FALSE(rig.passes(0, ghost.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.failed(Check::identity) == 2);
        CHECK(rig.metrics->unverified.value() == 0);
    });
}

TEST_CASE("an account is charged once, although it is met unverified first") {
    ShardRig rig;
    rig.run([&] {
        rig.plc->fail_with(500);
        const HostCounts& counts = rig.host_ref(0).counts;
        SignedRepo alice = rig.new_account(0);
        for (int i = 0; i < 3; ++i) {
            CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));
        }
        CHECK(counts.unverified == 3);
        CHECK(counts.charged_accounts == 1);
        CHECK(counts.new_accounts == 0);  // nobody knows whether it is one
        SignedRepo bob = rig.new_account(0);
        CHECK(rig.passes(0, bob.create(rig.seq(), rig.wall(), path(1))));
        CHECK(counts.charged_accounts == 2);
        rig.plc->be_well();
        rig.sleep(2min);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.passes(0, bob.create(rig.seq(), rig.wall(), path(2))));
        CHECK(counts.passed == 2);
        CHECK(counts.charged_accounts == 2);
        CHECK(counts.new_accounts == 1);
        SignedRepo carol = rig.new_account(0);
        CHECK(rig.passes(0, carol.create(rig.seq(), rig.wall(), path(1))));
        CHECK(counts.charged_accounts == 3);
    });
}
