#include "relay/base/private_hosts.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"
#include "relay/base/config_values.hpp"

namespace ringlay::base {
namespace {

constexpr std::size_t max_items = 10'000;
constexpr std::string_view wildcard = "*.";

// A name in its one form: an address as we write it, else lower-case.
std::string canonical(std::string_view name) {
    if (auto address = Address::parse(name, 0)) return address->ip_text();
    return lower_case(name);
}

struct Parts {
    std::string_view name;  // without brackets
    std::string_view port;  // behind the colon
    bool has_port = false;
    bool is_bracketed = false;
};

std::optional<Parts> split(std::string_view item) {
    Parts parts;
    std::size_t name_end = item.find(':');
    if (item.starts_with('[')) {
        std::size_t bracket = item.find(']');
        if (bracket == item.npos) return std::nullopt;
        parts.is_bracketed = true;
        parts.name = item.substr(1, bracket - 1);
        name_end = bracket + 1;
        if (name_end < item.size() && item[name_end] != ':') return std::nullopt;
    } else {
        parts.name = item.substr(0, name_end);
    }
    if (name_end < item.size()) {
        parts.has_port = true;
        parts.port = item.substr(name_end + 1);
    }
    return parts;
}

// Nothing: no port. 0: any.
std::optional<std::uint16_t> pattern_port(const Parts& parts) {
    if (!parts.has_port || parts.port == "*") return 0;
    auto number = parse_count(parts.port);
    if (!number || *number == 0 || *number > UINT16_MAX) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

bool is_sound_name(const Parts& parts) {
    if (parts.is_bracketed) return Address::parse(parts.name, 0).has_value();
    std::string name = lower_case(parts.name);
    std::string_view rest = name;
    if (rest.starts_with(wildcard)) {
        rest.remove_prefix(wildcard.size());
        // Below an address there is nothing.
        if (Address::parse(rest, 0)) return false;
    }
    return is_dns_shaped(rest);
}

}  // namespace

std::expected<PrivateHosts, std::string> PrivateHosts::parse(std::string_view text) {
    PrivateHosts hosts;
    std::size_t count = 0;
    for (std::string_view item : items_of(text)) {
        auto refused = [&](std::string_view why) {
            return std::unexpected(std::string(form) + ": \"" + std::string(item) + "\" " +
                                   std::string(why));
        };
        if (++count > max_items)
            return std::unexpected(std::string(form) + ", " + std::to_string(max_items) +
                                   " at most");
        if (lower_case(item) == "all") {
            hosts.allows_all_ = true;
            continue;
        }
        if (auto network = Network::parse(item)) {
            hosts.networks_.push_back(*network);
            continue;
        }
        if (item.contains('/')) {
            return refused(
                "is no network (nor may there be a scheme or a path; the bits behind the prefix "
                "are 0)");
        }
        auto parts = split(item);
        if (!parts || !is_sound_name(*parts)) return refused("has no sound host name");
        auto port = pattern_port(*parts);
        if (!port) return refused("has no sound port");
        hosts.patterns_.push_back({canonical(parts->name), *port});
    }
    return hosts;
}

void PrivateHosts::add_host(std::string_view name, std::uint16_t port) {
    RINGLAY_ASSERT(port != 0);
    Pattern pattern{canonical(name), port};
    if (std::ranges::find(patterns_, pattern) == patterns_.end()) {
        patterns_.push_back(std::move(pattern));
    }
}

bool PrivateHosts::allows_host(std::string_view name, std::uint16_t port) const {
    if (allows_all_) return true;
    const std::string asked = canonical(name);
    return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
        if (pattern.port != 0 && pattern.port != port) return false;
        if (!pattern.name.starts_with(wildcard)) return pattern.name == asked;
        std::string_view below = std::string_view(pattern.name).substr(1);
        return asked.size() > below.size() && asked.ends_with(below);
    });
}

bool PrivateHosts::allows_address(const Address& address) const {
    return allows_all_ || std::ranges::any_of(networks_, [&](const Network& network) {
               return network.contains(address);
           });
}

}  // namespace ringlay::base
