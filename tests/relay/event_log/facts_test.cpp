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

Facts fact_of(FactsKind kind, std::string_view text) {
    Facts facts;
    facts.kind = kind;
    facts.host_id = 3;
    facts.text = text;
    return facts;
}

void set(Facts& facts, FactsField which, Bytes bytes) {
    facts.fields[static_cast<std::size_t>(which)] = bytes;
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
    const Buffer rev(13, 'k'), cid(36, 9), delta{1, 2, 3}, statuses{1, 2};
    const Buffer lag{2, 1, 0, 0, 0, 0, 0, 0},
        above{80, 0, 0, 0, 0, 0, 0, 0, 82, 0, 0, 0, 0, 0, 0, 0};
    Facts facts = commit_facts();
    SECTION("an event") {}
    SECTION("an event with optional fields") {
        set(facts, FactsField::rev, rev);
        set(facts, FactsField::data_cid, cid);
        set(facts, FactsField::commit_cid, cid);
        set(facts, FactsField::statuses, statuses);
        set(facts, FactsField::index_delta, delta);
        facts.upstream_seq = 0x103;
        set(facts, FactsField::ack_lag, lag);
    }
    SECTION("a host's name") {
        facts = fact_of(FactsKind::host_name, "pds.example");
        facts.upstream_seq = 77;
        set(facts, FactsField::seqs_above, above);
    }
    SECTION("a late verification") {
        facts = fact_of(FactsKind::late_verification, "did:web:a.example");
        set(facts, FactsField::rev, rev);
        set(facts, FactsField::data_cid, cid);
    }
    SECTION("an account's standing") {
        facts = fact_of(FactsKind::account_standing, "did:web:a.example");
        set(facts, FactsField::statuses, statuses);
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
        {"facts: kind", 9, 68},
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

namespace {

// As somebody else might have written it: any field, at the end of a record that has none.
Buffer with_field(const Facts& facts, FactsField which, Bytes bytes) {
    Buffer record = encoded(facts);
    record[12] = static_cast<std::uint8_t>(1u << static_cast<unsigned>(which));
    append_le(record, static_cast<std::uint32_t>(bytes.size()));
    record.insert(record.end(), bytes.begin(), bytes.end());
    return resealed(record);
}

Buffer numbers(std::initializer_list<std::uint64_t> list) {
    Buffer bytes;
    for (std::uint64_t number : list) append_le(bytes, number);
    return bytes;
}

// Empty: it was accepted.
std::string_view refusal(const Facts& facts, FactsField which, Bytes bytes) {
    auto decoded = decode_facts(with_field(facts, which, bytes));
    if (decoded) return {};
    CHECK(decoded.error().code == Errc::corrupt);
    return decoded.error().what;
}

}  // namespace

TEST_CASE("a field of an account has the size of what it holds, and is of an account") {
    const struct {
        FactsField which;
        std::size_t bytes;
    } sizes[] = {{FactsField::rev, 13},
                 {FactsField::data_cid, 36},
                 {FactsField::commit_cid, 36},
                 {FactsField::statuses, 2}};
    for (const auto& [which, bytes] : sizes) {
        CAPTURE(static_cast<int>(which));
        CHECK(refusal(commit_facts(), which, Buffer(bytes, 'a')).empty());
        for (std::size_t wrong : {bytes - 1, bytes + 1}) {
            CHECK(refusal(commit_facts(), which, Buffer(wrong, 'a')) ==
                  "facts: field of an account");
        }
        CHECK(refusal(fact_of(FactsKind::host_name, "a.example"), which, Buffer(bytes, 'a')) ==
              "facts: field of an account");
        CHECK(refusal(fact_of(FactsKind::host_cursor, ""), which, Buffer(bytes, 'a')) ==
              "facts: field of an account");
    }
    CHECK(refusal(commit_facts(), FactsField::index_delta, Buffer(100, 1)).empty());
    CHECK(refusal(fact_of(FactsKind::host_cursor, ""), FactsField::index_delta, Buffer(1, 1)) ==
          "facts: field of an account");
}

TEST_CASE("a late verification says what is right, a standing what it is") {
    const Buffer rev(13, 'k'), cid(36, 9), statuses{1, 2};
    const std::string_view missing = "facts: field of its kind missing";
    Facts late = fact_of(FactsKind::late_verification, "did:web:a.example");
    set(late, FactsField::rev, rev);
    set(late, FactsField::data_cid, cid);
    for (std::size_t field = 0; field < 2; ++field) {
        Buffer record = encoded(late);
        const std::size_t at = field == 0 ? record.size() - 40 - 17 : record.size() - 40;
        record.erase(record.begin() + static_cast<std::ptrdiff_t>(at),
                     record.begin() + static_cast<std::ptrdiff_t>(at + (field == 0 ? 17 : 40)));
        record[12] = static_cast<std::uint8_t>(field == 0 ? 2 : 1);
        auto decoded = decode_facts(resealed(record));
        REQUIRE_FALSE(decoded.has_value());
        CHECK(decoded.error().what == missing);
    }
    Facts standing = fact_of(FactsKind::account_standing, "did:web:a.example");
    set(standing, FactsField::statuses, statuses);
    Buffer record = encoded(standing);
    record.resize(record.size() - 6);
    record[12] = 0;
    CHECK(decode_facts(resealed(record)).error().what == missing);
}

TEST_CASE("how far a host was acknowledged is below the event, and only an event says it") {
    Facts facts = commit_facts();  // upstream seq 42
    CHECK(host_ack_of(facts) == 41);
    const Buffer most = numbers({41});
    CHECK(refusal(facts, FactsField::ack_lag, most).empty());
    set(facts, FactsField::ack_lag, most);
    CHECK(host_ack_of(facts) == 0);
    const Buffer some = numbers({1});
    set(facts, FactsField::ack_lag, some);
    CHECK(host_ack_of(facts) == 40);

    CHECK(refusal(commit_facts(), FactsField::ack_lag, numbers({42})) == "facts: ack lag");
    CHECK(refusal(commit_facts(), FactsField::ack_lag, Buffer(7)) == "facts: ack lag");
    CHECK(refusal(commit_facts(), FactsField::ack_lag, Buffer(9)) == "facts: ack lag");
    Facts name = fact_of(FactsKind::host_name, "a.example");
    name.upstream_seq = 42;
    CHECK(refusal(name, FactsField::ack_lag, numbers({1})) == "facts: ack lag");
    Facts own = commit_facts();
    own.upstream_seq = 0;
    CHECK(host_ack_of(own) == 0);
    CHECK(refusal(own, FactsField::ack_lag, numbers({0})) == "facts: ack lag");
}

TEST_CASE("the seqs above a host's cursor rise from it, and only its name has them") {
    Facts name = fact_of(FactsKind::host_name, "a.example");
    name.upstream_seq = 42;
    const std::string_view refused = "facts: seqs above";
    CHECK(refusal(name, FactsField::seqs_above, numbers({43, 50, seq_limit - 1})).empty());
    CHECK(refusal(name, FactsField::seqs_above, numbers({42, 50})) == refused);
    CHECK(refusal(name, FactsField::seqs_above, numbers({50, 50})) == refused);
    CHECK(refusal(name, FactsField::seqs_above, numbers({51, 50})) == refused);
    CHECK(refusal(name, FactsField::seqs_above, numbers({50, seq_limit})) == refused);
    CHECK(refusal(name, FactsField::seqs_above, Buffer(12, 1)) == refused);
    CHECK(refusal(commit_facts(), FactsField::seqs_above, numbers({43})) == refused);
    Facts cursor = fact_of(FactsKind::host_cursor, "");
    CHECK(refusal(cursor, FactsField::seqs_above, numbers({43})) == refused);
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
