#include "relay/accounts/compact_did.hpp"

#include <bit>

namespace ringlay::accounts {
namespace {

constexpr std::string_view plc_prefix = "did:plc:";
constexpr std::size_t plc_letters = 24;

constexpr std::uint8_t kind_plc = 1;
constexpr std::uint8_t kind_other = 2;

constexpr std::uint8_t not_a_letter = 32;
constexpr std::array<std::uint8_t, 256> letter_values = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(not_a_letter);
    for (std::uint8_t i = 0; i < 26; ++i) values[std::size_t{'a'} + i] = i;
    for (std::uint8_t i = 0; i < 6; ++i) {
        values[std::size_t{'2'} + i] = static_cast<std::uint8_t>(26 + i);
    }
    return values;
}();

struct SipState {
    std::uint64_t v0, v1, v2, v3;

    void round() {
        v0 += v1;
        v2 += v3;
        v1 = std::rotl(v1, 13) ^ v0;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 = std::rotl(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = std::rotl(v1, 17) ^ v2;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 = std::rotl(v2, 32);
    }

    void take(std::uint64_t word) {
        v3 ^= word;
        round();
        v0 ^= word;
    }
};

}  // namespace

std::optional<CompactDid> pack_plc(std::string_view did) {
    if (did.size() != plc_prefix.size() + plc_letters || !did.starts_with(plc_prefix)) {
        return std::nullopt;
    }
    did.remove_prefix(plc_prefix.size());
    CompactDid compact{kind_plc};
    // Eight letters are five bytes.
    for (std::size_t group = 0; group < 3; ++group) {
        std::uint64_t bits = 0;
        std::uint8_t seen = 0;
        for (std::size_t i = 0; i < 8; ++i) {
            std::uint8_t value = letter_values[static_cast<std::uint8_t>(did[group * 8 + i])];
            seen |= value;
            bits = bits << 5 | value;
        }
        if ((seen & not_a_letter) != 0) return std::nullopt;
        for (std::size_t i = 0; i < 5; ++i) {
            compact[1 + group * 5 + i] = static_cast<std::uint8_t>(bits >> (32 - 8 * i));
        }
    }
    return compact;
}

CompactDid pack_other(std::uint32_t place, std::uint64_t hash) {
    CompactDid compact{kind_other};
    std::memcpy(&compact[4], &place, sizeof place);
    std::memcpy(&compact[8], &hash, sizeof hash);
    return compact;
}

bool is_other(const CompactDid& did) {
    return did[0] == kind_other;
}

std::uint32_t place_of_other(const CompactDid& did) {
    return load_le<std::uint32_t>(did, 4);
}

std::uint64_t hash_of_other(const CompactDid& did) {
    return load_le<std::uint64_t>(did, 8);
}

std::uint64_t keyed_hash(HashKey key, Bytes bytes) {
    SipState state{key.first ^ 0x736f6d6570736575, key.second ^ 0x646f72616e646f6d,
                   key.first ^ 0x6c7967656e657261, key.second ^ 0x7465646279746573};
    const std::size_t whole = bytes.size() / 8 * 8;
    for (std::size_t at = 0; at < whole; at += 8) state.take(load_le<std::uint64_t>(bytes, at));
    std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56;
    for (std::size_t i = whole; i < bytes.size(); ++i) {
        last |= static_cast<std::uint64_t>(bytes[i]) << (i - whole) * 8;
    }
    state.take(last);
    state.v2 ^= 0xff;
    for (int i = 0; i < 3; ++i) state.round();
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace ringlay::accounts
