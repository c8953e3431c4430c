// Who asks, and how those answer who have pages of their own.
#pragma once

#include <functional>
#include <optional>

#include "proto/base/address.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::api {

struct Caller {
    Address address;          // the client's, trusted proxies seen through
    Address peer;             // who is connected
    bool is_proxied = false;  // `address` was said by a trusted proxy

    // Who is exempt from limits: nobody whose address was only told. A proxy may pass on what its
    // client has sent.
    bool is_this_machine() const { return !is_proxied && address.is_loopback(); }
};

// Nothing: the path is none of the handler's. May wait.
using Handler =
    std::function<std::optional<net::HttpResponse>(const net::HttpRequest&, const Caller&)>;

}  // namespace ringlay::api
