#include "relay/event_log/host_table.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

using namespace ringlay;
using namespace ringlay::event_log;

namespace {

Facts name_facts(std::uint32_t id, std::string_view name, std::uint64_t cursor = 0) {
    Facts facts;
    facts.kind = FactsKind::host_name;
    facts.host_id = id;
    facts.upstream_seq = cursor;
    facts.text = name;
    return facts;
}

Facts event_facts(std::uint32_t id, std::uint64_t upstream_seq) {
    Facts facts;
    facts.host_id = id;
    facts.upstream_seq = upstream_seq;
    return facts;
}

Facts cursor_facts(std::uint32_t id, std::uint64_t upstream_seq) {
    Facts facts = event_facts(id, upstream_seq);
    facts.kind = FactsKind::host_cursor;
    return facts;
}

}  // namespace

TEST_CASE("events raise a host's cursor and never lower it; a cursor record sets it") {
    HostTable table;
    REQUIRE(table.apply(name_facts(1, "a.example")).has_value());
    REQUIRE(table.apply(event_facts(1, 10)).has_value());
    CHECK(table.find(1u)->upstream_seq == 10);
    REQUIRE(table.apply(event_facts(1, 7)).has_value());
    CHECK(table.find(1u)->upstream_seq == 10);
    REQUIRE(table.apply(cursor_facts(1, 3)).has_value());
    CHECK(table.find(1u)->upstream_seq == 3);
    CHECK(table.find("a.example") == 1u);
    CHECK_FALSE(table.find("b.example").has_value());
    CHECK(table.find(2u) == nullptr);
    CHECK(table.find(0u) == nullptr);
    CHECK(table.next_id() == 2);
}

TEST_CASE("a host keeps its id: what gives it another, or another its id, is refused") {
    HostTable table;
    REQUIRE(table.apply(name_facts(1, "a.example")).has_value());
    CHECK(table.apply(name_facts(1, "a.example", 5)).has_value());  // a snapshot's repetition
    CHECK(table.find(1u)->upstream_seq == 5);
    CHECK_FALSE(table.apply(name_facts(2, "a.example")).has_value());
    CHECK_FALSE(table.apply(name_facts(1, "b.example")).has_value());
    CHECK_FALSE(table.apply(name_facts(3, "c.example")).has_value());
    CHECK_FALSE(table.apply(event_facts(2, 1)).has_value());
    CHECK_FALSE(table.apply(cursor_facts(2, 1)).has_value());
    CHECK(table.all().size() == 1);
}

TEST_CASE("a snapshot makes an empty table the same") {
    HostTable table;
    for (std::uint32_t i = 1; i <= 5; ++i) {
        std::string name = "host" + std::to_string(i);
        REQUIRE(table.apply(name_facts(i, name, i * 100)).has_value());
    }
    Buffer records;
    CHECK(table.append_snapshot(records, WallMillis(1), 77) == 5);
    HostTable again;
    Bytes rest = records;
    while (!rest.empty()) {
        auto decoded = decode_facts(rest);
        REQUIRE(decoded.has_value());
        CHECK(decoded->facts.wire_offset == 77);
        REQUIRE(again.apply(decoded->facts).has_value());
        rest = rest.subspan(decoded->size_bytes);
    }
    CHECK(again.all() == table.all());
}

namespace {

// An event that was pushed while everything up to `ack` was finished.
void take(HostTable& table, std::uint64_t seq, std::uint64_t ack) {
    Facts facts = event_facts(1, seq);
    Buffer lag;
    append_le(lag, seq - 1 - ack);
    if (ack < seq - 1) facts.fields[static_cast<std::size_t>(FactsField::ack_lag)] = lag;
    REQUIRE(table.apply(facts).has_value());
}

using Seqs = std::vector<std::uint64_t>;

HostTable with_host(std::uint64_t cursor = 0) {
    HostTable table;
    REQUIRE(table.apply(name_facts(1, "a.example", cursor)).has_value());
    return table;
}

HostTable again_from_snapshot(const HostTable& table) {
    Buffer records;
    table.append_snapshot(records, WallMillis(1), 0);
    HostTable again;
    Bytes rest = records;
    while (!rest.empty()) {
        auto decoded = decode_facts(rest);
        REQUIRE(decoded.has_value());
        REQUIRE(again.apply(decoded->facts).has_value());
        rest = rest.subspan(decoded->size_bytes);
    }
    return again;
}

}  // namespace

TEST_CASE("an event that overtook others is kept by number until the cursor has come to it") {
    HostTable table = with_host();
    const Host& host = table.all()[0];
    take(table, 1000, 999);  // the first of a host that was asked for what is new
    CHECK(host.upstream_seq == 1000);
    CHECK(host.seqs_above.empty());

    take(table, 1020, 1009);  // 1010 waits
    CHECK(host.upstream_seq == 1009);
    CHECK(host.seqs_above == Seqs{1020});
    take(table, 1015, 1009);
    take(table, 1020, 1009);
    CHECK(host.seqs_above == Seqs{1015, 1020});
    take(table, 1010, 1000);  // joins the cursor
    CHECK(host.upstream_seq == 1010);
    CHECK(host.seqs_above == Seqs{1015, 1020});
    take(table, 1030, 1015);  // equal to one of them
    CHECK(host.upstream_seq == 1015);
    CHECK(host.seqs_above == Seqs{1020, 1030});
    take(table, 1018, 1010);  // late, and no step back
    CHECK(host.upstream_seq == 1015);
    CHECK(host.seqs_above == Seqs{1018, 1020, 1030});
    take(table, 1040, 1039);
    CHECK(host.upstream_seq == 1040);
    CHECK(host.seqs_above.empty());
    take(table, 1033, 1030);  // below the cursor: known
    CHECK(host.upstream_seq == 1040);
    CHECK(host.seqs_above.empty());
}

TEST_CASE("numbers that join the cursor raise it: nothing can lie between") {
    HostTable table = with_host();
    take(table, 3, 0);
    take(table, 2, 0);
    CHECK(table.all()[0].upstream_seq == 0);
    CHECK(table.all()[0].seqs_above == Seqs{2, 3});
    take(table, 1, 0);
    CHECK(table.all()[0].upstream_seq == 3);
    CHECK(table.all()[0].seqs_above.empty());
}

TEST_CASE("a host that counts anew keeps no number of its old count") {
    HostTable table = with_host();
    take(table, 1020, 1009);
    REQUIRE(table.apply(cursor_facts(1, 4)).has_value());
    CHECK(table.all()[0].upstream_seq == 4);
    CHECK(table.all()[0].seqs_above.empty());
    take(table, 5, 4);
    CHECK(table.all()[0].upstream_seq == 5);
}

TEST_CASE("what is no event of a host leaves its cursor alone") {
    HostTable table = with_host(7);
    Facts facts = event_facts(1, 0);  // the relay's own
    REQUIRE(table.apply(facts).has_value());
    for (FactsKind kind : {FactsKind::late_verification, FactsKind::account_standing}) {
        facts.kind = kind;
        facts.upstream_seq = 9;
        REQUIRE(table.apply(facts).has_value());
        facts.host_id = 2;
        CHECK_FALSE(table.apply(facts).has_value());
        facts.host_id = 1;
    }
    CHECK(table.all()[0].upstream_seq == 7);
    CHECK(table.all()[0].seqs_above.empty());
}

TEST_CASE("the numbers above a cursor are bounded: the smallest is forgotten") {
    HostTable table = with_host();
    for (std::uint64_t i = 0; i < HostTable::max_seqs_above; ++i) take(table, 10 + 2 * i, 5);
    CHECK(table.all()[0].seqs_above.size() == HostTable::max_seqs_above);
    take(table, 100'000, 5);
    CHECK(table.all()[0].seqs_above.size() == HostTable::max_seqs_above);
    CHECK(table.all()[0].seqs_above.front() == 12);
    CHECK(table.all()[0].seqs_above.back() == 100'000);
    CHECK(table.all()[0].upstream_seq == 5);
    CHECK(again_from_snapshot(table).all() == table.all());
}

namespace {

// One host and what becomes of its events, over several lives of a relay: what it takes into its
// window, in which order that ends, which of it is dropped, where the log is cut by a crash.
class HostStory {
  public:
    explicit HostStory(std::uint64_t seed) : random_(seed) {}

    void live() {
        std::vector<std::uint64_t> window;
        std::vector<std::pair<std::uint64_t, std::uint64_t>> pushed;  // and its ack
        std::uint64_t received = table_.all()[0].upstream_seq;
        const Seqs above = table_.all()[0].seqs_above;
        const std::size_t window_size = 1 + random_() % 40;
        const bool may_restart = random_() % 8 == 0;
        for (std::uint64_t steps = random_() % 300; steps > 0; --steps) {
            if (window.size() < window_size && random_() % 2 == 0) {
                do ++received;
                while (!exists(received));
                if (std::ranges::find(above, received) != above.end()) continue;
                const std::uint64_t oldest = window.empty() ? received : std::ranges::min(window);
                window.push_back(received);
                pushed.emplace_back(received, oldest - 1);
            } else if (!window.empty()) {
                auto one = window.begin() + static_cast<std::ptrdiff_t>(random_() % window.size());
                finish(*one, pushed);
                window.erase(one);
            } else if (may_restart && random_() % 4 == 0) {
                restart();
                break;  // the host's numbers mean something else now
            }
        }
        crash();
    }

  private:
    bool exists(std::uint64_t seq) const { return seq % 7 != 3 && (seq * 5 + epoch_) % 3 != 0; }
    bool is_dropped(std::uint64_t seq) const { return (seq * 31 + epoch_) % 5 == 0; }

    void finish(std::uint64_t seq,
                const std::vector<std::pair<std::uint64_t, std::uint64_t>>& all) {
        if (is_dropped(seq)) return;
        auto found = std::ranges::find(all, seq, &std::pair<std::uint64_t, std::uint64_t>::first);
        log_.push_back({seq, found->second, false});
    }

    void restart() { log_.push_back({random_() % 50, 0, true}); }

    // The log keeps a prefix of what this life has put into it: all that the next one knows.
    void crash() {
        log_.resize(kept_ + random_() % (log_.size() - kept_ + 1));
        for (; kept_ < log_.size(); ++kept_) {
            const Record& record = log_[kept_];
            if (record.is_restart) {
                REQUIRE(table_.apply(cursor_facts(1, record.seq)).has_value());
                ++epoch_;
                in_log_.clear();
                began_ = record.seq;
            } else {
                REQUIRE(in_log_.insert(record.seq).second);  // never twice
                take(table_, record.seq, record.ack);
            }
            if (random_() % 16 == 0) table_ = again_from_snapshot(table_);
            check();
        }
    }

    void check() {
        const Host& host = table_.all()[0];
        for (std::uint64_t seq = began_ + 1; seq <= host.upstream_seq; ++seq) {
            const bool is_lost = exists(seq) && !is_dropped(seq) && !in_log_.contains(seq);
            if (is_lost) FAIL("lost: " << seq);
        }
        for (std::uint64_t seq : in_log_) {
            const bool is_known =
                seq <= host.upstream_seq || std::ranges::binary_search(host.seqs_above, seq);
            if (!is_known) FAIL("would come twice: " << seq);
        }
        for (std::uint64_t seq : host.seqs_above) REQUIRE(in_log_.contains(seq));
    }

    struct Record {
        std::uint64_t seq;
        std::uint64_t ack;
        bool is_restart;
    };
    std::mt19937_64 random_;
    HostTable table_ = with_host();
    std::vector<Record> log_;
    std::size_t kept_ = 0;
    std::uint64_t epoch_ = 0;
    std::uint64_t began_ = 0;
    std::set<std::uint64_t> in_log_;
};

}  // namespace

TEST_CASE("whatever the order and wherever the crash, no event of a host is lost or comes twice") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        HostStory story(seed);
        for (int life = 0; life < 12; ++life) story.live();
    }
}
