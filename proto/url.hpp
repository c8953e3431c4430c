// The few forms of URL that a relay meets: where a host is, what a client asks for. Strict: what is
// not understood is refused, never guessed.
//
// Owner    Url and Target are views of the text they were made from.
// Errors   malformed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/result.hpp"

namespace ringlay::proto {

enum class Scheme : std::uint8_t { http, https, ws, wss };

constexpr bool is_tls(Scheme scheme) {
    return scheme == Scheme::https || scheme == Scheme::wss;
}
constexpr std::uint16_t default_port(Scheme scheme) {
    return is_tls(scheme) ? 443 : 80;
}
std::string_view scheme_name(Scheme scheme);

struct Url {
    Scheme scheme;
    std::string_view host;  // a name, an IPv4 address, or an IPv6 address without its brackets
    bool is_ipv6;
    std::uint16_t port;  // given or the scheme's default
    bool has_port;
    std::string_view path;   // with its leading slash, or empty
    std::string_view query;  // without its question mark
};

// scheme://host[:port][/path][?query]. No user-info, no fragment; the scheme in lower case.
Result<Url> parse_url(std::string_view text);

// What follows the method in a request line, in origin form: /path[?query].
struct Target {
    std::string_view path;
    std::string_view query;
};
Result<Target> parse_target(std::string_view text);

Result<std::string> percent_decode(std::string_view text);

// The first parameter of this name, decoded ('+' is a space); nothing if there is none. malformed
// if its escapes are broken.
Result<std::optional<std::string>> query_parameter(std::string_view query, std::string_view name);

}  // namespace ringlay::proto
