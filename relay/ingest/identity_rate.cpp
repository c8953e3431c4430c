#include "relay/ingest/identity_rate.hpp"

namespace ringlay::ingest {
namespace {

constexpr Nanos minute = std::chrono::minutes(1);

}  // namespace

bool IdentityRate::take_of_host(std::uint32_t host_id, Nanos now) {
    begin_minute(now);
    return ++by_host_[host_id] <= std::uint64_t{per_account_} * host_factor;
}

bool IdentityRate::take_of_account(std::string_view did, Nanos now) {
    begin_minute(now);
    auto found = by_account_.find(did);
    if (found == by_account_.end()) {
        if (by_account_.size() >= max_accounts) return true;
        found = by_account_.emplace(did, 0).first;
    }
    return ++found->second <= per_account_;
}

void IdentityRate::begin_minute(Nanos now) {
    if (now < minute_ends_) return;
    minute_ends_ = now + minute;
    by_host_.clear();
    by_account_.clear();
}

}  // namespace ringlay::ingest
