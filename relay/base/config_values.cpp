#include "relay/base/config_values.hpp"

#include <algorithm>
#include <charconv>

#include "proto/url.hpp"

namespace ringlay::base {
namespace {

constexpr std::size_t max_hosts = 5'000;
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

bool is_ipv6_shaped(std::string_view text) {
    return text.size() >= 2 && text.size() <= 39 && text.contains(':') &&
           text.find_first_not_of("0123456789abcdef:") == std::string_view::npos;
}

using HostResult = std::expected<HostAddress, std::string>;

HostResult parse_host(std::string_view item) {
    auto refused = [&](std::string_view why) {
        return std::unexpected("a comma list of http://host:port, ws://host:port or host:port: \"" +
                               std::string(item) + "\" " + std::string(why));
    };
    std::string text = lower_case(item);
    std::string_view rest = text;
    bool has_scheme = false;
    if (std::size_t at = rest.find("://"); at != std::string_view::npos) {
        std::string_view scheme = rest.substr(0, at);
        if (scheme == "https" || scheme == "wss") {
            return refused("asks for TLS, which this version does not speak");
        }
        if (scheme != "http" && scheme != "ws") return refused("has a scheme that is not known");
        rest.remove_prefix(at + 3);
        has_scheme = true;
        if (rest.ends_with('/')) rest.remove_suffix(1);
    }

    HostAddress host;
    bool is_bracketed = rest.starts_with('[');
    std::size_t name_end = is_bracketed ? rest.find(']') : rest.find(':');
    if (is_bracketed && name_end == std::string_view::npos) return refused("lacks a `]`");
    host.name = is_bracketed ? rest.substr(1, name_end - 1) : rest.substr(0, name_end);
    rest.remove_prefix(std::min(rest.size(), is_bracketed ? name_end + 1 : name_end));
    bool sound = is_bracketed ? is_ipv6_shaped(host.name) : is_dns_shaped(host.name);
    if (!sound) return refused("has no sound host name (nor may there be a path or a user)");

    if (rest.empty()) {
        if (!has_scheme) return refused("lacks a port");
        host.port = 80;
        return host;
    }
    auto port = rest.front() == ':' ? parse_count(rest.substr(1)) : std::nullopt;
    if (!port || *port == 0 || *port > 65535) return refused("has no sound port");
    host.port = static_cast<std::uint16_t>(*port);
    return host;
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

std::optional<std::string> parse_loopback(std::string_view text) {
    if (text == "localhost") return "127.0.0.1";
    if (text == "::1" || text == "[::1]") return "::1";
    if (text.starts_with("127.") && is_ipv4(text)) return std::string(text);
    return std::nullopt;
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

std::expected<std::vector<HostAddress>, std::string> parse_hosts(std::string_view text) {
    std::vector<HostAddress> hosts;
    for (std::string_view item : items_of(text)) {
        auto host = parse_host(item);
        if (!host) return std::unexpected(std::move(host.error()));
        if (std::ranges::find(hosts, *host) != hosts.end()) {
            return std::unexpected("a list without repetition: \"" + std::string(item) +
                                   "\" is in it twice");
        }
        if (hosts.size() == max_hosts) {
            return std::unexpected("a list of at most " + std::to_string(max_hosts) + " hosts");
        }
        hosts.push_back(std::move(*host));
    }
    return hosts;
}

}  // namespace ringlay::base
