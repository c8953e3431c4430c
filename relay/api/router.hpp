// Which request gets which answer, on both ports. The firehose port serves the public part; the
// HTTP port serves everything, the firehose included, so that an operator needs one address.
//
// Health and metrics read atomics and answer whatever the workers do; /_stats asks every worker;
// queries about repositories read the database on the blocking pool.
//
// Owner    Relay.
// Thread   the worker that serves HTTP.
#pragma once

#include <functional>
#include <string>

#include "relay/api/relay_status.hpp"
#include "relay/api/repo_queries.hpp"
#include "relay/base/metrics.hpp"
#include "relay/firehose/firehose.hpp"
#include "relay/net/http_server.hpp"

namespace ringlay::api {

struct RouterSources {
    std::string version;
    std::function<LogStatus()> log_status;      // must not wait
    std::function<RelayStatus()> relay_status;  // may ask other workers
    const base::Metrics& metrics;
    firehose::Firehose& firehose;
    RepoQueries* repos = nullptr;  // nullptr: these methods are not served
};

class Router {
  public:
    enum class Port : std::uint8_t { firehose, http };

    explicit Router(RouterSources sources) : sources_(std::move(sources)) {}

    net::HttpReply answer(Port port, const net::HttpRequest& request, const Address& peer);

  private:
    net::HttpReply subscribe(const net::HttpRequest& request, const Address& peer);
    net::HttpResponse page(Port port, const net::HttpRequest& request);

    RouterSources sources_;
};

}  // namespace ringlay::api
