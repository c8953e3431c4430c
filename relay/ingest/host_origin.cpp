#include "relay/ingest/host_origin.hpp"

#include "proto/url.hpp"

namespace ringlay::ingest {

std::string origin_of_host(std::string_view name, std::optional<bool> is_tls,
                           const base::PrivateHosts& allowed) {
    std::string origin = "https://" + std::string(name);
    auto url = proto::parse_url(origin);
    if (!url || !url->path.empty() || !url->query.empty()) return {};
    if (!url->has_port || is_tls.value_or(!allowed.allows_host(url->host, url->port))) {
        return origin;
    }
    return "http://" + std::string(name);
}

}  // namespace ringlay::ingest
