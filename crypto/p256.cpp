#include "crypto/p256.hpp"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include <algorithm>
#include <memory>

#include "proto/base/assert.hpp"

namespace ringlay::crypto::p256 {
namespace {

template <auto release>
struct Releaser {
    template <class T>
    void operator()(T* object) const {
        release(object);
    }
};
using Number = std::unique_ptr<BIGNUM, Releaser<BN_free>>;
using GroupPoint = std::unique_ptr<EC_POINT, Releaser<EC_POINT_free>>;
using Key = std::unique_ptr<EC_KEY, Releaser<EC_KEY_free>>;
using Pair = std::unique_ptr<ECDSA_SIG, Releaser<ECDSA_SIG_free>>;

// The largest s of a signature: n / 2, rounded down (protocol 6.1).
constexpr std::array<std::uint8_t, 32> largest_s{
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};

const EC_GROUP* group() {
    static const EC_GROUP* const made = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    RINGLAY_ASSERT(made != nullptr);
    return made;
}

// A refusal leaves a note in the thread's error queue, where the next TLS call on the thread would
// take it for its own.
template <class T>
T refused(T value) {
    ERR_clear_error();
    return value;
}

// Numbers and digests alike. An int, as OpenSSL counts; a constant, so that BoringSSL's size_t
// takes it as well.
constexpr int number_bytes = 32;

Number number(std::span<const std::uint8_t, number_bytes> big_endian) {
    return Number(BN_bin2bn(big_endian.data(), number_bytes, nullptr));
}

void write(const BIGNUM* value, std::span<std::uint8_t, 32> out) {
    RINGLAY_ASSERT(!BN_is_negative(value) && BN_num_bytes(value) <= 32);
    std::ranges::fill(out, 0);
    BN_bn2bin(value, out.data() + 32 - BN_num_bytes(value));
}

Point coordinates(const EC_POINT* point) {
    Number x(BN_new()), y(BN_new());
    int done = EC_POINT_get_affine_coordinates(group(), point, x.get(), y.get(), nullptr);
    RINGLAY_ASSERT(done == 1);
    Point out;
    write(x.get(), std::span(out).first<32>());
    write(y.get(), std::span(out).last<32>());
    return out;
}

Key key_of(const Point& point) {
    Key key(EC_KEY_new());
    Number x = number(std::span(point).first<32>()), y = number(std::span(point).last<32>());
    GroupPoint at(EC_POINT_new(group()));
    bool done =
        EC_KEY_set_group(key.get(), group()) == 1 &&
        EC_POINT_set_affine_coordinates(group(), at.get(), x.get(), y.get(), nullptr) == 1 &&
        EC_KEY_set_public_key(key.get(), at.get()) == 1;
    RINGLAY_ASSERT(done);  // a Point is on the curve
    return key;
}

Key key_of(const Secret& secret) {
    Number scalar = number(secret);
    if (BN_is_zero(scalar.get()) || BN_cmp(scalar.get(), EC_GROUP_get0_order(group())) >= 0) {
        return nullptr;
    }
    Key key(EC_KEY_new());
    bool done = EC_KEY_set_group(key.get(), group()) == 1 &&
                EC_KEY_set_private_key(key.get(), scalar.get()) == 1;
    return done ? std::move(key) : refused(Key());
}

}  // namespace

std::optional<Point> parse_point(Bytes encoded) {
    bool compressed = encoded.size() == 33 && (encoded[0] == 2 || encoded[0] == 3);
    bool whole = encoded.size() == 65 && encoded[0] == 4;
    if (!compressed && !whole) return std::nullopt;
    GroupPoint point(EC_POINT_new(group()));
    if (EC_POINT_oct2point(group(), point.get(), encoded.data(), encoded.size(), nullptr) != 1) {
        return refused(std::nullopt);
    }
    return coordinates(point.get());
}

bool verify(const Point& key, const Digest& digest, std::span<const std::uint8_t, 64> signature) {
    auto r = signature.first<32>(), s = signature.last<32>();
    if (std::ranges::lexicographical_compare(largest_s, s)) return false;
    Pair pair(ECDSA_SIG_new());
    if (ECDSA_SIG_set0(pair.get(), number(r).release(), number(s).release()) != 1) {
        return refused(false);
    }
    Key parsed = key_of(key);
    bool right = ECDSA_do_verify(digest.data(), number_bytes, pair.get(), parsed.get()) == 1;
    return right ? true : refused(false);
}

std::optional<Point> public_point(const Secret& secret) {
    Key key = key_of(secret);
    if (!key) return std::nullopt;
    GroupPoint point(EC_POINT_new(group()));
    const BIGNUM* scalar = EC_KEY_get0_private_key(key.get());
    if (EC_POINT_mul(group(), point.get(), scalar, nullptr, nullptr, nullptr) != 1) {
        return refused(std::nullopt);
    }
    return coordinates(point.get());
}

std::optional<Signature> sign(const Secret& secret, const Digest& digest) {
    Key key = key_of(secret);
    if (!key) return std::nullopt;
    Pair pair(ECDSA_do_sign(digest.data(), number_bytes, key.get()));
    if (!pair) return refused(std::nullopt);
    const BIGNUM *r = nullptr, *s = nullptr;
    ECDSA_SIG_get0(pair.get(), &r, &s);
    Signature out;
    auto low = std::span(out).last<32>();
    write(r, std::span(out).first<32>());
    write(s, low);
    if (std::ranges::lexicographical_compare(largest_s, low)) {
        Number other(BN_new());
        BN_sub(other.get(), EC_GROUP_get0_order(group()), s);
        write(other.get(), low);
    }
    return out;
}

}  // namespace ringlay::crypto::p256
