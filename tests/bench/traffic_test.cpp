#include "bench/fleet/traffic.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "crypto/sha256.hpp"
#include "proto/base/hex.hpp"
#include "proto/car.hpp"
#include "proto/syntax.hpp"
#include "tests/bench/reader.hpp"

using namespace ringlay;
using namespace ringlay::bench;
using proto::FrameKind;
using proto::RepoAction;

namespace {

constexpr std::uint64_t now_micros = 1'767'225'600'000'000;  // 2026-01-01

template <class T>
T median(std::vector<T> values) {
    auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

std::size_t count_blocks(Bytes frame) {
    auto payload = proto::payload_of(frame, proto::peek(frame).value());
    auto car = proto::CarReader::open(proto::parse_commit_event(payload).value().blocks).value();
    std::size_t count = 0;
    while (car.next().value()) ++count;
    return count;
}

}  // namespace

TEST_CASE("whatever accounts do, every event of theirs holds before a reader that trusts nobody") {
    auto seed = GENERATE(range(1u, 13u));
    CAPTURE(seed);
    auto curve = seed % 4 == 0 ? crypto::Curve::p256 : crypto::Curve::k256;
    // From nothing, from a handful and from a few hundred records; with and without a busy mix.
    auto start =
        seed % 3 == 0 ? nullptr : invent_records(seed, seed % 3 == 1 ? 5 : 300, now_micros);
    TrafficMix mix;
    if (seed % 2 == 0) mix = {100, 100, 100, 30, 50, 50};
    Repo repo(invented_did(seed, 0), invented_key(curve, seed, 0), start);
    Reader reader(repo.did(), repo.public_key());
    if (start) reader.start_from(start->tree, repo.rev().to_text());
    Traffic traffic(seed, mix);
    for (std::uint64_t i = 1; i <= 80; ++i) {
        CAPTURE(i);
        reader.read(traffic.next_frame(repo, i, now_micros + i / 3 * 1000));
    }
    CHECK(reader.op_count() >= 50);
    CHECK(repo.tree().items().size() == reader.records().size());
}

TEST_CASE("the same seed gives the same events, whatever the compiler") {
    auto start = invent_records(1, 100, now_micros);
    auto frames = [&](std::uint64_t seed) {
        Repo repo(invented_did(1, 0), invented_key(crypto::Curve::k256, 1, 0), start);
        Traffic traffic(seed);
        std::vector<Buffer> out;
        for (std::uint64_t i = 1; i <= 50; ++i) {
            out.push_back(traffic.next_frame(repo, i, now_micros + i));
        }
        return out;
    };
    CHECK((frames(1) == frames(1)));
    Buffer all;
    for (const Buffer& frame : frames(1)) all.insert(all.end(), frame.begin(), frame.end());
    CHECK(to_hex(Bytes(crypto::sha256(all)).first(8)) == "e8df1e4027a7033d");
    CHECK_FALSE((frames(1) == frames(2)));
    CHECK(invent_records(1, 100, now_micros)->tree.root() == start->tree.root());
    CHECK(invent_records(2, 100, now_micros)->tree.root() != start->tree.root());
}

TEST_CASE("usual accounts send frames of the usual size, kinds and contents") {
    auto start = invent_records(7, usual_record_count, now_micros);
    std::vector<Repo> repos;
    for (std::uint64_t i = 0; i < 20; ++i) {
        repos.emplace_back(invented_did(7, i), invented_key(crypto::Curve::k256, 7, i), start);
    }
    Traffic traffic(7);
    std::vector<std::size_t> frame_bytes, record_bytes, block_counts;
    std::map<FrameKind, int> kinds;
    std::map<RepoAction, int> actions;
    std::set<std::string> collections;
    std::size_t batches = 0;
    for (std::uint64_t i = 1; i <= 4000; ++i) {
        Repo& repo = repos[i % repos.size()];
        if (i % 2 == 0) {
            Buffer frame = traffic.next_frame(repo, i, now_micros + i * 1000);
            ++kinds[proto::peek(frame).value().kind];
            continue;
        }
        auto ops = traffic.next_ops(repo, now_micros + i * 1000);
        for (const WriteOp& op : ops) {
            ++actions[op.action];
            if (op.action == RepoAction::remove) continue;
            record_bytes.push_back(op.record.size());
            collections.insert(op.path.substr(0, op.path.find('/')));
        }
        batches += ops.size() > 1;
        Buffer frame = repo.commit_frame(i, now_micros + i * 1000, ops);
        frame_bytes.push_back(frame.size());
        block_counts.push_back(count_blocks(frame));
    }
    CAPTURE(median(frame_bytes), median(block_counts), median(record_bytes));
    CHECK((median(frame_bytes) > 4000 && median(frame_bytes) < 6000));
    CHECK((median(block_counts) >= 8 && median(block_counts) <= 11));
    CHECK((median(record_bytes) > 400 && median(record_bytes) < 600));
    CHECK(*std::ranges::min_element(record_bytes) >= 90);
    CHECK(collections.size() == 13);
    for (const std::string& collection : collections) CHECK(proto::is_nsid(collection));
    CHECK(kinds[FrameKind::commit] > 1950);
    CHECK(kinds[FrameKind::sync] > 0);
    CHECK(kinds[FrameKind::identity] > 0);
    CHECK(kinds[FrameKind::account] > 0);
    CHECK(actions[RepoAction::create] > 1500);
    CHECK(actions[RepoAction::update] > 100);
    CHECK(actions[RepoAction::remove] > 150);
    CHECK((batches > 40 && batches < 150));
}
