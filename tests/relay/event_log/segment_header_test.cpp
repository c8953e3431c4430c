#include "relay/event_log/segment_header.hpp"

#include <catch2/catch.hpp>

#include "proto/base/crc32c.hpp"

using namespace ringlay;
using namespace ringlay::event_log;

namespace {

SegmentHeader sample() {
    return {SegmentFile::facts, 0x1122334455667788, 268'435'456, 17'600, WallMillis(1'767'225'600)};
}

Seal sample_seal() {
    Seal seal;
    seal.log_id = 5;
    seal.base = 1000;
    seal.extent = {900, 300, 3, 10, 30, WallMillis(1), WallMillis(2)};
    seal.index.add(10, 64);
    seal.index.add(20, 164);
    seal.index.add(30, 264);
    return seal;
}

void reseal_header(Buffer& file) {
    std::uint32_t crc = crc32c(Bytes(file).first(60));
    std::memcpy(&file[60], &crc, sizeof crc);
}

}  // namespace

TEST_CASE("names of segment files sort as their positions do, and are read back") {
    CHECK(segment_file_name(0, SegmentFile::wire) == "00000000000000000000.wire");
    CHECK(segment_file_name(UINT64_MAX, SegmentFile::seal) == "18446744073709551615.seal");
    CHECK(segment_file_name(99, SegmentFile::wire) < segment_file_name(100, SegmentFile::wire));
    auto name = parse_segment_file_name("00000000000000268435.facts");
    REQUIRE(name.has_value());
    CHECK(name->base == 268435);
    CHECK(name->which == SegmentFile::facts);
    for (std::string_view bad :
         {"0000000000000026843.facts", "00000000000000268435.fact", "00000000000000268435",
          "0000000000000026843x.wire", "18446744073709551616.wire", "reservation", "",
          "00000000000000268435.wire.new"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_segment_file_name(bad).has_value());
    }
}

TEST_CASE("a segment header says again what went into it, and no bit of it may change") {
    const Buffer file = encode_segment_header(sample());
    CHECK(file.size() == segment_header_bytes);
    CHECK(decode_segment_header(file) == sample());
    for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
        Buffer changed = file;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
        REQUIRE_FALSE(decode_segment_header(changed).has_value());
    }
    for (std::size_t size = 0; size < file.size(); ++size) {
        REQUIRE_FALSE(decode_segment_header(Bytes(file).first(size)).has_value());
    }
}

TEST_CASE("a segment of a newer format is refused by name, whatever its checksum") {
    Buffer file = encode_segment_header(sample());
    file[8] = 2;
    CHECK(decode_segment_header(file).error().code == Errc::unsupported);
    CHECK(decode_segment_header(file).error().what == "segment: written by a newer ringlay");
    file = encode_segment_header(sample());
    file[12] = 1;
    reseal_header(file);
    CHECK(decode_segment_header(file).error().what == "segment: codec");
    file = encode_segment_header(sample());
    file[8] = 0;
    reseal_header(file);
    CHECK(decode_segment_header(file).error().what == "segment: version of zero");
    for (std::uint8_t which : Buffer{0, 4}) {
        file = encode_segment_header(sample());
        file[13] = which;
        reseal_header(file);
        CHECK(decode_segment_header(file).error().what == "segment: file kind");
    }
}

TEST_CASE("a seal says again what a segment holds, and no bit of it may change") {
    const Buffer file = encode_seal(sample_seal());
    auto seal = decode_seal(file);
    REQUIRE(seal.has_value());
    CHECK(seal->log_id == 5);
    CHECK(seal->base == 1000);
    CHECK(seal->extent == sample_seal().extent);
    CHECK(seal->index.encode() == sample_seal().index.encode());
    for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
        Buffer changed = file;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
        REQUIRE_FALSE(decode_seal(changed).has_value());
    }
    for (std::size_t size = 0; size < file.size(); ++size) {
        REQUIRE_FALSE(decode_seal(Bytes(file).first(size)).has_value());
    }
}

TEST_CASE("a seal that contradicts itself is refused, even under right checksums") {
    auto refused = [](std::size_t at, std::uint64_t value) {
        Buffer file = encode_seal(sample_seal());
        std::memcpy(&file[64 + at], &value, sizeof value);
        std::uint32_t crc = crc32c(Bytes(file).subspan(64, 56));
        std::memcpy(&file[64 + 56], &crc, sizeof crc);
        return std::string(decode_seal(file).error().what);
    };
    CHECK(refused(0, 0) == "seal: extent");    // events and no bytes
    CHECK(refused(16, 0) == "seal: extent");   // bytes and no events
    CHECK(refused(24, 0) == "seal: extent");   // no first seq
    CHECK(refused(24, 31) == "seal: extent");  // first behind last
    CHECK(refused(32, 31) == "seal: last seq");
    CHECK(decode_seal(encode_segment_header(sample())).error().what == "seal: not a seal");
}
