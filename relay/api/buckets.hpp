// Token buckets by key: how often somebody may do something, in bursts. Pure.
//
// Bound    max_keys; then the key that was not used for longest is forgotten, and begins anew.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/address.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::api {

// Whoever can be told apart by an address: an IPv4 address, a /64 of IPv6.
std::string client_key(const Address& address);

class Buckets {
  public:
    Buckets(std::uint32_t burst, Nanos refill, std::size_t max_keys)
        : slack_(refill * (burst - 1)), refill_(refill), max_keys_(max_keys) {}

    // Nothing: one is taken. Otherwise how long it takes until there is one.
    std::optional<Nanos> take(std::string_view key, Nanos now);
    std::size_t size() const { return by_key_.size(); }

  private:
    struct Bucket {
        std::string key;
        Nanos full_at;  // when nothing will be missing in it
    };

    const Nanos slack_;
    const Nanos refill_;
    const std::size_t max_keys_;
    std::list<Bucket> by_use_;  // the one used last is in front
    std::map<std::string_view, std::list<Bucket>::iterator> by_key_;
};

}  // namespace ringlay::api
