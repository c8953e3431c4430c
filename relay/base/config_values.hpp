// From the text of a setting to its value. Pure; refuses what is not wholly understood: no sign, no
// surrounding space, no number beyond 64 bits. Private to relay/base.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/config.hpp"

namespace ringlay::base {

std::string lower_case(std::string_view text);

// A name that the domain name system could know, in lower case, or four numbers with dots between.
bool is_dns_shaped(std::string_view text);

// Of a comma list, without the space around them; a comma too many is none.
std::vector<std::string_view> items_of(std::string_view text);

std::optional<std::uint64_t> parse_count(std::string_view text);

// 4096, 64K, 64KB (powers of 1000), 64Ki, 64KiB (powers of 1024); K, M, G, T in either case.
std::optional<std::uint64_t> parse_size_bytes(std::string_view text);

// 72, or a Go duration that is a whole number of hours: 72h, 1h60m, 72h0m0s.
std::optional<std::uint64_t> parse_hours(std::string_view text);

// An IP address in its one form, without brackets; `localhost` is 127.0.0.1, `*` is `::`.
std::optional<std::string> parse_bind_address(std::string_view text);

std::optional<LogLevel> parse_log_level(std::string_view text);
std::optional<LogFormat> parse_log_format(std::string_view text);

// http://host[:port] or https://host[:port]; a slash behind it is taken off.
std::optional<std::string> parse_base_url(std::string_view text);

std::optional<Unverified> parse_unverified(std::string_view text);
std::optional<IdentityHandle> parse_identity_handle(std::string_view text);

std::optional<RequestCrawl> parse_request_crawl(std::string_view text);
std::optional<bool> parse_truth(std::string_view text);  // true, 1, yes, on; false, 0, no, off

// Lists. The error completes "must be ", as the form does.
inline constexpr std::string_view hosts_form =
    "a comma list of names, host:port, or http, https, ws and wss URLs without a path";
inline constexpr std::string_view relays_form =
    "none, or a comma list of names and of http://host[:port] or https://host[:port]";
inline constexpr std::string_view domains_form = "none, or a comma list of names and of *.name";
inline constexpr std::string_view networks_form =
    "a comma list of IP addresses and networks such as 10.0.0.0/8";
inline constexpr std::string_view passwords_form = "a password, or several separated by commas";

std::expected<std::vector<HostAddress>, std::string> parse_hosts(std::string_view text);
std::expected<std::vector<std::string>, std::string> parse_relays(std::string_view text);
std::expected<std::vector<std::string>, std::string> parse_domains(std::string_view text);
std::expected<std::vector<Network>, std::string> parse_networks(std::string_view text);
// What is refused is not in the error.
std::expected<std::vector<std::string>, std::string> parse_passwords(std::string_view text);

}  // namespace ringlay::base
