// What the database should hold: the rules of a row written down a second time, and random batches
// that a number repeats exactly, so that another process can compute what its predecessor applied.
//
// Thread   values.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "index/database.hpp"

namespace ringlay::support {

struct OwnedChange {
    std::string did;
    index::AccountChange change;  // its did is unset

    index::AccountChange view() const {
        index::AccountChange view = change;
        view.did = did;
        return view;
    }
};

using Batch = std::vector<OwnedChange>;

inline std::vector<index::AccountChange> views(const Batch& batch) {
    std::vector<index::AccountChange> all;
    for (const auto& change : batch) all.push_back(change.view());
    return all;
}

inline std::string model_did(std::uint64_t number) {
    std::mt19937_64 random(number);
    std::string did = "did:plc:";
    while (did.size() < 32) did += "234567abcdefghijklmnopqrstuvwxyz"[random() % 32];
    if (number % 7 == 1) return "did:web:host" + std::to_string(number) + ".example";
    if (number % 7 == 2) did[8 + random() % 24] = 'A';
    if (number % 7 == 3) did.resize(8 + random() % 24);
    return did;
}

inline proto::Cid random_cid(std::mt19937_64& random) {
    std::array<std::uint8_t, proto::Cid::digest_bytes> digest;
    for (auto& byte : digest) byte = static_cast<std::uint8_t>(random());
    return proto::Cid::of_digest(digest);
}

inline proto::AccountStanding random_standing(std::mt19937_64& random) {
    // Deleted and plainly active most often: they are what counts.
    if (random() % 3 == 0) return {};
    if (random() % 2 == 0) return {false, proto::AccountStatus::deleted};
    return *proto::AccountStanding::from_byte(static_cast<std::uint8_t>(random() % 16));
}

// Batch number `n` (from 1) of a history; it ends at point_of(n).
inline Batch batch_of(std::uint64_t seed, std::uint64_t n, std::size_t max_changes = 30,
                      std::uint64_t accounts = 60) {
    std::mt19937_64 random(seed * 1'000'003 + n);
    Batch batch(random() % (max_changes + 1));
    for (auto& owned : batch) {
        owned.did = model_did(random() % accounts);
        auto& change = owned.change;
        change.seq = n * 1000 + random() % 1000;
        if (random() % 2 == 0) change.host_id = static_cast<std::uint32_t>(1 + random() % 5);
        if (random() % 2 == 0)
            change.repo = {random() % 50, random_cid(random), random_cid(random)};
        if (random() % 4 == 0) change.local = random_standing(random);
        if (random() % 2 == 0) change.upstream = random_standing(random);
    }
    return batch;
}

inline index::LogPoint point_of(std::uint64_t n) {
    if (n == 0) return {};
    return {77, n / 10, n * 3, n};
}

struct Model {
    std::map<std::string, index::AccountRow> rows;

    void apply(const Batch& batch) {
        for (const auto& [did, change] : batch) {
            auto& row = rows[did];
            if (change.seq > row.last_seq) row.last_seq = change.seq;
            if (change.host_id > 0) row.host_id = change.host_id;
            if (change.repo.has_value() && !(change.repo->rev < row.repo.rev)) {
                row.repo = *change.repo;
            }
            row.local = change.local.value_or(row.local);
            row.upstream = change.upstream.value_or(row.upstream);
        }
    }

    std::map<std::uint32_t, std::uint64_t> by_host() const {
        std::map<std::uint32_t, std::uint64_t> counts;
        for (const auto& [did, row] : rows) {
            const proto::AccountStanding deleted{false, proto::AccountStatus::deleted};
            if (row.host_id != 0 && row.upstream != deleted) ++counts[row.host_id];
        }
        return counts;
    }
};

inline Model model_at(std::uint64_t seed, std::uint64_t n) {
    Model model;
    for (std::uint64_t i = 1; i <= n; ++i) model.apply(batch_of(seed, i));
    return model;
}

// Empty: all is as the model says.
inline std::string difference(const index::Database& database, const Model& model) {
    const auto may_block = MayBlock::on_own_thread();
    auto listed = database.list_accounts(may_block, "", index::Database::max_page);
    if (!listed) return "cannot be listed";
    if (listed->size() != model.rows.size()) return "number of rows";
    auto expected = model.rows.begin();
    for (const auto& [did, row] : *listed) {
        if (did != expected->first) return "order of " + did;
        if (row != expected->second) return "listed row of " + did;
        auto single = database.account(may_block, did);
        if (!single || !single->has_value() || **single != row) return "row of " + did;
        ++expected;
    }
    auto counts = database.accounts_by_host(may_block);
    if (!counts || *counts != model.by_host()) return "counts of hosts";
    if (database.size().accounts != model.rows.size()) return "count of accounts";
    return {};
}

}  // namespace ringlay::support
