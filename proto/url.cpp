#include "proto/url.hpp"

#include <algorithm>

namespace ringlay::proto {
namespace {

constexpr std::size_t max_host_bytes = 253;

struct SchemeText {
    std::string_view text;
    Scheme scheme;
};
constexpr SchemeText schemes[] = {
    {"http", Scheme::http},
    {"https", Scheme::https},
    {"ws", Scheme::ws},
    {"wss", Scheme::wss},
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter_or_digit(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Of a path or query: visible ASCII but `#`, which would begin a fragment; a % has two digits.
bool has_only_url_characters(std::string_view text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        char c = text[at];
        if (c <= ' ' || c >= 0x7f || c == '#') return false;
        if (c != '%') continue;
        if (text.size() - at < 3) return false;
        if (hex_value(text[at + 1]) < 0 || hex_value(text[at + 2]) < 0) return false;
    }
    return true;
}

// A name of labels, or four numbers with dots: what an address is, the one who connects decides.
bool is_host_name(std::string_view host) {
    if (host.empty() || host.size() > max_host_bytes) return false;
    char before = '.';
    for (char c : host) {
        if (!is_letter_or_digit(c) && c != '-' && c != '_' && c != '.') return false;
        if (c == '.' && before == '.') return false;
        before = c;
    }
    return before != '.';
}

// Up to three digits, at most 255, no zero in front.
bool is_ipv4_number(std::string_view text) {
    if (text.empty() || text.size() > 3 || !std::ranges::all_of(text, is_digit)) return false;
    if (text.size() > 1 && text[0] == '0') return false;
    return text.size() < 3 || text <= "255";
}

bool is_ipv4(std::string_view text) {
    for (int i = 0; i < 3; ++i) {
        std::size_t dot = text.find('.');
        if (dot == text.npos || !is_ipv4_number(text.substr(0, dot))) return false;
        text.remove_prefix(dot + 1);
    }
    return is_ipv4_number(text);
}

// How many groups of 16 bits the text has, with colons between them; the last two may be written
// as an IPv4 address. Nothing if something else is in it.
std::optional<std::size_t> ipv6_groups(std::string_view text, bool may_end_in_ipv4) {
    if (text.empty()) return 0;
    for (std::size_t count = 1;; ++count) {
        std::size_t colon = text.find(':');
        std::string_view group = text.substr(0, colon);
        if (colon == text.npos && may_end_in_ipv4 && is_ipv4(group)) return count + 1;
        if (group.empty() || group.size() > 4) return std::nullopt;
        if (!std::ranges::all_of(group, [](char c) { return hex_value(c) >= 0; }))
            return std::nullopt;
        if (colon == text.npos) return count;
        text.remove_prefix(colon + 1);
    }
}

// No zone: `%eth0` is of no use beyond one machine.
bool is_ipv6(std::string_view host) {
    std::size_t gap = host.find("::");
    if (gap == host.npos) return ipv6_groups(host, true) == 8;
    auto before = ipv6_groups(host.substr(0, gap), false);
    auto after = ipv6_groups(host.substr(gap + 2), true);
    return before && after && *before + *after < 8;
}

Result<std::uint16_t> parse_port(std::string_view text) {
    if (text.empty() || text.size() > 5 || !std::ranges::all_of(text, is_digit)) {
        return fail(Errc::malformed, "url: port");
    }
    std::uint32_t port = 0;
    for (char c : text) port = port * 10 + static_cast<std::uint32_t>(c - '0');
    if (port == 0 || port > UINT16_MAX) return fail(Errc::malformed, "url: port");
    return static_cast<std::uint16_t>(port);
}

// host[:port] or [host][:port]
Result<void> parse_authority(std::string_view text, Url& url) {
    std::size_t host_end = text.find(':');
    if (text.starts_with('[')) {
        std::size_t bracket = text.find(']');
        if (bracket == text.npos) return fail(Errc::malformed, "url: bracket");
        url.host = text.substr(1, bracket - 1);
        url.is_ipv6 = true;
        if (!is_ipv6(url.host)) return fail(Errc::malformed, "url: IPv6 address");
        host_end = bracket + 1;
        if (host_end < text.size() && text[host_end] != ':') {
            return fail(Errc::malformed, "url: bytes after the bracket");
        }
    } else {
        url.host = text.substr(0, host_end);
        if (!is_host_name(url.host)) return fail(Errc::malformed, "url: host");
    }
    if (host_end >= text.size()) return {};
    auto port = parse_port(text.substr(host_end + 1));
    if (!port) return std::unexpected(port.error());
    url.port = *port;
    url.has_port = true;
    return {};
}

Result<std::string> decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (plus_is_space && text[at] == '+') {
            out.push_back(' ');
        } else if (text[at] != '%') {
            out.push_back(text[at]);
        } else {
            int high = at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
            int low = at + 2 < text.size() ? hex_value(text[at + 2]) : -1;
            if (high < 0 || low < 0) return fail(Errc::malformed, "url: percent");
            out.push_back(static_cast<char>(high * 16 + low));
            at += 2;
        }
    }
    return out;
}

}  // namespace

std::string_view scheme_name(Scheme scheme) {
    return schemes[static_cast<std::size_t>(scheme)].text;
}

Result<Url> parse_url(std::string_view text) {
    std::size_t scheme_end = text.find("://");
    if (scheme_end == text.npos) return fail(Errc::malformed, "url: no scheme");
    auto scheme = std::ranges::find(schemes, text.substr(0, scheme_end), &SchemeText::text);
    if (scheme == std::end(schemes)) return fail(Errc::malformed, "url: scheme");
    Url url{};
    url.scheme = scheme->scheme;
    url.port = default_port(url.scheme);

    std::string_view rest = text.substr(scheme_end + 3);
    std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
    if (auto parsed = parse_authority(rest.substr(0, authority_end), url); !parsed) {
        return std::unexpected(parsed.error());
    }
    rest.remove_prefix(authority_end);
    if (!has_only_url_characters(rest)) return fail(Errc::malformed, "url: character");
    std::size_t path_end = std::min(rest.find('?'), rest.size());
    url.path = rest.substr(0, path_end);
    url.query = rest.substr(std::min(path_end + 1, rest.size()));
    return url;
}

Result<Target> parse_target(std::string_view text) {
    if (!text.starts_with('/')) return fail(Errc::malformed, "url: target without a path");
    if (!has_only_url_characters(text)) return fail(Errc::malformed, "url: character");
    std::size_t path_end = std::min(text.find('?'), text.size());
    return Target{text.substr(0, path_end), text.substr(std::min(path_end + 1, text.size()))};
}

Result<std::string> percent_decode(std::string_view text) {
    return decode(text, false);
}

Result<std::optional<std::string>> query_parameter(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        std::size_t end = std::min(query.find('&'), query.size());
        std::string_view entry = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        std::size_t equals = std::min(entry.find('='), entry.size());
        auto key = decode(entry.substr(0, equals), true);
        if (!key) return std::unexpected(key.error());
        if (*key != name) continue;
        auto value = decode(entry.substr(std::min(equals + 1, entry.size())), true);
        if (!value) return std::unexpected(value.error());
        return std::move(*value);
    }
    return std::nullopt;
}

}  // namespace ringlay::proto
