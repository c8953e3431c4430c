// What those who find hosts, show them and administer them need of the registry, and how they ask
// servers: functions, so that each of them can be seen at work alone.
//
// Thread   the main worker; every function may wait.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "relay/hosts/registry.hpp"
#include "relay/net/http_client.hpp"

namespace ringlay::hosts {

// As Registry's functions of these names.
struct HostBook {
    std::function<std::expected<bool, Refusal>(const base::HostAddress&, HostSource,
                                               std::optional<Address> from)>
        offer;
    std::function<std::vector<std::expected<bool, Refusal>>(
        std::span<const base::HostAddress> addresses, HostSource source)>
        offer_all;
    std::function<std::expected<void, Refusal>(std::string_view name)> remove;
    std::function<std::expected<std::size_t, Refusal>(std::string_view name_or_domain,
                                                      std::string_view reason)>
        ban;
    std::function<std::expected<std::size_t, Refusal>(std::string_view name_or_domain)> unban;
    std::function<std::expected<void, Refusal>(std::string_view name, const HostLimits&)>
        change_limits;
    std::function<std::expected<void, Refusal>(std::string_view name, std::optional<std::uint64_t>)>
        reset_cursor;
    std::function<std::optional<std::string>(std::string_view name)> ban_of;
    std::function<std::map<std::string, std::string, std::less<>>()> bans;
    std::function<std::shared_ptr<const std::vector<HostView>>()> views;
    std::function<std::optional<HostView>(std::string_view name)> view;
};

inline HostBook book_of(Registry& registry) {
    return {
        .offer = [&registry](
                     const base::HostAddress& address, HostSource source,
                     std::optional<Address> from) { return registry.offer(address, source, from); },
        .offer_all = [&registry](
                         std::span<const base::HostAddress> addresses,
                         HostSource source) { return registry.offer_all(addresses, source); },
        .remove = [&registry](std::string_view name) { return registry.remove(name); },
        .ban = [&registry](std::string_view name,
                           std::string_view reason) { return registry.ban(name, reason); },
        .unban = [&registry](std::string_view name) { return registry.unban(name); },
        .change_limits =
            [&registry](std::string_view name, const HostLimits& limits) {
                return registry.change_limits(name, limits);
            },
        .reset_cursor =
            [&registry](std::string_view name, std::optional<std::uint64_t> cursor) {
                return registry.reset_cursor(name, cursor);
            },
        .ban_of = [&registry](std::string_view name) { return registry.ban_of(name); },
        .bans = [&registry] { return registry.bans(); },
        .views = [&registry] { return registry.views(); },
        .view = [&registry](std::string_view name) { return registry.view(name); }};
}

// net::fetch through an Outbound; whoever makes one decides which addresses it may reach.
using Fetch = std::function<std::expected<net::HttpResponse, net::Failure>(
    const proto::Url&, const net::FetchOptions&)>;

}  // namespace ringlay::hosts
