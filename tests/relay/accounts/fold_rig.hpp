// What tests of the fold share: facts at random with the memory that they point to, what they add
// up to (written down a second time), and a log and a database that are small.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "index/database.hpp"
#include "proto/tid.hpp"
#include "relay/event_log/facts_feed.hpp"
#include "tests/index/model.hpp"
#include "tests/relay/event_log/log_fixture.hpp"

namespace ringlay::accounts::test {

using event_log::FactsField;
using event_log::FactsKind;

struct OwnedFact {
    FactsKind kind = FactsKind::commit;
    bool is_unverified = false;
    std::string did;
    std::uint32_t host_id = 0;
    std::uint64_t number = 0;  // no two facts have the same: it is the upstream seq
    std::string rev;
    Buffer data;
    Buffer commit;
    Buffer standings;
    Buffer message;
    std::uint64_t seq = 0;  // once it is in the log; 0 without a frame

    bool has_repo() const {
        return kind == FactsKind::commit || kind == FactsKind::sync ||
               kind == FactsKind::late_verification;
    }
    bool has_standings() const {
        return kind == FactsKind::account || kind == FactsKind::account_standing;
    }

    // Views of this object.
    void write(event_log::Entry& entry) const {
        if (event_log::is_event(kind)) {
            auto frame = proto::peek(message).value();
            entry.message = message;
            entry.seq_offset = frame.seq_offset;
            entry.seq_length = frame.seq_bytes;
            entry.host_ack = number - 1;
        }
        entry.kind = kind;
        entry.verdicts = is_unverified ? event_log::verdict_unverified : 0;
        entry.host_id = host_id;
        entry.upstream_seq = number;
        entry.received = fiber::wall();
        entry.text = did;
        field(entry, FactsField::rev) = {reinterpret_cast<const std::uint8_t*>(rev.data()),
                                         rev.size()};
        field(entry, FactsField::data_cid) = data;
        field(entry, FactsField::commit_cid) = commit;
        field(entry, FactsField::statuses) = standings;
    }

    static Bytes& field(event_log::Entry& entry, FactsField which) {
        return entry.fields[static_cast<std::size_t>(which)];
    }
};

inline OwnedFact random_fact(std::mt19937_64& random, std::uint64_t number) {
    constexpr FactsKind kinds[] = {FactsKind::commit,
                                   FactsKind::commit,
                                   FactsKind::commit,
                                   FactsKind::sync,
                                   FactsKind::identity,
                                   FactsKind::account,
                                   FactsKind::late_verification,
                                   FactsKind::account_standing};
    OwnedFact fact;
    fact.kind = kinds[random() % std::size(kinds)];
    fact.is_unverified = event_log::is_event(fact.kind) && random() % 4 == 0;
    fact.did = support::model_did(random() % 12);
    fact.host_id = static_cast<std::uint32_t>(1 + random() % 3);
    fact.number = number;
    // Unverified ones may say something or not: nothing of it may count.
    if (fact.has_repo() && (!fact.is_unverified || random() % 2 == 0)) {
        fact.rev = proto::Tid::of_micros(1 + random() % 40, 0).to_text();
        for (Buffer* cid : {&fact.data, &fact.commit}) {
            proto::Cid made = support::random_cid(random);
            cid->assign(made.bytes().begin(), made.bytes().end());
        }
    }
    if (fact.has_standings()) {
        fact.standings = {support::random_standing(random).to_byte(),
                          support::random_standing(random).to_byte()};
    }
    if (event_log::is_event(fact.kind)) {
        fact.message = event_log::test::identity_message(fact.did, number, 130 + random() % 200);
    }
    return fact;
}

// The rules of the fold, a second time.
struct FoldModel {
    support::Model model;
    std::uint64_t seq = 0;

    void take(const OwnedFact& fact) {
        if (fact.seq > 0) seq = fact.seq;
        if (fact.is_unverified || fact.kind == FactsKind::identity) return;
        index::AccountRow& row = model.rows[fact.did];
        row.last_seq = seq;
        row.host_id = fact.host_id;
        if (fact.has_standings()) {
            row.local = proto::AccountStanding::from_byte(fact.standings[0]).value();
            row.upstream = proto::AccountStanding::from_byte(fact.standings[1]).value();
            return;
        }
        std::uint64_t rev = proto::Tid::parse(fact.rev).value().value();
        if (rev < row.repo.rev) return;
        row.repo = {rev, proto::Cid::parse(fact.data).value(),
                    proto::Cid::parse(fact.commit).value()};
    }
};

inline FoldModel model_of(const std::deque<OwnedFact>& history, std::size_t count) {
    FoldModel model;
    for (std::size_t i = 0; i < count; ++i) model.take(history[i]);
    return model;
}
inline FoldModel model_of(const std::deque<OwnedFact>& history) {
    return model_of(history, history.size());
}

// Appends the last `count` facts of the history as one batch. False: the log is closed.
inline bool append_last(event_log::Log& log, std::deque<OwnedFact>& history, std::size_t count) {
    std::deque<event_log::Entry> entries;
    std::vector<event_log::Entry*> batch;
    for (std::size_t i = history.size() - count; i < history.size(); ++i) {
        history[i].write(entries.emplace_back());
        batch.push_back(&entries.back());
    }
    if (!log.append(batch)) return false;
    for (std::size_t i = 0; i < count; ++i) {
        history[history.size() - count + i].seq = entries[i].seq;
    }
    return true;
}

inline void append_random(event_log::Log& log, std::deque<OwnedFact>& history,
                          std::mt19937_64& random, std::size_t facts) {
    while (facts > 0) {
        std::size_t count = std::min<std::size_t>(facts, 1 + random() % 5);
        for (std::size_t i = 0; i < count; ++i) {
            history.push_back(random_fact(random, history.size() + 1));
        }
        REQUIRE(append_last(log, history, count));
        facts -= count;
    }
}

inline std::unique_ptr<index::Database> open_database(rocksdb::Env* env) {
    index::Options options;
    options.path = "/index";
    options.env = env;
    options.block_cache_bytes = 1 << 20;
    options.write_buffer_bytes = 1 << 20;
    options.compacts_by_itself = false;
    auto opened = index::Database::open(MayBlock::on_own_thread(), options);
    INFO((opened ? "" : opened.error().what));
    REQUIRE(opened.has_value());
    return std::move(*opened);
}

// Everything that a feed has now.
struct Record {
    std::uint64_t number;
    event_log::FactsPoint behind;
};
inline std::vector<Record> read_facts(event_log::Log& log) {
    std::vector<Record> records;
    auto feed = event_log::FactsFeed::open(log, {});
    REQUIRE(feed.has_value());
    for (;;) {
        auto items = feed->read(7);
        INFO((items ? "" : items.error().what));
        REQUIRE(items.has_value());
        if (items->empty()) return records;
        for (const auto& item : *items) {
            if (item.facts.kind == FactsKind::host_name) continue;
            records.push_back({item.facts.upstream_seq, item.behind});
        }
    }
}

}  // namespace ringlay::accounts::test
