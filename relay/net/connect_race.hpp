// A connection to whichever of a name's addresses answers first: IPv6 and IPv4 in turn, the next
// one tried when one has failed or has had its head start (RFC 8305).
//
// Thread   in a fiber. Whatever it returns, no attempt is left: losers are closed.
// Bound    four addresses, of both families if there are both; one fiber each.
#pragma once

#include <expected>
#include <vector>

#include "relay/env/env.hpp"
#include "relay/net/failure.hpp"

namespace ringlay::net {

inline constexpr std::size_t max_raced_addresses = 4;
inline constexpr Nanos race_head_start = std::chrono::milliseconds(250);

// IPv6 first, then in turn, each family in the order given, so many at most. Pure.
std::vector<Address> racing_order(const std::vector<Address>& addresses);

// `addresses`: at least one; tried in this order.
std::expected<env::Socket, Failure> connect_race(env::Env& env,
                                                 const std::vector<Address>& addresses,
                                                 Deadline deadline);

}  // namespace ringlay::net
