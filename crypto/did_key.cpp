#include "crypto/did_key.hpp"

#include <algorithm>
#include <array>

namespace ringlay::crypto {
namespace {

constexpr std::string_view alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::string_view scheme = "did:key:";
constexpr std::array<std::uint8_t, 2> codec_k256{0xe7, 0x01};
constexpr std::array<std::uint8_t, 2> codec_p256{0x80, 0x24};

constexpr auto digit_of = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        table[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::int8_t>(i);
    }
    return table;
}();

Result<Buffer> from_multibase(std::string_view text) {
    if (!text.starts_with('z')) return fail(Errc::malformed, "multibase: not base58btc");
    return from_base58(text.substr(1));
}

}  // namespace

std::string to_base58(Bytes bytes) {
    std::string digits;  // the value without its leading zero bytes, least significant digit first
    std::size_t zeros = 0;
    while (zeros < bytes.size() && bytes[zeros] == 0) ++zeros;
    for (std::uint8_t byte : bytes.subspan(zeros)) {
        unsigned carry = byte;
        for (char& digit : digits) {
            carry += static_cast<std::uint8_t>(digit) * 256u;
            digit = static_cast<char>(carry % 58);
            carry /= 58;
        }
        for (; carry > 0; carry /= 58) digits.push_back(static_cast<char>(carry % 58));
    }
    std::string text(zeros, alphabet[0]);
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
        text.push_back(alphabet[static_cast<std::uint8_t>(*digit)]);
    }
    return text;
}

Result<Buffer> from_base58(std::string_view text) {
    if (text.size() > max_base58_length) return fail(Errc::too_large, "base58: too long");
    Buffer value;  // without leading zero bytes, least significant byte first
    std::size_t ones = 0;
    while (ones < text.size() && text[ones] == alphabet[0]) ++ones;
    for (char c : text.substr(ones)) {
        int digit = digit_of[static_cast<std::uint8_t>(c)];
        if (digit < 0) return fail(Errc::malformed, "base58: not a digit");
        unsigned carry = static_cast<unsigned>(digit);
        for (std::uint8_t& byte : value) {
            carry += byte * 58u;
            byte = static_cast<std::uint8_t>(carry);
            carry >>= 8;
        }
        if (carry > 0) value.push_back(static_cast<std::uint8_t>(carry));
    }
    value.insert(value.end(), ones, 0);
    std::ranges::reverse(value);
    return value;
}

Result<PublicKey> parse_multikey(std::string_view text) {
    auto bytes = from_multibase(text);
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->size() < 2) return fail(Errc::malformed, "multikey: too short");
    Bytes codec = Bytes(*bytes).first(2), point = Bytes(*bytes).subspan(2);
    bool is_k256 = std::ranges::equal(codec, codec_k256);
    if (!is_k256 && !std::ranges::equal(codec, codec_p256)) {
        return fail(Errc::unsupported, "multikey: neither k256 nor p256");
    }
    if (point.size() != 33) return fail(Errc::malformed, "multikey: not a compressed point");
    return PublicKey::from_point(is_k256 ? Curve::k256 : Curve::p256, point);
}

std::string to_multikey(const PublicKey& key) {
    const auto& codec = key.curve() == Curve::k256 ? codec_k256 : codec_p256;
    auto point = key.compressed();
    Buffer bytes(codec.begin(), codec.end());
    bytes.insert(bytes.end(), point.begin(), point.end());
    return 'z' + to_base58(bytes);
}

Result<PublicKey> parse_did_key(std::string_view text) {
    if (!text.starts_with(scheme)) return fail(Errc::malformed, "did:key: another scheme");
    return parse_multikey(text.substr(scheme.size()));
}

std::string to_did_key(const PublicKey& key) {
    return std::string(scheme) + to_multikey(key);
}

Result<PublicKey> parse_legacy_key(Curve curve, std::string_view text) {
    auto bytes = from_multibase(text);
    if (!bytes) return std::unexpected(bytes.error());
    return PublicKey::from_point(curve, *bytes);
}

}  // namespace ringlay::crypto
