// A range of internet addresses, `10.0.0.0/8` or `fc00::/7`, and what kind of network an address
// belongs to. Values; nothing here touches the network.
//
// Source   IANA special-purpose address registries (RFC 6890 and its updates).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/address.hpp"

namespace ringlay {

struct Network {
    Address base;            // its port means nothing
    std::uint32_t bits = 0;  // of the 128; an IPv4 prefix has 96 more than it says

    // `10.0.0.0/8`, `fc00::/7`; a single address without a slash. Bits behind the prefix must be 0.
    static std::optional<Network> parse(std::string_view text);

    bool contains(const Address& address) const;
    std::string text() const;

    bool operator==(const Network&) const = default;
};

// Whether an address is one that anybody on the internet can have: not of this machine, of a
// private, shared, link-local, multicast, documentation or otherwise special network. IPv4
// addresses inside IPv6 ones (mapped, 6to4, NAT64, Teredo) are looked at, too.
bool is_public(const Address& address);

}  // namespace ringlay
