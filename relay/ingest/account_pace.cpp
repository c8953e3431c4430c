#include "relay/ingest/account_pace.hpp"

#include <algorithm>

namespace ringlay::ingest {

bool AccountPace::take(std::string_view did, Nanos now) {
    forget(now);
    auto found = full_at_.find(did);
    if (found == full_at_.end()) {
        if (full_at_.size() >= max_accounts) return true;
        full_at_.emplace(did, now + interval);
        by_age_.push_back({now + at_once * interval, std::string(did)});
        return true;
    }
    const Nanos full_at = std::max(found->second, now) + interval;
    if (full_at - now > at_once * interval) return false;
    found->second = full_at;
    return true;
}

Nanos AccountPace::next(std::string_view did) const {
    auto found = full_at_.find(did);
    return found == full_at_.end() ? Nanos::zero() : found->second - (at_once - 1) * interval;
}

void AccountPace::forget(Nanos now) {
    constexpr int most = 16;  // of one call: more are forgotten than can come
    for (int i = 0; i < most && !by_age_.empty() && by_age_.front().look_at <= now; ++i) {
        Aging oldest = std::move(by_age_.front());
        by_age_.pop_front();
        auto found = full_at_.find(oldest.did);
        if (found->second <= now) {
            full_at_.erase(found);
        } else {
            by_age_.push_back({now + at_once * interval, std::move(oldest.did)});
        }
    }
}

}  // namespace ringlay::ingest
