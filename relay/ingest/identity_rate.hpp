// How many #identity events a host may send, and an account may have, in a minute. They cost a
// look-up and are the cheapest of floods (protocol 4.8).
//
// Pure. Minutes are counted from the first event of each: a host can at most send twice the rate
// within some minute.
//
// Owner    Shard::Core.
// Bound    max_accounts entries; the accounts beyond them in one minute are bounded by their host's
//          rate alone.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "relay/fiber/time.hpp"

namespace ringlay::ingest {

class IdentityRate {
  public:
    static constexpr std::size_t max_accounts = 64 * 1024;
    static constexpr std::uint32_t host_factor = 60;

    explicit IdentityRate(std::uint32_t per_account) : per_account_(per_account) {}

    // Counts one; false: above the rate.
    bool take_of_host(std::uint32_t host_id, Nanos now);
    bool take_of_account(std::string_view did, Nanos now);

  private:
    void begin_minute(Nanos now);

    const std::uint32_t per_account_;
    Nanos minute_ends_{};
    std::unordered_map<std::uint32_t, std::uint64_t> by_host_;
    std::map<std::string, std::uint32_t, std::less<>> by_account_;
};

}  // namespace ringlay::ingest
