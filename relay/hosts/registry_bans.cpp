// What an operator forbids: hosts by name, and domains with all that is or will be below them.

#include "relay/hosts/registry_core.hpp"

namespace ringlay::hosts {
namespace {

std::string without_port(std::string_view name) {
    if (name.starts_with('[')) return std::string(name.substr(0, name.find(']') + 1));
    return std::string(name.substr(0, name.find(':')));
}

}  // namespace

std::optional<std::string> Registry::Core::ban_of(std::string_view name) const {
    if (auto exact = bans.find(name); exact != bans.end()) return exact->second;
    std::string rest = without_port(name);
    if (auto bare = bans.find(rest); bare != bans.end()) return bare->second;
    for (std::size_t dot = rest.find('.'); dot != rest.npos; dot = rest.find('.', dot + 1)) {
        auto pattern = bans.find("*" + rest.substr(dot));
        if (pattern != bans.end()) return pattern->second;
    }
    return std::nullopt;
}

std::vector<std::string> Registry::Core::names_with_ban(bool is_banned_now) const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : hosts) {
        const bool was_banned = entry.row.state == HostState::banned;
        if (ban_of(name).has_value() == is_banned_now && was_banned != is_banned_now) {
            names.push_back(name);
        }
    }
    return names;
}

void Registry::Core::mark_banned(Entry& entry, std::string_view reason) {
    entry.row.state = HostState::banned;
    entry.row.ban_reason = std::string(reason);
    entry.live.reset();
    entry.is_left_out = false;
    entry.is_dirty = true;
    snapshot.reset();
}

void Registry::Core::mark_not_connected(Entry& entry) {
    entry.row.ban_reason.clear();
    entry.row.state =
        entry.row.last_connected.count() > 0 ? HostState::offline : HostState::pending;
    entry.is_dirty = true;
    snapshot.reset();
}

// Rows say at once what they are; the subscriptions follow. Between the store's answer and that
// nothing waits: bans and what lifts them count in the order in which they were written.
std::expected<std::size_t, Refusal> Registry::Core::ban(const std::string& target,
                                                        std::string_view reason) {
    const store::RowChange change{std::string(ban_prefix) + target,
                                  Buffer(reason.begin(), reason.end())};
    if (auto done = rows->write(std::span(&change, 1)); !done) return refuse_disk(done.error());
    bans.insert_or_assign(target, std::string(reason));
    const std::vector<std::string> names = names_with_ban(true);
    for (const std::string& name : names) {
        mark_banned(hosts.at(name), reason);
        to_stop.push_back(name);
    }
    settle();
    return names.size();
}

std::expected<std::size_t, Refusal> Registry::Core::unban(const std::string& target) {
    if (!bans.contains(target)) {
        return refuse(Refusal::Why::unknown, target + " is not banned under this name");
    }
    const store::RowChange change{std::string(ban_prefix) + target, std::nullopt};
    if (auto done = rows->write(std::span(&change, 1)); !done) return refuse_disk(done.error());
    bans.erase(target);
    const std::vector<std::string> names = names_with_ban(false);
    for (const std::string& name : names) {
        mark_not_connected(hosts.at(name));
        to_start.push_back(name);
    }
    settle();
    return names.size();
}

}  // namespace ringlay::hosts
