#include "bench/fleet/repo.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "bench/fleet/traffic.hpp"
#include "proto/cbor.hpp"
#include "proto/syntax.hpp"
#include "tests/bench/reader.hpp"

using namespace ringlay;
using namespace ringlay::bench;
using proto::FrameKind;
using proto::RepoAction;

namespace {

constexpr std::uint64_t now_micros = 1'767'225'600'000'000;  // 2026-01-01

Repo empty_repo(crypto::Curve curve = crypto::Curve::k256) {
    return Repo(invented_did(1, 1), invented_key(curve, 1, 1), nullptr);
}

Buffer record(std::uint64_t number) {
    Buffer bytes;
    proto::CborWriter out(bytes);
    auto map = out.write_map(1);
    out.write_key(map, "n");
    out.write_uint(number);
    return bytes;
}

WriteOp create(std::string path, std::uint64_t number) {
    return {RepoAction::create, std::move(path), record(number)};
}

}  // namespace

TEST_CASE("accounts are known by number: each its own DID and key, always the same") {
    std::set<std::string> dids;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        for (std::uint64_t number = 0; number < 50; ++number) {
            std::string did = invented_did(seed, number);
            CHECK(proto::is_did(did));
            CHECK(did.size() == 32);
            CHECK(dids.insert(did).second);
        }
    }
    using crypto::Curve;
    auto key = [](Curve curve, std::uint64_t seed, std::uint64_t number) {
        return invented_key(curve, seed, number).public_key();
    };
    CHECK(key(Curve::k256, 1, 2) == key(Curve::k256, 1, 2));
    CHECK_FALSE(key(Curve::k256, 1, 2) == key(Curve::k256, 2, 1));
    CHECK_FALSE(key(Curve::k256, 1, 2) == key(Curve::k256, 1, 3));
    CHECK(key(Curve::p256, 1, 2).curve() == Curve::p256);
}

TEST_CASE("a repository begins, changes, empties and goes on, each commit provable") {
    auto curve = GENERATE(crypto::Curve::k256, crypto::Curve::p256);
    Repo repo = empty_repo(curve);
    Reader reader(repo.did(), repo.public_key());
    std::uint64_t seq = 0;
    auto commit = [&](std::vector<WriteOp> ops) {
        Buffer frame = repo.commit_frame(++seq, now_micros, ops);
        REQUIRE(reader.read(frame) == FrameKind::commit);
    };
    commit({create("app.bsky.actor.profile/self", 1)});
    commit({create("app.bsky.feed.post/a", 2), create("app.bsky.feed.post/b", 3)});
    commit({{RepoAction::update, "app.bsky.feed.post/a", record(4)},
            {RepoAction::remove, "app.bsky.feed.post/b", {}},
            create("app.bsky.feed.like/c", 5)});
    commit({});
    CHECK(reader.records().size() == 3);
    commit({{RepoAction::remove, "app.bsky.actor.profile/self", {}},
            {RepoAction::remove, "app.bsky.feed.post/a", {}},
            {RepoAction::remove, "app.bsky.feed.like/c", {}}});
    CHECK(reader.records().empty());
    CHECK(repo.path_count() == 0);
    commit({});
    commit({create("app.bsky.feed.post/a", 6), create("app.bsky.feed.post/z", 6)});
    CHECK(reader.read(repo.sync_frame(++seq, now_micros)) == FrameKind::sync);
}

TEST_CASE("the first commit of an empty repository may be told by a sync event") {
    Repo repo = empty_repo();
    Reader reader(repo.did(), repo.public_key());
    CHECK(reader.read(repo.sync_frame(1, now_micros)) == FrameKind::sync);
    auto rev = repo.rev();
    CHECK(reader.read(repo.sync_frame(2, now_micros + 5)) == FrameKind::sync);
    CHECK(repo.rev() == rev);
    std::vector<WriteOp> ops{create("a.b.c/d", 1)};
    CHECK(reader.read(repo.commit_frame(3, now_micros, ops)) == FrameKind::commit);
}

TEST_CASE("revs follow the clock, and rise when it does not") {
    Repo repo = empty_repo();
    repo.commit_frame(1, now_micros, {});
    CHECK(repo.rev().micros() == now_micros);
    repo.commit_frame(2, now_micros, {});
    CHECK(repo.rev().micros() == now_micros + 1);
    repo.commit_frame(3, now_micros - 1'000'000, {});
    CHECK(repo.rev().micros() == now_micros + 2);
    repo.commit_frame(4, now_micros + 10, {});
    CHECK(repo.rev().micros() == now_micros + 10);
    CHECK(repo.next_rev(now_micros + 10).micros() == now_micros + 11);
}

TEST_CASE("events carry the time, the handle and the status that they are given") {
    Repo repo = empty_repo();
    auto payload = [](const Buffer& frame) {
        return proto::payload_of(frame, proto::peek(frame).value());
    };
    Buffer frame = repo.identity_frame(7, now_micros + 1'234'000, "a.example.com");
    auto identity = proto::parse_identity_event(payload(frame)).value();
    CHECK(identity.seq == 7);
    CHECK(identity.did == repo.did());
    CHECK(identity.time == "2026-01-01T00:00:01.234Z");
    CHECK(identity.handle == "a.example.com");

    frame = repo.account_frame(8, 951'868'799'999'999, false, "deactivated");
    auto account = proto::parse_account_event(payload(frame)).value();
    CHECK_FALSE(account.is_active);
    CHECK(account.status == "deactivated");
    CHECK(account.time == "2000-02-29T23:59:59.999Z");
    frame = repo.account_frame(9, now_micros, true, std::nullopt);
    account = proto::parse_account_event(payload(frame)).value();
    CHECK(account.is_active);
    CHECK_FALSE(account.status);
}

TEST_CASE("accounts that start with the same records change them apart") {
    auto start = invent_records(1, 200, now_micros);
    std::vector<Repo> repos;
    std::vector<Reader> readers;
    for (std::uint64_t i = 0; i < 3; ++i) {
        repos.emplace_back(invented_did(1, i), invented_key(crypto::Curve::k256, 1, i), start);
        readers.emplace_back(repos.back().did(), repos.back().public_key());
        readers.back().start_from(start->tree, repos.back().rev().to_text());
    }
    const std::string& shared = start->paths[10];
    std::vector<WriteOp> removal{{RepoAction::remove, shared, {}}};
    std::vector<WriteOp> again{create(shared, 5)};
    std::vector<WriteOp> update{{RepoAction::update, shared, record(6)}};
    readers[0].read(repos[0].commit_frame(1, now_micros, removal));
    CHECK_FALSE(repos[0].path_at(10).has_value());
    readers[1].read(repos[1].commit_frame(1, now_micros, update));
    CHECK(repos[1].path_at(10) == shared);
    readers[2].read(repos[2].sync_frame(1, now_micros));
    CHECK(repos[2].tree().root() == start->tree.root());
    readers[0].read(repos[0].commit_frame(2, now_micros, again));
    CHECK(repos[0].path_at(10) == shared);
    CHECK(repos[0].path_count() == 200);
    CHECK(repos[0].tree().root() != repos[1].tree().root());
}
