// Which hosts have a subscription: those that are neither banned nor beyond max_hosts.

#include <algorithm>
#include <tuple>
#include <utility>

#include "relay/hosts/registry_core.hpp"

namespace ringlay::hosts {
namespace {

constexpr std::string_view left_out_words = "not dialled: max_hosts";

}  // namespace

bool Registry::Core::is_wanted(const std::string& name, const base::HostAddress& address) const {
    auto found = hosts.find(name);
    return found != hosts.end() && found->second.row.address == address && !ban_of(name);
}

// Those that the operator has named, then those that were reached last.
std::vector<std::string> Registry::Core::by_rank() const {
    std::vector<std::tuple<bool, WallMillis, std::uint64_t, std::string_view>> order;
    for (const auto& [name, entry] : hosts) {
        order.emplace_back(!is_operators(entry.row), -entry.row.last_connected, entry.id, name);
    }
    std::ranges::sort(order);
    std::vector<std::string> names;
    for (const auto& place : order) names.emplace_back(std::get<std::string_view>(place));
    return names;
}

// Another fiber that is at it takes what is in the queues, too.
void Registry::Core::settle() {
    if (!has_started) return;
    if (is_settling) {
        static_cast<void>(settled.wait());
        return;
    }
    is_settling = true;
    settled.reset();
    while (has_started && !(to_stop.empty() && to_start.empty())) {
        if (!to_stop.empty()) {
            stop_unwanted();
        } else {
            start_next();
        }
    }
    is_settling = false;
    settled.set();
}

void Registry::Core::stop_unwanted() {
    std::vector<std::string> names;
    for (const std::string& name : std::exchange(to_stop, {})) {
        auto found = running.find(name);
        if (found == running.end() || is_wanted(name, found->second)) continue;
        running.erase(found);
        names.push_back(name);
    }
    if (names.empty()) return;
    fleet.stop(names);
    // What changed meanwhile, or has another address now, begins again.
    to_start.insert(to_start.end(), names.begin(), names.end());
}

void Registry::Core::start_next() {
    const std::string name = std::move(to_start.front());
    to_start.pop_front();
    auto found = hosts.find(name);
    if (found == hosts.end() || running.contains(name)) return;
    Entry& entry = found->second;
    snapshot.reset();
    if (auto reason = ban_of(name)) return mark_banned(entry, *reason);
    if (entry.row.state == HostState::banned) mark_not_connected(entry);
    entry.is_left_out = running.size() >= options.max_hosts;
    if (entry.is_left_out) {
        if (entry.row.state != HostState::quarantined) mark_not_connected(entry);
        entry.row.failure = left_out_words;
        return;
    }
    const base::HostAddress address = entry.row.address;
    const std::uint64_t accounts = entry.accounts;
    HostOrders orders = orders_of(entry);
    orders.cursor_order = entry.row.cursor_order;
    running.emplace(name, address);
    fleet.start(address, orders);
    if (accounts > 0) fleet.set_accounts(name, accounts);
}

// Hosts that went, or were banned, make room.
void Registry::Core::start_left_out() {
    if (left_out == 0 || running.size() >= options.max_hosts) return;
    for (std::string& name : by_rank()) {
        if (hosts.at(name).is_left_out) to_start.push_back(std::move(name));
    }
    settle();
}

}  // namespace ringlay::hosts
