// What a shard does when what it knows of an identity contradicts an event, or has become old.

#include "tests/relay/ingest/shard_rig.hpp"
#include "tests/support/frame_parts.hpp"

using namespace ringlay;
using namespace ringlay::ingest;
using namespace ringlay::ingest::test;
using namespace std::chrono_literals;
using event_log::FactsKind;
using proto::AccountStatus;
namespace forge = support::forge;

namespace {

std::string path(int number) {
    return "app.bsky.feed.post/" + std::to_string(number);
}

crypto::SigningKey new_key(std::uint64_t number) {
    return bench::invented_key(crypto::Curve::k256, 0xbeef, number);
}

}  // namespace

TEST_CASE("a rotated key is followed when a signature does not fit the old one") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        alice.rotate_key(new_key(1));
        rig.publish(alice, 0);
        Nanos began = rig.now();
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.now() - began < 1s);
        CHECK(rig.logged().back().tells(alice));
        CHECK(rig.plc->requests() == 2);
        CHECK(rig.metrics->key_refreshes.value() == 1);
        CHECK(rig.metrics->parked_refresh.value() == 1);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(3))));
        CHECK(rig.plc->requests() == 2);
    });
}

TEST_CASE("a directory that lags is given a second look") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        alice.rotate_key(new_key(1));
        rig.plc->lag();
        rig.publish(alice, 0);
        Nanos began = rig.now();
        Sent& sent = rig.send(0, alice.create(rig.seq(), rig.wall(), path(2)));
        rig.sleep(2s);
        CHECK(rig.is_waiting(sent));
        rig.plc->catch_up();
        CHECK(rig.passes(sent));
        CHECK(rig.now() - began > 3s);
        CHECK(rig.now() - began < 4s);
        CHECK(rig.plc->requests() == 3);
    });
}

TEST_CASE("a signature that stays wrong is dropped after two looks, then for a minute at once") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        Buffer good = alice.create(rig.seq(), rig.wall(), path(2));
        CHECK_FALSE(rig.passes(0, forge::signature(alice, good)));
        CHECK(rig.plc->requests() == 3);
        Nanos began = rig.now();
        CHECK_FALSE(rig.passes(0, forge::signature(alice, good)));
        CHECK(rig.now() - began < 100ms);
        CHECK(rig.plc->requests() == 3);
        CHECK(rig.passes(0, good));  // the account itself is well
        // A host that does not fit is another question.
        rig.sleep(2s);
        rig.publish(alice, 1);
        CHECK(rig.passes(1, alice.account(rig.seq(), rig.wall(), true)));
        rig.publish(alice, 0);
        rig.sleep(2s);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), true)));
        CHECK(rig.plc->requests() == 5);
        rig.sleep(60s);
        Buffer next = alice.create(rig.seq(), rig.wall(), path(3));
        CHECK_FALSE(rig.passes(0, forge::signature(alice, next)));
        CHECK(rig.plc->requests() == 7);
        CHECK(rig.failed(Check::signature) == 3);
    });
}

TEST_CASE("an identity that was just fetched is not looked up again at once") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        Buffer good = alice.create(rig.seq(), rig.wall(), path(1));
        CHECK_FALSE(rig.passes(0, forge::signature(alice, good)));
        CHECK(rig.plc->requests() == 2);  // for the key, and the second look
    });
}

TEST_CASE("a bad signature is never passed because the directory is down: held, then dropped") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        rig.plc->fail_with(500);
        Buffer good = alice.create(rig.seq(), rig.wall(), path(2));
        Nanos began = rig.now();
        Sent& bad = rig.send(0, forge::signature(alice, good));
        rig.sleep(55s);
        CHECK(rig.is_waiting(bad));
        CHECK_FALSE(rig.passes(bad));
        CHECK(rig.now() - began > 59s);
        CHECK(rig.now() - began < 61s);
        CHECK(rig.failed(Check::signature) == 1);
        CHECK(rig.passes(0, good));
        CHECK(rig.logged().size() == 2);
        CHECK(rig.metrics->unverified.value() == 0);
    });
}

TEST_CASE("what is held for the directory goes on when it is back") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        alice.rotate_key(new_key(1));
        rig.publish(alice, 0);
        rig.plc->fail_with(500);
        Sent& sent = rig.send(0, alice.create(rig.seq(), rig.wall(), path(2)));
        rig.sleep(20s);
        CHECK(rig.is_waiting(sent));
        rig.plc->be_well();
        CHECK(rig.is_done_within(sent, 35s));
        CHECK(sent.event.is_logged);
    });
}

TEST_CASE("a host that may not speak for an account is refused at once after two looks") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        Buffer copied = alice.create(rig.seq(), rig.wall(), path(2));
        CHECK_FALSE(rig.passes(1, copied));
        CHECK(rig.plc->requests() == 3);
        for (int i = 0; i < 10; ++i) {
            Nanos began = rig.now();
            CHECK_FALSE(rig.passes(1, copied));
            CHECK(rig.now() - began < 100ms);
        }
        CHECK(rig.plc->requests() == 3);
        CHECK(rig.failed(Check::authority) == 11);
        // Another host is another question; the account's own is none.
        CHECK(rig.passes(0, copied));
        rig.sleep(2s);
        CHECK_FALSE(rig.passes(2, alice.account(rig.seq(), rig.wall(), false)));
        CHECK(rig.plc->requests() == 5);
        rig.sleep(60s);
        CHECK_FALSE(rig.passes(1, copied));
        CHECK(rig.plc->requests() == 7);
    });
}

TEST_CASE("another host that speaks of an account does not hold it up") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        rig.plc->be_silent();
        for (int i = 0; i < 3; ++i) {
            rig.send(1, alice.identity(rig.seq(), rig.wall()));
            rig.send(2, alice.account(rig.seq(), rig.wall(), false));
        }
        rig.sleep(100ms);
        for (int i = 2; i < 6; ++i) {
            Nanos began = rig.now();
            CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(i))));
            CHECK(rig.now() - began < 100ms);
        }
        rig.sleep(300s);
        CHECK(rig.failed(Check::authority) == 6);
    });
}

TEST_CASE("a refused host is heard again when its #identity finds the directory changed") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        Buffer early = alice.create(rig.seq(), rig.wall(), path(2));
        CHECK_FALSE(rig.passes(1, early));  // moved before the directory knows
        rig.publish(alice, 1);
        CHECK_FALSE(rig.passes(1, early));
        CHECK(rig.passes(1, alice.identity(rig.seq(), rig.wall())));
        CHECK(rig.passes(1, early));
        CHECK(rig.logged().back().host_id == rig.host_ref(1).id);
        // Now the old one is the stranger.
        CHECK_FALSE(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        CHECK(rig.passes(1, alice.create(rig.seq(), rig.wall(), path(3))));
    });
}

TEST_CASE("an #identity of a refused host costs one look, not two") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        CHECK_FALSE(rig.passes(1, alice.identity(rig.seq(), rig.wall())));
        CHECK(rig.plc->requests() == 3);
        rig.sleep(2s);
        Nanos began = rig.now();
        CHECK_FALSE(rig.passes(1, alice.identity(rig.seq(), rig.wall())));
        CHECK(rig.now() - began < 1s);
        CHECK(rig.plc->requests() == 4);
    });
}

TEST_CASE("each parked event has its own looks") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        Sent& stranger = rig.send(1, alice.account(rig.seq(), rig.wall(), false));
        Sent& new_host = rig.send(2, alice.account(rig.seq(), rig.wall(), true));
        rig.sleep(5s);
        CHECK_FALSE(rig.is_waiting(stranger));
        CHECK(rig.is_waiting(new_host));
        rig.publish(alice, 2);
        CHECK_FALSE(rig.passes(stranger));
        CHECK(rig.passes(new_host));
    });
}

TEST_CASE("an answer is believed for the event that has waited for it, however old it is") {
    ShardRig rig;
    rig.options.negative_ttl = 0s;
    rig.run([&] {
        rig.plc->be_slow(100ms);
        SignedRepo ghost(777);
        CHECK_FALSE(rig.passes(0, ghost.create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.plc->requests() == 1);
        CHECK(rig.failed(Check::identity) == 1);
    });
}

TEST_CASE("a host that has used up its look-ups is asked to wait once, then dropped") {
    ShardRig rig;
    rig.options.resolver.refreshes_per_host_per_minute = 1;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        SignedRepo bob = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.passes(0, bob.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        CHECK_FALSE(rig.passes(1, alice.account(rig.seq(), rig.wall(), false)));
        std::size_t requests = rig.plc->requests();
        Nanos began = rig.now();
        CHECK_FALSE(rig.passes(1, bob.account(rig.seq(), rig.wall(), false)));
        CHECK(rig.now() - began > 2900ms);
        CHECK(rig.plc->requests() == requests);
        // Nothing was found out about this host and bob: it is not refused for a minute.
        rig.publish(bob, 1);
        rig.sleep(58s);
        CHECK(rig.passes(1, bob.account(rig.seq(), rig.wall(), true)));
    });
}

TEST_CASE("an account moves with the directory; the former host's farewell is not heard") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        alice.rotate_key(new_key(2));
        rig.publish(alice, 1);
        CHECK(rig.passes(1, alice.account(rig.seq(), rig.wall(), true)));
        CHECK(rig.passes(1, alice.identity(rig.seq(), rig.wall())));
        CHECK(rig.passes(1, alice.sync(rig.seq(), rig.wall())));
        CHECK_FALSE(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        CHECK(rig.passes(1, alice.create(rig.seq(), rig.wall(), path(2))));
        for (const LoggedFact& fact : rig.logged()) {
            bool is_first = fact.upstream_seq == 1;
            CHECK(fact.host_id == rig.host_ref(is_first ? 0 : 1).id);
            CHECK_FALSE(fact.is_unverified());
        }
    });
}

TEST_CASE("a host that has been left may not end an account before its new host has spoken") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(6s);
        rig.publish(alice, 1);
        CHECK_FALSE(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        CHECK(rig.failed(Check::authority) == 1);
        CHECK(rig.passes(1, alice.create(rig.seq(), rig.wall(), path(2))));
    });
}

TEST_CASE("that an account ends is believed while the directory cannot say who its host is") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(6s);
        const auto requests = rig.plc->requests();
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), true)));
        CHECK(rig.plc->requests() == requests);  // only an end is doubted
        rig.plc->fail_with(500);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        CHECK(rig.plc->requests() > requests);
    });
}

TEST_CASE("a DID that nobody has registered is dropped, its later events at once") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo ghost(777);
        CHECK_FALSE(rig.passes(0, ghost.create(rig.seq(), rig.wall(), path(1))));
        CHECK_FALSE(rig.passes(0, ghost.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.failed(Check::identity) == 2);
        CHECK(rig.plc->requests() == 1);
        rig.publish(ghost, 0);
        rig.sleep(61s);
        CHECK(rig.passes(0, ghost.create(rig.seq(), rig.wall(), path(3))));
    });
}

TEST_CASE("a document without key or host is one of nobody") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        rig.plc->set_answer(alice.did(), 200, R"({"id":")" + alice.did() + R"("})");
        CHECK_FALSE(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.failed(Check::identity) == 1);
        CHECK(rig.metrics->unverified.value() == 0);
    });
}

TEST_CASE("the recorded host may say farewell for a DID that is gone") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        rig.plc->remove(alice.did());
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));  // still believed
        rig.sleep(1s);
        CHECK_FALSE(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        CHECK_FALSE(rig.passes(1, alice.account(rig.seq(), rig.wall(), false, "deleted")));
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deleted")));
        CHECK(rig.logged().back().statuses ==
              Buffer{proto::AccountStanding{}.to_byte(),
                     proto::AccountStanding{false, AccountStatus::deleted}.to_byte()});
    });
}

TEST_CASE("an account whose host comes after its first, forged, event is its host's") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        rig.plc->set(alice.did(), alice.public_key(), "http://later.example");
        Buffer first = alice.create(rig.seq(), rig.wall(), path(1));
        CHECK_FALSE(rig.passes(0, first));
        rig.sleep(2s);
        const HostRef& later = rig.add_host("later.example:80");
        CHECK(rig.passes(rig.send(later, first)));
        CHECK_FALSE(rig.logged().back().is_unverified());
        CHECK_FALSE(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
    });
}

TEST_CASE("identities of accounts are kept for a restart, those of nobodies are not") {
    ShardRig rig;
    rig.run([&] {
        auto stored = [&](const SignedRepo& repo) {
            rig.sleep(1s);
            return fiber::blocking([&](MayBlock may_block) {
                return rig.database->identity(may_block, repo.did()).value();
            });
        };
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        auto row = stored(alice);
        REQUIRE(row.has_value());
        CHECK(row->key == alice.public_key());
        CHECK(row->pds_host == rig.host_ref(0).name);
        CHECK(row->fetched_ms > (rig.wall() - 10s).count());

        SignedRepo ghost(888);
        CHECK_FALSE(rig.passes(0, ghost.create(rig.seq(), rig.wall(), path(1))));
        CHECK_FALSE(stored(ghost).has_value());

        rig.plc->remove(alice.did());
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));
        row = stored(alice);
        REQUIRE(row.has_value());
        CHECK_FALSE(row->key.has_value());
        CHECK(row->pds_host.empty());
    });
}

// ----- #identity and age ----------------------------------------------------------------------

TEST_CASE("an #identity makes its identity be looked up without holding up what fits the old one") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        rig.plc->be_slow(2s);
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));
        Nanos began = rig.now();
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.now() - began < 100ms);
        rig.sleep(5s);
        CHECK(rig.plc->requests() == 2);
        // The key has changed since; the answer of then says so before anything fails.
        rig.plc->be_well();
        alice.rotate_key(new_key(3));
        rig.publish(alice, 0);
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));
        rig.sleep(1s);
        CHECK(rig.plc->requests() == 3);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(3))));
        CHECK(rig.plc->requests() == 3);
        CHECK(rig.metrics->parked_refresh.value() == 0);
    });
}

TEST_CASE("an #identity that comes while one is looked into makes it be looked at once more") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        rig.plc->be_slow(2s);
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));
        rig.sleep(1s);
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));
        rig.sleep(10s);
        CHECK(rig.plc->requests() == 3);
    });
}

TEST_CASE("an #identity above its host's look-ups is looked into with a later commit") {
    ShardRig rig;
    rig.options.resolver.refreshes_per_host_per_minute = 1;
    std::optional<SignedRepo> alice;
    rig.run([&] {
        alice = rig.new_account(0);
        SignedRepo bob = rig.new_account(0);
        CHECK(rig.passes(0, alice->create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.passes(0, bob.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(2s);
        CHECK(rig.passes(0, bob.identity(rig.seq(), rig.wall())));
        CHECK(rig.passes(0, alice->identity(rig.seq(), rig.wall())));
        rig.sleep(1s);
        CHECK(rig.plc->requests() == 3);
        CHECK(rig.passes(0, alice->create(rig.seq(), rig.wall(), path(2))));
        rig.sleep(1s);
        CHECK(rig.plc->requests() == 3);
    });
    rig.run([&] {  // also after a restart
        rig.sleep(61s);
        CHECK(rig.passes(0, alice->create(rig.seq(), rig.wall(), path(3))));
        rig.sleep(1s);
        CHECK(rig.plc->requests() == 4);
        CHECK(rig.passes(0, alice->create(rig.seq(), rig.wall(), path(4))));
        rig.sleep(1s);
        CHECK(rig.plc->requests() == 4);
    });
}

TEST_CASE("an old identity is believed while it is looked up again, and longer if that fails") {
    ShardRig rig;
    rig.options.identity_ttl = 1h;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(59min);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.plc->requests() == 1);
        rig.plc->fail_with(500);
        rig.sleep(2min);
        Nanos began = rig.now();
        for (int i = 3; i < 13; ++i) {
            CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(i))));
        }
        CHECK(rig.now() - began < 1s);
        rig.sleep(10s);
        CHECK(rig.plc->requests() == 2);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(13))));
        CHECK(rig.plc->requests() == 2);
        rig.plc->be_well();
        rig.sleep(70s);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(14))));
        rig.sleep(5s);
        CHECK(rig.plc->requests() == 3);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(15))));
        rig.sleep(70s);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(16))));
        CHECK(rig.plc->requests() == 3);
    });
}
