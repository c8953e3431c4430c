#include "relay/hosts/host_judge.hpp"

#include <algorithm>

namespace ringlay::hosts {
namespace {

std::int64_t minute_of(Nanos now) {
    return now / std::chrono::minutes(1);
}

}  // namespace

void QuarantineJudge::add(Nanos now, std::uint64_t good, std::uint64_t bad) {
    if (good + bad == 0) return;
    const std::int64_t number = minute_of(now);
    if (!first_minute_) first_minute_ = number;
    Minute& minute = ring_[static_cast<std::size_t>(number) % minutes];
    if (minute.number != number) minute = {.number = number};
    minute.good += good;
    minute.bad += bad;
}

bool QuarantineJudge::is_bad(Nanos now) {
    if (!first_minute_) return false;
    if (minute_of(now) - *first_minute_ < static_cast<std::int64_t>(minutes)) return false;
    const Sum all = sum(now);
    return all.good + all.bad >= least_events && all.bad > 9 * all.good;
}

std::uint32_t QuarantineJudge::bad_percent(Nanos now) {
    const Sum all = sum(now);
    if (all.good + all.bad == 0) return 0;
    return static_cast<std::uint32_t>(all.bad * 100 / (all.good + all.bad));
}

void QuarantineJudge::forget() {
    *this = {};
}

QuarantineJudge::Sum QuarantineJudge::sum(Nanos now) const {
    const std::int64_t oldest = minute_of(now) - static_cast<std::int64_t>(minutes);
    Sum all;
    for (const Minute& minute : ring_) {
        if (minute.number <= oldest) continue;
        all.good += minute.good;
        all.bad += minute.bad;
    }
    return all;
}

std::uint64_t PoisonStepper::poisoned(std::uint64_t cursor) {
    if (times_ == 0 || cursor != cursor_) {
        const bool has_stepped_here = times_ >= patience;
        cursor_ = cursor;
        if (!has_stepped_here) {
            times_ = 1;
            return 0;
        }
    } else if (++times_ < patience) {
        return 0;
    }
    const std::uint64_t step = step_;
    if (step == 1) began_at_ = cursor;
    step_ = std::min(step_ * 2, longest_step);
    return step;
}

std::uint64_t PoisonStepper::floor(std::uint64_t cursor) const {
    return step_ > 1 ? began_at_ : cursor;
}

bool LeapJudge::believes(std::uint64_t cursor, std::uint64_t seq) {
    const bool is_leap = cursor > 0 && seq / 2 > cursor && seq - cursor > least_leap;
    if (!is_leap || doubted_behind_ == cursor) return true;
    doubted_behind_ = cursor;
    return false;
}

void RegressionJudge::stale(Nanos now, std::uint64_t cursor, std::uint64_t seq) {
    if (seq >= cursor) return passed();
    if (!first_) first_ = {.at = now, .seq = seq};
}

std::optional<std::uint64_t> RegressionJudge::counts_anew_from(Nanos now) const {
    if (!first_ || now - first_->at < patience) return std::nullopt;
    return first_->seq;
}

}  // namespace ringlay::hosts
