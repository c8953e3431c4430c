// A registry with subscriptions that only note what they are told.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "relay/env/sim/world.hpp"
#include "relay/hosts/registry.hpp"
#include "tests/support/worlds.hpp"

namespace ringlay::hosts {

// Subscriptions that only note what they are told.
struct FakeFleet {
    std::map<std::string, HostOrders> running;
    std::vector<std::string> said;
    std::map<std::string, HostStatus> reports;
    std::function<void()> on_start;  // while it waits for that
    std::function<void()> on_stop;

    HostFleet functions() {
        return {
            .start =
                [this](const base::HostAddress& address, const HostOrders& orders) {
                    running.insert_or_assign(host_name(address), orders);
                    said.push_back("start " + host_name(address));
                    if (on_start) on_start();
                },
            .stop =
                [this](const std::vector<std::string>& names) {
                    if (on_stop) on_stop();
                    for (const std::string& name : names) {
                        running.erase(name);
                        said.push_back("stop " + name);
                    }
                },
            .change =
                [this](std::string_view name, const HostOrders& orders) {
                    running.insert_or_assign(std::string(name), orders);
                    said.push_back("change " + std::string(name));
                },
            .wake =
                [this](std::string_view name, Waker waker) {
                    const bool is_operator = waker == Waker::its_operator;
                    said.push_back((is_operator ? "operator wakes " : "wake ") + std::string(name));
                },
            .set_accounts =
                [this](std::string_view name, std::uint64_t count) {
                    said.push_back(std::string(name) + " has " + std::to_string(count));
                },
            .reset_cursor =
                [this](std::string_view name, std::optional<std::uint64_t> cursor) {
                    said.push_back(std::string(name) + " from " +
                                   (cursor ? std::to_string(*cursor) : "now"));
                },
            .statuses =
                [this] {
                    std::vector<HostStatus> all;
                    for (const auto& [name, report] : reports) all.push_back(report);
                    return all;
                }};
    }
    std::set<std::string> names() const {
        std::set<std::string> all;
        for (const auto& [name, orders] : running) all.insert(name);
        return all;
    }
};

// One life of a registry over a directory that stays.
struct Life {
    Life(support::TestWorld& world, RegistryOptions options)
        : metrics(world.worker_count()), logger(base::LogLevel::error, base::LogFormat::text) {
        options.data_dir = world.directory().path();
        // The tests look themselves.
        if (options.poll_interval == RegistryOptions().poll_interval)
            options.poll_interval = std::chrono::hours(1);
        registry.emplace(world.env(), logger, metrics, fleet.functions(), std::move(options));
        auto opened = registry->open();
        REQUIRE(opened);
        registry->start();
    }
    ~Life() { registry->stop(); }

    std::expected<bool, Refusal> offer(std::string_view name, HostSource source,
                                       std::optional<Address> from = std::nullopt) {
        auto address = Registry::parse_hostname(name);
        REQUIRE(address);
        return registry->offer(*address, source, from);
    }

    FakeFleet fleet;
    base::Metrics metrics;
    base::Logger logger;
    std::optional<Registry> registry;
};

inline RegistryOptions options_with(std::vector<base::HostAddress> settings = {}) {
    RegistryOptions options;
    options.settings = std::move(settings);
    options.trusted_domains = {"*.trusted.example"};
    return options;
}

using Names = std::set<std::string>;

#define TEST_IN_SIMULATION(name)                       \
    RINGLAY_TEST_ON(INTERNAL_CATCH_UNIQUE_NAME(body_), \
                    ([](auto body) { support::in_simulation({1}, body); }), name)

// In words, why something was refused.
inline std::string why(const std::expected<bool, Refusal>& answer) {
    if (answer) return *answer ? "known" : "added";
    constexpr std::string_view words[] = {"invalid", "private", "banned",  "quota",
                                          "domain",  "full",    "unknown", "disk"};
    return std::string(words[static_cast<std::size_t>(answer.error().why)]);
}

inline HostStatus connected(std::string name) {
    HostStatus status;
    status.name = std::move(name);
    status.phase = HostPhase::connected;
    return status;
}

}  // namespace ringlay::hosts
