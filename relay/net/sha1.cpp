#include "relay/net/sha1.hpp"

#include <algorithm>
#include <bit>

namespace ringlay::net {
namespace {

constexpr std::size_t block_bytes = 64;

using State = std::array<std::uint32_t, 5>;

void compress(State& state, Bytes block) {
    std::array<std::uint32_t, 80> word;
    for (std::size_t i = 0; i < 16; ++i) {
        word[i] = std::byteswap(load_le<std::uint32_t>(block, i * 4));
    }
    for (std::size_t i = 16; i < 80; ++i) {
        word[i] = std::rotl(word[i - 3] ^ word[i - 8] ^ word[i - 14] ^ word[i - 16], 1);
    }
    auto [a, b, c, d, e] = state;
    for (std::size_t i = 0; i < 80; ++i) {
        std::uint32_t mixed, constant;
        if (i < 20) {
            mixed = (b & c) | (~b & d);
            constant = 0x5a827999;
        } else if (i < 40) {
            mixed = b ^ c ^ d;
            constant = 0x6ed9eba1;
        } else if (i < 60) {
            mixed = (b & c) | (b & d) | (c & d);
            constant = 0x8f1bbcdc;
        } else {
            mixed = b ^ c ^ d;
            constant = 0xca62c1d6;
        }
        std::uint32_t next = std::rotl(a, 5) + mixed + e + constant + word[i];
        e = d;
        d = c;
        c = std::rotl(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

}  // namespace

std::array<std::uint8_t, 20> sha1(Bytes bytes) {
    State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
    for (; bytes.size() >= block_bytes; bytes = bytes.subspan(block_bytes)) {
        compress(state, bytes.first(block_bytes));
    }
    // The rest, a one bit, zeros, and the length in the last eight bytes of a block.
    std::array<std::uint8_t, 2 * block_bytes> tail{};
    std::ranges::copy(bytes, tail.begin());
    tail[bytes.size()] = 0x80;
    std::size_t size = bytes.size() + 9 <= block_bytes ? block_bytes : 2 * block_bytes;
    for (std::size_t i = 0; i < 8; ++i) {
        tail[size - 1 - i] = static_cast<std::uint8_t>(bits >> i * 8);
    }
    for (std::size_t at = 0; at < size; at += block_bytes) {
        compress(state, Bytes(tail).subspan(at, block_bytes));
    }
    std::array<std::uint8_t, 20> digest;
    for (std::size_t i = 0; i < digest.size(); ++i) {
        digest[i] = static_cast<std::uint8_t>(state[i / 4] >> (24 - i % 4 * 8));
    }
    return digest;
}

std::string to_base64(Bytes bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            group = group << 8 | (i < count ? bytes[at + i] : std::uint8_t{0});
        }
        for (std::size_t i = 0; i < 4; ++i) {
            out.push_back(i <= count ? digits[group >> (18 - i * 6) & 63] : '=');
        }
    }
    return out;
}

}  // namespace ringlay::net
