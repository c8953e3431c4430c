// com.atproto.sync.listHosts and getHostStatus: which hosts the relay follows, and how far.
//
// `seq` is what the log has acknowledged of the host, so that the host's operator sees what the
// relay would ask for next. hostname, seq, accountCount and status are always there: clients pass
// over hosts without them.
//
// Owner    Relay; what the sources read outlives it.
// Thread   the worker that serves HTTP; answer() may wait for the sources.
// Bound    a page of max_limit hosts.
// Source   protocol 4.11.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "relay/hosts/host_book.hpp"
#include "relay/hosts/host_figures.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::api {

struct PageRequest {
    static constexpr std::size_t max_limit = 1000;
    std::size_t limit = 0;
    std::uint64_t after = 0;  // an id; cursors are these, in digits
};
// Errors: malformed, in words for the client.
Result<PageRequest> parse_page_request(const net::HttpRequest& request, std::size_t default_limit);

struct HostSources {
    std::function<std::shared_ptr<const std::vector<hosts::HostView>>()> views;
    std::function<std::optional<hosts::HostView>(std::string_view name)> view;
    std::function<std::shared_ptr<const hosts::HostFigures>()> figures;
};

class HostQueries {
  public:
    static constexpr std::size_t default_limit = 200;

    explicit HostQueries(HostSources sources) : sources_(std::move(sources)) {}

    // Nothing: the path is none of these queries.
    std::optional<net::HttpResponse> answer(const net::HttpRequest& request) const;

  private:
    net::HttpResponse list(const net::HttpRequest& request) const;
    net::HttpResponse status(const net::HttpRequest& request) const;

    HostSources sources_;
};

}  // namespace ringlay::api
