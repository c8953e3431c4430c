#include "tests/bench/reader.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "crypto/sha256.hpp"
#include "proto/car.hpp"
#include "proto/cbor.hpp"
#include "proto/commit.hpp"
#include "proto/syntax.hpp"

namespace ringlay::bench {
namespace {

using namespace proto;

Mst build(const Reader::Records& records) {
    std::vector<MstItem> items;
    for (const auto& [key, value] : records) items.push_back({key, value});
    return Mst::build(items, crypto::sha256);
}

std::set<Cid> nodes_of(const Mst& tree) {
    std::set<Cid> out;
    for (const MstBlock& block : tree.blocks()) out.insert(block.cid);
    return out;
}

}  // namespace

void Reader::start_from(const Mst& tree, std::string rev) {
    for (const MstItem& item : tree.items()) records_.emplace(item.key, item.value);
    rev_ = std::move(rev);
}

FrameKind Reader::read(Bytes frame) {
    Peek seen = peek(frame).value();
    REQUIRE(is_event(seen.kind));
    REQUIRE(seen.header_canonical);
    REQUIRE(seen.envelope_canonical);
    REQUIRE_FALSE(seen.needs_repair);
    REQUIRE_FALSE(seen.has_trailing);
    REQUIRE(seen.did == did_);
    REQUIRE(seen.seq > seq_);
    seq_ = seen.seq;
    Bytes payload = payload_of(frame, seen);
    if (seen.kind == FrameKind::commit) read_commit(payload);
    if (seen.kind == FrameKind::sync) read_sync(payload);
    if (seen.kind == FrameKind::identity) {
        IdentityEvent event = parse_identity_event(payload).value();
        REQUIRE(is_datetime(event.time));
        REQUIRE(is_handle(event.handle.value()));
    }
    if (seen.kind == FrameKind::account) {
        REQUIRE(is_datetime(parse_account_event(payload).value().time));
    }
    return seen.kind;
}

Reader::Blocks Reader::read_archive(Bytes archive) {
    CarReader car = CarReader::open(archive).value();
    REQUIRE(car.root_count() == 1);
    archive_root_ = Cid::parse(car.root()).value();
    Blocks blocks;
    while (auto block = car.next().value()) {
        Cid cid = Cid::parse(block->cid).value();
        REQUIRE(Cid::of_digest(crypto::sha256(block->data)) == cid);
        REQUIRE(blocks.emplace(cid, block->data).second);
    }
    REQUIRE(blocks.contains(archive_root_));
    return blocks;
}

Cid Reader::check_commit_block(const Blocks& blocks, std::string_view rev) {
    CommitBlock commit = parse_commit_block(blocks.at(archive_root_)).value();
    REQUIRE(commit.did == did_);
    REQUIRE(commit.rev == rev);
    REQUIRE_FALSE(commit.prev);
    REQUIRE_FALSE(commit.extra_keys);
    const UnsignedParts& parts = commit.unsigned_parts;
    Bytes pieces[] = {Bytes(&parts.head, 1), parts.before_sig, parts.after_sig};
    REQUIRE(crypto::verify(key_, crypto::sha256(pieces), commit.sig));
    return commit.data;
}

void Reader::apply(const RepoOp& op, const Blocks& blocks) {
    REQUIRE(op.has_sync11_shape());
    REQUIRE(is_repo_path(op.path));
    std::string path(op.path);
    REQUIRE(records_.contains(path) == (op.action != RepoAction::create));
    if (op.action != RepoAction::create) {
        REQUIRE(Cid::parse(op.prev.value()).value() == records_.at(path));
        records_.erase(path);
    }
    if (op.action != RepoAction::remove) {
        Cid cid = Cid::parse(op.cid.value()).value();
        REQUIRE(blocks.contains(cid));
        CborReader record(blocks.at(cid));
        REQUIRE(record.skip().has_value());
        REQUIRE(record.at_end());
        records_[path] = cid;
    }
    ++op_count_;
}

void Reader::read_commit(Bytes payload) {
    CommitEvent event = parse_commit_event(payload).value();
    REQUIRE(is_datetime(event.time));
    REQUIRE_FALSE(event.is_rebase);
    REQUIRE_FALSE(event.is_too_big);
    Blocks blocks = read_archive(event.blocks);
    REQUIRE(event.commit == archive_root_);
    REQUIRE(event.since == rev_);
    if (rev_) REQUIRE(event.rev > *rev_);
    Cid data = check_commit_block(blocks, event.rev);

    Mst before = build(records_);
    REQUIRE(event.prev_data.has_value() == rev_.has_value());
    if (event.prev_data) REQUIRE(*event.prev_data == before.root());
    std::set<Cid> expected{archive_root_};
    std::vector<std::string> paths;
    event.ops.for_each([&](const RepoOp& op) {
        apply(op, blocks);
        paths.emplace_back(op.path);
        if (op.cid) expected.insert(Cid::parse(*op.cid).value());
    });
    Mst after = build(records_);
    REQUIRE(after.root() == data);

    // Undone, the ops lead back to where they began.
    Records undone = records_;
    event.ops.for_each([&](const RepoOp& op) {
        undone.erase(std::string(op.path));
        if (op.prev) undone.emplace(op.path, Cid::parse(*op.prev).value());
    });
    REQUIRE(build(undone).root() == before.root());

    // The archive has what it must have, and nothing else.
    std::vector<std::string_view> views(paths.begin(), paths.end());
    for (const MstBlock& block : after.proof_blocks(before, views)) expected.insert(block.cid);
    std::set<Cid> old_nodes = nodes_of(before);
    for (const Cid& cid : nodes_of(after)) {
        if (!old_nodes.contains(cid)) REQUIRE(blocks.contains(cid));
    }
    std::set<Cid> sent;
    for (const auto& [cid, bytes] : blocks) sent.insert(cid);
    REQUIRE((sent == expected));
    commit_ = archive_root_;
    rev_ = std::string(event.rev);
}

void Reader::read_sync(Bytes payload) {
    SyncEvent event = parse_sync_event(payload).value();
    REQUIRE(is_datetime(event.time));
    Blocks blocks = read_archive(event.blocks);
    REQUIRE(blocks.size() == 1);
    if (rev_) REQUIRE(event.rev == *rev_);
    REQUIRE(check_commit_block(blocks, event.rev) == build(records_).root());
    if (commit_) REQUIRE(archive_root_ == *commit_);
    commit_ = archive_root_;
    rev_ = std::string(event.rev);
}

}  // namespace ringlay::bench
