#include "relay/hosts/new_host_quota.hpp"

#include "relay/base/registrable_domain.hpp"
#include "relay/net/client_address.hpp"

namespace ringlay::hosts {

std::optional<std::string> NewHostQuota::take(WallMillis now, std::string_view host_name,
                                              const std::optional<Address>& from) {
    const std::int64_t day = now / std::chrono::hours(24);
    if (day != day_) {
        day_ = day;
        taken_ = 0;
        by_domain_.clear();
        by_address_.clear();
    }
    if (taken_ >= limits_.per_day) return "too many new hosts today";
    const std::string domain(base::registrable_domain(host_name));
    auto in_domain = by_domain_.find(domain);
    if (in_domain != by_domain_.end() && in_domain->second >= limits_.per_domain) {
        return "too many new hosts below " + domain + " today";
    }
    if (from) {
        auto by_asker = by_address_.find(net::party_of(*from));
        if (by_asker != by_address_.end() && by_asker->second >= limits_.per_address) {
            return "too many new hosts from your address today";
        }
        ++by_address_[net::party_of(*from)];
    }
    ++by_domain_[domain];
    ++taken_;
    return std::nullopt;
}

}  // namespace ringlay::hosts
