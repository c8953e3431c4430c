// The public interoperability vectors of the AT Protocol, where they are at hand.
#include <simdjson.h>

#include <catch2/catch.hpp>

#include "crypto/did_key.hpp"
#include "crypto/signing_key.hpp"
#include "proto/base/hex.hpp"
#include "tests/support/fixtures.hpp"

using namespace ringlay;
using namespace ringlay::crypto;
using support::read_fixture;

namespace {

Buffer from_base64(std::string_view text) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Buffer out;
    unsigned bits = 0, count = 0;
    for (char c : text) {
        if (c == '=') break;
        bits = (bits << 6 | static_cast<unsigned>(alphabet.find(c))) & 0xffff;
        if ((count += 6) < 8) continue;
        count -= 8;
        out.push_back(static_cast<std::uint8_t>(bits >> count));
    }
    return out;
}

std::string text(simdjson::dom::element object, const char* name) {
    return std::string(object[name].get_string().value());
}

std::array<std::uint8_t, 32> secret_of(const Buffer& bytes) {
    REQUIRE(bytes.size() == 32);
    std::array<std::uint8_t, 32> out;
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return out;
}

}  // namespace

TEST_CASE("each public signature vector is judged as it says") {
    auto file = read_fixture("atproto-interop-tests/crypto/signature-fixtures.json");
    if (!file) return;
    simdjson::dom::parser parser;
    int checked = 0;
    for (simdjson::dom::element vector : parser.parse(*file).get_array()) {
        CAPTURE(text(vector, "comment"));
        auto key = parse_did_key(text(vector, "publicKeyDid")).value();
        Curve curve = text(vector, "algorithm") == "ES256K" ? Curve::k256 : Curve::p256;
        CHECK(key.curve() == curve);
        CHECK(parse_legacy_key(curve, text(vector, "publicKeyMultibase")).value() == key);
        Digest digest = sha256(from_base64(text(vector, "messageBase64")));
        CHECK(verify(key, digest, from_base64(text(vector, "signatureBase64"))) ==
              vector["validSignature"].get_bool().value());
        ++checked;
    }
    CHECK(checked == 6);
}

TEST_CASE("each public secret gives its public did:key") {
    auto k256 = read_fixture("atproto-interop-tests/crypto/w3c_didkey_K256.json");
    auto p256 = read_fixture("atproto-interop-tests/crypto/w3c_didkey_P256.json");
    if (!k256 || !p256) return;
    simdjson::dom::parser parser;
    int checked = 0;
    for (simdjson::dom::element vector : parser.parse(*k256).get_array()) {
        auto secret = secret_of(from_hex(text(vector, "privateKeyBytesHex")).value());
        auto key = SigningKey::from_secret(Curve::k256, secret).value();
        CHECK(to_did_key(key.public_key()) == text(vector, "publicDidKey"));
        ++checked;
    }
    for (simdjson::dom::element vector : parser.parse(*p256).get_array()) {
        auto secret = secret_of(from_base58(text(vector, "privateKeyBytesBase58")).value());
        auto key = SigningKey::from_secret(Curve::p256, secret).value();
        CHECK(to_did_key(key.public_key()) == text(vector, "publicDidKey"));
        ++checked;
    }
    CHECK(checked == 6);
}
