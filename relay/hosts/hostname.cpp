// Registry::parse_hostname: what strangers write when they mean a host (protocol 4.10).

#include <algorithm>

#include "proto/url.hpp"
#include "relay/hosts/registry.hpp"

namespace ringlay::hosts {
namespace {

constexpr std::size_t max_text_bytes = 512;
constexpr std::size_t max_name_bytes = 253;
constexpr std::size_t max_label_bytes = 63;

std::unexpected<Refusal> invalid(std::string words) {
    return std::unexpected(Refusal{Refusal::Why::invalid, std::move(words)});
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return out;
}

bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}

bool is_label(std::string_view label) {
    if (label.empty() || label.size() > max_label_bytes) return false;
    if (label.front() == '-' || label.back() == '-') return false;
    return std::ranges::all_of(
        label, [](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

// The last label begins with a letter: what does not is an address in one of its odd forms.
bool is_name(std::string_view name) {
    if (name.size() > max_name_bytes) return false;
    for (;;) {
        const std::size_t dot = name.find('.');
        if (!is_label(name.substr(0, dot))) return false;
        if (dot == name.npos) return is_letter(name.front());
        name.remove_prefix(dot + 1);
    }
}

}  // namespace

std::expected<base::HostAddress, Refusal> Registry::parse_hostname(std::string_view text) {
    if (text.empty()) return invalid("the host name is empty");
    if (text.size() > max_text_bytes) return invalid("the host name is too long");
    std::string url_text = lower(text);
    const bool has_scheme = url_text.contains("://");
    if (!has_scheme) url_text = "https://" + url_text;
    auto url = proto::parse_url(url_text);
    if (!url) return invalid("not a host name, nor a URL of one");

    base::HostAddress address;
    address.name = std::string(url->host);
    const bool is_address = Address::parse(url->host, 0).has_value();
    if (!is_address && !is_name(url->host)) return invalid("not a host name");
    const bool is_local = address.name == "localhost" || address.name.ends_with(".localhost");
    if (is_local && !url->has_port) {
        return invalid("localhost without a port: say which, as in localhost:2583");
    }
    // Without a scheme, what is on this machine or has no name speaks plain HTTP.
    address.is_tls = has_scheme ? proto::is_tls(url->scheme) : !(is_local || is_address);
    const auto scheme = address.is_tls ? proto::Scheme::https : proto::Scheme::http;
    address.port = url->has_port ? url->port : proto::default_port(scheme);
    return address;
}

}  // namespace ringlay::hosts
