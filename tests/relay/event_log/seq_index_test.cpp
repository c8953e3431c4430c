#include "relay/event_log/seq_index.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "proto/base/crc32c.hpp"

using ringlay::Buffer;
using ringlay::Bytes;
using ringlay::event_log::SeqIndex;

namespace {

// 100 records of 10 bytes: seq 10, 20, ... 1000 at offset 0, 10, ... 990; an entry every 50 bytes.
SeqIndex hundred_records() {
    SeqIndex index(50);
    for (std::uint64_t i = 0; i < 100; ++i) index.add(10 + i * 10, i * 10);
    return index;
}

}  // namespace

TEST_CASE("a cursor is exclusive: reading starts at or before the first record above it") {
    SeqIndex index = hundred_records();
    CHECK(index.offset_for_cursor(0) == 0);    // from the beginning
    CHECK(index.offset_for_cursor(10) == 0);   // on the first record: skip it, read on
    CHECK(index.offset_for_cursor(59) == 0);   // in a gap, one below an entry
    CHECK(index.offset_for_cursor(60) == 50);  // on an entry
    CHECK(index.offset_for_cursor(999) == 950);
}

TEST_CASE("a cursor at or above the last record finds nothing in this segment") {
    CHECK_FALSE(hundred_records().offset_for_cursor(1000));
    CHECK_FALSE(hundred_records().offset_for_cursor(UINT64_MAX));
    CHECK_FALSE(SeqIndex().offset_for_cursor(0));  // empty segment
}

TEST_CASE("for any records and any cursor, reading on from the offset misses nothing") {
    auto seed = GENERATE(range(1u, 200u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    auto stride_bytes = static_cast<std::uint32_t>(1 + random() % 500);
    SeqIndex index(stride_bytes);
    std::map<std::uint64_t, std::uint64_t> offset_of;  // the model: every record
    std::uint64_t seq = 0, offset_bytes = random() % 100, longest = 0;
    for (std::size_t n = random() % 300; n > 0; --n) {
        seq += 1 + random() % 5;
        std::uint64_t size_bytes = 1 + random() % 200;
        index.add(seq, offset_bytes);
        offset_of[seq] = offset_bytes;
        offset_bytes += size_bytes;
        longest = std::max(longest, size_bytes);
    }
    SeqIndex again = SeqIndex::decode(index.encode()).value();
    for (std::uint64_t cursor = 0; cursor <= seq + 1; ++cursor) {
        auto start = index.offset_for_cursor(cursor);
        auto first_wanted = offset_of.upper_bound(cursor);
        REQUIRE(start.has_value() == (first_wanted != offset_of.end()));
        REQUIRE(again.offset_for_cursor(cursor) == start);
        if (!start) continue;
        REQUIRE(*start <= first_wanted->second);                          // nothing missed
        REQUIRE(first_wanted->second - *start < stride_bytes + longest);  // little read in vain
    }
}

TEST_CASE("an index file with any one bit changed, or cut anywhere, is refused") {
    Buffer file = hundred_records().encode();
    REQUIRE(SeqIndex::decode(file).has_value());
    for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
        Buffer changed = file;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
        REQUIRE_FALSE(SeqIndex::decode(changed).has_value());
    }
    for (std::size_t size = 0; size < file.size(); ++size) {
        REQUIRE_FALSE(SeqIndex::decode(Bytes(file).first(size)).has_value());
    }
}

TEST_CASE("an impossible content is refused by name, even under a right checksum") {
    const std::size_t entries = 32, last = entries + 19 * 16;  // 20 entries of 16 bytes
    auto counts = [](std::uint64_t stride, std::uint64_t count) { return count << 32 | stride; };
    const struct {
        std::string_view refused_as;
        std::size_t at;
        std::uint64_t value;
    } forgeries[] = {
        {"seq index: magic", 0, 1},
        {"seq index: stride of zero", 8, counts(0, 20)},
        {"seq index: entry count", 8, counts(50, SeqIndex::max_entries + 1)},
        {"seq index: length does not match entry count", 8, counts(50, 19)},
        {"seq index: last seq does not match entry count", 16, 0},
        {"seq index: entries out of order", entries, 0},        // a seq of zero
        {"seq index: entries out of order", entries + 16, 10},  // the same seq twice
        {"seq index: entries out of order", entries + 24, 0},   // the same offset twice
        {"seq index: entries out of order", last, 1001},        // beyond the last seq
        {"seq index: entries out of order", last + 8, 991},     // beyond the last offset
    };
    for (const auto& forgery : forgeries) {
        CAPTURE(forgery.refused_as, forgery.at);
        Buffer file = hundred_records().encode();
        std::memcpy(&file.at(forgery.at), &forgery.value, sizeof forgery.value);
        file.resize(file.size() - 4);
        ringlay::append_le(file, ringlay::crc32c(file));
        auto index = SeqIndex::decode(file);
        REQUIRE_FALSE(index.has_value());
        CHECK(index.error().what == forgery.refused_as);
    }
}
