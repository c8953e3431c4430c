// Which private addresses may be dialled: RELAY_ALLOW_PRIVATE_HOSTS. A list of host patterns
// (`pds.lan:2583`, `localhost:*`, `*.lan`), single addresses and networks (`10.0.0.0/8`), or `all`.
// An empty list: public addresses only. Pure.
//
// A host pattern speaks of the name that is asked for: that name may then resolve to any address.
// A network speaks of the address that is dialled, whatever the name.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/network.hpp"

namespace ringlay::base {

class PrivateHosts {
  public:
    static constexpr std::string_view form =
        "all, or a comma list of host:port, host:*, *.domain, addresses and networks such as "
        "10.0.0.0/8";

    // The error completes "must be ".
    static std::expected<PrivateHosts, std::string> parse(std::string_view text);

    // Adds one name, exactly: what the operator has named elsewhere (RELAY_HOSTS, RELAY_PLC_URL).
    void add_host(std::string_view name, std::uint16_t port);

    bool allows_all() const { return allows_all_; }
    bool has_networks() const { return !networks_.empty(); }
    bool empty() const { return !allows_all_ && patterns_.empty() && networks_.empty(); }
    // Whether a pattern has this name (without brackets) and port.
    bool allows_host(std::string_view name, std::uint16_t port) const;
    bool allows_address(const Address& address) const;

    bool operator==(const PrivateHosts&) const = default;

  private:
    struct Pattern {
        std::string name;        // lower-case; with a leading `*.`: every name below
        std::uint16_t port = 0;  // 0: any
        bool operator==(const Pattern&) const = default;
    };
    bool allows_all_ = false;
    std::vector<Pattern> patterns_;
    std::vector<Network> networks_;
};

}  // namespace ringlay::base
