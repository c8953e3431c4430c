#include "relay/hosts/host_rate.hpp"

namespace ringlay::hosts {
namespace {

constexpr double burst_s = 600;
constexpr double bytes_burst_s = 60;
constexpr double largest_message_bytes = 5'000'000;
constexpr double hour_s = 3600;

double bytes_burst(double per_second) {
    return std::max(per_second * bytes_burst_s, largest_message_bytes);
}

// A rate of nothing would never end a wait.
double at_least_one(double rate) {
    return std::max(rate, 1.0);
}

net::TokenBucket bucket_of_accounts(double per_second) {
    return {per_second > 0 ? per_second : 1, per_second > 0 ? per_second * hour_s : 1};
}

}  // namespace

HostRate::Limits HostRate::limits_of(const HostOrders& orders, std::uint64_t accounts,
                                     std::uint32_t base_events_per_second) {
    const double factor = orders.is_trusted ? trusted_factor : 1;
    double events = base_events_per_second + static_cast<double>(accounts / accounts_for_one);
    Limits limits{.events_per_second = events * factor,
                  .bytes_per_second = events * factor * static_cast<double>(bytes_of_event)};
    if (auto given = orders.limits.events_per_second) limits.events_per_second = *given;
    if (auto given = orders.limits.bytes_per_second) {
        limits.bytes_per_second = static_cast<double>(*given);
    }
    if (auto given = orders.limits.new_accounts_per_hour) {
        limits.new_accounts_per_second = at_least_one(*given) / hour_s;
    }
    limits.events_per_second = at_least_one(limits.events_per_second);
    limits.bytes_per_second = at_least_one(limits.bytes_per_second);
    return limits;
}

HostRate::HostRate(const Limits& limits)
    : limits_(limits),
      events_(limits.events_per_second, limits.events_per_second * burst_s),
      bytes_(limits.bytes_per_second, bytes_burst(limits.bytes_per_second)),
      new_accounts_(bucket_of_accounts(limits.new_accounts_per_second)) {}

void HostRate::change(const Limits& limits, Nanos now) {
    if (limits == limits_) return;
    if (limits.new_accounts_per_second != limits_.new_accounts_per_second) {
        new_accounts_ = bucket_of_accounts(limits.new_accounts_per_second);
    }
    limits_ = limits;
    events_.change(limits.events_per_second, limits.events_per_second * burst_s, now);
    bytes_.change(limits.bytes_per_second, bytes_burst(limits.bytes_per_second), now);
}

void HostRate::charge(Nanos now, std::size_t bytes, std::uint64_t new_accounts) {
    const auto accounts = static_cast<double>(new_accounts);
    events_.charge(now, 1 + accounts * new_account_events);
    bytes_.charge(now, static_cast<double>(bytes));
    if (limits_.new_accounts_per_second > 0) new_accounts_.charge(now, accounts);
    ++seen_events_;
    seen_bytes_ += bytes;
}

Nanos HostRate::until_free(Nanos now) {
    Nanos wait = std::max(events_.until_free(now), bytes_.until_free(now));
    if (limits_.new_accounts_per_second > 0) {
        wait = std::max(wait, new_accounts_.until_free(now));
    }
    return wait;
}

void HostRate::was_held(Nanos now, Nanos held) {
    if (now - span_began_ >= span) {
        was_throttled_ = now - span_began_ < 2 * span && held_ > span / 2;
        span_began_ = now;
        held_ = Nanos::zero();
    }
    held_ += held;
}

bool HostRate::is_throttled(Nanos now) const {
    const Nanos passed = now - span_began_;
    if (passed >= 2 * span) return false;
    return held_ > span / 2 || (was_throttled_ && passed < span);
}

double HostRate::events_per_second(Nanos now) {
    measure(now);
    return measured_events_;
}

double HostRate::bytes_per_second(Nanos now) {
    measure(now);
    return measured_bytes_;
}

void HostRate::measure(Nanos now) {
    const double passed_s = std::chrono::duration<double>(now - measured_).count();
    if (passed_s < 10) return;
    measured_events_ = static_cast<double>(seen_events_) / passed_s;
    measured_bytes_ = static_cast<double>(seen_bytes_) / passed_s;
    seen_events_ = 0;
    seen_bytes_ = 0;
    measured_ = now;
}

}  // namespace ringlay::hosts
