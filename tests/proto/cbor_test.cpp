#include "proto/cbor.hpp"

#include <catch2/catch.hpp>

#include "tests/proto/samples.hpp"

using namespace ringlay;
using namespace ringlay::proto;
using samples::hex;
using samples::joined;

namespace {

// The reason why exactly one item is not there; empty if it is.
std::string_view refusal(Bytes bytes, CborMode mode = CborMode::strict) {
    CborReader in(bytes, mode);
    auto skipped = in.skip();
    if (!skipped) return skipped.error().what;
    return in.at_end() ? "" : "bytes after it";
}

std::string_view refusal(std::string_view digits, CborMode mode = CborMode::strict) {
    return refusal(hex(digits), mode);
}

Buffer nested(std::size_t depth, std::string_view opening, std::string_view inmost) {
    std::string digits;
    for (std::size_t i = 0; i < depth; ++i) digits += opening;
    return hex(digits + std::string(inmost));
}

// A map of `count` keys of two letters each, in falling order.
Buffer falling_map(std::size_t count) {
    Buffer out = count < 24 ? Buffer{static_cast<std::uint8_t>(0xa0 + count)}
                            : Buffer{0xb8, static_cast<std::uint8_t>(count)};
    for (std::size_t i = count; i > 0; --i) {
        auto high = static_cast<std::uint8_t>('a' + i / 26);
        auto low = static_cast<std::uint8_t>('a' + i % 26);
        for (std::uint8_t byte : {std::uint8_t{0x62}, high, low, std::uint8_t{0xf6}}) {
            out.push_back(byte);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("integers have one form for each value, from -2^63 to 2^63 - 1") {
    const struct {
        std::int64_t value;
        std::string_view encoded;
    } known[] = {
        {0, "00"},
        {23, "17"},
        {24, "1818"},
        {255, "18ff"},
        {256, "190100"},
        {65535, "19ffff"},
        {65536, "1a00010000"},
        {4294967295, "1affffffff"},
        {4294967296, "1b0000000100000000"},
        {INT64_MAX, "1b7fffffffffffffff"},
        {-1, "20"},
        {-24, "37"},
        {-25, "3818"},
        {-256, "38ff"},
        {-257, "390100"},
        {INT64_MIN, "3b7fffffffffffffff"},
    };
    for (const auto& [value, encoded] : known) {
        CAPTURE(value);
        Buffer out;
        CborWriter(out).write_int(value);
        CHECK(to_hex(out) == encoded);
        CHECK(CborReader(out).read_int().value() == value);
        CHECK(refusal(out).empty());
        auto natural = CborReader(out).read_uint();
        CHECK(natural.has_value() == (value >= 0));
        if (value < 0) continue;
        CHECK(natural == static_cast<std::uint64_t>(value));
        CHECK(cbor_head_bytes(*natural) == out.size());
        Buffer again;
        CborWriter(again).write_uint(*natural);
        CHECK(again == out);
    }
    CHECK(CborReader(hex("1b8000000000000000")).read_uint().error().code == Errc::too_large);
    CHECK(CborReader(hex("1b8000000000000000")).read_int().error().code == Errc::too_large);
    CHECK(CborReader(hex("3b8000000000000000")).read_int().error().code == Errc::too_large);
    CHECK(refusal("1bffffffffffffffff") == "cbor: integer out of range");
}

TEST_CASE("each kind of item is told by its first byte and read as itself") {
    const struct {
        std::string_view encoded;
        CborKind kind;
    } items[] = {
        {"00", CborKind::integer}, {"20", CborKind::integer},
        {"4101", CborKind::bytes}, {"6161", CborKind::text},
        {"80", CborKind::array},   {"a0", CborKind::map},
        {"f4", CborKind::boolean}, {"f5", CborKind::boolean},
        {"f6", CborKind::null},    {"d82a450001550000", CborKind::link},
    };
    for (const auto& [encoded, kind] : items) {
        CAPTURE(encoded);
        Buffer bytes = hex(encoded);
        CHECK(CborReader(bytes).peek_kind().value() == kind);
        CHECK(refusal(bytes).empty());
        auto reads = [&](auto read, std::string_view otherwise) {
            CborReader in(bytes);
            auto value = read(in);
            if (value) return in.at_end();
            CHECK(value.error().what == otherwise);
            return false;
        };
        CHECK(reads([](auto& in) { return in.read_int(); }, "cbor: not an integer") ==
              (kind == CborKind::integer));
        CHECK(reads([](auto& in) { return in.read_uint(); }, "cbor: not an unsigned integer") ==
              (encoded == "00"));
        CHECK(reads([](auto& in) { return in.read_bytes(); }, "cbor: not a byte string") ==
              (kind == CborKind::bytes));
        CHECK(reads([](auto& in) { return in.read_text(); }, "cbor: not a text") ==
              (kind == CborKind::text));
        CHECK(reads([](auto& in) { return in.read_array(); }, "cbor: not an array") ==
              (kind == CborKind::array));
        CHECK(reads([](auto& in) { return in.read_map(); }, "cbor: not a map") ==
              (kind == CborKind::map));
        CHECK(reads([](auto& in) { return in.read_bool(); }, "cbor: not a boolean") ==
              (kind == CborKind::boolean));
        CHECK(reads([](auto& in) { return in.read_link(); }, "cbor: not a link") ==
              (kind == CborKind::link));
        CHECK(CborReader(bytes).read_null_if_next().value() == (kind == CborKind::null));
    }
}

TEST_CASE("values come out as views of the input") {
    Buffer bytes = hex("83 43010203 63616263 f5");
    CborReader in(bytes);
    auto array = in.read_array().value();
    REQUIRE(in.next(array).value());
    Bytes blob = in.read_bytes().value();
    CHECK(to_hex(blob) == "010203");
    CHECK(blob.data() == bytes.data() + 2);
    REQUIRE(in.next(array).value());
    CHECK(in.read_text().value() == "abc");
    REQUIRE(in.next(array).value());
    CHECK(in.read_bool().value());
    CHECK_FALSE(in.next(array).value());
    CHECK_FALSE(in.next(array).value());  // and stays so
    CHECK(in.at_end());
    CHECK(CborReader(hex("f4")).read_bool().value() == false);
}

TEST_CASE("what the data model does not have is refused by name") {
    const struct {
        std::string_view encoded, refused_as;
    } bad[] = {
        {"", "cbor: truncated"},
        {"18", "cbor: truncated"},
        {"1900", "cbor: truncated"},
        {"1b00000001", "cbor: truncated"},
        {"4201", "cbor: truncated"},
        {"6261", "cbor: truncated"},
        {"5bffffffffffffffff", "cbor: truncated"},
        {"7b7fffffffffffffff00", "cbor: truncated"},
        {"81", "cbor: truncated"},
        {"8200", "cbor: truncated"},
        {"a1", "cbor: truncated"},
        {"a16161", "cbor: truncated"},
        {"a2616100", "cbor: truncated"},
        {"1c", "cbor: reserved head"},
        {"5d", "cbor: reserved head"},
        {"1f", "cbor: indefinite length"},
        {"5f4101ff", "cbor: indefinite length"},
        {"7f6161ff", "cbor: indefinite length"},
        {"9f00ff", "cbor: indefinite length"},
        {"bfff", "cbor: indefinite length"},
        {"ff", "cbor: break outside of indefinite length"},
        {"f7", "cbor: simple value"},
        {"e0", "cbor: simple value"},
        {"f3", "cbor: simple value"},
        {"f818", "cbor: simple value"},
        {"f814", "cbor: simple value"},
        {"f93c00", "cbor: float"},
        {"fa3f800000", "cbor: float"},
        {"fb3ff0000000000000", "cbor: float"},
        {"c000", "cbor: tag"},
        {"d82b450001550000", "cbor: tag"},
        {"d82a00", "cbor: not a byte string"},
        {"d82a6100", "cbor: not a byte string"},
        {"d82a40", "cbor: link prefix"},
        {"d82a450101550000", "cbor: link prefix"},
        {"d82a4100", "varint: truncated"},
        {"d82a450002550000", "cid: not version 1"},
        {"d82a46000155000000", "cid: too many bytes"},
        {"a10000", "cbor: key is not a text"},
        {"a1416100", "cbor: key is not a text"},
        {"a1f600", "cbor: key is not a text"},
        {"9b0000000100000000", "cbor: too many items"},
        {"9a00020001", "cbor: too many items"},
        {"ba00020001", "cbor: too many items"},
        {"8161ff", "cbor: not UTF-8"},
        {"a161ff00", "cbor: not UTF-8"},
        {"0000", "bytes after it"},
    };
    for (const auto& [encoded, refused_as] : bad) {
        CAPTURE(encoded);
        CHECK(refusal(encoded) == refused_as);
        CHECK(refusal(encoded, CborMode::lenient) == refused_as);
    }
    CHECK(CborReader(hex("f7")).peek_kind().error().what == "cbor: simple value");
    CHECK(CborReader({}).peek_kind().error().what == "cbor: truncated");
    CHECK(CborReader({}).read_null_if_next().error().what == "cbor: truncated");
}

TEST_CASE("a head longer than it need be is refused; in lenient mode it is noted") {
    const std::string_view longer[] = {
        "1800",
        "1817",
        "190018",
        "1900ff",
        "1a0000ffff",
        "1b00000000ffffffff",
        "3800",
        "3900ff",
        "580101",
        "780161",
        "9800",
        "b800",
        "d9002a450001550000",
        "d82a58050001550000",
    };
    for (std::string_view encoded : longer) {
        CAPTURE(encoded);
        CHECK(refusal(encoded) == "cbor: head not in its shortest form");
        Buffer bytes = hex(encoded);
        CborReader in(bytes, CborMode::lenient);
        CHECK(in.skip().has_value());
        CHECK(in.at_end());
        CHECK_FALSE(in.is_canonical());
    }
    Buffer canonical = hex("a1616118ff");
    CborReader in(canonical, CborMode::lenient);
    CHECK(in.skip().has_value());
    CHECK(in.is_canonical());
}

TEST_CASE("keys are ordered by length, then by bytes, and come once") {
    const struct {
        std::string_view encoded, strict, lenient;
    } maps[] = {
        {"a2 6161 00 6162 00", "", ""},
        {"a2 617a 00 626161 00", "", ""},  // z before aa
        {"a2 60 00 6161 00", "", ""},      // the empty key is the first
        {"a2 6162 00 6161 00", "cbor: keys out of order", ""},
        {"a2 626161 00 617a 00", "cbor: keys out of order", ""},
        {"a2 6161 00 6161 00", "cbor: duplicate key", "cbor: duplicate key"},
        {"a2 60 00 60 00", "cbor: duplicate key", "cbor: duplicate key"},
        {"a3 6161 00 6162 00 6161 00", "cbor: keys out of order", "cbor: duplicate key"},
        {"a3 6162 00 6161 00 6162 00", "cbor: keys out of order", "cbor: duplicate key"},
        {"a3 6163 00 6161 00 6162 00", "cbor: keys out of order", ""},
        // The keys of an inner map are no keys of the outer one, and the other way round.
        {"a2 6162 a1 6161 00 6161 00", "cbor: keys out of order", ""},
        {"a3 6162 a2 6164 00 6163 00 6161 00 6164 00", "cbor: keys out of order", ""},
        {"a3 6162 a1 6164 00 6161 00 6162 00", "cbor: keys out of order", "cbor: duplicate key"},
    };
    for (const auto& [encoded, strict, lenient] : maps) {
        CAPTURE(encoded);
        CHECK(refusal(encoded) == strict);
        CHECK(refusal(encoded, CborMode::lenient) == lenient);
        if (!lenient.empty()) continue;
        Buffer bytes = hex(encoded);
        CborReader in(bytes, CborMode::lenient);
        CHECK(in.skip().has_value());
        CHECK(in.is_canonical() == strict.empty());
    }
    CHECK(key_before("z", "aa"));
    CHECK_FALSE(key_before("aa", "z"));
    CHECK(key_before("a", "b"));
    CHECK_FALSE(key_before("a", "a"));
    CHECK(key_before("\x7f", "\x80"));
}

TEST_CASE("a map out of order is held to as many keys as are remembered") {
    Buffer most = falling_map(CborReader::max_unordered_keys);
    CHECK(refusal(most, CborMode::lenient).empty());
    Buffer one_more = falling_map(CborReader::max_unordered_keys + 1);
    CHECK(refusal(one_more, CborMode::lenient) == "cbor: too many keys out of order");

    // The last key repeats the first, which is the last that is compared.
    std::copy(most.begin() + 3, most.begin() + 5, most.end() - 3);
    CHECK(refusal(most, CborMode::lenient) == "cbor: duplicate key");

    // A long map in order needs no memory, wherever it stands.
    Buffer ordered = hex("b83c");
    for (std::uint8_t i = 0; i < 60; ++i) {
        for (std::uint8_t byte : {std::uint8_t{0x61}, i, std::uint8_t{0x00}}) {
            ordered.push_back(byte);
        }
    }
    Buffer five = hex("85");
    for (int i = 0; i < 5; ++i) five.insert(five.end(), ordered.begin(), ordered.end());
    CHECK(refusal(five, CborMode::lenient).empty());

    // Four maps that are open remember 64 keys each: for a fifth out of order nothing is left.
    Buffer inner = hex("a2 6162 00 6161 00");
    for (int level = 0; level < 4; ++level) {
        Buffer outer = hex("b840");
        for (std::uint8_t i = 0; i < 63; ++i) {
            for (std::uint8_t byte : {std::uint8_t{0x61}, i, std::uint8_t{0x00}}) {
                outer.push_back(byte);
            }
        }
        CHECK(refusal(inner, CborMode::lenient).empty());
        inner = joined(outer, hex("617f"), inner);
    }
    CHECK(refusal(inner, CborMode::lenient) == "cbor: too many keys out of order");
}

TEST_CASE("nesting, items and keys are bounded, and a reader may use all of each") {
    CHECK(refusal(nested(max_cbor_depth, "81", "00")).empty());
    CHECK(refusal(nested(max_cbor_depth + 1, "81", "00")) == "cbor: nested too deep");
    CHECK(refusal(nested(max_cbor_depth - 1, "a16161", "80")).empty());
    CHECK(refusal(nested(max_cbor_depth, "a16161", "80")) == "cbor: nested too deep");

    // Two containers side by side are not nested.
    Buffer inner = nested(max_cbor_depth - 1, "81", "00");
    CHECK(refusal(joined(hex("82"), inner, inner)).empty());
    CHECK(refusal(joined(hex("a26161"), inner, hex("6162"), inner)).empty());

    Buffer items = hex("9a00020000");
    items.resize(items.size() + max_cbor_items, 0);
    CHECK(refusal(items).empty());

    Buffer key = hex("a1792000");
    key.resize(key.size() + max_cbor_key_bytes, 'k');
    key.push_back(0);
    CHECK(refusal(key).empty());
    key[3] = 1;
    key.push_back(0);
    CHECK(refusal(key) == "cbor: key too long");
}

TEST_CASE("a count that the rest cannot hold is refused before its items are read") {
    CHECK(refusal("8300 00") == "cbor: truncated");
    CHECK(CborReader(hex("8200")).read_array().error().what == "cbor: truncated");
    CHECK(CborReader(hex("820000")).read_array().has_value());
    CHECK(CborReader(hex("a2616100")).read_map().error().what == "cbor: truncated");
    CHECK(CborReader(hex("a160 00")).read_map().has_value());
}

TEST_CASE("text is UTF-8 without surrogates, overlong forms or anything beyond U+10FFFF") {
    const struct {
        std::string_view bytes;
        bool is_valid;
    } texts[] = {
        {"", true},          {"7f", true},        {"80", false},       {"bf", false},
        {"c080", false},     {"c1bf", false},     {"c280", true},      {"c2", false},
        {"c27f", false},     {"c2c0", false},     {"dfbf", true},      {"e09fbf", false},
        {"e0a080", true},    {"e0a0", false},     {"e0a07f", false},   {"ed9fbf", true},
        {"eda080", false},   {"edbfbf", false},   {"ee8080", true},    {"efbfbf", true},
        {"f08fbfbf", false}, {"f0908080", true},  {"f09080", false},   {"f0908041", false},
        {"f48fbfbf", true},  {"f4908080", false}, {"f5808080", false}, {"ff", false},
    };
    for (const auto& [bytes, is_valid] : texts) {
        CAPTURE(bytes);
        CHECK(is_utf8(hex(bytes)) == is_valid);
        // Anywhere within longer text: eight bytes of ASCII are taken at once.
        for (std::size_t before = 0; before < 17; ++before) {
            CHECK(is_utf8(joined(Buffer(before, 'a'), hex(bytes), Buffer(9, 'z'))) == is_valid);
        }
    }
}

TEST_CASE("skipping any item leaves the reader right behind it") {
    for (std::string_view item : {"00", "3903e7", "4101", "6161", "f5", "f6", "820102", "80", "a0",
                                  "a2616182010261626163", "d82a450001550000"}) {
        CAPTURE(item);
        Buffer bytes = joined(hex(item), hex("17"));
        CborReader in(bytes);
        CHECK(to_hex(in.read_any().value()) == to_hex(hex(item)));
        CHECK(in.offset() == bytes.size() - 1);
        CHECK(in.read_uint().value() == 23);
    }
}

TEST_CASE("a refusal from within a map or array ends the reading of it") {
    Buffer map = hex("a2 6161 00 6162 01");
    CborReader in(map);
    int entries = 0;
    auto read = for_each_entry(in, [&](std::string_view) -> Result<void> {
        ++entries;
        return fail(Errc::unsupported, "enough");
    });
    CHECK(read.error().what == "enough");
    CHECK(entries == 1);

    Buffer array = hex("820001");
    CborReader items(array);
    std::vector<std::uint64_t> values;
    CHECK(for_each_item(items, [&] { return store(values.emplace_back(), items.read_uint()); }));
    CHECK(values == std::vector<std::uint64_t>{0, 1});
}

TEST_CASE("the writer produces what the reader takes") {
    Buffer out;
    CborWriter writer(out);
    auto map = writer.write_map(5);
    writer.write_key(map, "a");
    writer.write_bytes(hex("0102"));
    writer.write_key(map, "b");
    writer.write_array(3);
    writer.write_null();
    writer.write_bool(true);
    writer.write_bool(false);
    writer.write_key(map, "c");
    writer.write_cid(empty_tree_cid);
    writer.write_key(map, "d");
    writer.write_link(empty_tree_cid.bytes());
    writer.write_key(map, "aa");
    writer.write_text("é");
    std::string link = "d82a582500" + to_hex(empty_tree_cid.bytes());
    CHECK(to_hex(out) ==
          "a56161420102616283f6f5f46163" + link + "6164" + link + "626161" + "62c3a9");
    CHECK(refusal(out).empty());
}
