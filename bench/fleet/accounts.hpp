// Which accounts the fleet has, by number: account i of host h is number h * accounts_per_host + i.
// Everything about an account follows from the seed and its number. One in four signs with p256.
#pragma once

#include <cstdint>
#include <string>

#include "bench/fleet/repo.hpp"

namespace ringlay::bench {

struct AccountBook {
    std::uint64_t seed = 1;
    std::uint64_t accounts_per_host = 1;

    std::uint64_t number(std::uint64_t host, std::uint64_t account) const {
        return host * accounts_per_host + account;
    }
    std::string did(std::uint64_t number) const { return invented_did(seed, number); }
    crypto::SigningKey key(std::uint64_t number) const {
        return invented_key(number % 4 == 3 ? crypto::Curve::p256 : crypto::Curve::k256, seed,
                            number);
    }
    // As Traffic claims it in #identity events.
    static std::string handle(const std::string& did) { return did.substr(8) + ".example.com"; }
};

}  // namespace ringlay::bench
