#include "relay/hosts/new_host_quota.hpp"

#include "relay/base/registrable_domain.hpp"
#include "relay/net/client_address.hpp"

namespace ringlay::hosts {

std::string holder_of(std::string_view host_name) {
    auto address = Address::parse(host_name, 0);
    if (!address) return std::string(base::registrable_domain(host_name));
    if (!address->is_v4()) return net::party_of(*address).ip_text() + "/64";
    address->ip.back() = 0;
    return address->ip_text() + "/24";
}

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
    const std::string domain = holder_of(host_name);
    auto in_domain = by_domain_.find(domain);
    if (in_domain != by_domain_.end() && in_domain->second >= limits_.per_domain) {
        return "too many new hosts of " + domain + " today";
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
