#include "proto/varint.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "tests/proto/samples.hpp"

using namespace ringlay;
using namespace ringlay::proto;
using samples::hex;

TEST_CASE("a varint has seven bits a byte, the least significant first") {
    const struct {
        std::uint64_t value;
        std::string_view encoded;
    } known[] = {
        {0, "00"},         {1, "01"},
        {127, "7f"},       {128, "8001"},
        {300, "ac02"},     {16383, "ff7f"},
        {16384, "808001"}, {(std::uint64_t{1} << 63) - 1, "ffffffffffffffff7f"},
    };
    for (const auto& [value, encoded] : known) {
        CAPTURE(value);
        Buffer out;
        append_uvarint(out, value);
        CHECK(to_hex(out) == encoded);
        auto read = read_uvarint(out);
        REQUIRE(read.has_value());
        CHECK(read->value == value);
        CHECK(read->size_bytes == out.size());
    }
}

TEST_CASE("what follows a varint is left alone") {
    auto read = read_uvarint(hex("ac02ff"));
    REQUIRE(read.has_value());
    CHECK(read->value == 300);
    CHECK(read->size_bytes == 2);
}

TEST_CASE("a varint that is cut, padded or longer than 9 bytes is refused by name") {
    const struct {
        std::string_view encoded, refused_as;
    } bad[] = {
        {"", "varint: truncated"},
        {"80", "varint: truncated"},
        {"ffffffffffffffff", "varint: truncated"},
        {"8000", "varint: not in its shortest form"},
        {"ac0200", ""},  // complete after two bytes
        {"ac8200", "varint: not in its shortest form"},
        {"ffffffffffffffff00", "varint: not in its shortest form"},
        {"ffffffffffffffff80", "varint: too long"},
        {"80808080808080808001", "varint: too long"},
    };
    for (const auto& [encoded, refused_as] : bad) {
        CAPTURE(encoded);
        auto read = read_uvarint(hex(encoded));
        REQUIRE(read.has_value() == refused_as.empty());
        if (!read) CHECK(read.error().what == refused_as);
    }
}

TEST_CASE("every value comes back from its varint, in as few bytes as hold it") {
    std::mt19937_64 random(1);
    for (int i = 0; i < 2000; ++i) {
        std::uint64_t value = random() >> (1 + random() % 63);
        Buffer out;
        append_uvarint(out, value);
        auto read = read_uvarint(out).value();
        REQUIRE(read.value == value);
        auto bits = static_cast<std::size_t>(std::bit_width(value | 1));
        REQUIRE(out.size() == (bits + 6) / 7);
    }
}
