// How long to wait before a host is dialled again: 1 s, doubling to 60 s, and more for a host that
// has failed for hours; with jitter so that hosts lost together do not come back together. Never
// gives up. A connection counts as good, and the delay begins anew, only after an event or 60 s: a
// host that accepts and drops is not dialled every second.
//
// Thread   a value; pure but for the random number that is handed in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "relay/fiber/time.hpp"

namespace ringlay::hosts {

class BackOff {
  public:
    static constexpr Nanos first = std::chrono::seconds(1);
    static constexpr Nanos longest = std::chrono::seconds(60);
    static constexpr Nanos longest_after_an_hour = std::chrono::minutes(10);
    static constexpr Nanos longest_after_a_day = std::chrono::hours(1);
    static constexpr Nanos good_after = std::chrono::seconds(60);

    void connection_ended(bool had_event, Nanos lasted) {
        if (had_event || lasted >= good_after) next_ = first;
    }

    // Between half and the whole of the present delay, which then doubles.
    Nanos take(std::uint64_t random, Nanos failing_for = {}) {
        Nanos half = next_ / 2;
        Nanos delay =
            half +
            Nanos(static_cast<std::int64_t>(random % static_cast<std::uint64_t>(half.count() + 1)));
        next_ = std::min(next_ * 2, longest_for(failing_for));
        return delay;
    }

  private:
    static constexpr Nanos longest_for(Nanos failing_for) {
        if (failing_for >= std::chrono::hours(24)) return longest_after_a_day;
        if (failing_for >= std::chrono::hours(1)) return longest_after_an_hour;
        return longest;
    }

    Nanos next_ = first;
};

}  // namespace ringlay::hosts
