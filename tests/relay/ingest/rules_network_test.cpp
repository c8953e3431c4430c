// What real hosts send although no text says so, and who may speak for an account that moves,
// sleeps or goes: all of it passes, or fails for the right reason.
#include <algorithm>
#include <catch2/catch.hpp>

#include "proto/base/base32.hpp"
#include "relay/ingest/rules.hpp"
#include "tests/support/arrival.hpp"
#include "tests/support/frame_parts.hpp"
#include "tests/support/signed_repo.hpp"

using namespace ringlay;
using namespace ringlay::ingest;
using namespace std::chrono_literals;
using crypto::Curve;
using proto::AccountStatus;
using support::ArchiveParts;
using support::Arrival;
using support::CommitParts;
using support::FrameParts;
using support::SignedRepo;
namespace forge = support::forge;

namespace {

constexpr WallMillis now = 1'767'225'600s;
const HostRef home{7, "pds.example"};
const HostRef old_home{9, "old.example"};

Buffer good_commit(SignedRepo& repo) {
    repo.create(1, now - 2s, "app.bsky.feed.post/a");
    repo.create(2, now - 1s, "app.bsky.feed.post/b");
    return repo.create(3, now, "app.bsky.feed.post/c");
}

Ruling ruling_on(Bytes frame, const Knowledge& known, const HostRef& sender = home) {
    Arrival arrival(sender, frame);
    Ruling ruling = examine(arrival.event, known);
    if (ruling.proof) ruling.proof->rev_text = {};  // a view of the arrival
    return ruling;
}

void check_verified(const SignedRepo& repo, Bytes frame) {
    Ruling ruling = ruling_on(frame, support::knowledge_of(repo, home, now));
    CAPTURE(ruling.why);
    REQUIRE(ruling.disposition == Disposition::pass);
    CHECK(ruling.proof->is_verified);
}

void check_fails(const SignedRepo& repo, Bytes frame, Check check) {
    Ruling ruling = ruling_on(frame, support::knowledge_of(repo, home, now));
    CAPTURE(ruling.why);
    CHECK(ruling.disposition != Disposition::pass);
    CHECK(ruling.check == check);
}

using ChangeCommit = void (*)(CommitParts&, const SignedRepo&);

struct Oddity {
    std::string_view name;
    ChangeCommit change;
};

template <class... Keys>
void erase(CommitParts& parts, Keys... keys) {
    (parts.outer.payload.erase(keys), ...);
}

void move_commit_last(CommitParts& parts) {
    auto& blocks = parts.archive.blocks;
    std::rotate(blocks.begin(), blocks.begin() + 1, blocks.end());
    parts.commit_at = blocks.size() - 1;
}

void add_block(CommitParts& parts, Bytes cid, Bytes data) {
    parts.archive.blocks.push_back({{cid.begin(), cid.end()}, {data.begin(), data.end()}});
}

constexpr std::uint8_t some_data[] = {0x65, 'h', 'e', 'l', 'l', 'o'};
constexpr std::uint8_t null_item[] = {0xf6};
constexpr std::uint8_t blob_list[] = {0x81, 0x61, 'x'};

// Of sound commits, in ways that are seen on the network.
const Oddity oddities[] = {
    {"rebase, tooBig and blobs are missing",
     [](CommitParts& it, const SignedRepo&) { erase(it, "rebase", "tooBig", "blobs"); }},
    {"blobs are null",
     [](CommitParts& it, const SignedRepo&) { it.outer.payload.set_null("blobs"); }},
    {"blobs hold something",
     [](CommitParts& it, const SignedRepo&) { it.outer.payload.set_encoded("blobs", blob_list); }},
    {"rebase is true",
     [](CommitParts& it, const SignedRepo&) { it.outer.payload.set_bool("rebase", true); }},
    {"tooBig, and no ops",
     [](CommitParts& it, const SignedRepo&) {
         constexpr std::uint8_t no_ops[] = {0x80};
         it.outer.payload.set_bool("tooBig", true);
         it.outer.payload.set_encoded("ops", no_ops);
     }},
    {"since is null",
     [](CommitParts& it, const SignedRepo&) { it.outer.payload.set_null("since"); }},
    {"since is a link",
     [](CommitParts& it, const SignedRepo&) {
         it.outer.payload.set_cid("since", proto::empty_tree_cid);
     }},
    {"no since at all", [](CommitParts& it, const SignedRepo&) { erase(it, "since"); }},
    {"no prevData", [](CommitParts& it, const SignedRepo&) { erase(it, "prevData"); }},
    {"prevData is null",
     [](CommitParts& it, const SignedRepo&) { it.outer.payload.set_null("prevData"); }},
    {"prev on the event",
     [](CommitParts& it, const SignedRepo&) {
         it.outer.payload.set_cid("prev", proto::empty_tree_cid);
     }},
    {"fields of a time to come",
     [](CommitParts& it, const SignedRepo&) {
         it.outer.payload.set_text("zzz", "unheard of");
         it.outer.payload.set_bytes("a", some_data);
     }},
    {"time with microseconds and an offset",
     [](CommitParts& it, const SignedRepo&) {
         it.outer.payload.set_text("time", "2026-01-01T00:00:00.123456+00:00");
     }},
    {"time that is none",
     [](CommitParts& it, const SignedRepo&) { it.outer.payload.set_text("time", "yesterday"); }},
    {"prev link in the commit block",
     [](CommitParts& it, const SignedRepo& repo) {
         it.commit.set_cid("prev", proto::empty_tree_cid);
         it.sign(repo.key());
     }},
    {"extra keys in the commit block, under its signature",
     [](CommitParts& it, const SignedRepo& repo) {
         it.commit.set_text("note", "signed, too");
         it.commit.set_encoded("z", null_item);
         it.sign(repo.key());
     }},
    {"commit block last in the archive",
     [](CommitParts& it, const SignedRepo&) { move_commit_last(it); }},
    {"the same blocks twice",
     [](CommitParts& it, const SignedRepo&) {
         auto blocks = it.archive.blocks;
         // The commit is put into its place later, so its copy would be another one's block.
         for (std::size_t i = 1; i < blocks.size(); ++i) it.archive.blocks.push_back(blocks[i]);
     }},
    {"blocks of which nothing is known",
     [](CommitParts& it, const SignedRepo&) {
         add_block(it, support::cid_of(some_data).bytes(), some_data);
     }},
    {"a raw block",
     [](CommitParts& it, const SignedRepo&) {
         auto cid = support::cid_of(some_data);
         Buffer raw(cid.bytes().begin(), cid.bytes().end());
         raw[1] = 0x55;
         add_block(it, raw, some_data);
     }},
    {"a block under a hash that is not ours to check",
     [](CommitParts& it, const SignedRepo&) {
         // SHA-512: version 1, raw, hash 0x13 of 64 bytes.
         Buffer cid{0x01, 0x55, 0x13, 0x40};
         cid.resize(68);
         add_block(it, cid, some_data);
     }},
    {"a block under another hash of the same length",
     [](CommitParts& it, const SignedRepo&) {
         Buffer cid{0x01, 0x71, 0x16, 0x20};
         cid.resize(36);
         add_block(it, cid, some_data);
     }},
    {"a block under half a hash",
     [](CommitParts& it, const SignedRepo&) {
         Buffer cid{0x01, 0x71, 0x12, 0x10};
         cid.resize(20);
         add_block(it, cid, some_data);
     }},
    {"a block of another codec, with any digest",
     [](CommitParts& it, const SignedRepo&) {
         Buffer cid{0x01, 0x70, 0x12, 0x20};
         cid.resize(36);
         add_block(it, cid, some_data);
     }},
    {"several roots",
     [](CommitParts& it, const SignedRepo&) { it.archive.roots.push_back(proto::empty_tree_cid); }},
    {"no block but the commit",
     [](CommitParts& it, const SignedRepo&) { it.archive.blocks.resize(1); }},
};

}  // namespace

TEST_CASE("old and unusual software: sound commits pass, whatever is odd about them") {
    auto curve = GENERATE(Curve::k256, Curve::p256);
    for (const Oddity& oddity : oddities) {
        CAPTURE(oddity.name);
        SignedRepo repo(1, curve);
        CommitParts parts(good_commit(repo));
        REQUIRE(parts.commit_at == 0);
        oddity.change(parts, repo);
        check_verified(repo, parts.frame());
    }
}

TEST_CASE("the same oddities do not hide a wrong signature") {
    for (const Oddity& oddity : oddities) {
        CAPTURE(oddity.name);
        SignedRepo repo(1);
        CommitParts parts(good_commit(repo));
        oddity.change(parts, repo);
        check_fails(repo, forge::signature(repo, parts.frame()), Check::signature);
    }
}

TEST_CASE("a bridge: prev links, since null, revs that began in 1970, +00:00 times, all at once") {
    SignedRepo repo(1);
    Buffer frame;
    for (std::uint64_t seq = 1; seq < 4; ++seq) {
        CommitParts parts(repo.create(seq, WallMillis(seq), "a.b.c/" + std::to_string(seq)));
        parts.commit.set_cid("prev", proto::empty_tree_cid);
        parts.sign(repo.key());
        parts.outer.payload.set_null("since");
        parts.outer.payload.set_text("time", "2026-01-01T00:00:00.000001+00:00");
        frame = parts.frame();
        REQUIRE(repo.rev().micros() < 1'000'000);
        check_verified(repo, frame);
    }
    Knowledge known = support::knowledge_of(repo, home, now);
    known.rev = repo.rev().value();
    CHECK(ruling_on(frame, known).check == Check::rev);
}

TEST_CASE("extra keys of a commit block that the signature does not cover fail it") {
    SignedRepo repo(1);
    CommitParts parts(good_commit(repo));
    parts.commit.set_text("note", "put in later");
    check_fails(repo, parts.frame(), Check::signature);
}

TEST_CASE("commit blocks that are not strictly one are refused") {
    SignedRepo repo(1);
    const Buffer good = good_commit(repo);
    auto check_refused = [&](std::string_view key, auto change) {
        CAPTURE(key);
        CommitParts parts(good);
        change(parts.commit);
        parts.sign(repo.key());
        check_fails(repo, parts.frame(), Check::commit);
    };
    for (std::string_view key : {"did", "rev", "data", "prev", "version"}) {
        check_refused(key, [&](support::MapParts& commit) { commit.erase(key); });
    }
    check_refused("version 4", [](support::MapParts& commit) { commit.set_uint("version", 4); });
    check_refused("data raw", [](support::MapParts& commit) {
        commit.set_bytes("data", proto::empty_tree_cid.bytes());
    });
    CommitParts parts(good);
    parts.commit.set_bytes("sig", Buffer(63));
    check_fails(repo, parts.frame(), Check::commit);

    // Keys in another order than the canonical one: the same meaning, but not the signed bytes.
    CommitParts swapped(good);
    auto& block = swapped.archive.blocks[swapped.commit_at];
    std::swap_ranges(block.data.begin() + 1, block.data.begin() + 4, block.data.begin() + 38);
    auto cid = support::cid_of(block.data);
    block.cid.assign(cid.bytes().begin(), cid.bytes().end());
    swapped.archive.roots.front() = cid;
    swapped.outer.payload.set_cid("commit", cid);
    swapped.outer.payload.set_bytes("blocks", swapped.archive.archive());
    check_fails(repo, swapped.outer.frame(), Check::commit);
}

TEST_CASE("a root that cannot be a commit's name, or that is not there, is refused") {
    SignedRepo repo(1);
    const Buffer good = good_commit(repo);
    CommitParts parts(good);
    parts.archive.roots.front() = proto::empty_tree_cid;
    parts.outer.payload.set_bytes("blocks", parts.archive.archive());
    check_fails(repo, parts.outer.frame(), Check::car);

    // Raw instead of dag-cbor, in the header alone: the second byte of the root's CID.
    CommitParts raw(good);
    Buffer archive = raw.archive.archive();
    auto at = std::ranges::search(archive, raw.archive.roots.front().bytes()).begin();
    at[1] = 0x55;
    raw.outer.payload.set_bytes("blocks", archive);
    check_fails(repo, raw.outer.frame(), Check::car);
}

TEST_CASE("every block is checked, wherever it is and whichever bit of it is wrong") {
    SignedRepo repo(1);
    CommitParts good(good_commit(repo));
    REQUIRE(good.archive.blocks.size() >= 3);
    for (std::size_t i = 0; i < good.archive.blocks.size(); ++i) {
        std::size_t size = good.archive.blocks[i].data.size();
        for (std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
            for (int bit = 0; bit < 8; ++bit) {
                CommitParts parts = good;
                auto& byte = parts.archive.blocks[i].data[at];
                byte = static_cast<std::uint8_t>(byte ^ (1 << bit));
                parts.outer.payload.set_bytes("blocks", parts.archive.archive());
                check_fails(repo, parts.outer.frame(), Check::car);
            }
        }
    }
}

TEST_CASE("a raw block is checked like any other") {
    SignedRepo repo(1);
    CommitParts parts(good_commit(repo));
    auto cid = support::cid_of(some_data);
    Buffer raw(cid.bytes().begin(), cid.bytes().end());
    raw[1] = 0x55;
    add_block(parts, raw, null_item);
    check_fails(repo, parts.frame(), Check::car);
}

TEST_CASE("a #sync of the rev that the account has passes: a host's way to say where it is") {
    SignedRepo repo(1);
    good_commit(repo);
    Knowledge known = support::knowledge_of(repo, home, now);
    known.rev = repo.rev().value();
    known.data = repo.data();
    Ruling ruling = ruling_on(repo.sync(4, now), known);
    CHECK(ruling.disposition == Disposition::pass);
    CHECK(ruling.proof->data == repo.data());
}

TEST_CASE("a #sync may not lead back") {
    SignedRepo repo(1);
    repo.create(1, now - 1h, "a.b.c/1");
    Buffer before = repo.sync(2, now);
    repo.create(3, now, "a.b.c/2");
    Knowledge known = support::knowledge_of(repo, home, now);
    known.rev = repo.rev().value();
    Ruling ruling = ruling_on(before, known);
    CHECK(ruling.disposition == Disposition::drop);
    CHECK(ruling.check == Check::rev);
}

TEST_CASE("a did:web passes as it is written; its commit must write it alike") {
    for (std::string did :
         {"did:web:example.com", "did:web:Example.COM", "did:web:pds.example%3A8"}) {
        CAPTURE(did);
        SignedRepo repo(did, bench::invented_key(Curve::k256, 1, 1));
        check_verified(repo, good_commit(repo));
        check_verified(repo, repo.sync(4, now));
    }
    SignedRepo repo("did:web:Example.COM", bench::invented_key(Curve::k256, 1, 1));
    CommitParts parts(good_commit(repo));
    parts.commit.set_text("did", "did:web:example.com");
    parts.sign(repo.key());
    check_fails(repo, parts.frame(), Check::match);
}

TEST_CASE("only DIDs of methods that are resolved have accounts") {
    for (std::string did : {"did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
                            "did:plc:ABCDEFGHIJKLMNOPQRSTUVWX", "did:plc:abcdefghijklmnopqrstuvw",
                            "did:webs:example.com", "did:plc:abcdefghijklmnopqrstuvw1"}) {
        CAPTURE(did);
        SignedRepo repo(did, bench::invented_key(Curve::k256, 1, 1));
        check_fails(repo, repo.create(1, now, "a.b.c/1"), Check::did);
        check_fails(repo, repo.identity(2, now), Check::did);
    }
}

TEST_CASE("after a change of keys the old key's commits are wrong, the new one's right") {
    SignedRepo repo(1);
    Buffer before = good_commit(repo);
    repo.rotate_key(bench::invented_key(Curve::p256, 9, 9));
    check_fails(repo, before, Check::signature);
    check_verified(repo, repo.create(4, now, "a.b.c/d"));
    check_verified(repo, repo.sync(5, now));
}

TEST_CASE("a key that is not known lets events wait, or pass unverified, but never write") {
    SignedRepo repo(1);
    Buffer commit = good_commit(repo);
    Knowledge known = support::knowledge_of(repo, home, now);
    known.has_identity = false;
    known.key.reset();
    known.pds_host = {};
    Ruling waiting = ruling_on(commit, known);
    CHECK(waiting.disposition == Disposition::unknown);
    CHECK(waiting.check == Check::identity);

    known.skips_identity = true;
    Ruling passed = ruling_on(commit, known);
    CHECK(passed.disposition == Disposition::pass);
    CHECK_FALSE(passed.proof->is_verified);
    // All that needs no identity is still checked.
    for (auto [forged, check] : {std::pair(forge::car(repo, commit), Check::car),
                                 std::pair(forge::root(repo, commit), Check::root),
                                 std::pair(forge::commit(repo, commit), Check::commit),
                                 std::pair(forge::match(repo, commit), Check::match),
                                 std::pair(forge::limits(repo, commit), Check::limits),
                                 std::pair(forge::future(repo, commit, now), Check::future)}) {
        CHECK(ruling_on(forged, known).check == check);
    }
    known.upstream.is_active = false;
    CHECK(ruling_on(commit, known).check == Check::active);
}

TEST_CASE("what is wrong by what is known is never passed unverified") {
    SignedRepo repo(1);
    Buffer commit = good_commit(repo);
    Knowledge known = support::knowledge_of(repo, home, now);
    known.skips_identity = true;
    Ruling bad = ruling_on(forge::signature(repo, commit), known);
    CHECK(bad.disposition == Disposition::unknown);
    CHECK(bad.check == Check::signature);
    Ruling elsewhere = ruling_on(commit, known, old_home);
    CHECK(elsewhere.disposition == Disposition::unknown);
    CHECK(elsewhere.check == Check::authority);

    known.has_identity = false;
    known.is_definite_none = true;
    Ruling gone = ruling_on(commit, known);
    CHECK(gone.disposition == Disposition::drop);
    CHECK(gone.check == Check::identity);
}

TEST_CASE("half an identity is none: a key without a host, a host without a key") {
    SignedRepo repo(1);
    Buffer commit = good_commit(repo);
    Knowledge known = support::knowledge_of(repo, home, now);
    known.key.reset();
    CHECK(ruling_on(commit, known).check == Check::identity);
    known = support::knowledge_of(repo, home, now);
    known.pds_host = {};
    CHECK(ruling_on(commit, known).check == Check::identity);
}

TEST_CASE("an account's own host may say that it is gone when its DID is gone, too") {
    SignedRepo repo(1);
    Buffer commit = good_commit(repo);
    Buffer gone = repo.account(4, now, false, "deleted");
    Knowledge known = support::knowledge_of(repo, home, now);
    known.has_identity = false;
    known.is_definite_none = true;
    known.key.reset();
    auto disposition = [&](Bytes frame, const HostRef& sender) {
        return ruling_on(frame, known, sender).disposition;
    };
    // A document may be left that names this host, but no key.
    for (std::string_view pds : {"", "pds.example"}) {
        known.pds_host = pds;
        CHECK(disposition(gone, home) == Disposition::pass);
        CHECK(ruling_on(gone, known).standing ==
              proto::AccountStanding{false, AccountStatus::deleted});
        // Nobody else may, and nothing else.
        CHECK(disposition(gone, old_home) == Disposition::drop);
        CHECK(disposition(repo.account(5, now, true), home) == Disposition::drop);
        CHECK(disposition(repo.identity(6, now), home) == Disposition::drop);
        CHECK(disposition(commit, home) == Disposition::drop);
    }
    known.pds_host = "elsewhere.example";
    CHECK(disposition(gone, home) == Disposition::drop);
    known.pds_host = {};
    known.host_id = 0;  // no host was ever recorded
    const HostRef numberless{0, "pds.example"};
    CHECK(disposition(gone, numberless) == Disposition::drop);
    // Not known is not gone: it waits, as everything else does.
    known = support::knowledge_of(repo, home, now);
    known.has_identity = false;
    CHECK(disposition(gone, home) == Disposition::unknown);
}

TEST_CASE("the host that an account has left may not switch it off") {
    SignedRepo repo(1);
    Knowledge known = support::knowledge_of(repo, home, now);
    known.host_id = old_home.id;  // recorded: nothing was heard of the new one yet
    Ruling ruling = ruling_on(repo.account(4, now, false, "deactivated"), known, old_home);
    CHECK(ruling.disposition == Disposition::unknown);
    CHECK(ruling.check == Check::authority);
    CHECK(ruling_on(repo.account(4, now, true), known, home).disposition == Disposition::pass);
}

TEST_CASE("throttled and desynchronized accounts that are active stay so") {
    SignedRepo repo(1);
    Buffer commit = good_commit(repo);
    Knowledge known = support::knowledge_of(repo, home, now);
    for (auto status : {AccountStatus::throttled, AccountStatus::desynchronized}) {
        known.upstream = {true, status};
        CHECK(ruling_on(commit, known).disposition == Disposition::pass);
        known.upstream = {false, status};
        CHECK(ruling_on(commit, known).disposition == Disposition::unknown);
        // A word of ours for an active account says nothing of what its host says.
        known.upstream = {};
        known.local = {true, status};
        CHECK(ruling_on(commit, known).disposition == Disposition::pass);
        known.upstream = {false, AccountStatus::deactivated};
        CHECK(ruling_on(commit, known).disposition == Disposition::unknown);
        known.local = {};
    }
}

TEST_CASE("a takedown here holds whatever the host says, and no host is asked about it") {
    SignedRepo repo(1);
    Buffer commit = good_commit(repo);
    Knowledge known = support::knowledge_of(repo, home, now);
    known.local = {false, AccountStatus::takendown};
    for (bool is_active : {true, false}) {
        known.upstream.is_active = is_active;
        CHECK(ruling_on(commit, known).disposition == Disposition::drop);
        CHECK(ruling_on(repo.sync(4, now), known).check == Check::active);
    }
}

TEST_CASE("a sound prefix of an event is no event: cut anywhere, nothing of it passes") {
    SignedRepo repo(1);
    const Buffer frame = good_commit(repo);
    Arrival whole(home, frame);
    Knowledge known = support::knowledge_of(repo, home, now);
    for (std::size_t size = 0; size < whole.event.payload_bytes; ++size) {
        Arrival arrival(home, frame);
        arrival.event.payload_bytes = static_cast<std::uint32_t>(size);
        Ruling ruling = examine(arrival.event, known);
        REQUIRE(ruling.disposition == Disposition::drop);
        REQUIRE(ruling.check == Check::fields);
    }
}
