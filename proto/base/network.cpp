#include "proto/base/network.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <vector>

namespace ringlay {
namespace {

constexpr std::uint32_t address_bits = 128;
constexpr std::uint32_t v4_bits = 32;
constexpr std::uint32_t mapped_bits = address_bits - v4_bits;

using Ip = std::array<std::uint8_t, 16>;

bool bit_of(const Ip& ip, std::uint32_t at) {
    return (ip[at / 8] >> (7 - at % 8) & 1) != 0;
}

bool is_zero_behind(const Ip& ip, std::uint32_t bits) {
    for (std::uint32_t at = bits; at < address_bits; ++at) {
        if (bit_of(ip, at)) return false;
    }
    return true;
}

bool have_equal_front(const Ip& a, const Ip& b, std::uint32_t bits) {
    if (!std::equal(a.begin(), a.begin() + bits / 8, b.begin())) return false;
    if (bits % 8 == 0) return true;
    auto differ = static_cast<std::uint8_t>(a[bits / 8] ^ b[bits / 8]);
    return differ >> (8 - bits % 8) == 0;
}

// Of the IANA IPv4 registry everything, those said to be globally reachable included (anycast of
// AS112 and the like): none of these is an address that a host could have. And multicast.
constexpr std::string_view special_v4[] = {
    "0.0.0.0/8",        // this network
    "10.0.0.0/8",       // private
    "100.64.0.0/10",    // shared by carriers
    "127.0.0.0/8",      // loopback
    "169.254.0.0/16",   // link-local; metadata of clouds
    "172.16.0.0/12",    // private
    "192.0.0.0/24",     // protocol assignments
    "192.0.2.0/24",     // documentation
    "192.31.196.0/24",  // AS112
    "192.52.193.0/24",  // AMT
    "192.88.99.0/24",   // 6to4 relays, deprecated
    "192.168.0.0/16",   // private
    "192.175.48.0/24",  // AS112
    "198.18.0.0/15",    // benchmarking
    "198.51.100.0/24",  // documentation
    "203.0.113.0/24",   // documentation
    "224.0.0.0/4",      // multicast
    "240.0.0.0/4",      // reserved; limited broadcast
};

// Within 2000::/3. All that is outside is special: loopback, unique-local, link-local, multicast,
// discard, local NAT64, segment routing, or not assigned.
constexpr std::string_view special_v6[] = {
    "2001::/23",          // protocol assignments: benchmarking, ORCHID and others
    "2001:db8::/32",      // documentation
    "2620:4f:8000::/48",  // AS112
    "3fff::/20",          // documentation
};

// Made once, at the first question.
struct Registry {
    static const Registry& get() {
        static const Registry registry;
        return registry;
    }
    static std::vector<Network> networks(std::span<const std::string_view> texts) {
        std::vector<Network> out;
        for (std::string_view text : texts) out.push_back(Network::parse(text).value());
        return out;
    }

    const std::vector<Network> v4 = networks(special_v4);
    const std::vector<Network> v6 = networks(special_v6);
    const Network global_unicast = Network::parse("2000::/3").value();
    // These lead to the IPv4 address inside them.
    const Network nat64 = Network::parse("64:ff9b::/96").value();
    const Network six_to_four = Network::parse("2002::/16").value();
    const Network teredo = Network::parse("2001::/32").value();
};

bool is_in(std::span<const Network> networks, const Address& address) {
    return std::ranges::any_of(networks, [&](const Network& n) { return n.contains(address); });
}

Address v4_at(const Ip& ip, std::size_t at, std::uint8_t flipped = 0) {
    auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(ip[at + i] ^ flipped); };
    return Address::v4(byte(0), byte(1), byte(2), byte(3), 0);
}

}  // namespace

std::optional<Network> Network::parse(std::string_view text) {
    std::size_t slash = text.find('/');
    auto base = Address::parse(text.substr(0, slash), 0);
    if (!base) return std::nullopt;
    Network network{*base, address_bits};
    if (slash == text.npos) return network;

    std::string_view digits = text.substr(slash + 1);
    if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), network.bits);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    bool is_written_as_v4 = !text.substr(0, slash).contains(':');
    if (network.bits > (is_written_as_v4 ? v4_bits : address_bits)) return std::nullopt;
    if (is_written_as_v4) network.bits += mapped_bits;
    if (!is_zero_behind(network.base.ip, network.bits)) return std::nullopt;
    return network;
}

bool Network::contains(const Address& address) const {
    // `::/0` is all of IPv6; that an IPv4 address has a form there is our business only.
    if (address.is_v4() && bits < mapped_bits) return false;
    return have_equal_front(base.ip, address.ip, bits);
}

std::string Network::text() const {
    std::string out = base.ip_text();
    if (bits == address_bits) return out;
    return out + "/" + std::to_string(base.is_v4() ? bits - mapped_bits : bits);
}

bool is_public(const Address& address) {
    const Registry& registry = Registry::get();
    if (address.is_v4()) return !is_in(registry.v4, address);
    if (registry.nat64.contains(address)) return is_public(v4_at(address.ip, 12));
    if (registry.six_to_four.contains(address)) return is_public(v4_at(address.ip, 2));
    if (registry.teredo.contains(address)) {
        // Its server, and the client, whose bits are flipped.
        return is_public(v4_at(address.ip, 4)) && is_public(v4_at(address.ip, 12, 0xff));
    }
    return registry.global_unicast.contains(address) && !is_in(registry.v6, address);
}

}  // namespace ringlay
