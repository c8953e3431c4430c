#include "relay/api/admin_hosts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "proto/base/json_writer.hpp"
#include "relay/api/admin_answers.hpp"

namespace ringlay::api {
namespace {

using hosts::HostFigure;
using hosts::HostLimits;
using hosts::HostView;
using hosts::Refusal;

std::string lower_case(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

bool is_below(std::string_view name, std::string_view domain) {
    return name.size() > domain.size() && name.ends_with(domain) &&
           name[name.size() - domain.size() - 1] == '.';
}

std::string_view without_star(std::string_view pattern) {
    return pattern.starts_with("*.") ? pattern.substr(2) : pattern;
}

void write_time(JsonWriter& json, std::string_view key, WallMillis time) {
    if (time.count() > 0) json.key(key).number(time.count());
}

template <class Number>
void write_limit(JsonWriter& json, std::string_view key, const std::optional<Number>& limit) {
    json.key(key);
    if (limit) {
        json.number(*limit);
    } else {
        json.null();
    }
}

void write_troubles(JsonWriter& json, const hosts::HostTroubles& troubles) {
    json.begin_object();
    json.key("stale").number(troubles.stale);
    json.key("unreadable").number(troubles.unreadable);
    json.key("poison_steps").number(troubles.poison_steps);
    json.key("seq_leaps").number(troubles.seq_leaps);
    json.key("seq_regressions").number(troubles.seq_regressions);
    json.key("future_cursors").number(troubles.future_cursors);
    json.key("rate_waits").number(troubles.rate_waits);
    json.end_object();
}

void write_live(JsonWriter& json, const hosts::HostStatus& live) {
    json.begin_object();
    json.key("phase").text(hosts::phase_name(live.phase));
    json.key("throttled").boolean(live.is_throttled);
    json.key("quarantined").boolean(live.is_quarantined);
    json.key("relay").boolean(live.is_relay);
    if (!live.server.empty()) json.key("server").text(live.server);
    json.key("seq").number(live.last_seq);
    json.key("events").number(live.events);
    json.key("passed").number(live.passed);
    json.key("refused").number(live.refused);
    json.key("forged").number(live.forged);
    json.key("limited").number(live.limited);
    json.key("unverified").number(live.unverified);
    json.key("troubles");
    write_troubles(json, live.troubles);
    json.key("connections").number(live.connections);
    json.key("lag_ms");
    if (live.lag_ms) {
        json.number(*live.lag_ms);
    } else {
        json.null();
    }
    json.key("rev_ahead_ms").number(live.rev_ahead_ms);
    // Most hosts have less than one in a second.
    json.key("events_per_minute").number(std::llround(live.events_per_second * 60));
    json.key("bytes_per_second").number(std::llround(live.bytes_per_second));
    json.key("limit_events_per_second").number(live.limit_events_per_second);
    json.key("window_events").number(live.window_events);
    json.key("window_bytes").number(live.window_bytes);
    write_time(json, "last_event_ms", live.last_event);
    write_time(json, "connected_since_ms", live.connected_since);
    if (live.phase == hosts::HostPhase::waiting) {
        write_time(json, "next_attempt_ms", live.next_attempt);
    }
    if (!live.failure.empty()) json.key("failure").text(live.failure);
    write_time(json, "failed_ms", live.failed_at);
    json.end_object();
}

void write_row(JsonWriter& json, const HostView& view, const HostFigure& figure) {
    const hosts::HostRow& row = view.row;
    json.begin_object();
    json.key("id").number(view.id);
    json.key("hostname").text(hosts::host_name(row.address));
    json.key("tls").boolean(row.address.is_tls);
    json.key("state").text(hosts::state_name(row.state));
    json.key("source").text(hosts::source_name(row.source));
    json.key("trusted").boolean(row.is_trusted);
    json.key("seq").number(next_seq_of(row, figure));
    json.key("accounts").number(figure.accounts);
    if (!row.failure.empty()) json.key("failure").text(row.failure);
    if (!row.ban_reason.empty()) json.key("ban_reason").text(row.ban_reason);
    if (!row.added_from.empty()) json.key("added_from").text(row.added_from);
    write_time(json, "added_ms", row.added);
    write_time(json, "last_connected_ms", row.last_connected);
    write_time(json, "last_event_ms", row.last_event);
    json.key("limits").begin_object();
    write_limit(json, "events_per_second", row.limits.events_per_second);
    write_limit(json, "bytes_per_second", row.limits.bytes_per_second);
    write_limit(json, "new_accounts_per_hour", row.limits.new_accounts_per_hour);
    json.end_object();
    json.key("live");
    if (view.live) {
        write_live(json, *view.live);
    } else {
        json.null();
    }
    json.end_object();
}

void write_totals(JsonWriter& json, const hosts::Registry::Totals& totals) {
    json.begin_object();
    json.key("hosts").number(totals.hosts);
    json.key("connected").number(totals.connected);
    json.key("pending").number(totals.pending);
    json.key("offline").number(totals.offline);
    json.key("quarantined").number(totals.quarantined);
    json.key("banned").number(totals.banned);
    json.end_object();
}

void write_upstream(JsonWriter& json, const hosts::DiscoveryStatus& upstream) {
    json.begin_object();
    json.key("upstream").text(upstream.upstream);
    write_time(json, "last_success_ms", upstream.last_success);
    write_time(json, "next_attempt_ms", upstream.next_attempt);
    json.key("listed").number(upstream.listed);
    json.key("added").number(upstream.added);
    json.key("rejected").number(upstream.rejected);
    if (!upstream.rejection.empty()) json.key("rejection").text(upstream.rejection);
    json.key("cut").boolean(upstream.is_cut);
    if (!upstream.failure.empty()) json.key("failure").text(upstream.failure);
    json.end_object();
}

std::optional<std::string> host_field(const JsonFields& fields) {
    auto host = fields.text("host");
    return host ? host : fields.text("hostname");
}

// False: it is there, and no limit. What is not there stays as it was; null is the default.
template <class Number>
bool read_limit(const JsonFields& fields, std::string_view name, std::optional<Number>& limit) {
    const JsonValue* value = fields.find(name);
    if (value == nullptr) return true;
    if (std::holds_alternative<JsonNull>(*value)) {
        limit.reset();
        return true;
    }
    const auto* number = std::get_if<std::uint64_t>(value);
    if (number == nullptr || *number == 0 || *number > std::numeric_limits<Number>::max()) {
        return false;
    }
    limit = static_cast<Number>(*number);
    return true;
}

std::string text_of(const HostLimits& limits) {
    auto text = [](const auto& limit) { return limit ? std::to_string(*limit) : "default"; };
    return "events_per_second " + text(limits.events_per_second) + ", bytes_per_second " +
           text(limits.bytes_per_second) + ", new_accounts_per_hour " +
           text(limits.new_accounts_per_hour);
}

}  // namespace

net::HttpResponse admin_page(std::string json) {
    net::HttpResponse response;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(json);
    return response;
}

net::HttpResponse admin_error(std::string_view message) {
    return net::json_error(400, "BadRequest", message);
}

net::HttpResponse admin_done(std::optional<std::size_t> hosts) {
    JsonWriter json;
    json.begin_object().key("success").text("true");
    if (hosts) json.key("hosts").number(*hosts);
    json.end_object();
    return admin_page(json.take());
}

std::expected<JsonFields, net::HttpResponse> body_of(const net::HttpRequest& request) {
    auto fields = JsonFields::parse(request.body);
    if (!fields) return std::unexpected(admin_error(fields.error().what));
    return std::move(*fields);
}

std::expected<std::string, Refusal> ban_target(std::string_view text) {
    std::string name = lower_case(text);
    if (!name.starts_with("*.")) {
        auto address = hosts::Registry::parse_hostname(name);
        if (!address) return std::unexpected(address.error());
        return hosts::host_name(*address);
    }
    const bool is_domain =
        name.size() > 2 && name.size() <= 255 && name[2] != '.' && name.back() != '.' &&
        name.find("..") == name.npos && std::ranges::all_of(name.substr(2), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        });
    if (!is_domain) {
        return std::unexpected(Refusal{Refusal::Why::invalid, "no domain behind the `*.`"});
    }
    return name;
}

bool overlaps(std::string_view domain, std::string_view trusted) {
    const std::string_view banned = without_star(domain);
    const std::string_view name = without_star(trusted);
    const bool is_wide = name.size() != trusted.size();
    // `*.a.b` does not hit a.b itself.
    if (banned == name) return is_wide;
    return is_below(name, banned) || (is_wide && is_below(banned, name));
}

struct AdminHosts::Route {
    std::string_view path;
    net::HttpMethod method;
    net::HttpResponse (AdminHosts::*handler)(const net::HttpRequest&, const Address&);
};

const std::vector<AdminHosts::Route>& AdminHosts::routes() {
    using enum net::HttpMethod;
    static const std::vector<Route> all{
        {"/admin/hosts", get, &AdminHosts::list},
        {"/admin/hosts/block", post, &AdminHosts::block},
        {"/admin/hosts/unblock", post, &AdminHosts::unblock},
        {"/admin/hosts/changeLimits", post, &AdminHosts::change_limits},
        {"/admin/hosts/resetCursor", post, &AdminHosts::reset_cursor},
        {"/admin/hosts/add", post, &AdminHosts::add},
        {"/admin/hosts/remove", post, &AdminHosts::remove},
        {"/admin/hosts/bans", get, &AdminHosts::bans},
        {"/admin/pds/list", get, &AdminHosts::pds_list},
        {"/admin/pds/block", post, &AdminHosts::pds_block},
        {"/admin/pds/unblock", post, &AdminHosts::pds_unblock},
        {"/admin/pds/changeLimits", post, &AdminHosts::pds_change_limits},
        {"/admin/pds/requestCrawl", post, &AdminHosts::add},
        {"/admin/subs/banDomain", post, &AdminHosts::ban_domain},
        {"/admin/subs/unbanDomain", post, &AdminHosts::unban_domain},
        {"/admin/subs/listDomainBans", get, &AdminHosts::domain_bans},
        {"/admin/consumers/list", get, &AdminHosts::consumers},
        {"/admin/subs/getUpstreamConns", get, &AdminHosts::upstream_connections},
        {"/admin/subs/perDayLimit", get, &AdminHosts::per_day_limit},
        {"/admin/subs/getEnabled", get, &AdminHosts::get_enabled},
        {"/admin/subs/setEnabled", post, &AdminHosts::set_enabled},
    };
    return all;
}

AdminHosts::AdminHosts(env::Env& env, base::Logger& logger, AdminHostsSources sources)
    : env_(env), logger_(logger), sources_(std::move(sources)) {}

std::optional<net::HttpResponse> AdminHosts::answer(const net::HttpRequest& request,
                                                    const Address& who) {
    auto route = std::ranges::find(routes(), request.path(), &Route::path);
    if (route == routes().end()) return std::nullopt;
    // Whoever serves keeps the body of an answer to HEAD back.
    const bool is_read = route->method == net::HttpMethod::get;
    if (request.method != route->method && !(is_read && request.method == net::HttpMethod::head)) {
        auto refusal =
            net::json_error(405, "MethodNotAllowed", is_read ? "this is a GET" : "this is a POST");
        refusal.headers.add("Allow", is_read ? "GET, HEAD, OPTIONS" : "POST, OPTIONS");
        return refusal;
    }
    return (this->*route->handler)(request, who);
}

net::HttpResponse AdminHosts::list(const net::HttpRequest& request, const Address&) {
    auto page = parse_page_request(request, default_limit);
    if (!page) return admin_error(page.error().what);
    auto state = request.query("state");
    auto name = request.query("name");
    if (!state || !name) return admin_error("state or name is not readable");
    const std::string wanted_state = state->value_or("");
    const std::string wanted_name = lower_case(name->value_or(""));

    const auto views = sources_.book.views();
    const auto figures = sources_.figures();
    JsonWriter json;
    json.begin_object();
    json.key("totals");
    write_totals(json, sources_.totals());
    json.key("request_crawl").boolean(sources_.crawl != nullptr && sources_.crawl->is_on());
    json.key("upstreams").begin_array();
    for (const auto& upstream : sources_.discovery()) write_upstream(json, upstream);
    json.end_array();
    json.key("hosts").begin_array();
    std::size_t count = 0;
    std::uint64_t last = 0;
    bool is_more = false;
    for (auto view = std::ranges::upper_bound(*views, page->after, {}, &HostView::id);
         view != views->end(); ++view) {
        const std::string host = hosts::host_name(view->row.address);
        if (!wanted_state.empty() && hosts::state_name(view->row.state) != wanted_state) continue;
        if (host.find(wanted_name) == host.npos) continue;
        is_more = count == page->limit;
        if (is_more) break;
        write_row(json, *view, figure_of(*figures, host));
        last = view->id;
        ++count;
    }
    json.end_array();
    if (is_more) json.key("cursor").text(std::to_string(last));
    json.end_object();
    return admin_page(json.take());
}

net::HttpResponse AdminHosts::bans(const net::HttpRequest&, const Address&) {
    JsonWriter json;
    json.begin_object().key("bans").begin_array();
    for (const auto& [target, reason] : sources_.book.bans()) {
        json.begin_object();
        json.key("host").text(target).key("reason").text(reason);
        json.end_object();
    }
    json.end_array().end_object();
    return admin_page(json.take());
}

net::HttpResponse AdminHosts::block(const net::HttpRequest& request, const Address& who) {
    auto fields = body_of(request);
    if (!fields) return std::move(fields.error());
    auto host = host_field(*fields);
    if (!host) return admin_error("host is missing");
    auto target = ban_target(*host);
    if (!target) return refusal_answer(target.error());
    return ban({{.target = std::move(*target),
                 .reason = fields->text("reason").value_or(""),
                 .is_confirmed = fields->is_true("confirm")}},
               who);
}

net::HttpResponse AdminHosts::unblock(const net::HttpRequest& request, const Address& who) {
    auto fields = body_of(request);
    if (!fields) return std::move(fields.error());
    auto host = host_field(*fields);
    if (!host) return admin_error("host is missing");
    auto target = ban_target(*host);
    if (!target) return refusal_answer(target.error());
    return unban({std::move(*target)}, who);
}

net::HttpResponse AdminHosts::change_limits(const net::HttpRequest& request, const Address& who) {
    auto fields = body_of(request);
    if (!fields) return std::move(fields.error());
    auto host = host_field(*fields);
    if (!host) return admin_error("host is missing");
    auto view = find(*host);
    if (!view) return net::json_error(404, "HostNotFound", "this relay does not know this host");
    HostLimits limits = view->row.limits;
    if (!read_limit(*fields, "events_per_second", limits.events_per_second) ||
        !read_limit(*fields, "bytes_per_second", limits.bytes_per_second) ||
        !read_limit(*fields, "new_accounts_per_hour", limits.new_accounts_per_hour)) {
        return admin_error(
            "a limit is a whole number above 0, or null for the default; to stop a host, block it");
    }
    if (limits == view->row.limits) return admin_done();
    return set_limits(hosts::host_name(view->row.address), limits, who);
}

net::HttpResponse AdminHosts::reset_cursor(const net::HttpRequest& request, const Address& who) {
    auto fields = body_of(request);
    if (!fields) return std::move(fields.error());
    auto host = host_field(*fields);
    if (!host) return admin_error("host is missing");
    auto view = find(*host);
    if (!view) return net::json_error(404, "HostNotFound", "this relay does not know this host");
    const JsonValue* value = fields->find("cursor");
    std::optional<std::uint64_t> cursor;
    if (value == nullptr)
        return admin_error(
            "cursor is missing: a seq of the host, 0 for "
            "everything it has, or null for live events only");
    if (!std::holds_alternative<JsonNull>(*value)) {
        const auto* number = std::get_if<std::uint64_t>(value);
        if (number == nullptr || *number > max_cursor) {
            return admin_error("cursor is a whole number below 2^53, or null");
        }
        cursor = *number;
    }
    const std::string name = hosts::host_name(view->row.address);
    auto done = sources_.book.reset_cursor(name, cursor);
    if (!done) return refusal_answer(done.error());
    note("resetCursor", name, cursor ? std::to_string(*cursor) : "live", who);
    return admin_done();
}

net::HttpResponse AdminHosts::add(const net::HttpRequest& request, const Address& who) {
    auto fields = body_of(request);
    if (!fields) return std::move(fields.error());
    auto host = host_field(*fields);
    if (!host) return admin_error("host is missing");
    auto address = hosts::Registry::parse_hostname(*host);
    if (!address) return refusal_answer(address.error());
    auto was_known = sources_.book.offer(*address, hosts::HostSource::admin, std::nullopt);
    if (!was_known) return refusal_answer(was_known.error());
    note("add", hosts::host_name(*address), *was_known ? "known" : "new", who);
    return admin_done();
}

net::HttpResponse AdminHosts::remove(const net::HttpRequest& request, const Address& who) {
    auto fields = body_of(request);
    if (!fields) return std::move(fields.error());
    auto host = host_field(*fields);
    if (!host) return admin_error("host is missing");
    auto view = find(*host);
    if (!view) return net::json_error(404, "HostNotFound", "this relay does not know this host");
    const std::string name = hosts::host_name(view->row.address);
    auto done = sources_.book.remove(name);
    if (!done) return refusal_answer(done.error());
    note("remove", name, "", who);
    return admin_done();
}

net::HttpResponse AdminHosts::ban(const std::vector<Ban>& bans, const Address& who) {
    for (const Ban& one : bans) {
        if (one.is_confirmed) continue;
        if (std::string effect = effect_of(one.target); !effect.empty()) {
            return net::json_error(400, "ConfirmationRequired",
                                   effect + "; send \"confirm\": true if that is meant");
        }
    }
    std::size_t total = 0;
    for (const Ban& one : bans) {
        auto count = sources_.book.ban(one.target, one.reason);
        if (!count) return refusal_answer(count.error());
        total += *count;
        note("block", one.target, one.reason, who);
    }
    return admin_done(total);
}

// Of several targets one that is banned will do.
net::HttpResponse AdminHosts::unban(const std::vector<std::string>& targets, const Address& who) {
    std::size_t total = 0;
    std::optional<Refusal> unknown;
    bool is_done = false;
    for (const std::string& target : targets) {
        auto count = sources_.book.unban(target);
        if (!count && count.error().why == Refusal::Why::unknown) {
            unknown = count.error();
            continue;
        }
        if (!count) return refusal_answer(count.error());
        is_done = true;
        total += *count;
        note("unblock", target, "", who);
    }
    return is_done ? admin_done(total) : refusal_answer(*unknown);
}

net::HttpResponse AdminHosts::set_limits(std::string_view host, const HostLimits& limits,
                                         const Address& who) {
    auto done = sources_.book.change_limits(host, limits);
    if (!done) return refusal_answer(done.error());
    note("changeLimits", host, text_of(limits), who);
    return admin_done();
}

std::string AdminHosts::effect_of(std::string_view target) {
    if (!target.starts_with("*.")) {
        for (const std::string& trusted : sources_.trusted_domains) {
            const std::string name = lower_case(trusted);
            const bool is_it = target.starts_with(name) &&
                               (target.size() == name.size() || target[name.size()] == ':');
            if (is_it) return "this bans " + trusted + ", a trusted host";
        }
        return {};
    }
    const std::string_view domain = without_star(target);
    if (domain.find('.') == domain.npos) return "this bans a whole top-level domain";
    for (const std::string& trusted : sources_.trusted_domains) {
        if (overlaps(target, lower_case(trusted)))
            return "this bans hosts of " + trusted + ", a trusted domain";
    }
    std::size_t count = 0;
    const auto views = sources_.book.views();
    for (const HostView& view : *views) {
        if (is_below(view.row.address.name, domain)) ++count;
    }
    if (count <= max_hosts_unconfirmed) return {};
    return "this bans " + std::to_string(count) + " hosts";
}

std::optional<HostView> AdminHosts::find(std::string_view host) {
    auto address = hosts::Registry::parse_hostname(host);
    if (!address) return std::nullopt;
    return sources_.book.view(hosts::host_name(*address));
}

void AdminHosts::note(std::string_view action, std::string_view host, std::string_view detail,
                      const Address& who) {
    logger_.log(base::LogLevel::warn, static_cast<std::uint64_t>(env_.clock.wall().count()),
                "administration",
                {{"action", action}, {"host", host}, {"detail", detail}, {"by", who.ip_text()}});
}

}  // namespace ringlay::api
