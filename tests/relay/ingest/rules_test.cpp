// Each check, one by one: what fails it alone, what is just not wrong, and that a frame wrong in
// two ways fails at the earlier one.
#include "relay/ingest/rules.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "proto/limits.hpp"
#include "relay/hosts/frame_rules.hpp"
#include "tests/support/arrival.hpp"
#include "tests/support/frame_parts.hpp"
#include "tests/support/signed_repo.hpp"

using namespace ringlay;
using namespace ringlay::ingest;
using namespace std::chrono_literals;
using crypto::Curve;
using event_log::FactsKind;
using proto::Tid;
using support::Arrival;
using support::SignedRepo;
namespace forge = support::forge;

namespace {

constexpr WallMillis now = 1'767'225'600s;  // 2026-01-01
const HostRef home{7, "pds.example"};
const HostRef stranger{8, "evil.example"};

// One event on its way, with everything that may be wrong about it.
struct Attempt {
    Attempt(FactsKind of_kind, Curve curve) : repo(1, curve), kind(of_kind) {
        repo.create(4, now - 1h, "app.bsky.feed.post/a");
        repo.create(5, now - 1h, "app.bsky.feed.post/b");
        known = support::knowledge_of(repo, home, now);
        known.rev = repo.rev().value();
        known.data = repo.data();
        switch (kind) {
            case FactsKind::commit:
                frame = repo.create(6, now, "app.bsky.feed.post/c");
                break;
            case FactsKind::sync:
                frame = repo.sync(6, now);
                break;
            case FactsKind::identity:
                frame = repo.identity(6, now);
                break;
            default:
                frame = repo.account(6, now, true);
        }
    }

    bool is_of_repo() const { return kind == FactsKind::commit || kind == FactsKind::sync; }

    SignedRepo repo;
    FactsKind kind;
    Buffer frame;
    Knowledge known;
    const HostRef* sender = &home;
    std::uint64_t last_seq = 5;  // of the connection
};

struct Outcome {
    Disposition disposition = Disposition::pass;
    std::optional<Check> check;  // that failed
    std::string_view why;
    bool is_verified = false;
};

// The host room's part, then the table.
Outcome judge(const Attempt& attempt) {
    constexpr Disposition drop = Disposition::drop;
    if (attempt.frame.size() > proto::max_message_bytes) {
        CHECK_FALSE(hosts::row_of(hosts::rule(attempt.frame, 0).outcome).is_passed);
        return {drop, Check::size, {}, false};
    }
    auto frame = hosts::rule(attempt.frame, attempt.last_seq);
    if (frame.outcome == hosts::Outcome::stale) return {drop, Check::seq, {}, false};
    Arrival arrival(*attempt.sender, attempt.frame);
    Ruling ruling = examine(arrival.event, attempt.known);
    bool is_verified = ruling.proof && ruling.proof->is_verified;
    if (ruling.disposition == Disposition::pass) {
        return {Disposition::pass, std::nullopt, {}, is_verified};
    }
    CHECK_FALSE(ruling.why.empty());
    return {ruling.disposition, ruling.check, ruling.why, is_verified};
}

enum class Kinds : std::uint8_t { all, repo, commit };

struct Forgery {
    std::string_view name;
    Check check;
    Kinds kinds;
    Disposition disposition;
    void (*apply)(Attempt&);
};

template <Buffer (*forge_frame)(const SignedRepo&, Bytes)>
void forged(Attempt& attempt) {
    attempt.frame = forge_frame(attempt.repo, attempt.frame);
}

constexpr auto drop = Disposition::drop;
constexpr auto unknown = Disposition::unknown;

constexpr Forgery forgeries[] = {
    {"5 MB", Check::size, Kinds::all, drop, forged<forge::size>},
    {"a field is missing", Check::fields, Kinds::all, drop, forged<forge::fields>},
    {"a field is of another type", Check::fields, Kinds::all, drop,
     [](Attempt& it) {
         support::FrameParts parts(it.frame);
         parts.payload.set_bool("time", true);
         it.frame = parts.frame();
     }},
    {"seq again", Check::seq, Kinds::all, drop, forged<forge::seq>},
    {"a method that nobody resolves", Check::did, Kinds::all, drop, forged<forge::did>},
    {"a did:plc that cannot be one", Check::did, Kinds::all, drop,
     [](Attempt& it) { it.frame = forge::of_account(it.repo, it.frame, "did:plc:short"); }},
    {"no blocks", Check::limits, Kinds::repo, drop, forged<forge::limits>},
    {"no identity", Check::identity, Kinds::all, drop,
     [](Attempt& it) {
         it.frame = forge::identity(it.repo, it.frame);
         it.known.has_identity = false;
         it.known.is_definite_none = true;
     }},
    {"identity not known", Check::identity, Kinds::all, unknown,
     [](Attempt& it) { it.known.has_identity = false; }},
    {"another host's account", Check::authority, Kinds::all, unknown,
     [](Attempt& it) { it.sender = &stranger; }},
    {"taken down here", Check::active, Kinds::repo, drop,
     [](Attempt& it) { it.known.local = {false, proto::AccountStatus::takendown}; }},
    {"inactive at its host", Check::active, Kinds::repo, unknown,
     [](Attempt& it) { it.known.upstream = {false, proto::AccountStatus::deactivated}; }},
    {"rev of 1970 after one of today", Check::rev, Kinds::repo, drop, forged<forge::rev>},
    {"rev below the account's", Check::rev, Kinds::repo, drop,
     [](Attempt& it) { it.known.rev = UINT64_MAX; }},
    {"rev six minutes ahead", Check::future, Kinds::repo, drop,
     [](Attempt& it) { it.frame = forge::future(it.repo, it.frame, now); }},
    {"our clock at the start of 1970", Check::future, Kinds::repo, drop,
     [](Attempt& it) { it.known.now = {}; }},
    {"a block with one bit changed", Check::car, Kinds::repo, drop, forged<forge::car>},
    {"an archive cut short", Check::car, Kinds::repo, drop,
     [](Attempt& it) {
         support::FrameParts parts(it.frame);
         Buffer blocks = parts.payload.bytes("blocks");
         parts.payload.set_bytes("blocks", Bytes(blocks).first(blocks.size() - 1));
         it.frame = parts.frame();
     }},
    {"no root block", Check::car, Kinds::repo, drop,
     [](Attempt& it) {
         support::CommitParts parts(it.frame);
         parts.archive.blocks.erase(parts.archive.blocks.begin() +
                                    static_cast<std::ptrdiff_t>(parts.commit_at));
         parts.outer.payload.set_bytes("blocks", parts.archive.archive());
         it.frame = parts.outer.frame();
     }},
    {"another root than the commit", Check::root, Kinds::commit, drop, forged<forge::root>},
    {"a commit of version 2", Check::commit, Kinds::repo, drop, forged<forge::commit>},
    {"rev of another commit", Check::match, Kinds::repo, drop, forged<forge::match>},
    {"did of another account", Check::match, Kinds::repo, drop, forged<forge::match_did>},
    {"signed by another key", Check::signature, Kinds::repo, unknown, forged<forge::signature>},
    {"signature with high s", Check::signature, Kinds::repo, unknown, forged<forge::high_s>},
};

bool concerns(const Forgery& forgery, FactsKind kind) {
    if (forgery.kinds == Kinds::all) return true;
    if (kind == FactsKind::commit) return true;
    return forgery.kinds == Kinds::repo && kind == FactsKind::sync;
}

constexpr FactsKind kinds[] = {FactsKind::commit, FactsKind::sync, FactsKind::identity,
                               FactsKind::account};

Attempt attempt_of(FactsKind kind, Curve curve = Curve::k256) {
    return Attempt(kind, curve);
}

Outcome ruling_after(FactsKind kind, void (*change)(Attempt&)) {
    Attempt attempt = attempt_of(kind);
    change(attempt);
    return judge(attempt);
}

// A commit of nothing whose payload is this long, for the limits.
Buffer commit_with_blocks(SignedRepo& repo, std::size_t blocks_bytes) {
    support::CommitParts parts(repo.commit(6, now, {}));
    std::size_t base = parts.archive.archive().size();
    REQUIRE(base + 100 < blocks_bytes);
    // One block that nothing refers to: its section head grows with it, so the size is searched.
    Buffer data(blocks_bytes - base - 36 - 3);
    parts.archive.blocks.push_back({{}, data});
    for (;;) {
        auto& block = parts.archive.blocks.back();
        auto cid = support::cid_of(block.data);
        block.cid.assign(cid.bytes().begin(), cid.bytes().end());
        std::size_t size = parts.archive.archive().size();
        if (size == blocks_bytes) break;
        block.data.resize(block.data.size() + blocks_bytes - size);
    }
    return parts.frame();
}

}  // namespace

TEST_CASE("a right event of each kind passes every check; commits and syncs are verified") {
    auto curve = GENERATE(Curve::k256, Curve::p256);
    for (FactsKind kind : kinds) {
        Attempt attempt = attempt_of(kind, curve);
        Outcome outcome = judge(attempt);
        CAPTURE(kind, outcome.why);
        CHECK(outcome.disposition == Disposition::pass);
        CHECK(outcome.is_verified == attempt.is_of_repo());
    }
}

TEST_CASE("each forgery fails the check that it is for, and says what is wrong") {
    auto curve = GENERATE(Curve::k256, Curve::p256);
    for (const Forgery& forgery : forgeries) {
        for (FactsKind kind : kinds) {
            if (!concerns(forgery, kind)) continue;
            Attempt attempt = attempt_of(kind, curve);
            forgery.apply(attempt);
            Outcome outcome = judge(attempt);
            CAPTURE(forgery.name, kind, outcome.why);
            CHECK(outcome.check == forgery.check);
            CHECK(outcome.disposition == forgery.disposition);
            CHECK_FALSE(outcome.is_verified);
        }
    }
}

TEST_CASE("every row of the table has its forgery, a name of its own and a meaning") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < check_count; ++i) {
        const CheckRow& row = check_table()[i];
        CAPTURE(row.name);
        CHECK(index_of(row.check) == i);
        CHECK(names.insert(row.name).second);
        CHECK_FALSE(row.meaning.empty());
        CHECK(row.function != nullptr);
        CHECK(row.is_of_host_room == (row.check == Check::size || row.check == Check::seq));
        CHECK(std::ranges::count(forgeries, row.check, &Forgery::check) > 0);
    }
}

TEST_CASE("an event wrong in two ways fails at the earlier check") {
    for (const Forgery& first : forgeries) {
        for (const Forgery& second : forgeries) {
            if (first.check >= second.check) continue;
            for (FactsKind kind : kinds) {
                if (!concerns(first, kind) || !concerns(second, kind)) continue;
                // The host room makes check 3 when a frame arrives, before its fields are read.
                if (first.check == Check::fields && second.check == Check::seq) continue;
                Attempt attempt = attempt_of(kind);
                // Frames without blocks or with broken ones cannot be signed again; frames that
                // are too long cannot be changed at all.
                bool is_later = first.check != Check::size && first.check != Check::limits &&
                                (second.check == Check::limits || second.check == Check::car);
                (is_later ? first : second).apply(attempt);
                (is_later ? second : first).apply(attempt);
                Outcome outcome = judge(attempt);
                CAPTURE(first.name, second.name, kind, outcome.why);
                CHECK(outcome.check == first.check);
            }
        }
    }
}

TEST_CASE("identity and account events are no matter of the account's state or repository") {
    for (FactsKind kind : {FactsKind::identity, FactsKind::account}) {
        for (auto change : {+[](Attempt& it) { it.known.local.is_active = false; },
                            +[](Attempt& it) { it.known.upstream.is_active = false; },
                            +[](Attempt& it) { it.known.rev = UINT64_MAX; },
                            +[](Attempt& it) { it.known.now = {}; }}) {
            CHECK(ruling_after(kind, change).disposition == Disposition::pass);
        }
    }
}

TEST_CASE("limits: what the protocol still allows passes, one more does not") {
    SignedRepo repo(1);
    auto check_of = [&](const Buffer& frame) {
        Arrival arrival(home, frame);
        Ruling ruling = examine(arrival.event, support::knowledge_of(repo, home, now));
        CAPTURE(ruling.why);
        CHECK(ruling.why != "blocks: empty");
        return ruling.disposition == Disposition::pass ? std::nullopt : std::optional(ruling.check);
    };
    CHECK(check_of(commit_with_blocks(repo, proto::max_commit_blocks_bytes)) == std::nullopt);
    CHECK(check_of(commit_with_blocks(repo, proto::max_commit_blocks_bytes + 1)) == Check::limits);

    std::vector<bench::WriteOp> ops;
    for (std::size_t i = 0; i < proto::max_commit_ops; ++i) {
        ops.push_back(repo.op(proto::RepoAction::create, "a.b.c/" + std::to_string(i)));
    }
    support::FrameParts parts(repo.commit(7, now, ops));
    CHECK(check_of(parts.frame()) == std::nullopt);
    Buffer array(parts.payload.encoded("ops").begin(), parts.payload.encoded("ops").end());
    std::vector<proto::RepoOp> again;
    proto::RepoOps::parse(array).value().for_each(
        [&](const proto::RepoOp& op) { again.push_back(op); });
    again.push_back({proto::RepoAction::create, "a.b.c/more", again.front().cid, {}});
    Buffer more = proto::encode_ops(again);
    parts.payload.set_encoded("ops", more);
    CHECK(check_of(parts.frame()) == Check::limits);
}

TEST_CASE("a #sync carries at most 10,000 bytes") {
    SignedRepo repo(1);
    auto passes = [&](std::size_t filling) {
        support::CommitParts parts(repo.sync(6, now));
        Buffer data(filling);
        auto cid = support::cid_of(data);
        parts.archive.blocks.push_back({{cid.bytes().begin(), cid.bytes().end()}, data});
        Arrival arrival(home, parts.frame());
        Ruling ruling = examine(arrival.event, support::knowledge_of(repo, home, now));
        if (ruling.disposition != Disposition::pass) CHECK(ruling.check == Check::limits);
        return ruling.disposition == Disposition::pass;
    };
    support::FrameParts alone(repo.sync(6, now));
    std::size_t room = proto::max_sync_blocks_bytes - alone.payload.bytes("blocks").size() - 38;
    CHECK(passes(room));
    CHECK_FALSE(passes(room + 1));
}

TEST_CASE("rev: a commit's must be above the account's, a sync's not below") {
    for (FactsKind kind : {FactsKind::commit, FactsKind::sync}) {
        Attempt attempt = attempt_of(kind);
        std::uint64_t rev = attempt.repo.rev().value();
        for (int above : {-1, 0, 1}) {
            attempt.known.rev = rev - static_cast<std::uint64_t>(above);
            bool passes = kind == FactsKind::commit ? above > 0 : above >= 0;
            CAPTURE(kind, above);
            CHECK(judge(attempt).check == (passes ? std::nullopt : std::optional(Check::rev)));
        }
    }
}

TEST_CASE("future: five minutes ahead are allowed, to the microsecond") {
    constexpr std::uint64_t limit = std::chrono::microseconds(now + 5min).count();
    Attempt attempt = attempt_of(FactsKind::commit);
    Buffer good = attempt.frame;
    auto check_of = [&](std::uint64_t micros) {
        attempt.frame = forge::with_rev(attempt.repo, good, Tid::of_micros(micros, 1023));
        return judge(attempt).check;
    };
    CHECK(check_of(limit) == std::nullopt);
    CHECK(check_of(limit + 1) == Check::future);
    // The bit that should be zero: far ahead, and no reason to go wrong.
    attempt.frame = forge::with_rev(attempt.repo, good, Tid(UINT64_MAX));
    CHECK(judge(attempt).check == Check::future);

    attempt.known.ignores_future = true;
    CHECK(check_of(limit + 1) == std::nullopt);
    CHECK(judge(attempt).is_verified);
}

TEST_CASE("what an event proves is told: rev, tree, commit, and what the signature signs") {
    for (FactsKind kind : {FactsKind::commit, FactsKind::sync}) {
        Attempt attempt = attempt_of(kind);
        Arrival arrival(home, attempt.frame);
        auto check_proof = [&](const Ruling& ruling) {
            REQUIRE(ruling.proof);
            CHECK(ruling.proof->rev == attempt.repo.rev().value());
            CHECK(ruling.proof->rev_text == attempt.repo.rev().to_text());
            CHECK(ruling.proof->data == attempt.repo.data());
            support::CommitParts parts(attempt.frame);
            CHECK(ruling.proof->commit == support::cid_of(parts.commit.encode()));
            CHECK(crypto::verify(attempt.repo.public_key(), ruling.proof->unsigned_digest,
                                 ruling.proof->signature));
        };
        check_proof(examine(arrival.event, attempt.known));

        // Without a key the same is told for later.
        attempt.known.has_identity = false;
        attempt.known.skips_identity = true;
        Ruling skipped = examine(arrival.event, attempt.known);
        CHECK(skipped.disposition == Disposition::pass);
        CHECK_FALSE(skipped.proof->is_verified);
        check_proof(skipped);

        // And where it did not match: the shard may know more when it asks again.
        attempt.known = support::knowledge_of(SignedRepo(2), home, now);
        Ruling wrong = examine(arrival.event, attempt.known);
        CHECK(wrong.check == Check::signature);
        check_proof(wrong);
    }
}

TEST_CASE("an account event tells its standing, also when it fails") {
    Attempt attempt = attempt_of(FactsKind::account);
    attempt.frame = attempt.repo.account(6, now, false, "suspended");
    attempt.sender = &stranger;
    Arrival arrival(stranger, attempt.frame);
    Ruling ruling = examine(arrival.event, attempt.known);
    CHECK(ruling.check == Check::authority);
    CHECK(ruling.standing == proto::AccountStanding{false, proto::AccountStatus::suspended});
    CHECK_FALSE(ruling.proof);
}

TEST_CASE("an event is ruled on for the account that it was routed by, and no other") {
    for (FactsKind kind : kinds) {
        Attempt attempt = attempt_of(kind);
        Arrival arrival(home, attempt.frame);
        arrival.event.text = forge::nobody;
        Ruling ruling = examine(arrival.event, attempt.known);
        CHECK(ruling.disposition == Disposition::drop);
        CHECK(ruling.check == Check::fields);
    }
}
