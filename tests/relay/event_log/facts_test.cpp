#include "relay/event_log/facts.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "proto/base/crc32c.hpp"

using namespace ringlay;
using namespace ringlay::event_log;

namespace {

Facts commit_facts() {
    Facts facts;
    facts.kind = FactsKind::commit;
    facts.verdicts = verdict_unverified;
    facts.wire_offset = 5400;
    facts.wire_length = 5404;
    facts.wire_crc = 0xdeadbeef;
    facts.host_id = 7;
    facts.seq = 176'000'000'000'001;
    facts.upstream_seq = 42;
    facts.received = WallMillis(1'767'225'600'123);
    facts.text = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
    return facts;
}

Buffer encoded(const Facts& facts) {
    Buffer out;
    append_facts(out, facts);
    return out;
}

// With the right length and checksum, whatever else it says.
Buffer resealed(Buffer record) {
    auto size = static_cast<std::uint32_t>(record.size());
    std::memcpy(&record[4], &size, sizeof size);
    std::uint32_t crc = crc32c(Bytes(record).subspan(4));
    std::memcpy(record.data(), &crc, sizeof crc);
    return record;
}

}  // namespace

TEST_CASE("a facts record says everything again that went into it") {
    const Buffer rev{'3', 'k'}, cid(36, 9), delta{1, 2, 3};
    Facts facts = commit_facts();
    SECTION("an event") {}
    SECTION("an event with optional fields") {
        facts.fields[static_cast<std::size_t>(FactsField::rev)] = rev;
        facts.fields[static_cast<std::size_t>(FactsField::data_cid)] = cid;
        facts.fields[static_cast<std::size_t>(FactsField::index_delta)] = delta;
    }
    SECTION("a host's name") {
        facts = Facts{};
        facts.kind = FactsKind::host_name;
        facts.host_id = 3;
        facts.upstream_seq = 77;
        facts.text = "pds.example";
    }
    Buffer record = encoded(facts);
    record.push_back(0xff);  // the next record's
    auto decoded = decode_facts(record);
    REQUIRE(decoded.has_value());
    CHECK(decoded->size_bytes == record.size() - 1);
    const Facts& again = decoded->facts;
    CHECK(again.kind == facts.kind);
    CHECK(again.verdicts == facts.verdicts);
    CHECK(again.wire_offset == facts.wire_offset);
    CHECK(again.wire_length == facts.wire_length);
    CHECK(again.wire_crc == facts.wire_crc);
    CHECK(again.host_id == facts.host_id);
    CHECK(again.seq == facts.seq);
    CHECK(again.upstream_seq == facts.upstream_seq);
    CHECK(again.received == facts.received);
    CHECK(again.text == facts.text);
    for (std::size_t i = 0; i < facts_field_count; ++i) {
        CHECK(std::ranges::equal(again.fields[i], facts.fields[i]));
    }
}

TEST_CASE("a usual record is 90 bytes long") {
    CHECK(encoded(commit_facts()).size() == 90);
}

TEST_CASE("a record with any one bit changed, or cut anywhere, is refused") {
    const Buffer record = encoded(commit_facts());
    for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
        Buffer changed = record;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
        REQUIRE_FALSE(decode_facts(changed).has_value());
    }
    for (std::size_t size = 0; size < record.size(); ++size) {
        auto cut = decode_facts(Bytes(record).first(size));
        REQUIRE_FALSE(cut.has_value());
        CHECK(cut.error().code == Errc::malformed);
    }
}

TEST_CASE("a hole of zeros is no record") {
    CHECK(decode_facts(Buffer(4096)).error().what == "facts: length");
}

TEST_CASE("what a newer ringlay has written is unsupported, not corrupt") {
    const struct {
        std::string_view refused_as;
        std::size_t at;
        std::uint8_t value;
    } novelties[] = {
        {"facts: version", 8, 2},
        {"facts: kind", 9, 5},
        {"facts: kind", 9, 66},
        {"facts: kind", 9, 0},
        {"facts: verdicts", 10, 2},
        {"facts: verdicts", 11, 1},
        {"facts: presence", 12, 1 << facts_field_count},
        {"facts: presence", 15, 0x80},
    };
    for (const auto& novelty : novelties) {
        CAPTURE(novelty.refused_as, novelty.at);
        Buffer record = encoded(commit_facts());
        record[novelty.at] = novelty.value;
        auto decoded = decode_facts(resealed(record));
        REQUIRE_FALSE(decoded.has_value());
        CHECK(decoded.error().what == novelty.refused_as);
        CHECK(decoded.error().code == Errc::unsupported);
    }
}

TEST_CASE("an impossible record is refused by name, even under a right checksum") {
    const struct {
        std::string_view refused_as;
        std::size_t at;
        std::uint8_t value;
        std::size_t count = 1;
    } forgeries[] = {
        {"facts: text length", 56, 33},  // behind the end
        {"facts: bytes behind the last field", 56, 31},
        {"facts: field", 12, 1},     // announced, and not there
        {"facts: frame", 9, 65},     // a cursor with a frame
        {"facts: frame", 20, 0, 4},  // an event without
        {"facts: seq without frame", 32, 0, 8},
        {"facts: seq out of range", 38, 0xff},  // seq
        {"facts: seq out of range", 46, 0xff},  // upstream seq
        {"facts: no host", 28, 0, 4},
    };
    for (const auto& forgery : forgeries) {
        CAPTURE(forgery.refused_as, forgery.at);
        Buffer record = encoded(commit_facts());
        std::fill_n(record.begin() + static_cast<std::ptrdiff_t>(forgery.at), forgery.count,
                    forgery.value);
        auto decoded = decode_facts(resealed(record));
        REQUIRE_FALSE(decoded.has_value());
        CHECK(decoded.error().what == forgery.refused_as);
        CHECK(decoded.error().code == Errc::corrupt);
    }
    Buffer record = encoded(commit_facts());
    record[12] = 1;  // a rev of no bytes
    append_le(record, std::uint32_t{0});
    CHECK(decode_facts(resealed(record)).error().what == "facts: field length");
    record[record.size() - 4] = 1;  // of one byte, which is not there
    CHECK(decode_facts(resealed(record)).error().what == "facts: field length");
    record = encoded(commit_facts());
    record[56] = record[57] = 0;  // an event of no DID
    record.resize(min_facts_bytes);
    CHECK(decode_facts(resealed(record)).error().what == "facts: text");
}

TEST_CASE("random bytes under a right checksum never make the decoder read outside") {
    std::mt19937_64 random(1);
    for (int i = 0; i < 20'000; ++i) {
        Buffer record = encoded(commit_facts());
        for (std::uint64_t n = 1 + random() % 4; n > 0; --n) {
            record[8 + random() % (record.size() - 8)] = static_cast<std::uint8_t>(random());
        }
        static_cast<void>(decode_facts(resealed(record)).has_value());
    }
}
