// How fast a host may be read, how fast it is, and whether it is held back.
//
// By default so many events a second and one more for each hundred accounts, ten minutes' worth at
// once; 16 KiB for each of these events, of which a minute's worth at once. A new account costs as
// much as new_account_events: who mints accounts is slowed down by it, and never stopped. A trusted
// host may do ten times as much. What the operator has said holds exactly.
//
// Thread   a value; pure: time is handed in.
// Source   real traffic: 5.4 KB an event on average; imports of thousands of records or accounts.
#pragma once

#include <array>
#include <cstdint>

#include "relay/hosts/host_row.hpp"
#include "relay/net/token_bucket.hpp"

namespace ringlay::hosts {

class HostRate {
  public:
    static constexpr std::uint64_t accounts_for_one = 100;
    static constexpr double new_account_events = 5;
    static constexpr std::uint64_t bytes_of_event = 16 * 1024;
    static constexpr double trusted_factor = 10;

    struct Limits {
        double events_per_second = 0;
        double bytes_per_second = 0;
        double new_accounts_per_second = 0;  // 0: only by what they cost
        bool operator==(const Limits&) const = default;
    };
    static Limits limits_of(const HostOrders& orders, std::uint64_t accounts,
                            std::uint32_t base_events_per_second);

    explicit HostRate(const Limits& limits);
    void change(const Limits& limits, Nanos now);
    const Limits& limits() const { return limits_; }

    void charge(Nanos now, std::size_t bytes, std::uint64_t new_accounts);
    Nanos until_free(Nanos now);

    // Was not read for so long. More than half of ten minutes: it is throttled.
    void was_held(Nanos now, Nanos held);
    bool is_throttled(Nanos now) const;

    // Of the last whole ten seconds or more.
    double events_per_second(Nanos now);
    double bytes_per_second(Nanos now);

  private:
    static constexpr Nanos span = std::chrono::minutes(10);
    void measure(Nanos now);

    Limits limits_;
    net::TokenBucket events_;
    net::TokenBucket bytes_;
    net::TokenBucket new_accounts_;
    Nanos span_began_{};
    Nanos held_{};                // in the present span
    bool was_throttled_ = false;  // in the one before
    std::uint64_t seen_events_ = 0;
    std::uint64_t seen_bytes_ = 0;
    Nanos measured_{};
    double measured_events_ = 0;
    double measured_bytes_ = 0;
};

}  // namespace ringlay::hosts
