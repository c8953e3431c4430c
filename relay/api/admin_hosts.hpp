// What an operator sees of hosts and does with them: GET /admin/hosts, and POST /admin/hosts/block,
// unblock, changeLimits, resetCursor, add and remove; beside them the paths that tools written for
// the Go relay call, where they mean the same (/admin/pds/..., /admin/subs/...).
//
// Whoever calls has let the request in already. Each change is a line in the log that names who
// asked. A ban that would hit much at once, or a trusted domain, wants `"confirm": true`.
//
// Owner    Relay; what the sources read outlives it.
// Thread   the worker that serves HTTP; answer() may wait.
// Bound    a page of hosts, but for /admin/pds/list, which has no pages: all rows of the registry.
// Source   docs/operations.md, "Hosts", has paths, fields and answers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/api/crawl_requests.hpp"
#include "relay/api/host_queries.hpp"
#include "relay/api/json_fields.hpp"
#include "relay/firehose/consumer.hpp"
#include "relay/hosts/discovery.hpp"

namespace ringlay::api {

struct AdminHostsSources {
    hosts::HostBook book;
    std::function<std::shared_ptr<const hosts::HostFigures>()> figures;
    std::function<hosts::Registry::Totals()> totals;
    std::function<std::vector<hosts::DiscoveryStatus>()> discovery;
    std::function<std::vector<firehose::ConsumerStatus>()> consumers;
    CrawlRequests* crawl = nullptr;            // whose switch /admin/subs/setEnabled turns
    std::vector<std::string> trusted_domains;  // `*.host.bsky.network`
    std::uint32_t new_hosts_per_day = 0;
    std::uint32_t events_per_second = 50;  // of a host without accounts
};

// Whether a ban of `*.domain` would hit a name below a trusted domain, or all of it. Both in lower
// case; either may begin with `*.`.
bool overlaps(std::string_view domain, std::string_view trusted);

class AdminHosts {
  public:
    static constexpr std::size_t default_limit = 200;
    static constexpr std::size_t max_hosts_unconfirmed = 10;
    static constexpr std::uint64_t max_cursor = (std::uint64_t{1} << 53) - 1;

    AdminHosts(env::Env& env, base::Logger& logger, AdminHostsSources sources);

    // Nothing: the path is none of these. `who`: the address that asks, proxies seen through.
    std::optional<net::HttpResponse> answer(const net::HttpRequest& request, const Address& who);

  private:
    struct Route;
    static const std::vector<Route>& routes();

    net::HttpResponse list(const net::HttpRequest& request, const Address& who);
    net::HttpResponse block(const net::HttpRequest& request, const Address& who);
    net::HttpResponse unblock(const net::HttpRequest& request, const Address& who);
    net::HttpResponse change_limits(const net::HttpRequest& request, const Address& who);
    net::HttpResponse reset_cursor(const net::HttpRequest& request, const Address& who);
    net::HttpResponse add(const net::HttpRequest& request, const Address& who);
    net::HttpResponse remove(const net::HttpRequest& request, const Address& who);
    net::HttpResponse bans(const net::HttpRequest& request, const Address& who);
    // As the Go relay has them (admin_pds.cpp).
    net::HttpResponse pds_list(const net::HttpRequest& request, const Address& who);
    net::HttpResponse pds_block(const net::HttpRequest& request, const Address& who);
    net::HttpResponse pds_unblock(const net::HttpRequest& request, const Address& who);
    net::HttpResponse pds_change_limits(const net::HttpRequest& request, const Address& who);
    net::HttpResponse ban_domain(const net::HttpRequest& request, const Address& who);
    net::HttpResponse unban_domain(const net::HttpRequest& request, const Address& who);
    net::HttpResponse domain_bans(const net::HttpRequest& request, const Address& who);
    net::HttpResponse consumers(const net::HttpRequest& request, const Address& who);
    net::HttpResponse upstream_connections(const net::HttpRequest& request, const Address& who);
    net::HttpResponse per_day_limit(const net::HttpRequest& request, const Address& who);
    net::HttpResponse get_enabled(const net::HttpRequest& request, const Address& who);
    net::HttpResponse set_enabled(const net::HttpRequest& request, const Address& who);

    struct Ban {
        std::string target;  // a host's name, or `*.domain`
        std::string reason;
        bool is_confirmed = false;
    };
    net::HttpResponse ban(const std::vector<Ban>& bans, const Address& who);
    net::HttpResponse unban(const std::vector<std::string>& targets, const Address& who);
    net::HttpResponse set_limits(std::string_view host, const hosts::HostLimits& limits,
                                 const Address& who);
    // Why a ban needs to be confirmed; empty: it does not.
    std::string effect_of(std::string_view target);
    std::optional<hosts::HostView> find(std::string_view host);
    void note(std::string_view action, std::string_view host, std::string_view detail,
              const Address& who);

    env::Env& env_;
    base::Logger& logger_;
    AdminHostsSources sources_;
};

}  // namespace ringlay::api
