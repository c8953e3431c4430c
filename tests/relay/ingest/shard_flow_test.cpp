// What a shard does with events whose account and identity it can know.

#include "relay/ingest/rewrite.hpp"
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

constexpr std::string_view post_path = "app.bsky.feed.post/a";

Buffer statuses(AccountStanding local, AccountStanding upstream) {
    return {local.to_byte(), upstream.to_byte()};
}

std::string path(int number) {
    return "app.bsky.feed.post/" + std::to_string(number);
}

support::MapParts payload_of(const LoggedFact& fact) {
    return support::FrameParts(fact.frame).payload;
}

}  // namespace

TEST_CASE("a good commit goes out as it came, with its facts") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        Buffer frame = alice.create(rig.seq(), rig.wall(), post_path);
        CHECK(rig.passes(0, frame));
        auto logged = rig.logged();
        REQUIRE(logged.size() == 1);
        CHECK(logged[0].tells(alice));
        CHECK_FALSE(logged[0].is_unverified());
        CHECK(logged[0].host_id == rig.host_ref(0).id);
        CHECK(rig.metrics->verified.value() == 1);
        CHECK(rig.shard->status().accounts == 1);
    });
}

TEST_CASE("a repeat is dropped by its rev, before and after a restart") {
    ShardRig rig;
    Buffer frame;
    index::AccountRow row;
    std::optional<SignedRepo> alice;
    rig.run([&] {
        alice = rig.new_account(0);
        frame = alice->create(rig.seq(), rig.wall(), post_path);
        Sent& first = rig.send(0, frame);
        Sent& second = rig.send(0, frame);
        CHECK(rig.passes(first));
        CHECK_FALSE(rig.passes(second));
        CHECK(rig.failed(Check::rev) == 1);
        row.last_seq = first.event.seq;
        row.repo.rev = alice->rev().value();
        row.repo.data = alice->data();
    });
    rig.run([&] {
        rig.remember(*alice, 0, row);
        CHECK_FALSE(rig.passes(0, frame));
        CHECK(rig.failed(Check::rev) == 2);
        CHECK(rig.passes(0, alice->create(rig.seq(), rig.wall(), path(2))));
    });
}

TEST_CASE("a restart knows identities without the directory") {
    ShardRig rig;
    std::optional<SignedRepo> alice;
    rig.run([&] {
        alice = rig.new_account(0);
        CHECK(rig.passes(0, alice->create(rig.seq(), rig.wall(), post_path)));
        rig.sleep(1s);
    });
    std::size_t requests = rig.plc->requests();
    CHECK(requests == 1);
    rig.run([&] {
        CHECK(rig.passes(0, alice->create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.logged().back().tells(*alice));
    });
    CHECK(rig.plc->requests() == requests);
}

TEST_CASE("a row newer than the log says nothing of the repository, but who the account is") {
    ShardRig rig;
    rig.run([&] {  // a host's event, so that the log is not empty
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), post_path)));
    });
    rig.run([&] {
        const auto& recovery = rig.log->recovery();
        index::AccountRow row;
        row.repo.rev = UINT64_MAX;
        row.upstream = {false, AccountStatus::deactivated};

        SignedRepo bob = rig.new_account(0);
        row.last_seq = recovery.head_seq;  // in the log
        rig.remember(bob, 0, row);
        CHECK_FALSE(rig.passes(0, bob.create(rig.seq(), rig.wall(), post_path)));
        CHECK(rig.failed(Check::active) == 1);

        row.upstream = {};
        SignedRepo carol = rig.new_account(0);
        rig.remember(carol, 0, row);
        CHECK_FALSE(rig.passes(0, carol.create(rig.seq(), rig.wall(), post_path)));
        CHECK(rig.failed(Check::rev) == 1);

        if (recovery.first_seq > recovery.head_seq + 1) {
            SignedRepo dave = rig.new_account(0);
            row.last_seq = recovery.head_seq + 1;
            rig.remember(dave, 0, row);
            CHECK(rig.passes(0, dave.create(rig.seq(), rig.wall(), post_path)));
        }
        SignedRepo erin = rig.new_account(0);
        row.last_seq = recovery.first_seq;  // of this life
        rig.remember(erin, 0, row);
        CHECK_FALSE(rig.passes(0, erin.create(rig.seq(), rig.wall(), post_path)));
        CHECK(rig.failed(Check::rev) == 2);
    });
}

TEST_CASE("events of an account keep their order while it is loaded and looked up") {
    ShardRig rig(GENERATE(1u, 2u, 3u));
    rig.run([&] {
        rig.plc->be_slow(500ms);
        SignedRepo alice = rig.new_account(0);
        SignedRepo bob = rig.new_account(1);
        std::vector<Sent*> sent;
        for (int i = 0; i < 40; ++i) {
            sent.push_back(&rig.send(0, alice.create(rig.seq(), rig.wall(), path(i))));
            sent.push_back(&rig.send(1, bob.create(rig.seq(), rig.wall(), path(i))));
            if (i % 10 == 0) rig.sleep(1ms);
        }
        for (Sent* each : sent) CHECK(rig.passes(*each));
        std::uint64_t last_of_alice = 0, last_of_bob = 0;
        for (const LoggedFact& fact : rig.logged()) {
            std::uint64_t& last = fact.did == alice.did() ? last_of_alice : last_of_bob;
            CHECK(fact.upstream_seq > last);
            last = fact.upstream_seq;
        }
        CHECK(rig.metrics->parked_load.value() == 2);
        CHECK(rig.metrics->parked_key.value() == 2);
    });
}

TEST_CASE("two hosts that speak of one account are put in line") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        // The new host speaks first, before the directory is known to have changed; then the old.
        rig.publish(alice, 1);
        rig.plc->be_slow(300ms);
        Sent& moved = rig.send(1, alice.create(rig.seq(), rig.wall(), path(2)));
        Sent& farewell = rig.send(0, alice.account(rig.seq(), rig.wall(), false, "deactivated"));
        Sent& next = rig.send(1, alice.create(rig.seq(), rig.wall(), path(3)));
        rig.sleep(100ms);
        CHECK(rig.is_waiting(moved));
        CHECK(rig.is_waiting(farewell));
        CHECK(rig.is_waiting(next));
        CHECK(rig.passes(moved));
        CHECK_FALSE(rig.passes(farewell));
        CHECK(rig.passes(next));
        auto logged = rig.logged();
        REQUIRE(logged.size() == 3);
        CHECK(logged[1].upstream_seq == moved.event.upstream_seq);
        CHECK(logged[1].host_id == rig.host_ref(1).id);
        CHECK(logged[2].tells(alice));
        CHECK(rig.failed(Check::authority) == 1);
    });
}

TEST_CASE("a bad event is dropped, counted by its check, and changes nothing") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        Buffer good = alice.create(rig.seq(), rig.wall(), path(2));
        const struct {
            Check check;
            Buffer frame;
        } forgeries[] = {
            {Check::limits, forge::limits(alice, good)},
            {Check::rev, forge::rev(alice, good)},
            {Check::future, forge::future(alice, good, rig.wall())},
            {Check::car, forge::car(alice, good)},
            {Check::root, forge::root(alice, good)},
            {Check::commit, forge::commit(alice, good)},
            {Check::match, forge::match(alice, good)},
            {Check::signature, forge::signature(alice, good)},
        };
        for (const auto& forgery : forgeries) {
            CAPTURE(index_of(forgery.check));
            CHECK_FALSE(rig.passes(0, forgery.frame));
            CHECK(rig.failed(forgery.check) == 1);
        }
        CHECK(rig.metrics->dropped.value() == std::size(forgeries));
        CHECK(rig.log_lines().find("event dropped") != std::string::npos);
        CHECK(rig.passes(0, good));
    });
}

TEST_CASE("an account may leave memory only when its event is folded") {
    ShardRig rig;
    rig.options.max_accounts = 10;
    rig.run([&] {
        std::vector<SignedRepo> repos;
        for (int i = 0; i < 30; ++i) repos.push_back(rig.new_account(0));
        for (SignedRepo& repo : repos) {
            CHECK(rig.passes(0, repo.create(rig.seq(), rig.wall(), path(1))));
        }
        rig.sleep(5s);
        CHECK(rig.shard->status().accounts == 30);
        CHECK(rig.shard->status().accounts_pinned == 30);

        rig.fold_everything();
        rig.sleep(5s);
        CHECK(rig.shard->status().accounts_pinned == 0);
        SignedRepo late = rig.new_account(0);
        CHECK(rig.passes(0, late.create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.shard->status().accounts < 30);
    });
}

TEST_CASE("pins follow the fold step by step") {
    ShardRig rig;
    rig.run([&] {
        std::vector<std::uint64_t> seqs;
        for (int i = 0; i < 3; ++i) {
            SignedRepo repo = rig.new_account(0);
            Sent& sent = rig.send(0, repo.create(rig.seq(), rig.wall(), path(1)));
            CHECK(rig.passes(sent));
            seqs.push_back(sent.event.seq);
            rig.sleep(2s);
        }
        CHECK(rig.shard->status().accounts_pinned == 3);
        for (std::size_t i = 0; i < 3; ++i) {
            rig.fold.applied_seq.store(seqs[i] - 1);
            rig.sleep(2s);
            CHECK(rig.shard->status().accounts_pinned == 3 - i);
            rig.fold.applied_seq.store(seqs[i]);
            rig.sleep(2s);
            CHECK(rig.shard->status().accounts_pinned == 2 - i);
        }
    });
}

// ----- #identity ------------------------------------------------------------------------------

TEST_CASE("a handle is stripped, unless it is to be kept") {
    bool keeps = GENERATE(false, true);
    ShardRig rig;
    rig.options.keeps_handles = keeps;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall(), "alice.example")));
        auto logged = rig.logged();
        REQUIRE(logged.size() == 1);
        CHECK(logged[0].kind == FactsKind::identity);
        CHECK(logged[0].is_bare());
        CHECK(payload_of(logged[0]).has("handle") == keeps);
        CHECK(payload_of(logged[0]).text("did") == alice.did());
        CHECK(rig.metrics->rewritten.value() == (keeps ? 0 : 1));
        CHECK(rig.metrics->verified.value() == 1);
    });
}

TEST_CASE("a flood of #identity of one account is cut to its rate, and not other accounts") {
    ShardRig rig;
    rig.options.identity_events_per_minute = 5;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        SignedRepo bob = rig.new_account(0);
        int passed = 0;
        for (int i = 0; i < 20; ++i) passed += rig.passes(0, alice.identity(rig.seq(), rig.wall()));
        CHECK(passed == 5);
        CHECK(rig.metrics->identity_limited.value() == 15);
        CHECK(rig.host_ref(0).counts.limited == 15);
        CHECK(rig.passes(0, bob.identity(rig.seq(), rig.wall())));
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(60s);
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));
        CHECK(rig.metrics->new_accounts.value() == 2);
    });
}

TEST_CASE("a host's flood of #identity for accounts of others is cut before it costs anything") {
    ShardRig rig;
    rig.options.identity_events_per_minute = 1;  // 60 of one host
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        for (int i = 0; i < 200; ++i) rig.send(1, alice.identity(rig.seq(), rig.wall()));
        rig.sleep(60s);
        CHECK(rig.metrics->identity_limited.value() == 140);
        CHECK(rig.plc->requests(alice.did()) < 125);
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));  // its own host may
    });
}

// ----- #account -------------------------------------------------------------------------------

TEST_CASE("an #account sets what its host says; commits stop and go on with it") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        rig.host(0).say_active(alice.did(), false);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        CHECK_FALSE(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        CHECK(rig.passes(0, alice.identity(rig.seq(), rig.wall())));
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), true)));
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        auto logged = rig.logged();
        REQUIRE(logged.size() == 4);
        CHECK(logged[0].statuses == statuses({}, {false, AccountStatus::deactivated}));
        CHECK(logged[2].statuses == statuses({}, {}));
        CHECK(rig.metrics->rewritten.value() == 1);  // the handle
    });
}

TEST_CASE("what is taken down here is said to be so, and what its host says is kept apart") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        index::AccountRow row;
        row.local = {false, AccountStatus::takendown};
        rig.remember(alice, 0, row);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), true)));
        CHECK_FALSE(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        auto logged = rig.logged();
        REQUIRE(logged.size() == 1);
        CHECK(logged[0].statuses == statuses({false, AccountStatus::takendown}, {}));
        auto said = proto::parse_account_event(
            proto::payload_of(logged[0].frame, proto::peek(logged[0].frame).value()));
        REQUIRE(said.has_value());
        CHECK_FALSE(said->is_active);
        CHECK(said->status == "takendown");
        CHECK(rig.metrics->rewritten.value() == 1);
        CHECK(rig.host(0).requests() == 0);  // its host is not asked: that is our decision
    });
}

// ----- #account too often ----------------------------------------------------------------------

namespace {

Buffer status(ShardRig& rig, const SignedRepo& repo, bool is_active) {
    if (is_active) return repo.account(rig.seq(), rig.wall(), true);
    return repo.account(rig.seq(), rig.wall(), false, "deactivated");
}

}  // namespace

TEST_CASE(
    "an account that is switched on and off a thousand times comes out as few, the last one last") {
    const bool is_known = GENERATE(true, false);
    ShardRig rig;
    rig.run([&] {
        if (!is_known) rig.plc->fail_with(500);
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), true)));
        Sent* last = nullptr;
        for (int i = 0; i < 1000; ++i) {
            last = &rig.send(0, status(rig, alice, i % 2 == 0));
            rig.sleep(1ms);
        }
        rig.sleep(2s);
        REQUIRE_FALSE(rig.is_waiting(*last));
        CHECK(last->event.is_logged);
        auto logged = rig.logged();
        CHECK(logged.size() >= 10);
        CHECK(logged.size() <= 14);
        CHECK(logged.back().upstream_seq == last->event.upstream_seq);
        if (is_known) {
            CHECK(logged.back().statuses == statuses({}, {false, AccountStatus::deactivated}));
        }
        CHECK(rig.metrics->account_overtaken.value() == 1001 - logged.size());
        CHECK(rig.host_ref(0).counts.limited == 1001 - logged.size());
        CHECK(rig.metrics->parked_pace.value() >= 1);
        CHECK(rig.metrics->parked.depth() == 0);
    });
}

TEST_CASE("what an account does between two of its many statuses stays between them") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        SignedRepo bob = rig.new_account(0);
        for (int i = 0; i < 10; ++i) CHECK(rig.passes(0, status(rig, alice, i % 2 == 1)));
        // Inactive, active, a commit: the first is overtaken, the second comes before the third.
        Sent& off = rig.send(0, status(rig, alice, false));
        rig.sleep(10ms);
        CHECK(rig.is_waiting(off));
        Sent& on = rig.send(0, status(rig, alice, true));
        rig.sleep(10ms);
        CHECK_FALSE(rig.is_waiting(off));
        CHECK_FALSE(off.event.is_logged);
        CHECK(rig.is_waiting(on));
        CHECK(rig.passes(0, bob.account(rig.seq(), rig.wall(), true)));  // others do not wait
        Nanos began = rig.now();
        Sent& post = rig.send(0, alice.create(rig.seq(), rig.wall(), path(1)));
        CHECK(rig.passes(post));
        CHECK(rig.now() - began < 100ms);
        CHECK(rig.passes(on));
        auto logged = rig.logged();
        CHECK(logged.back().upstream_seq == post.event.upstream_seq);
        CHECK(logged[logged.size() - 2].upstream_seq == on.event.upstream_seq);
        // Inactive, a commit: the commit comes too late.
        rig.host(0).say_active(alice.did(), false);
        Sent& end = rig.send(0, status(rig, alice, false));
        CHECK_FALSE(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.passes(end));
        CHECK(rig.failed(Check::active) == 1);
    });
}

TEST_CASE("an #account that does not pass overtakes none") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        for (int i = 0; i < 10; ++i) CHECK(rig.passes(0, status(rig, alice, i % 2 == 1)));
        Sent& off = rig.send(0, status(rig, alice, false));
        Sent& foreign = rig.send(1, status(rig, alice, true));
        CHECK(rig.passes(off));
        CHECK_FALSE(rig.passes(foreign));
        CHECK(rig.metrics->account_overtaken.value() == 0);
    });
}

// ----- status repair --------------------------------------------------------------------------

TEST_CASE("an account that is active at its host is said to be so before its commit") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        rig.host(0).say_active(alice.did(), true);
        Sent& first = rig.send(0, alice.create(rig.seq(), rig.wall(), path(1)));
        Sent& second = rig.send(0, alice.create(rig.seq(), rig.wall(), path(2)));
        CHECK(rig.passes(first));
        CHECK(rig.passes(second));
        auto logged = rig.logged();
        REQUIRE(logged.size() == 4);
        CHECK(logged[1].kind == FactsKind::account);
        CHECK(logged[1].upstream_seq == 0);
        CHECK(logged[1].host_id == rig.host_ref(0).id);
        CHECK(logged[1].statuses == statuses({}, {}));
        auto said = proto::parse_account_event(
            proto::payload_of(logged[1].frame, proto::peek(logged[1].frame).value()));
        REQUIRE(said.has_value());
        CHECK(said->is_active);
        CHECK(said->did == alice.did());
        CHECK(said->seq == logged[1].seq);
        CHECK(logged[2].upstream_seq == first.event.upstream_seq);
        CHECK(logged[3].tells(alice));
        CHECK(rig.metrics->status_repaired.value() == 1);
        CHECK(rig.host(0).requests() == 1);
        CHECK(rig.host(0).last_target() ==
              "/xrpc/com.atproto.sync.getRepoStatus?did=" + alice.did());
        CHECK(rig.shard->status().accounts_pinned == 1);  // not by parking any more
        rig.fold_everything();
        rig.sleep(5s);
        CHECK(rig.shard->status().accounts_pinned == 0);
    });
}

TEST_CASE("a host that a stranger announced is asked through the strangers' door") {
    const bool is_strangers = GENERATE(true, false);
    const net::Outbound closed(nullptr);
    ShardRig rig;
    rig.strangers = &closed;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        rig.host(0).say_active(alice.did(), true);
        rig.host_ref(0).is_strangers = is_strangers;
        const bool passes = rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1)));
        CHECK(passes == !is_strangers);
        CHECK(rig.host(0).requests() == (is_strangers ? 0 : 1));
        CHECK(closed.refused == (is_strangers ? 1 : 0));
    });
}

TEST_CASE("commits of an account that is inactive at its host are dropped; it is asked seldom") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        rig.host(0).say_active(alice.did(), false);
        std::vector<Sent*> sent;
        for (int i = 0; i < 5; ++i) {
            sent.push_back(&rig.send(0, alice.create(rig.seq(), rig.wall(), path(i))));
        }
        for (Sent* each : sent) CHECK_FALSE(rig.passes(*each));
        CHECK(rig.host(0).requests() == 1);
        CHECK(rig.failed(Check::active) == 5);
        rig.sleep(10s);
        rig.host(0).say_active(alice.did(), true);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(9))));
        CHECK(rig.host(0).requests() == 2);
    });
}

TEST_CASE("a host that gives no answer in order leaves an account inactive") {
    ShardRig rig;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.account(rig.seq(), rig.wall(), false, "deactivated")));
        rig.host(0).answer_with(500, "");
        CHECK_FALSE(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.sleep(10s);
        rig.host(0).answer_with(200, "", 1h);
        Nanos began = rig.now();
        CHECK_FALSE(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(2))));
        CHECK(rig.now() - began < 6s);
        CHECK(rig.host(0).requests() == 2);
    });
}

TEST_CASE("two questions at once go to one host; what is above is dropped at once") {
    ShardRig rig;
    rig.run([&] {
        std::vector<SignedRepo> repos;
        for (int i = 0; i < 6; ++i) {
            repos.push_back(rig.new_account(0));
            CHECK(rig.passes(0, repos.back().account(rig.seq(), rig.wall(), false, "deactivated")));
        }
        rig.host(0).answer_with(500, "", 1s);
        std::vector<Sent*> sent;
        for (auto& repo : repos) {
            sent.push_back(&rig.send(0, repo.create(rig.seq(), rig.wall(), path(1))));
        }
        for (Sent* each : sent) CHECK_FALSE(rig.passes(*each));
        CHECK(rig.host(0).requests() == 2);
        CHECK(rig.host(0).most_at_once() == 2);
    });
}

TEST_CASE("a host without a port cannot be asked yet: its accounts stay inactive") {
    ShardRig rig;
    rig.run([&] {
        const HostRef& far = rig.add_host("pds.example");
        SignedRepo alice = rig.new_account(0);
        rig.plc->set(alice.did(), alice.public_key(), "https://pds.example");
        CHECK(rig.passes(rig.send(far, alice.account(rig.seq(), rig.wall(), false))));
        CHECK_FALSE(rig.passes(rig.send(far, alice.create(rig.seq(), rig.wall(), path(1)))));
        CHECK(rig.failed(Check::active) == 1);
    });
}

// ----- the clock ------------------------------------------------------------------------------

TEST_CASE(
    "while our clock is behind, revs are not compared with it; a single host cannot do that") {
    ShardRig rig;
    rig.run([&] {
        std::vector<SignedRepo> repos;
        std::vector<const HostRef*> hosts;
        for (int i = 0; i < 12; ++i) {
            repos.push_back(SignedRepo(100 + static_cast<std::uint64_t>(i)));
            hosts.push_back(&rig.add_host("pds-" + std::to_string(i) + ".example:80"));
            rig.plc->set(repos.back().did(), repos.back().public_key(),
                         "http://" + hosts.back()->name);
        }
        auto all_send = [&](WallMillis ahead) {
            int passed = 0;
            for (std::size_t i = 0; i < repos.size(); ++i) {
                Buffer frame = repos[i].create(rig.seq(), rig.wall() + ahead, path(int(rig.seq())));
                passed += rig.passes(rig.send(*hosts[i], frame)) ? 1 : 0;
            }
            rig.sleep(2s);
            return passed;
        };
        SignedRepo ahead_of_all = rig.new_account(0);
        CHECK_FALSE(rig.passes(0, ahead_of_all.create(rig.seq(), rig.wall() + 1h, path(0))));
        CHECK(rig.failed(Check::future) == 1);
        CHECK_FALSE(rig.shard->status().is_clock_behind);

        CHECK(all_send(10min) == 0);
        CHECK(all_send(10min) < 12);
        CHECK(rig.shard->status().is_clock_behind);
        CHECK(rig.metrics->clock_behind.value() == 1);
        CHECK(rig.metrics->clock_behind_seconds.value() >= 590);
        CHECK(rig.metrics->clock_behind_seconds.value() <= 600);
        for (int round = 0; round < 6; ++round) {  // for as long as that is so
            CHECK(all_send(11min) == 12);
            rig.sleep(30s);
        }
        const std::string lines = rig.log_lines();
        CHECK(lines.find("clock is behind") != std::string::npos);
        CHECK(lines.find("behind_s=") != std::string::npos);

        rig.sleep(12min);
        CHECK(all_send(0min) == 12);
        CHECK(all_send(0min) == 12);
        CHECK_FALSE(rig.shard->status().is_clock_behind);
        CHECK(rig.metrics->clock_behind.value() == 0);
        CHECK(rig.metrics->clock_behind_seconds.value() == 0);
        std::uint64_t before = rig.failed(Check::future);
        CHECK_FALSE(rig.passes(rig.send(
            *hosts[0], repos[0].create(rig.seq(), rig.wall() + 1h, path(int(rig.seq()))))));
        CHECK(rig.failed(Check::future) == before + 1);
    });
}

// ----- stopping -------------------------------------------------------------------------------

TEST_CASE("a shard that stops rules on what it can and gives the rest back undone") {
    ShardRig rig;
    std::vector<Sent*> held;
    rig.run([&] {
        SignedRepo alice = rig.new_account(0);
        CHECK(rig.passes(0, alice.create(rig.seq(), rig.wall(), path(1))));
        rig.plc->be_silent();
        SignedRepo bob = rig.new_account(0);
        Sent& waits = rig.send(0, bob.create(rig.seq(), rig.wall(), path(1)));
        Sent& behind = rig.send(0, bob.create(rig.seq(), rig.wall(), path(2)));
        rig.sleep(500ms);
        CHECK(rig.shard->status().parked == 2);
        CHECK(rig.metrics->parked.depth() == 2);
        Sent& known = rig.send(0, alice.create(rig.seq(), rig.wall(), path(2)));
        rig.shard->stop();
        CHECK_FALSE(rig.is_waiting(waits));
        CHECK_FALSE(rig.is_waiting(behind));
        CHECK_FALSE(waits.event.is_logged);
        CHECK(rig.metrics->abandoned.value() == 2);
        CHECK(rig.metrics->dropped.value() == 0);
        rig.sequencer->stop();
        CHECK(known.event.is_logged);
        CHECK(rig.shard->status().parked == 0);
    });
}

TEST_CASE("how late a host is its newest commit tells, no #sync, and no rev that is no time") {
    ShardRig rig;
    rig.run([&] {
        const HostCounts& counts = rig.host_ref(0).counts;
        SignedRepo carol = rig.new_account(0);
        const Buffer of_1970 = carol.create(rig.seq(), rig.wall(), path(1));
        const proto::Tid a_counter = proto::Tid::of_micros(5'000'000, 0);
        CHECK(rig.passes(0, support::forge::with_rev(carol, of_1970, a_counter)));
        SignedRepo dave = rig.new_account(0);
        dave.create(rig.seq(), rig.wall(), path(1));
        CHECK(rig.passes(0, dave.sync(rig.seq(), rig.wall())));
        CHECK(counts.newest_rev_ms == 0);

        SignedRepo alice = rig.new_account(0);
        SignedRepo bob = rig.new_account(0);
        CHECK(rig.passes(0, bob.create(rig.seq(), rig.wall(), path(1))));
        CHECK(counts.newest_rev_ms > 0);
        const WallMillis late = rig.wall() + 5s;
        rig.sleep(95s);
        CHECK(rig.passes(0, alice.create(rig.seq(), late, path(1))));
        CHECK(counts.newest_rev_ms == static_cast<std::uint64_t>(late.count()));
        CHECK(counts.newest_came_after_ms >= 90'000);
        CHECK(counts.newest_came_after_ms < 100'000);
        // A clock that is ahead, by less than is forged.
        CHECK(rig.passes(0, bob.create(rig.seq(), rig.wall() + 60s, path(2))));
        CHECK(counts.newest_came_after_ms < -50'000);
    });
}
