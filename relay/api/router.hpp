// Which request gets which answer, on both ports. The firehose port serves the public part; the
// HTTP port serves everything, the firehose included, so that an operator needs one address.
//
// Health and metrics read atomics and answer whatever the workers do; /_stats asks every worker, at
// most once a second; queries about repositories read the database on the blocking pool.
//
// Owner    Relay; what the sources name outlives it.
// Thread   the worker that serves HTTP.
// Bound    requests of an address (RouterLimits), also for the pages of the firehose port and for
//          what it does not have. This machine itself is not limited.
// Source   docs/operations.md, "Paths".
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/network.hpp"
#include "relay/api/admin_gate.hpp"
#include "relay/api/buckets.hpp"
#include "relay/api/caller.hpp"
#include "relay/api/relay_status.hpp"
#include "relay/api/repo_queries.hpp"
#include "relay/api/stats_page.hpp"
#include "relay/base/logger.hpp"
#include "relay/base/metrics.hpp"
#include "relay/firehose/firehose.hpp"
#include "relay/net/client_address.hpp"
#include "relay/net/http_server.hpp"

namespace ringlay::api {

// Of one address each: so many at once, then one in each `refill`. Above that: 429.
struct RouterLimits {
    std::uint32_t xrpc_burst = 500;
    Nanos xrpc_refill = std::chrono::milliseconds(20);
    std::uint32_t subscribe_burst = 100;  // attempts to subscribe to the firehose
    Nanos subscribe_refill = std::chrono::seconds(1);
    std::size_t max_addresses = 16 * 1024;
    bool limits_loopback = false;
};

struct RouterSources {
    std::string version;
    std::function<LogStatus()> log_status;      // must not wait
    std::function<RelayStatus()> relay_status;  // may ask other workers
    base::Metrics& metrics;
    base::Logger& logger;
    firehose::Firehose& firehose;
    RepoQueries* repos = nullptr;          // nullptr: these methods are not served
    std::vector<Handler> queries = {};     // below /xrpc/, both ports; asked GET and HEAD only
    std::vector<Handler> procedures = {};  // likewise; asked whatever the method
    std::vector<Handler> admin = {};       // below /admin/, behind the gate; whatever the method
    AdminGate* gate = nullptr;             // nullptr: nothing is served below /admin/
    std::vector<Network> trusted_proxies = {};
    RouterLimits limits = {};
};

class Router {
  public:
    enum class Port : std::uint8_t { firehose, http };

    explicit Router(RouterSources sources);

    // Whether the answers of a path are for pages of any site. What an operator alone should see is
    // not: it would be read through the operator's own browser.
    static bool is_for_any_site(std::string_view path);

    net::HttpReply answer(Port port, const net::HttpRequest& request, const Address& peer);

  private:
    struct Route;
    static std::span<const Route> routes();

    void warn_of_proxy(const net::HttpRequest& request, const net::Client& client,
                       const Address& peer);
    net::HttpReply subscribe(const net::HttpRequest& request, const Caller& caller);
    net::HttpResponse home(const net::HttpRequest& request);
    net::HttpResponse liveness(const net::HttpRequest& request);
    net::HttpResponse readiness(const net::HttpRequest& request);
    net::HttpResponse stats(const net::HttpRequest& request);
    net::HttpResponse metrics(const net::HttpRequest& request);
    net::HttpResponse xrpc(const net::HttpRequest& request, const Caller& caller);
    net::HttpResponse admin(const net::HttpRequest& request, const Caller& caller);
    // Nothing: one is taken. Otherwise the answer that refuses.
    std::optional<net::HttpResponse> limit(Buckets& buckets, base::QueueGauge& known,
                                           base::Counter& refused, const Caller& caller);

    RouterSources sources_;
    StatsPage stats_page_;
    Buckets xrpc_;
    Buckets subscribe_;
    base::QueueGauge& xrpc_known_;
    base::QueueGauge& subscribe_known_;
    base::Counter& xrpc_refused_;
    base::Counter& pages_refused_;
    base::Counter& subscribe_refused_;
    base::LogLimit proxy_warnings_{1, 3'600'000};
};

}  // namespace ringlay::api
