// How long to wait before a host is dialled again: 1 s, doubling to 60 s, and more for a host that
// has failed for hours; with jitter so that hosts lost together do not come back together. Never
// gives up. The delay begins anew only after an event that was found good, or a connection that
// held 60 s: a host that accepts and drops, or sends forgeries, is not dialled every second. Until
// such a connection ends, the host has not failed, however quiet it is; waiting for a place to dial
// is no connection.
//
// Thread   a value; pure: time and a random number are handed in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "relay/fiber/time.hpp"

namespace ringlay::hosts {

class BackOff {
  public:
    static constexpr Nanos first = std::chrono::seconds(1);
    static constexpr Nanos longest = std::chrono::seconds(60);
    static constexpr Nanos longest_after_an_hour = std::chrono::minutes(10);
    static constexpr Nanos longest_after_a_day = std::chrono::hours(1);
    static constexpr Nanos good_after = std::chrono::seconds(60);

    // Nothing has failed yet.
    explicit BackOff(Nanos now = {}) : good_until_(now) {}

    void connected(Nanos now) { connected_at_ = now; }
    // An attempt, and the connection that came of it, if one did.
    void ended(Nanos now, bool had_good_event) {
        const bool has_held = connected_at_ && now - *connected_at_ >= good_after;
        connected_at_.reset();
        if (!had_good_event && !has_held) return;
        next_ = first;
        good_until_ = now;
    }

    // Since the last good connection, or since the beginning.
    Nanos failing_for(Nanos now) const { return now - good_until_; }

    // Between half and the whole of the present delay, which then doubles.
    Nanos take(std::uint64_t random, Nanos now) {
        Nanos half = next_ / 2;
        Nanos delay =
            half +
            Nanos(static_cast<std::int64_t>(random % static_cast<std::uint64_t>(half.count() + 1)));
        next_ = std::min(next_ * 2, longest_for(failing_for(now)));
        return delay;
    }

  private:
    static constexpr Nanos longest_for(Nanos failing_for) {
        if (failing_for >= std::chrono::hours(24)) return longest_after_a_day;
        if (failing_for >= std::chrono::hours(1)) return longest_after_an_hour;
        return longest;
    }

    Nanos next_ = first;
    Nanos good_until_;
    std::optional<Nanos> connected_at_;
};

}  // namespace ringlay::hosts
