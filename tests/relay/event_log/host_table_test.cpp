#include "relay/event_log/host_table.hpp"

#include <catch2/catch.hpp>

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
