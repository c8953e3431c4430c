#include "crypto/did_key.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "proto/base/hex.hpp"

using namespace ringlay;
using namespace ringlay::crypto;

namespace {

// protocol 6.2
constexpr const char* spec_p256 = "zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo";
constexpr const char* spec_k256 = "zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc";
constexpr const char* modern = "zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF";
constexpr const char* legacy_of_modern =
    "zQYEBzXeuTM9UR3rfvNag6L3RNAs5pQZyYPsomTsgQhsxLdEgCrPTLgFna8yqCnxPpNT7DBk6Ym3dgPKNu86vt9GR";

std::string multibase(std::initializer_list<int> front, Bytes rest) {
    Buffer bytes;
    for (int byte : front) bytes.push_back(static_cast<std::uint8_t>(byte));
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return 'z' + to_base58(bytes);
}

}  // namespace

TEST_CASE("base58 gives the known answers, both ways") {
    const struct {
        const char *hex, *text;
    } answers[] = {
        {"", ""},
        {"00", "1"},
        {"0000", "11"},
        {"39", "z"},
        {"3a", "21"},
        {"48656c6c6f20576f726c6421", "2NEpo7TZRRrLZSi2U"},
        {"0000287fb4cd", "11233QC4"},
    };
    for (const auto& answer : answers) {
        CAPTURE(answer.hex);
        Buffer bytes = from_hex(answer.hex).value();
        CHECK(to_base58(bytes) == answer.text);
        CHECK(from_base58(answer.text).value() == bytes);
    }
}

TEST_CASE("base58 of any bytes, zeros in front or not, reads back as the same bytes") {
    std::mt19937_64 random(1);
    for (std::size_t size = 0; size < 80; ++size) {
        Buffer bytes(size);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        for (std::size_t i = 0; i < size && i < size % 5; ++i) bytes[i] = 0;
        CHECK(from_base58(to_base58(bytes)).value() == bytes);
    }
}

TEST_CASE("what is not base58 is refused, and what is too long before any work is done") {
    for (const char* bad : {"0", "O", "I", "l", "1 1", "+", "z-", "\x80", "a\xff"}) {
        CAPTURE(bad);
        CHECK(from_base58(bad).error().what == "base58: not a digit");
    }
    CHECK(from_base58(std::string(max_base58_length, 'z')).has_value());
    CHECK(from_base58(std::string(max_base58_length + 1, 'z')).error().code == Errc::too_large);
    CHECK(parse_did_key("did:key:z" + std::string(5'000'000, '2')).error().code == Errc::too_large);
}

TEST_CASE("the keys of the specification are read, and written as they were") {
    auto p256 = parse_multikey(spec_p256).value();
    CHECK(p256.curve() == Curve::p256);
    CHECK(to_multikey(p256) == spec_p256);
    CHECK(to_did_key(p256) == std::string("did:key:") + spec_p256);
    CHECK(parse_did_key(to_did_key(p256)).value() == p256);

    auto k256 = parse_multikey(spec_k256).value();
    CHECK(k256.curve() == Curve::k256);
    CHECK(to_multikey(k256) == spec_k256);
    CHECK(parse_did_key(to_did_key(k256)).value() == k256);
    CHECK_FALSE(k256 == parse_multikey(modern).value());
}

TEST_CASE("a legacy key is the same key, compressed or not") {
    auto key = parse_multikey(modern).value();
    CHECK(parse_legacy_key(Curve::k256, legacy_of_modern).value() == key);
    CHECK(parse_legacy_key(Curve::k256, multibase({}, key.compressed())).value() == key);
    // One key of each curve in the 33 byte form that is found in practice.
    CHECK(parse_legacy_key(Curve::p256, "zxdM8dSstjrpZaRUwBmDvjGXweKuEMVN95A9oJBFjkWMh").value() ==
          parse_multikey(spec_p256).value());
    CHECK(parse_legacy_key(Curve::k256, "z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t").value() ==
          parse_multikey(spec_k256).value());
}

TEST_CASE("what is no key of the two curves is refused by name") {
    auto point = parse_multikey(spec_k256).value().compressed();
    Bytes whole(point);
    const struct {
        std::string text;
        Errc code;
        std::string_view what;
    } refusals[] = {
        {"", Errc::malformed, "multibase: not base58btc"},
        {"uAAAA", Errc::malformed, "multibase: not base58btc"},
        {"z", Errc::malformed, "multikey: too short"},
        {multibase({0xe7}, {}), Errc::malformed, "multikey: too short"},
        {"zQ3sh0", Errc::malformed, "base58: not a digit"},
        {multibase({0xed, 0x01}, whole), Errc::unsupported, "multikey: neither k256 nor p256"},
        {multibase({0xe7, 0x02}, whole), Errc::unsupported, "multikey: neither k256 nor p256"},
        {multibase({0x80, 0x25}, whole), Errc::unsupported, "multikey: neither k256 nor p256"},
        {multibase({0xe7, 0x01}, {}), Errc::malformed, "multikey: not a compressed point"},
        {multibase({0xe7, 0x01}, whole.first(32)), Errc::malformed,
         "multikey: not a compressed point"},
        {multibase({0xe7, 0x01, 0}, whole), Errc::malformed, "multikey: not a compressed point"},
        {multibase({0x80, 0x24, 5}, whole.subspan(1)), Errc::malformed, "key: not a point of p256"},
        {multibase({0xe7, 0x01, 5}, whole.subspan(1)), Errc::malformed, "key: not a point of k256"},
        {legacy_of_modern, Errc::unsupported, "multikey: neither k256 nor p256"},
    };
    for (const auto& refusal : refusals) {
        CAPTURE(refusal.text, refusal.what);
        auto key = parse_multikey(refusal.text);
        REQUIRE_FALSE(key.has_value());
        CHECK(key.error().code == refusal.code);
        CHECK(key.error().what == refusal.what);
    }
    CHECK(parse_did_key(spec_k256).error().what == "did:key: another scheme");
    CHECK(parse_did_key("did:web:example.org").error().what == "did:key: another scheme");
    CHECK(parse_legacy_key(Curve::k256, spec_k256).error().what == "key: not a point of k256");
    CHECK(parse_legacy_key(Curve::k256, "x").error().what == "multibase: not base58btc");
}
