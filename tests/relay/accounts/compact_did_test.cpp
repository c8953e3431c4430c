#include "relay/accounts/compact_did.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "proto/base/base32.hpp"

using namespace ringlay;
using namespace ringlay::accounts;

TEST_CASE("a did:plc is its fifteen bytes behind a tag") {
    const std::string letters = "ewvi7nxzyoun6zhxrhs64oiz";
    auto compact = pack_plc("did:plc:" + letters);
    REQUIRE(compact.has_value());
    CHECK_FALSE(is_other(*compact));
    CHECK(Buffer(compact->begin() + 1, compact->end()) == from_base32(letters).value());
}

TEST_CASE("each letter of a did:plc counts, in each place") {
    std::set<CompactDid> seen;
    for (std::size_t place = 0; place < 24; ++place) {
        for (char letter : std::string_view("bcdefghijklmnopqrstuvwxyz234567")) {
            std::string did = "did:plc:" + std::string(24, 'a');
            did[8 + place] = letter;
            auto compact = pack_plc(did);
            REQUIRE(compact.has_value());
            CHECK(seen.insert(*compact).second);
        }
    }
}

TEST_CASE("what is not 24 letters of base32 behind did:plc: is left to be kept as text") {
    const std::string good = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    for (std::size_t place = 0; place < good.size(); ++place) {
        for (char wrong : std::string_view("A0189:.\0\xff", 9)) {
            std::string did = good;
            if (did[place] == wrong) continue;
            did[place] = wrong;
            CAPTURE(did);
            CHECK_FALSE(pack_plc(did).has_value());
        }
    }
    CHECK_FALSE(pack_plc(good + "a").has_value());
    CHECK_FALSE(pack_plc(good.substr(0, 31)).has_value());
    CHECK_FALSE(pack_plc("did:web:example.com").has_value());
    CHECK_FALSE(pack_plc("").has_value());
}

TEST_CASE("another DID keeps the place of its text and its hash") {
    CompactDid other = pack_other(0x12345678, 0xfedcba9876543210);
    CHECK(is_other(other));
    CHECK(place_of_other(other) == 0x12345678);
    CHECK(hash_of_other(other) == 0xfedcba9876543210);
}

// Reckoned with CPython 3.11, whose hash of bytes is SipHash-1-3 under the key that PYTHONHASHSEED
// makes (0: zeros; 42: the one below).
TEST_CASE("the keyed hash is SipHash-1-3") {
    const struct {
        std::size_t size;
        std::uint64_t without_key;
        std::uint64_t with_key;
    } known[] = {
        {1, 0x68a914128e01e473, 0xce880c366bcf3489},  {7, 0x2f098ab0c751325a, 0xce280fabc397fbda},
        {8, 0xead411e67ebe2eea, 0x60866c3c108c6afb},  {15, 0xf30eb725bb91c9ea, 0x94ace24d68c18cf8},
        {16, 0x8972188433a5c5b7, 0x339176f3ac59ce05}, {17, 0x4883c49a2c009c1d, 0xed2706b414c296f1},
        {63, 0x385d3e39e5f37359, 0x06e24d6f0d014c37},
    };
    for (const auto& [size, without_key, with_key] : known) {
        CAPTURE(size);
        Buffer bytes;
        for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
        CHECK(keyed_hash({}, bytes) == without_key);
        CHECK(keyed_hash({0xdc504fd368cd90af, 0xb920bb9ffe99e9c1}, bytes) == with_key);
    }
}
