// CBOR against a model: values made at random, written, read, changed, cut.
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <variant>

#include "proto/cbor.hpp"
#include "tests/proto/samples.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

struct KeyOrder {
    bool operator()(const std::string& a, const std::string& b) const { return key_before(a, b); }
};

struct Value;
using Array = std::vector<Value>;
using Map = std::map<std::string, Value, KeyOrder>;

struct Link {
    Buffer cid;
    bool operator==(const Link&) const = default;
};

struct Value {
    std::variant<std::nullptr_t, bool, std::int64_t, std::string, Buffer, Link, Array, Map> is;
    bool operator==(const Value&) const = default;
};

using Random = std::mt19937_64;

std::string random_text(Random& random) {
    const std::string_view pieces[] = {"a", "b", "z", "0", "é", "⽘", "😀", "", "longer"};
    std::string text;
    for (std::size_t n = random() % 6; n > 0; --n) text += pieces[random() % std::size(pieces)];
    return text;
}

Buffer random_bytes(Random& random, std::size_t size) {
    Buffer bytes(size);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    return bytes;
}

Value random_value(Random& random, int depth) {
    switch (random() % (depth > 0 ? 8 : 6)) {
        case 0:
            return {nullptr};
        case 1:
            return {random() % 2 == 0};
        case 2:
            return {static_cast<std::int64_t>(random()) >> random() % 64};
        case 3:
            return {random_text(random)};
        case 4:
            return {random_bytes(random, random() % 300)};
        case 5:
            return {Link{samples::joined(samples::hex("01711220"), random_bytes(random, 32))}};
        case 6: {
            Array array(random() % 30);
            for (Value& item : array) item = random_value(random, depth - 1);
            return {std::move(array)};
        }
        default: {
            Map map;
            for (std::size_t n = random() % 30; n > 0; --n) {
                map[random_text(random)] = random_value(random, depth - 1);
            }
            return {std::move(map)};
        }
    }
}

// `shuffle` writes the entries of maps in any order, which only lenient readers take.
void write(Buffer& out, const Value& value, Random* shuffle = nullptr) {
    CborWriter writer(out);
    if (std::holds_alternative<std::nullptr_t>(value.is)) writer.write_null();
    if (const auto* is = std::get_if<bool>(&value.is)) writer.write_bool(*is);
    if (const auto* is = std::get_if<std::int64_t>(&value.is)) writer.write_int(*is);
    if (const auto* is = std::get_if<std::string>(&value.is)) writer.write_text(*is);
    if (const auto* is = std::get_if<Buffer>(&value.is)) writer.write_bytes(*is);
    if (const auto* is = std::get_if<Link>(&value.is)) writer.write_link(is->cid);
    if (const auto* is = std::get_if<Array>(&value.is)) {
        writer.write_array(is->size());
        for (const Value& item : *is) write(out, item, shuffle);
    }
    if (const auto* is = std::get_if<Map>(&value.is)) {
        auto map = writer.write_map(is->size());
        std::vector<const Map::value_type*> entries;
        for (const auto& entry : *is) entries.push_back(&entry);
        if (shuffle) std::ranges::shuffle(entries, *shuffle);
        for (const auto* entry : entries) {
            if (shuffle) {
                writer.write_text(entry->first);
            } else {
                writer.write_key(map, entry->first);
            }
            write(out, entry->second, shuffle);
        }
    }
}

Result<Value> read(CborReader& in) {
    auto kind = in.peek_kind();
    if (!kind) return std::unexpected(kind.error());
    auto whole = [](auto&& got, auto&& make) -> Result<Value> {
        if (!got) return std::unexpected(got.error());
        return Value{make(*got)};
    };
    auto same = [](auto value) { return value; };
    auto copied = [](Bytes bytes) { return Buffer(bytes.begin(), bytes.end()); };
    switch (*kind) {
        case CborKind::null:
            return whole(in.read_null_if_next(), [](bool) { return nullptr; });
        case CborKind::boolean:
            return whole(in.read_bool(), same);
        case CborKind::integer:
            return whole(in.read_int(), same);
        case CborKind::text:
            return whole(in.read_text(), [](std::string_view text) { return std::string(text); });
        case CborKind::bytes:
            return whole(in.read_bytes(), copied);
        case CborKind::link:
            return whole(in.read_link(), [&](Bytes cid) { return Link{copied(cid)}; });
        case CborKind::array: {
            Array array;
            auto done = for_each_item(in, [&] { return store(array.emplace_back(), read(in)); });
            if (!done) return std::unexpected(done.error());
            return Value{std::move(array)};
        }
        default: {
            Map map;
            auto done = for_each_entry(
                in, [&](std::string_view key) { return store(map[std::string(key)], read(in)); });
            if (!done) return std::unexpected(done.error());
            return Value{std::move(map)};
        }
    }
}

Result<Value> read_whole(Bytes bytes, CborMode mode) {
    CborReader in(bytes, mode);
    auto value = read(in);
    if (value && !in.at_end()) return fail(Errc::malformed, "bytes after it");
    return value;
}

bool skips_whole(Bytes bytes, CborMode mode) {
    CborReader in(bytes, mode);
    return in.skip().has_value() && in.at_end();
}

}  // namespace

TEST_CASE("any value comes back from its bytes, in both modes, in any order of keys") {
    auto seed = GENERATE(range(1u, 300u));
    CAPTURE(seed);
    Random random(seed);
    Value value = random_value(random, 4);
    Buffer bytes, shuffled;
    write(bytes, value);
    write(shuffled, value, &random);
    REQUIRE(read_whole(bytes, CborMode::strict).value() == value);
    REQUIRE(read_whole(bytes, CborMode::lenient).value() == value);
    REQUIRE(read_whole(shuffled, CborMode::lenient).value() == value);
    REQUIRE(skips_whole(bytes, CborMode::strict));
    REQUIRE(read_whole(shuffled, CborMode::strict).has_value() == (shuffled == bytes));
    CborReader in(shuffled, CborMode::lenient);
    REQUIRE(in.skip().has_value());
    REQUIRE(in.is_canonical() == (shuffled == bytes));
}

TEST_CASE("bytes changed at random are refused, or are the one form of what they say") {
    auto seed = GENERATE(range(1u, 200u));
    CAPTURE(seed);
    Random random(seed);
    Buffer bytes;
    write(bytes, random_value(random, 3));
    for (int i = 0; i < 200; ++i) {
        Buffer changed = bytes;
        std::size_t bit = random() % (changed.size() * 8);
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
        auto value = read_whole(changed, CborMode::strict);
        REQUIRE(skips_whole(changed, CborMode::strict) == value.has_value());
        auto lenient = read_whole(changed, CborMode::lenient);
        REQUIRE(skips_whole(changed, CborMode::lenient) == lenient.has_value());
        if (!value) continue;
        Buffer again;
        write(again, *value);
        REQUIRE(again == changed);
        REQUIRE(lenient.value() == *value);
    }
}

TEST_CASE("bytes cut anywhere are refused in both modes") {
    auto seed = GENERATE(range(1u, 40u));
    CAPTURE(seed);
    Random random(seed);
    Buffer bytes;
    write(bytes, random_value(random, 2));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        Bytes cut = Bytes(bytes).first(size);
        REQUIRE_FALSE(skips_whole(cut, CborMode::strict));
        REQUIRE_FALSE(skips_whole(cut, CborMode::lenient));
    }
}
