// How often the status of an account may be said anew: some times at once, then once a second. Who
// switches an account on and off a thousand times a second would else have every consumer do the
// same.
//
// Pure: time is handed in. An account is the instant at which it may be said so often again.
//
// Owner    Shard::Core.
// Thread   its worker.
// Bound    max_accounts; those beyond are bounded by the rate of their host alone.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "relay/fiber/time.hpp"

namespace ringlay::ingest {

class AccountPace {
  public:
    static constexpr std::size_t max_accounts = 64 * 1024;
    static constexpr Nanos interval = std::chrono::seconds(1);
    static constexpr std::int64_t at_once = 10;

    // Counts one; false: it is too early.
    bool take(std::string_view did, Nanos now);
    // When take() will say yes; the past: now.
    Nanos next(std::string_view did) const;

    std::size_t size() const { return full_at_.size(); }

  private:
    void forget(Nanos now);

    struct Aging {
        Nanos look_at;
        std::string did;
    };
    std::map<std::string, Nanos, std::less<>> full_at_;
    std::deque<Aging> by_age_;  // each of full_at_ once
};

}  // namespace ringlay::ingest
