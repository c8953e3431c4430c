// When two events say the same: what they show is compared, not where it lies.
#pragma once

#include <algorithm>
#include <vector>

#include "proto/event.hpp"

namespace ringlay::proto {

inline bool same(Bytes a, Bytes b) {
    return std::ranges::equal(a, b);
}
inline bool same(const std::optional<Bytes>& a, const std::optional<Bytes>& b) {
    return a.has_value() == b.has_value() && (!a || same(*a, *b));
}

inline bool operator==(const RepoOp& a, const RepoOp& b) {
    return a.action == b.action && a.path == b.path && same(a.cid, b.cid) && same(a.prev, b.prev);
}

inline std::vector<RepoOp> listed(const RepoOps& ops) {
    std::vector<RepoOp> list;
    ops.for_each([&](const RepoOp& op) { list.push_back(op); });
    return list;
}

inline bool operator==(const CommitEvent& a, const CommitEvent& b) {
    return a.seq == b.seq && a.repo == b.repo && a.rev == b.rev && a.since == b.since &&
           a.commit == b.commit && same(a.blocks, b.blocks) && listed(a.ops) == listed(b.ops) &&
           a.prev_data == b.prev_data && a.time == b.time && a.is_rebase == b.is_rebase &&
           a.is_too_big == b.is_too_big;
}

inline bool operator==(const SyncEvent& a, const SyncEvent& b) {
    return a.seq == b.seq && a.did == b.did && a.rev == b.rev && same(a.blocks, b.blocks) &&
           a.time == b.time;
}

inline bool operator==(const IdentityEvent& a, const IdentityEvent& b) {
    return a.seq == b.seq && a.did == b.did && a.time == b.time && a.handle == b.handle;
}

inline bool operator==(const AccountEvent& a, const AccountEvent& b) {
    return a.seq == b.seq && a.did == b.did && a.time == b.time && a.is_active == b.is_active &&
           a.status == b.status;
}

inline bool operator==(const InfoMessage& a, const InfoMessage& b) {
    return a.name == b.name && a.message == b.message;
}

inline bool operator==(const ErrorMessage& a, const ErrorMessage& b) {
    return a.error == b.error && a.message == b.message;
}

}  // namespace ringlay::proto
