// The paths of the Go relay's administration, for tools that know only these. An answer to a change
// is 200 with `{"success":"true"}`, as there.
#include <algorithm>
#include <set>

#include "proto/base/json_writer.hpp"
#include "relay/api/admin_answers.hpp"
#include "relay/api/admin_hosts.hpp"
#include "relay/hosts/host_rate.hpp"

namespace ringlay::api {
namespace {

using hosts::HostView;

// What a host with so many accounts may send by default.
std::uint32_t events_per_second_of(std::uint64_t accounts, std::uint32_t base) {
    constexpr std::uint64_t most = 1'000'000;
    return static_cast<std::uint32_t>(
        std::min(base + accounts / hosts::HostRate::accounts_for_one, most));
}

// 2026-11-24T03:00:00Z
std::string date_text(WallMillis time) {
    using namespace std::chrono;
    const sys_days day = floor<days>(sys_time<milliseconds>(time));
    const year_month_day date(day);
    const hh_mm_ss clock(floor<seconds>(sys_time<milliseconds>(time) - day));
    auto two = [](auto number) {
        std::string text = std::to_string(number);
        return text.size() < 2 ? "0" + text : text;
    };
    return std::to_string(static_cast<int>(date.year())) + "-" +
           two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day())) +
           "T" + two(clock.hours().count()) + ":" + two(clock.minutes().count()) + ":" +
           two(clock.seconds().count()) + "Z";
}

void write_rate(JsonWriter& json, std::string_view key, std::int64_t most, std::uint32_t window_s) {
    json.key(key).begin_object();
    json.key("Max").number(most);
    json.key("Window").number(window_s);
    json.end_object();
}

void write_pds(JsonWriter& json, const HostView& view, const hosts::HostFigure& figure) {
    const hosts::HostRow& row = view.row;
    const bool is_banned = row.state == hosts::HostState::banned;
    const bool is_connected = view.live && view.live->phase == hosts::HostPhase::connected;
    json.begin_object();
    json.key("ID").number(view.id);
    json.key("CreatedAt").text(date_text(row.added));
    json.key("Host").text(hosts::host_name(row.address));
    json.key("SSL").boolean(row.address.is_tls);
    json.key("Cursor").number(next_seq_of(row, figure));
    json.key("Registered").boolean(!is_banned);
    json.key("Blocked").boolean(is_banned);
    json.key("CrawlRateLimit").number(0);
    json.key("RepoCount").number(figure.accounts);
    json.key("RepoLimit").number(0);
    json.key("HasActiveConnection").boolean(is_connected);
    json.key("EventsSeenSinceStartup").number(view.live ? view.live->events : 0);
    const auto limit = row.limits.events_per_second;
    write_rate(json, "PerSecondEventRate", limit ? std::int64_t{*limit} : -1, 1);
    write_rate(json, "PerHourEventRate", -1, 3600);
    write_rate(json, "PerDayEventRate", -1, 86400);
    json.key("UserCount").number(figure.accounts);
    json.key("AccountLimitAlertsSilenced").boolean(true);
    json.key("AccountLimitAlertState").text("ok");
    json.end_object();
}

std::optional<std::string> host_parameter(const net::HttpRequest& request) {
    auto host = request.query("host");
    return host ? *host : std::nullopt;
}

// `{"Domain": ...}`, in either case. A domain there is the name itself and all below it.
std::expected<std::vector<std::string>, net::HttpResponse> domain_targets(
    const JsonFields& fields) {
    auto domain = fields.text("domain");
    if (!domain) domain = fields.text("Domain");
    if (!domain) return std::unexpected(admin_error("domain is missing"));
    std::vector<std::string> targets;
    for (const std::string& text : {"*." + *domain, *domain}) {
        auto target = ban_target(text);
        if (!target) return std::unexpected(refusal_answer(target.error()));
        targets.push_back(std::move(*target));
    }
    return targets;
}

}  // namespace

net::HttpResponse AdminHosts::pds_list(const net::HttpRequest&, const Address&) {
    const auto views = sources_.book.views();
    const auto figures = sources_.figures();
    JsonWriter json;
    json.begin_array();
    for (const HostView& view : *views) {
        write_pds(json, view, figure_of(*figures, hosts::host_name(view.row.address)));
    }
    json.end_array();
    return admin_page(json.take());
}

net::HttpResponse AdminHosts::pds_block(const net::HttpRequest& request, const Address& who) {
    auto host = host_parameter(request);
    if (!host) return admin_error("must pass a valid host");
    auto target = ban_target(*host);
    if (!target) return refusal_answer(target.error());
    auto confirm = request.query("confirm");
    return ban({{.target = std::move(*target),
                 .reason = "",
                 .is_confirmed = confirm && *confirm == "true"}},
               who);
}

net::HttpResponse AdminHosts::pds_unblock(const net::HttpRequest& request, const Address& who) {
    auto host = host_parameter(request);
    if (!host) return admin_error("must pass a valid host");
    auto target = ban_target(*host);
    if (!target) return refusal_answer(target.error());
    return unban({std::move(*target)}, who);
}

// There is no limit on accounts here. What such a limit is raised for is that the host may send
// more: it may send what a host with so many accounts may.
net::HttpResponse AdminHosts::pds_change_limits(const net::HttpRequest& request,
                                                const Address& who) {
    auto fields = body_of(request);
    if (!fields) return std::move(fields.error());
    const JsonValue* limit = fields->find("repo_limit");
    if (limit == nullptr) return change_limits(request, who);
    const auto* accounts = std::get_if<std::uint64_t>(limit);
    if (accounts == nullptr || *accounts == 0) {
        return admin_error("repo_limit is a whole number above 0; to stop a host, block it");
    }
    auto view = find(fields->text("host").value_or(""));
    if (!view) return net::json_error(404, "HostNotFound", "unknown hostname");
    hosts::HostLimits limits = view->row.limits;
    limits.events_per_second = events_per_second_of(*accounts, sources_.events_per_second);
    return set_limits(hosts::host_name(view->row.address), limits, who);
}

net::HttpResponse AdminHosts::ban_domain(const net::HttpRequest& request, const Address& who) {
    auto fields = body_of(request);
    if (!fields) return std::move(fields.error());
    auto targets = domain_targets(*fields);
    if (!targets) return std::move(targets.error());
    std::vector<Ban> bans;
    for (std::string& target : *targets) {
        bans.push_back({.target = std::move(target),
                        .reason = fields->text("reason").value_or(""),
                        .is_confirmed = fields->is_true("confirm")});
    }
    return ban(bans, who);
}

net::HttpResponse AdminHosts::unban_domain(const net::HttpRequest& request, const Address& who) {
    auto fields = body_of(request);
    if (!fields) return std::move(fields.error());
    auto targets = domain_targets(*fields);
    if (!targets) return std::move(targets.error());
    return unban(*targets, who);
}

// Of hosts, too: there a domain is banned by its name.
net::HttpResponse AdminHosts::domain_bans(const net::HttpRequest&, const Address&) {
    std::set<std::string> domains;
    for (const auto& [target, reason] : sources_.book.bans()) {
        domains.insert(target.starts_with("*.") ? target.substr(2) : target);
    }
    JsonWriter json;
    json.begin_object().key("banned_domains").begin_array();
    for (const std::string& domain : domains) json.text(domain);
    json.end_array().end_object();
    return admin_page(json.take());
}

net::HttpResponse AdminHosts::consumers(const net::HttpRequest&, const Address&) {
    JsonWriter json;
    json.begin_array();
    for (const firehose::ConsumerStatus& consumer : sources_.consumers()) {
        json.begin_object();
        json.key("id").number(consumer.id);
        json.key("remote_addr").text(consumer.peer);
        json.key("user_agent").text(consumer.user_agent);
        json.key("events_consumed").number(consumer.frames_sent);
        json.key("connected_at").text(date_text(consumer.connected_at));
        json.end_object();
    }
    json.end_array();
    return admin_page(json.take());
}

// Connected, or about to be.
net::HttpResponse AdminHosts::upstream_connections(const net::HttpRequest&, const Address&) {
    const auto views = sources_.book.views();
    JsonWriter json;
    json.begin_array();
    for (const HostView& view : *views) {
        if (view.live) json.text(hosts::host_name(view.row.address));
    }
    json.end_array();
    return admin_page(json.take());
}

net::HttpResponse AdminHosts::per_day_limit(const net::HttpRequest&, const Address&) {
    JsonWriter json;
    json.begin_object().key("limit").number(sources_.new_hosts_per_day).end_object();
    return admin_page(json.take());
}

net::HttpResponse AdminHosts::get_enabled(const net::HttpRequest&, const Address&) {
    JsonWriter json;
    json.begin_object();
    json.key("enabled").boolean(sources_.crawl != nullptr && sources_.crawl->is_on());
    json.end_object();
    return admin_page(json.take());
}

// Until the next start.
net::HttpResponse AdminHosts::set_enabled(const net::HttpRequest& request, const Address& who) {
    auto enabled = request.query("enabled");
    const std::string text = enabled ? enabled->value_or("") : "";
    if (text != "true" && text != "false") return admin_error("enabled must be true or false");
    if (sources_.crawl != nullptr) sources_.crawl->turn(text == "true");
    note("setEnabled", "", text, who);
    return admin_done();
}

}  // namespace ringlay::api
