#include "relay/base/config_values.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "proto/url.hpp"

namespace ringlay::base {
namespace {

constexpr std::size_t max_list_items = 5'000;
constexpr std::size_t max_relays = 100;
constexpr std::size_t max_passwords = 100;
constexpr std::uint16_t https_port = 443;
constexpr std::string_view none = "none";
constexpr std::size_t max_name_bytes = 253;

// Takes the digits at the front of `text` away.
std::optional<std::uint64_t> take_digits(std::string_view& text) {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
    if (b != 0 && a > UINT64_MAX / b) return std::nullopt;
    return a * b;
}

bool is_ipv4(std::string_view text) {
    for (int part = 0; part < 4; ++part) {
        std::string_view before = text;
        auto value = take_digits(text);
        std::size_t digits = before.size() - text.size();
        if (!value || *value > 255 || (digits > 1 && before.front() == '0')) return false;
        if (part < 3 && !text.starts_with('.')) return false;
        if (part < 3) text.remove_prefix(1);
    }
    return text.empty();
}

std::unexpected<std::string> refused(std::string_view form, std::string_view item,
                                     std::string_view why) {
    return std::unexpected(std::string(form) + ": \"" + std::string(item) + "\" " +
                           std::string(why));
}

std::unexpected<std::string> too_many(std::string_view form, std::size_t bound) {
    return std::unexpected(std::string(form) + ", at most " + std::to_string(bound));
}

using HostResult = std::expected<HostAddress, std::string>;

// Takes `host` or `[host]` from the front; its one form. Empty: there is no sound one.
std::expected<std::string, std::string_view> take_host_name(std::string_view& rest) {
    constexpr std::string_view unsound =
        "has no sound host name (nor may there be a path or a user)";
    if (rest.starts_with('[')) {
        std::size_t end = rest.find(']');
        if (end == rest.npos) return std::unexpected("lacks a `]`");
        auto address = Address::parse(rest.substr(0, end + 1), 0);
        rest.remove_prefix(end + 1);
        if (!address) return std::unexpected(unsound);
        return address->ip_text();
    }
    std::string name(rest.substr(0, rest.find(':')));
    rest.remove_prefix(name.size());
    if (!is_dns_shaped(name)) return std::unexpected(unsound);
    return name;
}

HostResult parse_host(std::string_view item) {
    std::string text = lower_case(item);
    std::string_view rest = text;
    std::optional<proto::Scheme> scheme;
    if (std::size_t at = rest.find("://"); at != rest.npos) {
        using enum proto::Scheme;
        for (proto::Scheme known : {http, https, ws, wss}) {
            if (proto::scheme_name(known) == rest.substr(0, at)) scheme = known;
        }
        if (!scheme) return refused(hosts_form, item, "has a scheme that is not known");
        rest.remove_prefix(at + 3);
        if (rest.ends_with('/')) rest.remove_suffix(1);
    }
    auto name = take_host_name(rest);
    if (!name) return refused(hosts_form, item, name.error());

    HostAddress host;
    host.name = std::move(*name);
    host.is_tls = !scheme || proto::is_tls(*scheme);
    host.port = scheme ? proto::default_port(*scheme) : https_port;
    if (rest.empty()) return host;
    auto port = rest.front() == ':' ? parse_count(rest.substr(1)) : std::nullopt;
    if (!port || *port == 0 || *port > UINT16_MAX) {
        return refused(hosts_form, item, "has no sound port");
    }
    host.port = static_cast<std::uint16_t>(*port);
    if (!scheme) host.is_tls = host.port == https_port;
    return host;
}

// `name`, or an http(s) URL without a path; the URL.
std::expected<std::string, std::string> parse_relay(std::string_view item) {
    std::string text = lower_case(item);
    if (!text.contains("://")) {
        if (text.contains(':')) return refused(relays_form, item, "has a port but no scheme");
        if (!is_dns_shaped(text)) return refused(relays_form, item, "is no sound name");
        return "https://" + text;
    }
    auto url = parse_base_url(text);
    if (!url) return refused(relays_form, item, "is no sound address");
    return std::move(*url);
}

}  // namespace

std::string lower_case(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

bool is_dns_shaped(std::string_view text) {
    if (text.empty() || text.size() > max_name_bytes) return false;
    bool label_begins = true;
    char before = '.';
    for (char c : text) {
        bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (c == '.' && (label_begins || before == '-')) return false;
        if (c == '-' && label_begins) return false;
        if (c != '.' && c != '-' && !letter_or_digit) return false;
        label_begins = c == '.';
        before = c;
    }
    if (before == '.' || before == '-') return false;
    // All digits and dots is an address or a slip, never a name.
    bool numeric = text.find_first_not_of("0123456789.") == std::string_view::npos;
    return !numeric || is_ipv4(text);
}

std::vector<std::string_view> items_of(std::string_view text) {
    constexpr std::string_view space = " \t\n";
    std::vector<std::string_view> items;
    while (!text.empty()) {
        std::size_t comma = std::min(text.find(','), text.size());
        std::string_view item = text.substr(0, comma);
        text.remove_prefix(std::min(text.size(), comma + 1));
        std::size_t first = item.find_first_not_of(space);
        if (first == item.npos) continue;
        items.push_back(item.substr(first, item.find_last_not_of(space) - first + 1));
    }
    return items;
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
    auto value = take_digits(text);
    return text.empty() ? value : std::nullopt;
}

std::optional<std::uint64_t> parse_size_bytes(std::string_view text) {
    auto value = take_digits(text);
    if (!value || text.empty()) return value;
    std::string suffix = lower_case(text);
    constexpr std::string_view powers = "kmgt";
    std::size_t power = powers.find(suffix.front());
    std::string_view form =
        std::string_view(suffix).substr(power == std::string_view::npos ? 0 : 1);
    std::uint64_t base = form == "i" || form == "ib" ? 1024 : 1000;
    if (power == std::string_view::npos) return form == "b" ? value : std::nullopt;
    if (base == 1000 && !form.empty() && form != "b") return std::nullopt;
    for (std::size_t n = 0; value && n <= power; ++n) value = product(*value, base);
    return value;
}

std::optional<std::uint64_t> parse_hours(std::string_view text) {
    if (auto plain = parse_count(text)) return plain;
    std::uint64_t seconds = 0;
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        auto value = take_digits(text);
        if (!value || text.empty()) return std::nullopt;
        std::uint64_t unit = 0;
        if (text.front() == 'h') unit = 3600;
        if (text.front() == 'm') unit = 60;
        if (text.front() == 's') unit = 1;
        text.remove_prefix(1);
        auto part = product(*value, unit);
        if (unit == 0 || !part || *part > UINT64_MAX - seconds) return std::nullopt;
        seconds += *part;
    }
    if (seconds % 3600 != 0) return std::nullopt;
    return seconds / 3600;
}

std::optional<std::string> parse_bind_address(std::string_view text) {
    if (text == "localhost") return "127.0.0.1";
    if (text == "*") return "::";
    auto address = Address::parse(text, 0);
    if (!address) return std::nullopt;
    return address->ip_text();
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
    std::string word = lower_case(text);
    if (word == "debug") return LogLevel::debug;
    if (word == "info") return LogLevel::info;
    if (word == "warn" || word == "warning") return LogLevel::warn;
    if (word == "error") return LogLevel::error;
    return std::nullopt;
}

std::optional<LogFormat> parse_log_format(std::string_view text) {
    std::string word = lower_case(text);
    if (word == "auto") return LogFormat::automatic;
    if (word == "text") return LogFormat::text;
    if (word == "json") return LogFormat::json;
    return std::nullopt;
}

std::optional<std::string> parse_base_url(std::string_view text) {
    if (text.ends_with('/')) text.remove_suffix(1);
    auto url = proto::parse_url(text);
    if (!url || (url->scheme != proto::Scheme::http && url->scheme != proto::Scheme::https)) {
        return std::nullopt;
    }
    if (!url->path.empty() || !url->query.empty()) return std::nullopt;
    return std::string(text);
}

std::optional<Unverified> parse_unverified(std::string_view text) {
    std::string word = lower_case(text);
    if (word == "pass") return Unverified::pass;
    if (word == "drop") return Unverified::drop;
    return std::nullopt;
}

std::optional<IdentityHandle> parse_identity_handle(std::string_view text) {
    std::string word = lower_case(text);
    if (word == "strip") return IdentityHandle::strip;
    if (word == "keep") return IdentityHandle::keep;
    return std::nullopt;
}

std::optional<RequestCrawl> parse_request_crawl(std::string_view text) {
    auto is_on = parse_truth(text);
    if (!is_on) return std::nullopt;
    return *is_on ? RequestCrawl::on : RequestCrawl::off;
}

std::optional<bool> parse_truth(std::string_view text) {
    std::string word = lower_case(text);
    if (word == "true" || word == "1" || word == "yes" || word == "on") return true;
    if (word == "false" || word == "0" || word == "no" || word == "off") return false;
    return std::nullopt;
}

std::expected<std::vector<HostAddress>, std::string> parse_hosts(std::string_view text) {
    std::vector<HostAddress> hosts;
    std::set<std::pair<std::string, std::uint16_t>> met;
    for (std::string_view item : items_of(text)) {
        auto host = parse_host(item);
        if (!host) return std::unexpected(std::move(host.error()));
        if (!met.emplace(host->name, host->port).second) {
            return refused(hosts_form, item, "is in it twice");
        }
        if (hosts.size() == max_list_items) return too_many(hosts_form, max_list_items);
        hosts.push_back(std::move(*host));
    }
    return hosts;
}

std::expected<std::vector<std::string>, std::string> parse_relays(std::string_view text) {
    std::vector<std::string> relays;
    if (lower_case(text) == none) return relays;
    for (std::string_view item : items_of(text)) {
        auto relay = parse_relay(item);
        if (!relay) return std::unexpected(std::move(relay.error()));
        if (std::ranges::find(relays, *relay) != relays.end()) {
            return refused(relays_form, item, "is in it twice");
        }
        if (relays.size() == max_relays) return too_many(relays_form, max_relays);
        relays.push_back(std::move(*relay));
    }
    return relays;
}

std::expected<std::vector<std::string>, std::string> parse_domains(std::string_view text) {
    std::vector<std::string> domains;
    if (lower_case(text) == none) return domains;
    for (std::string_view item : items_of(text)) {
        std::string domain = lower_case(item);
        std::string_view name = domain;
        if (name.starts_with("*.")) name.remove_prefix(2);
        if (!is_dns_shaped(name)) return refused(domains_form, item, "is no sound name");
        if (domains.size() == max_list_items) return too_many(domains_form, max_list_items);
        domains.push_back(std::move(domain));
    }
    return domains;
}

std::expected<std::vector<Network>, std::string> parse_networks(std::string_view text) {
    std::vector<Network> networks;
    for (std::string_view item : items_of(text)) {
        auto network = Network::parse(item);
        if (!network) {
            return refused(networks_form, item, "is none (the bits behind the prefix are 0)");
        }
        if (networks.size() == max_list_items) return too_many(networks_form, max_list_items);
        networks.push_back(*network);
    }
    return networks;
}

std::expected<std::vector<std::string>, std::string> parse_passwords(std::string_view text) {
    std::vector<std::string> passwords;
    for (std::string_view item : items_of(text)) {
        bool has_control = std::ranges::any_of(
            item, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
        if (has_control) {
            return std::unexpected(std::string(passwords_form) + ", without control characters");
        }
        if (passwords.size() == max_passwords) return too_many(passwords_form, max_passwords);
        passwords.emplace_back(item);
    }
    if (passwords.empty()) return std::unexpected(std::string(passwords_form));
    return passwords;
}

}  // namespace ringlay::base
