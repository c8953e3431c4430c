// From where a request really comes when proxies stand between: what they say in X-Forwarded-For is
// believed from right to left, and only as long as whoever said it is a trusted proxy. So nobody
// can choose an address by sending such a header himself. X-Real-IP and Forwarded are not looked
// at.
//
// Values; no state.
#pragma once

#include <span>
#include <vector>

#include "proto/base/network.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::net {

struct Client {
    Address address;          // its port is 0 if a proxy said it
    bool is_proxied = false;  // a trusted proxy said the address; else it is the peer's
};

bool is_in(const Address& address, std::span<const Network> networks);

Client client_of(const HttpRequest& request, const Address& peer,
                 std::span<const Network> trusted_proxies);

// Whom an address stands for where requests and connections are counted: itself, but of IPv6 the
// whole /64, which any subscriber has. Without a port.
Address party_of(const Address& address);

}  // namespace ringlay::net
