// How many look-ups of DIDs that are not its own a host may cause, and what waits for its turn.

#include "relay/ingest/first_looks.hpp"
#include "tests/relay/ingest/shard_rig.hpp"

using namespace ringlay;
using namespace ringlay::ingest;
using namespace ringlay::ingest::test;
using namespace std::chrono_literals;

namespace {

std::string path(int number) {
    return "app.bsky.feed.post/" + std::to_string(number);
}

}  // namespace

TEST_CASE("a host may cause so many look-ups in vain; the next ones wait for their turn") {
    ShardRig rig;
    rig.options.looks_in_vain_at_once = 5;
    rig.run([&] {
        std::vector<Sent*> foreign;
        for (std::uint64_t i = 0; i < 10; ++i) {
            SignedRepo ghost(7000 + i);
            foreign.push_back(&rig.send(0, ghost.account(rig.seq(), rig.wall(), true)));
        }
        rig.sleep(500ms);
        CHECK(rig.plc->requests() == 5);
        CHECK(rig.metrics->turns.depth() == 5);
        CHECK(rig.is_waiting(*foreign.back()));
        rig.sleep(3s);
        CHECK(rig.plc->requests() == 8);
        // Its own new account comes after them; that of another host at once.
        SignedRepo alice = rig.new_account(0);
        SignedRepo bob = rig.new_account(1);
        Sent& own = rig.send(0, alice.create(rig.seq(), rig.wall(), path(1)));
        Sent& of_another = rig.send(1, bob.create(rig.seq(), rig.wall(), path(1)));
        CHECK(rig.is_done_within(of_another, 100ms));
        CHECK(rig.is_waiting(own));
        rig.sleep(5s);
        for (Sent* each : foreign) CHECK_FALSE(rig.passes(*each, 0s));
        CHECK(rig.passes(own, 0s));
        CHECK(rig.metrics->verified.value() == 2);
        CHECK(rig.metrics->unverified.value() == 0);
        CHECK(rig.failed(Check::identity) == 10);
        CHECK(rig.metrics->looks_in_vain.value() == 10);
        CHECK(rig.metrics->turns.depth() == 0);
    });
}

TEST_CASE("what waits for its turn waits as long as that takes, and its minute begins then") {
    ShardRig rig;
    rig.options.looks_in_vain_at_once = 1;
    rig.options.looks_in_vain_per_minute = 1;
    rig.options.passes_unverified = false;
    rig.run([&] {
        CHECK_FALSE(rig.passes(0, SignedRepo(7000).account(rig.seq(), rig.wall(), true)));
        SignedRepo alice = rig.new_account(0);
        SignedRepo bob = rig.new_account(0);
        Sent& ghost = rig.send(0, SignedRepo(7001).account(rig.seq(), rig.wall(), true));
        Sent& first = rig.send(0, alice.create(rig.seq(), rig.wall(), path(1)));
        Sent& second = rig.send(0, bob.create(rig.seq(), rig.wall(), path(1)));
        rig.sleep(90s);
        CHECK_FALSE(rig.passes(ghost, 0s));
        CHECK(rig.is_waiting(first));
        rig.plc->fail_with(500);
        rig.sleep(60s);
        CHECK(rig.is_waiting(first));
        CHECK(rig.is_waiting(second));
        rig.plc->be_well();
        CHECK(rig.passes(first));
        CHECK(rig.passes(second));
    });
}

TEST_CASE("a host with any number of new accounts of its own does not wait") {
    ShardRig rig;
    rig.options.looks_in_vain_at_once = 5;
    rig.options.looks_in_vain_per_minute = 1;
    rig.run([&] {
        rig.plc->be_slow(10ms);
        for (int round = 0; round < 10; ++round) {
            std::vector<Sent*> sent;
            for (int i = 0; i < 5; ++i) {
                SignedRepo repo = rig.new_account(0);
                sent.push_back(&rig.send(0, repo.create(rig.seq(), rig.wall(), path(1))));
            }
            for (Sent* each : sent) CHECK(rig.is_done_within(*each, 200ms));
        }
        CHECK(rig.metrics->verified.value() == 50);
        CHECK(rig.metrics->looks_in_vain.value() == 0);
    });
}

TEST_CASE("a DID that is bound elsewhere is as foreign as one that is nobody's; both looks count") {
    ShardRig rig;
    rig.options.looks_in_vain_at_once = 2;
    rig.options.looks_in_vain_per_minute = 6;
    rig.run([&] {
        SignedRepo alice = rig.new_account(1);
        CHECK_FALSE(rig.passes(0, alice.account(rig.seq(), rig.wall(), true)));
        CHECK(rig.plc->requests() == 2);
        CHECK(rig.metrics->looks_in_vain.value() == 2);
        Sent& next = rig.send(0, SignedRepo(7000).account(rig.seq(), rig.wall(), true));
        rig.sleep(3s);
        CHECK(rig.is_waiting(next));
        CHECK_FALSE(rig.passes(next));
        // That nothing could be found out is not the host's fault.
        rig.sleep(60s);
        rig.plc->fail_with(500);
        for (int i = 0; i < 5; ++i) {
            SignedRepo repo = rig.new_account(0);
            CHECK(rig.passes(0, repo.create(rig.seq(), rig.wall(), path(1))));
        }
        CHECK(rig.metrics->looks_in_vain.value() == 3);
    });
}

TEST_CASE("the farewell of the recorded host for a DID that is gone is no look-up in vain") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(6s);
        rig.plc->remove(alice.did());
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deleted")));
        CHECK(rig.metrics->looks_in_vain.value() == 0);
    });
}

TEST_CASE("an account of which a host speaks that waits for its turn is looked up for its own") {
    ShardRig rig;
    rig.options.looks_in_vain_at_once = 1;
    rig.options.looks_in_vain_per_minute = 1;
    rig.run([&] {
        CHECK_FALSE(rig.passes(0, SignedRepo(7000).account(rig.seq(), rig.wall(), true)));
        SignedRepo alice = rig.new_account(1);
        Sent& foreign = rig.send(0, alice.account(rig.seq(), rig.wall(), false));
        rig.sleep(1s);
        CHECK(rig.is_waiting(foreign));
        Nanos began = rig.now();
        CHECK(rig.passes(1, alice.create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.now() - began < 4s);  // the other host's event has its second look
        CHECK_FALSE(rig.passes(foreign));
        rig.sleep(2min);
        CHECK(rig.metrics->turns.depth() == 0);
    });
}

TEST_CASE("what comes behind an event whose look-up is under way needs no turn of its own") {
    ShardRig rig;
    rig.options.looks_in_vain_at_once = 1;
    rig.options.looks_in_vain_per_minute = 1;
    rig.run([&] {
        rig.plc->be_silent();
        SignedRepo alice = rig.new_account(0);
        Sent& first = rig.send(0, alice.identity(rig.seq(), rig.wall()));
        Sent& second = rig.send(0, alice.account(rig.seq(), rig.wall(), true));
        CHECK(rig.is_done_within(first, 3s));
        CHECK(rig.is_done_within(second, 6s));
        CHECK(rig.metrics->unverified.value() == 2);
    });
}

TEST_CASE("an account of two hosts gets the first turn that one of them has, whoever came first") {
    ShardRig rig;
    rig.options.looks_in_vain_at_once = 1;
    rig.options.looks_in_vain_per_minute = 1;
    rig.run([&] {
        // Both have none left; that of host 1 comes again half a minute before that of host 0.
        CHECK_FALSE(rig.passes(1, SignedRepo(7000).account(rig.seq(), rig.wall(), true)));
        rig.sleep(30s);
        CHECK_FALSE(rig.passes(0, SignedRepo(7001).account(rig.seq(), rig.wall(), true)));
        SignedRepo alice = rig.new_account(1);
        Sent& foreign = rig.send(0, alice.account(rig.seq(), rig.wall(), false));
        rig.sleep(1s);
        Sent& own = rig.send(1, alice.create(rig.seq(), rig.wall(), path(1)));
        CHECK(rig.is_waiting(own));
        CHECK(rig.is_done_within(own, 40s));
        CHECK_FALSE(rig.passes(foreign));
        rig.sleep(2min);
        CHECK(rig.metrics->turns.depth() == 0);
    });
}

TEST_CASE("what a host owes for look-ups in vain has a bound") {
    FirstLooks looks(2, 60);
    CHECK(looks.take(7, 1s));
    for (int i = 0; i < 100; ++i) looks.ended(7, false, true, 1s);
    looks.ended(7, true, true, 1s);
    looks.wait_in_line(7, "did:plc:a", 1s);
    CHECK(looks.next_due() > 3s);
    CHECK(looks.next_due() < 5s);
}

TEST_CASE("who waits for nothing unverified waits for its turn nevertheless") {
    ShardRig rig;
    rig.options.key_wait = 0s;
    rig.options.looks_in_vain_at_once = 2;
    rig.options.looks_in_vain_per_minute = 6;
    rig.run([&] {
        for (std::uint64_t i = 0; i < 2; ++i) {
            CHECK(rig.passes(0, SignedRepo(7000 + i).account(rig.seq(), rig.wall(), true)));
        }
        rig.sleep(1s);
        CHECK(rig.metrics->looks_in_vain.value() == 2);
        Sent& next = rig.send(0, SignedRepo(7002).account(rig.seq(), rig.wall(), true));
        rig.sleep(8s);
        CHECK(rig.is_waiting(next));
        CHECK(rig.is_done_within(next, 2s));
    });
}

TEST_CASE("a shard can stop while look-ups wait for their turn") {
    ShardRig rig;
    rig.options.looks_in_vain_at_once = 1;
    rig.run([&] {
        for (std::uint64_t i = 0; i < 9; ++i) {
            rig.send(0, SignedRepo(7000 + i).account(rig.seq(), rig.wall(), true));
        }
        rig.sleep(1500ms);
    });
    CHECK(rig.metrics->turns.depth() == 0);
    CHECK(rig.metrics->abandoned.value() == 7);
}
