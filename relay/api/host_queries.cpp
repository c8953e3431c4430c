#include "relay/api/host_queries.hpp"

#include <algorithm>
#include <charconv>
#include <concepts>

#include "proto/base/json_writer.hpp"
#include "relay/api/crawl_requests.hpp"

namespace ringlay::api {
namespace {

using hosts::HostFigure;
using hosts::HostView;

net::HttpResponse json_page(std::string body) {
    net::HttpResponse response;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

std::string_view public_status(const HostView& view) {
    return hosts::public_name(view.row.state);
}

void write_host(JsonWriter& json, const std::string& name, const HostView& view,
                const HostFigure& figure) {
    json.begin_object();
    json.key("hostname").text(name);
    json.key("seq").number(next_seq_of(view.row, figure));
    json.key("accountCount").number(figure.accounts);
    json.key("status").text(public_status(view));
    json.end_object();
}

template <std::unsigned_integral Number>
bool read_digits(const std::string& text, Number& number) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<PageRequest> parse_page_request(const net::HttpRequest& request, std::size_t default_limit) {
    PageRequest page{.limit = default_limit, .after = 0};
    auto limit = request.query("limit");
    if (!limit) return fail(Errc::malformed, "limit is not readable");
    if (*limit && !(*limit)->empty()) {
        if (!read_digits(**limit, page.limit) || page.limit < 1 ||
            page.limit > PageRequest::max_limit) {
            return fail(Errc::malformed, "limit must be an integer from 1 to 1000");
        }
    }
    auto cursor = request.query("cursor");
    if (!cursor) return fail(Errc::malformed, "cursor is not readable");
    if (*cursor && !(*cursor)->empty() && !read_digits(**cursor, page.after)) {
        return fail(Errc::malformed, "cursor is none that this relay has given");
    }
    return page;
}

std::optional<net::HttpResponse> HostQueries::answer(const net::HttpRequest& request) const {
    if (request.path() == "/xrpc/com.atproto.sync.listHosts") return list(request);
    if (request.path() == "/xrpc/com.atproto.sync.getHostStatus") return status(request);
    return std::nullopt;
}

net::HttpResponse HostQueries::list(const net::HttpRequest& request) const {
    auto page = parse_page_request(request, default_limit);
    if (!page) return net::json_error(400, "BadRequest", page.error().what);
    const auto views = sources_.views();
    const auto figures = sources_.figures();
    JsonWriter hosts;
    hosts.begin_array();
    std::size_t count = 0;
    std::uint64_t last = 0;
    bool is_more = false;
    for (auto view = std::ranges::upper_bound(*views, page->after, {}, &HostView::id);
         view != views->end(); ++view) {
        const std::string name = hosts::host_name(view->row.address);
        const HostFigure figure = figure_of(*figures, name);
        // A host that has never said anything may be none.
        if (figure.seq == 0) continue;
        is_more = count == page->limit;
        if (is_more) break;
        write_host(hosts, name, *view, figure);
        last = view->id;
        ++count;
    }
    hosts.end_array();
    // The writer has no way to take finished JSON in.
    std::string body = "{";
    if (is_more) body += "\"cursor\":\"" + std::to_string(last) + "\",";
    body += "\"hosts\":" + hosts.str() + "}";
    return json_page(std::move(body));
}

net::HttpResponse HostQueries::status(const net::HttpRequest& request) const {
    auto hostname = request.query("hostname");
    if (!hostname || !*hostname || (*hostname)->empty()) {
        return net::json_error(400, "BadRequest", "hostname is missing or not readable");
    }
    auto address = hosts::Registry::parse_hostname(**hostname);
    if (!address) return refusal_answer(address.error());
    const std::string name = hosts::host_name(*address);
    auto view = sources_.view(name);
    if (!view) return net::json_error(404, "HostNotFound", "this relay does not know this host");
    JsonWriter json;
    write_host(json, name, *view, figure_of(*sources_.figures(), name));
    return json_page(json.take());
}

}  // namespace ringlay::api
