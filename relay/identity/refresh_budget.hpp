// How many refreshes of known identities each host may cause: so many at once, and as many again
// within a minute. A host that sends one bad signature after the other is a flood of requests to
// the directory without it.
//
// A host's bucket is the instant at which it will be full again; one that is full is forgotten.
//
// Owner    a resolver.
// Thread   its worker.
// Bound    max_hosts of 16 bytes and a node of a hash table; while that many have spent something,
//          no other is given any.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "relay/fiber/time.hpp"

namespace ringlay::identity {

class RefreshBudget {
  public:
    static constexpr std::size_t max_hosts = 16 * 1024;

    explicit RefreshBudget(std::uint32_t per_minute);

    bool take(std::uint32_t host_id, Nanos now);
    std::size_t size() const { return full_at_.size(); }

  private:
    static constexpr Nanos window = std::chrono::minutes(1);
    bool has_room(Nanos now);

    const Nanos cost_;  // the time one refresh takes to grow back
    std::unordered_map<std::uint32_t, Nanos> full_at_;
    Nanos next_sweep_{};
};

}  // namespace ringlay::identity
