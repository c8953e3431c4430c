#include <catch2/catch.hpp>
#include <random>

#include "proto/base/base32.hpp"
#include "proto/base/bytes.hpp"
#include "proto/base/crc32c.hpp"
#include "proto/base/hex.hpp"

using namespace ringlay;

TEST_CASE("hex goes both ways, and refuses what is not hex") {
    CHECK(to_hex(Buffer{0x00, 0xab, 0xff}) == "00abff");
    CHECK(from_hex("00ABff").value() == Buffer{0x00, 0xab, 0xff});
    CHECK(from_hex("").value().empty());
    CHECK(from_hex("0").error().what == "hex: odd length");
    for (const char* bad : {"0g", "g0", " 0", "0/", "0:", "@0", "0`"}) {
        CAPTURE(bad);
        CHECK_FALSE(from_hex(bad).has_value());
    }
}

TEST_CASE("base32 of any bytes reads back as the same bytes") {
    std::mt19937_64 random(1);
    for (std::size_t size = 0; size < 70; ++size) {
        Buffer bytes(size);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        CHECK(from_base32(to_base32(bytes)).value() == bytes);
    }
    CHECK(to_base32(Buffer{'f', 'o', 'o', 'b', 'a', 'r'}) == "mzxw6ytboi");  // RFC 4648 section 10
}

TEST_CASE("base32 has one text for each value: padding bits and odd lengths are refused") {
    CHECK(from_base32("aa").value() == Buffer{0});
    CHECK(from_base32("ab").error().what == "base32: padding bits");
    CHECK(from_base32("a").error().what == "base32: impossible length");
    CHECK(from_base32("aaa").error().what == "base32: impossible length");
    for (const char* bad : {"A2", "a1", "a8", "a=", "a{", "a`"}) {
        CAPTURE(bad);
        CHECK(from_base32(bad).error().what == "base32: not a digit");
    }
}

TEST_CASE("crc-32c gives the known answers, whole or in pieces, with and without the instruction") {
    Buffer digits{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    CHECK(crc32c(digits) == 0xe3069283);  // RFC 3720 appendix B.4 names the other two
    CHECK(crc32c(Buffer(32, 0)) == 0x8a9136aa);
    CHECK(crc32c(Buffer(32, 0xff)) == 0x62a8ab43);
    std::mt19937_64 random(2);
    for (std::size_t size = 0; size < 200; ++size) {
        Buffer bytes(size);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        std::size_t cut = size == 0 ? 0 : random() % size;
        std::uint32_t whole = crc32c(bytes);
        CHECK(whole == crc32c_portable(bytes));
        CHECK(whole == crc32c(Bytes(bytes).subspan(cut), crc32c(Bytes(bytes).first(cut))));
    }
}

TEST_CASE("little-endian numbers read back at any offset") {
    Buffer out{7};
    append_le(out, std::uint64_t{0x0102030405060708});
    append_le(out, std::uint16_t{0xfffe});
    CHECK(out.size() == 11);
    CHECK(out[1] == 8);
    CHECK(load_le<std::uint64_t>(out, 1) == 0x0102030405060708);
    CHECK(load_le<std::uint16_t>(out, 9) == 0xfffe);
}
