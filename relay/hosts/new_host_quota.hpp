// How many hosts strangers may add: by day, by holder (a registrable domain, or of addresses a
// network: whoever has one can make hosts without end), by the address that asks (of IPv6 the /64).
// A day is one of unix time.
//
// Thread   a value; pure: time is handed in.
// Bound    as many domains and addresses as hosts a day, and one of each refusal.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/address.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::hosts {

struct QuotaLimits {
    std::uint32_t per_day = 1000;
    std::uint32_t per_domain = 50;
    std::uint32_t per_address = 50;
};

// Whoever has one of these can have any number of such hosts: the registrable domain of a name, of
// an address its /24, or /64.
std::string holder_of(std::string_view host_name);

class NewHostQuota {
  public:
    explicit NewHostQuota(QuotaLimits limits) : limits_(limits) {}

    // Counts it, or says why it is one too many.
    std::optional<std::string> take(WallMillis now, std::string_view host_name,
                                    const std::optional<Address>& from);

  private:
    QuotaLimits limits_;
    std::int64_t day_ = -1;
    std::uint32_t taken_ = 0;
    std::map<std::string, std::uint32_t, std::less<>> by_domain_;
    std::map<Address, std::uint32_t> by_address_;
};

}  // namespace ringlay::hosts
