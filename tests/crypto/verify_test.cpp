#include <catch2/catch.hpp>
#include <random>

#include "crypto/did_key.hpp"
#include "crypto/public_key.hpp"
#include "crypto/signing_key.hpp"
#include "proto/base/hex.hpp"

using namespace ringlay;
using namespace ringlay::crypto;

// Of OpenSSL and BoringSSL alike (the latter returns 32 bits).
extern "C" unsigned long ERR_peek_error();

namespace {

using Number = std::array<std::uint8_t, 32>;  // big-endian

Number number(std::string_view hex) {
    Buffer bytes = from_hex(hex).value();
    Number out{};
    std::copy(bytes.begin(), bytes.end(), out.end() - static_cast<std::ptrdiff_t>(bytes.size()));
    return out;
}

Number small(std::uint8_t value) {
    Number out{};
    out[31] = value;
    return out;
}

Number add(const Number& a, const Number& b) {  // modulo 2^256
    Number out;
    unsigned carry = 0;
    for (std::size_t i = 32; i-- > 0; carry >>= 8) {
        carry += 0u + a[i] + b[i];
        out[i] = static_cast<std::uint8_t>(carry);
    }
    return out;
}

Number subtract(const Number& a, const Number& b) {  // modulo 2^256
    Number inverse;
    for (std::size_t i = 0; i < 32; ++i) inverse[i] = static_cast<std::uint8_t>(~b[i]);
    return add(add(a, inverse), small(1));
}

Buffer joined(const Number& r, const Number& s) {
    Buffer out(r.begin(), r.end());
    out.insert(out.end(), s.begin(), s.end());
    return out;
}

struct CurveFacts {
    Curve curve;
    Number order, largest_s, generator_x;
};

const CurveFacts k256_facts{
    Curve::k256,
    number("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
    number("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"),
    number("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
};
const CurveFacts p256_facts{
    Curve::p256,
    number("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
    number("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8"),
    number("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
};

SigningKey key_of(Curve curve, const Number& secret) {
    return SigningKey::from_secret(curve, secret).value();
}

// With secret 1 and nonce 1, r is the generator's x and s = digest + r (modulo the order): so for
// any s that one wants, there is a digest which that pair signs.
Digest digest_signed_by(const CurveFacts& facts, const Number& s) {
    bool borrows = s < facts.generator_x;
    Number digest = subtract(s, facts.generator_x);
    return borrows ? add(digest, facts.order) : digest;
}

struct Signed {
    PublicKey key;
    Digest digest;
    Buffer signature;
};

// protocol, Appendix B
Signed sample(Curve curve) {
    if (curve == Curve::k256) {
        return {
            parse_did_key("did:key:zQ3shRVjr6L8TtefurN6yfhjUE4Jx9WEfP7LHRCpmMrf8YDcY").value(),
            number("af6a5ab82bde511666b8fcbdcf6abff8e54a1bfe49397f016f87baf881078f62"),
            from_hex("9e88b7e82dd7184435a3f7fe8d3c19125878a4309719b754f44a0e4311b21be7"
                     "29951869c06897b392fa2405240415ae738fd282e5c138751a8f63778461ad5f")
                .value(),
        };
    }
    return {
        parse_did_key("did:key:zDnaexgzvkngTJF6tgWha2kPhRQBY8BeXtw7RSGzy3tjiMiyQ").value(),
        number("8787ccad1b3da9ce9ed50c2930007401aeb3fd90d38e2718e0a0bd6301c8a007"),
        from_hex("9a99ce356087af14800f999d54960a4a513881517aa7ac8c313a7a3d01ae97dc"
                 "36f471a14481560e8ab985d27f9554e388e736af5d0c37c15f2759386bdc028d")
            .value(),
    };
}

}  // namespace

TEST_CASE("a signature made elsewhere is right, and wrong with any one bit changed") {
    Curve curve = GENERATE(Curve::k256, Curve::p256);
    CAPTURE(to_string(curve));
    Signed right = sample(curve);
    REQUIRE(verify(right.key, right.digest, right.signature));
    for (std::size_t bit = 0; bit < 512; ++bit) {
        Buffer changed = right.signature;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
        REQUIRE_FALSE(verify(right.key, right.digest, changed));
    }
    for (std::size_t bit = 0; bit < 256; ++bit) {
        Digest changed = right.digest;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
        REQUIRE_FALSE(verify(right.key, changed, right.signature));
    }
}

TEST_CASE("a signature is 64 bytes, no less, no more, and not DER") {
    Curve curve = GENERATE(Curve::k256, Curve::p256);
    CAPTURE(to_string(curve));
    Signed right = sample(curve);
    for (std::size_t size = 0; size < 64; ++size) {
        CHECK_FALSE(verify(right.key, right.digest, Bytes(right.signature).first(size)));
    }
    Buffer longer = right.signature;
    longer.push_back(0);
    CHECK_FALSE(verify(right.key, right.digest, longer));
    Buffer der{0x30, 69, 2, 33, 0};
    der.insert(der.end(), right.signature.begin(), right.signature.begin() + 32);
    der.insert(der.end(), {2, 32});
    der.insert(der.end(), right.signature.begin() + 32, right.signature.end());
    CHECK_FALSE(verify(right.key, right.digest, der));
}

TEST_CASE("s is low: half the order, rounded down, is the last that counts") {
    const CurveFacts& facts = GENERATE(std::cref(k256_facts), std::cref(p256_facts)).get();
    CAPTURE(to_string(facts.curve));
    PublicKey key = key_of(facts.curve, small(1)).public_key();
    auto counts = [&](const Number& s) {
        return verify(key, digest_signed_by(facts, s), joined(facts.generator_x, s));
    };
    CHECK(counts(small(1)));
    CHECK(counts(subtract(facts.largest_s, small(1))));
    CHECK(counts(facts.largest_s));
    CHECK_FALSE(counts(add(facts.largest_s, small(1))));
    CHECK_FALSE(counts(subtract(facts.order, small(1))));

    // The other form of a good signature, which the curve's mathematics would take.
    Signed right = sample(facts.curve);
    Number s = number(to_hex(Bytes(right.signature).last(32)));
    std::ranges::copy(subtract(facts.order, s), right.signature.begin() + 32);
    CHECK_FALSE(verify(right.key, right.digest, right.signature));
}

TEST_CASE("r and s out of their range are no signature") {
    const CurveFacts& facts = GENERATE(std::cref(k256_facts), std::cref(p256_facts)).get();
    CAPTURE(to_string(facts.curve));
    PublicKey key = key_of(facts.curve, small(1)).public_key();
    Number all_ones = subtract(small(0), small(1));
    Number s = small(7);
    Digest digest = digest_signed_by(facts, s);
    REQUIRE(verify(key, digest, joined(facts.generator_x, s)));
    CHECK_FALSE(verify(key, digest, joined(small(0), s)));
    CHECK_FALSE(verify(key, digest, joined(facts.order, s)));
    CHECK_FALSE(verify(key, digest, joined(all_ones, s)));
    CHECK_FALSE(verify(key, digest, joined(facts.generator_x, small(0))));
    CHECK_FALSE(verify(key, digest, joined(facts.generator_x, facts.order)));
    CHECK_FALSE(verify(key, digest, joined(facts.generator_x, all_ones)));
    CHECK_FALSE(verify(key, digest, joined(small(0), small(0))));
    CHECK_FALSE(verify(key, digest, joined(facts.generator_x, add(s, facts.order))));
}

TEST_CASE("what one key signs, that key verifies, and no other does") {
    Curve curve = GENERATE(Curve::k256, Curve::p256);
    CAPTURE(to_string(curve));
    const CurveFacts& facts = curve == Curve::k256 ? k256_facts : p256_facts;
    std::mt19937_64 random(1);
    auto bytes = [&] {
        Number out;
        for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
        return out;
    };
    for (int round = 0; round < 50; ++round) {
        SigningKey key = key_of(curve, bytes()), other = key_of(curve, bytes());
        Digest digest = bytes();
        Signature signature = key.sign(digest);
        CHECK(verify(key.public_key(), digest, signature));
        CHECK_FALSE(verify(other.public_key(), digest, signature));
        CHECK_FALSE(verify(key.public_key(), bytes(), signature));
        CHECK(number(to_hex(Bytes(signature).last(32))) <= facts.largest_s);
        CHECK(parse_did_key(to_did_key(key.public_key())).value() == key.public_key());
    }
}

TEST_CASE("a k256 key signs the same bytes the same way each time (RFC 6979)") {
    std::string_view message = "Satoshi Nakamoto";
    Digest digest =
        sha256(Bytes(reinterpret_cast<const std::uint8_t*>(message.data()), message.size()));
    CHECK(to_hex(key_of(Curve::k256, small(1)).sign(digest)) ==
          "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
          "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5");
}

TEST_CASE("a secret gives its known public key; zero and the order are no secrets") {
    auto did_key = [](Curve curve, const char* secret) {
        return to_did_key(key_of(curve, number(secret)).public_key());
    };
    CHECK(
        did_key(Curve::k256, "9085d2bef69286a6cbb51623c8fa258629945cd55ca705cc4e66700396894e0c") ==
        "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme");
    for (const CurveFacts& facts : {k256_facts, p256_facts}) {
        CAPTURE(to_string(facts.curve));
        auto generator = key_of(facts.curve, small(1)).public_key().compressed();
        CHECK(to_hex(Bytes(generator).subspan(1)) == to_hex(facts.generator_x));
        auto last = subtract(facts.order, small(1));
        CHECK(SigningKey::from_secret(facts.curve, last).has_value());
        CHECK_FALSE(SigningKey::from_secret(facts.curve, small(0)).has_value());
        CHECK_FALSE(SigningKey::from_secret(facts.curve, facts.order).has_value());
        CHECK_FALSE(SigningKey::from_secret(facts.curve, add(facts.order, small(1))).has_value());
    }
}

TEST_CASE("a point is 33 or 65 bytes of a form that is in use, and lies on its curve") {
    const CurveFacts& facts = GENERATE(std::cref(k256_facts), std::cref(p256_facts)).get();
    CAPTURE(to_string(facts.curve));
    auto parses = [&](Bytes point) {
        return PublicKey::from_point(facts.curve, point).has_value();
    };
    const char* y = facts.curve == Curve::k256
                        ? "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
                        : "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    auto compressed = key_of(facts.curve, small(1)).public_key().compressed();
    Buffer whole(65, 4), y_bytes = from_hex(y).value();
    std::copy(compressed.begin() + 1, compressed.end(), whole.begin() + 1);
    std::copy(y_bytes.begin(), y_bytes.end(), whole.begin() + 33);
    REQUIRE(parses(compressed));
    REQUIRE(parses(whole));
    CHECK(PublicKey::from_point(facts.curve, whole).value() ==
          PublicKey::from_point(facts.curve, compressed).value());

    for (int value : {0, 1, 2, 3, 4, 5, 6, 7, 255}) {
        auto form = static_cast<std::uint8_t>(value);
        CAPTURE(value);
        compressed[0] = whole[0] = form;
        CHECK(parses(compressed) == (form == 2 || form == 3));
        CHECK(parses(whole) == (form == 4));
    }
    whole[0] = 4;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CHECK_FALSE(parses(Bytes(whole).first(size)));
    }
    Buffer longer = whole;
    longer.push_back(0);
    CHECK_FALSE(parses(longer));
    whole[64] = static_cast<std::uint8_t>(whole[64] ^ 1);
    CHECK_FALSE(parses(whole));

    Buffer no_such_x(33, 0);  // of half the numbers there is no point with that x
    no_such_x[0] = 2;
    int on_curve = 0;
    for (std::uint8_t x = 1; x <= 100; ++x) {
        no_such_x[32] = x;
        on_curve += parses(no_such_x);
    }
    CHECK((on_curve > 25 && on_curve < 75));
    Buffer beyond_field(33, 0xff);
    beyond_field[0] = 2;
    CHECK_FALSE(parses(beyond_field));
    CHECK_FALSE(parses(Buffer(33, 0)));
}

TEST_CASE(
    "a refusal leaves no error behind that the thread's next TLS call would take for its own") {
    auto queue_is_empty = [] { return static_cast<std::uint32_t>(ERR_peek_error()) == 0; };
    Signed right = sample(Curve::p256);
    Buffer zeros(64, 0), beyond_field(33, 0xff);
    beyond_field[0] = 2;
    CHECK_FALSE(verify(right.key, small(1), right.signature));
    CHECK(queue_is_empty());
    CHECK_FALSE(verify(right.key, right.digest, zeros));
    CHECK(queue_is_empty());
    CHECK_FALSE(PublicKey::from_point(Curve::p256, beyond_field).has_value());
    CHECK(queue_is_empty());
}
