#include "relay/identity/refresh_budget.hpp"

#include <algorithm>

namespace ringlay::identity {

RefreshBudget::RefreshBudget(std::uint32_t per_minute)
    : cost_(per_minute == 0 ? window * 2 : window / per_minute) {}

bool RefreshBudget::take(std::uint32_t host_id, Nanos now) {
    auto found = full_at_.find(host_id);
    Nanos full_at = (found == full_at_.end() ? now : std::max(found->second, now)) + cost_;
    if (full_at - now > window) return false;
    if (found != full_at_.end()) {
        found->second = full_at;
        return true;
    }
    if (!has_room(now)) return false;
    full_at_.emplace(host_id, full_at);
    return true;
}

bool RefreshBudget::has_room(Nanos now) {
    if (full_at_.size() < max_hosts) return true;
    if (now < next_sweep_) return false;  // looking through all of them is not for every event
    next_sweep_ = now + std::chrono::seconds(1);
    std::erase_if(full_at_, [now](const auto& entry) { return entry.second <= now; });
    return full_at_.size() < max_hosts;
}

}  // namespace ringlay::identity
