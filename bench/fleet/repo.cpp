#include "bench/fleet/repo.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "crypto/sha256.hpp"
#include "proto/base/assert.hpp"
#include "proto/base/base32.hpp"
#include "proto/car.hpp"
#include "proto/commit.hpp"
#include "proto/limits.hpp"

namespace ringlay::bench {
namespace {

using proto::Cid;
using proto::RepoAction;
using proto::Tid;

crypto::Digest numbered(std::uint64_t seed, std::uint64_t number, std::uint8_t purpose) {
    Buffer bytes{purpose};
    append_le(bytes, seed);
    append_le(bytes, number);
    return crypto::sha256(bytes);
}

Cid cid_of(Bytes block) {
    return Cid::of_digest(crypto::sha256(block));
}

std::string datetime(std::uint64_t unix_micros) {
    using namespace std::chrono;
    auto at = sys_time<milliseconds>(milliseconds(unix_micros / 1000));
    auto day = floor<days>(at);
    year_month_day date(day);
    hh_mm_ss clock(at - day);
    char text[40];
    std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", int{date.year()},
        unsigned{date.month()}, unsigned{date.day()}, static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
        static_cast<int>(clock.subseconds().count()));
    return text;
}

Buffer archive(Bytes commit, std::span<const proto::MstBlock> nodes,
               std::span<const proto::MstBlock> records) {
    Buffer out;
    Cid root = cid_of(commit);
    proto::append_car_header(out, std::span(&root, 1));
    proto::append_car_block(out, root, commit);
    for (const auto& node : nodes) proto::append_car_block(out, node.cid, node.data);
    for (const auto& record : records) proto::append_car_block(out, record.cid, record.data);
    return out;
}

Buffer encode_ops(std::span<const WriteOp> ops, const proto::Mst& before, const proto::Mst& after) {
    std::vector<std::optional<Cid>> cids;  // new and old of each op, held while views of them are
    for (const WriteOp& op : ops) {
        cids.push_back(after.find(op.path));
        cids.push_back(before.find(op.path));
    }
    auto link = [](const std::optional<Cid>& cid) {
        return cid ? std::optional(cid->bytes()) : std::nullopt;
    };
    std::vector<proto::RepoOp> wire_ops;
    for (std::size_t i = 0; i < ops.size(); ++i) {
        wire_ops.push_back({ops[i].action, ops[i].path, link(cids[2 * i]), link(cids[2 * i + 1])});
    }
    return proto::encode_ops(wire_ops);
}

}  // namespace

std::string invented_did(std::uint64_t seed, std::uint64_t number) {
    return "did:plc:" + to_base32(Bytes(numbered(seed, number, 'd')).first(15));
}

crypto::SigningKey invented_key(crypto::Curve curve, std::uint64_t seed, std::uint64_t number) {
    auto key = crypto::SigningKey::from_secret(curve, numbered(seed, number, 'k'));
    RINGLAY_ASSERT(key.has_value());  // one digest in 2^32 is not a secret of p256: take another
    return *key;
}

Repo::Repo(std::string did, const crypto::SigningKey& key,
           std::shared_ptr<const StartingRecords> start)
    : did_(std::move(did)),
      key_(key),
      start_(std::move(start)),
      tree_(start_ ? start_->tree : proto::Mst(crypto::sha256)) {
    if (start_) rev_ = Tid::of_micros(start_->unix_micros, 0);
}

Tid Repo::next_rev(std::uint64_t unix_micros) const {
    return Tid::of_micros(std::max(unix_micros, rev_.micros() + 1), 0);
}

std::size_t Repo::path_count() const {
    return own_paths_.size() + (start_ ? start_->paths.size() : 0);
}

std::optional<std::string_view> Repo::path_at(std::size_t number) const {
    if (number < own_paths_.size()) return own_paths_[number];
    std::string_view path = start_->paths.at(number - own_paths_.size());
    return tree_.find(path) ? std::optional(path) : std::nullopt;
}

void Repo::sign_commit(Tid rev) {
    rev_ = rev;
    std::string rev_text = rev.to_text();
    proto::CommitFields fields{did_, rev_text, tree_.root(), std::nullopt};
    auto sig = key_.sign(crypto::sha256(proto::encode_unsigned_commit(fields)));
    commit_ = proto::encode_signed_commit(fields, sig);
}

void Repo::apply(const WriteOp& op, std::vector<proto::MstBlock>& records) {
    bool is_there = tree_.find(op.path).has_value();
    RINGLAY_ASSERT(is_there == (op.action != RepoAction::create));
    if (op.action == RepoAction::remove) {
        tree_.erase(op.path);
        std::erase(own_paths_, op.path);
        return;
    }
    Cid cid = cid_of(op.record);
    RINGLAY_ASSERT(tree_.find(op.path) != cid);  // an update that changes nothing is none
    tree_.put(op.path, cid);
    // The same record under two paths is one block.
    bool is_known = std::ranges::find(records, cid, &proto::MstBlock::cid) != records.end();
    if (!is_known) records.push_back({cid, op.record});
    // A path of the start may come back after it was removed; path_at() finds it there.
    bool is_new = op.action == RepoAction::create && !(start_ && start_->tree.find(op.path));
    if (is_new) own_paths_.push_back(op.path);
}

Buffer Repo::commit_frame(std::uint64_t seq, std::uint64_t unix_micros,
                          std::span<const WriteOp> ops) {
    RINGLAY_ASSERT(ops.size() <= proto::max_commit_ops);
    proto::Mst before = tree_;
    std::vector<proto::MstBlock> records;
    std::vector<std::string_view> paths;
    for (const WriteOp& op : ops) {
        RINGLAY_ASSERT(std::ranges::find(paths, op.path) == paths.end());
        paths.push_back(op.path);
        apply(op, records);
    }
    bool is_first = rev_ == Tid();
    std::string since = rev_.to_text();
    sign_commit(next_rev(unix_micros));
    Buffer blocks = archive(commit_, tree_.proof_blocks(before, paths), records);
    Buffer wire_ops = encode_ops(ops, before, tree_);

    std::string rev = rev_.to_text(), time = datetime(unix_micros);
    proto::CommitEvent event;
    event.seq = seq;
    event.repo = did_;
    event.rev = rev;
    if (!is_first) event.since = since;
    event.commit = cid_of(commit_);
    event.blocks = blocks;
    event.ops = proto::RepoOps::parse(wire_ops).value();
    if (!is_first) event.prev_data = before.root();
    event.time = time;
    return proto::encode_frame(event);
}

Buffer Repo::sync_frame(std::uint64_t seq, std::uint64_t unix_micros) {
    if (commit_.empty()) sign_commit(rev_ == Tid() ? next_rev(unix_micros) : rev_);
    Buffer blocks = archive(commit_, {}, {});
    std::string rev = rev_.to_text(), time = datetime(unix_micros);
    return proto::encode_frame(proto::SyncEvent{seq, did_, rev, blocks, time});
}

Buffer Repo::identity_frame(std::uint64_t seq, std::uint64_t unix_micros,
                            std::string_view handle) const {
    std::string time = datetime(unix_micros);
    return proto::encode_frame(proto::IdentityEvent{seq, did_, time, handle});
}

Buffer Repo::account_frame(std::uint64_t seq, std::uint64_t unix_micros, bool is_active,
                           std::optional<std::string_view> status) const {
    std::string time = datetime(unix_micros);
    return proto::encode_frame(proto::AccountEvent{seq, did_, time, is_active, status});
}

}  // namespace ringlay::bench
