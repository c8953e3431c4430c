// Who becomes a host: what settings, lists, strangers and the administration name.

#include "relay/hosts/registry_core.hpp"

namespace ringlay::hosts {
namespace {

// What the relay would have to leave the internet for.
bool is_private_name(const base::HostAddress& address) {
    if (!address.is_tls) return true;
    if (auto literal = Address::parse(address.name, address.port)) return !is_public(*literal);
    return !address.name.contains('.') || address.name.ends_with(".localhost");
}

}  // namespace

bool Registry::Core::is_of_settings(const std::string& name) const {
    return names_of_settings.contains(name);
}

// Whether it counts against what its holder may have.
bool Registry::Core::has_bound(const HostRow& row) const {
    if (row.source != HostSource::crawl && row.source != HostSource::upstream) return false;
    const base::PrivateHosts& allowed = options.private_hosts;
    const base::HostAddress& address = row.address;
    if (is_trusted(row) || allowed.allows_all()) return false;
    auto literal = Address::parse(address.name, address.port);
    return !allowed.allows_host(address.name, address.port) &&
           !(literal && allowed.allows_address(*literal));
}

void Registry::Core::count_held(const HostRow& row, int change) {
    if (!has_bound(row)) return;
    auto found = held.try_emplace(holder_of(row.address.name)).first;
    found->second += static_cast<std::uint32_t>(change);
    if (found->second == 0) held.erase(found);
}

std::optional<Refusal> Registry::Core::privacy_objection(const base::HostAddress& address,
                                                         const std::string& name,
                                                         HostSource source) const {
    const base::PrivateHosts& allowed = options.private_hosts;
    if (!is_private_name(address) || allowed.allows_all()) return std::nullopt;
    const bool is_named = allowed.allows_host(address.name, address.port);
    auto literal = Address::parse(address.name, address.port);
    const bool is_in_network = literal && allowed.allows_address(*literal);
    if (source != HostSource::crawl && (is_named || is_in_network)) return std::nullopt;
    return Refusal{Refusal::Why::is_private,
                   name +
                       " is private, or speaks plain HTTP: this relay takes such hosts only from "
                       "its operator (RELAY_ALLOW_PRIVATE_HOSTS)"};
}

std::optional<Refusal> Registry::Core::objection(const base::HostAddress& address,
                                                 const std::string& name, HostSource source,
                                                 const std::optional<Address>& from) {
    if (auto reason = ban_of(name)) {
        return Refusal{Refusal::Why::banned,
                       name + " is banned" + (reason->empty() ? "" : ": " + *reason)};
    }
    if (auto refusal = privacy_objection(address, name, source)) return refusal;
    if (hosts.size() >= options.max_hosts) {
        return Refusal{Refusal::Why::full, "this relay takes no more hosts (max_hosts)"};
    }
    HostRow row;
    row.address = address;
    row.source = source;
    if (has_bound(row)) {
        std::string holder = holder_of(address.name);
        auto found = held.find(holder);
        if (found != held.end() && found->second >= options.max_hosts_of_holder) {
            return Refusal{Refusal::Why::domain, "this relay takes no more hosts of " + holder};
        }
    }
    if (source != HostSource::crawl) return std::nullopt;
    if (auto words = quota.take(env.clock.wall(), address.name, from)) {
        return Refusal{Refusal::Why::quota, std::move(*words)};
    }
    return std::nullopt;
}

void Registry::Core::add(const std::string& name, const base::HostAddress& address,
                         HostSource source, const std::optional<Address>& from) {
    Entry& entry = hosts[name];
    entry.id = next_id++;
    entry.row.address = address;
    entry.row.source = source;
    entry.row.added = env.clock.wall();
    if (from) entry.row.added_from = from->ip_text();
    count_held(entry.row, +1);
}

// The administration makes it the operator's, and may say that it is reached otherwise: with TLS,
// or without.
std::expected<bool, Refusal> Registry::Core::meet_known(Entry& entry, const std::string& name,
                                                        const base::HostAddress& address,
                                                        HostSource source) {
    if (entry.is_left_out) {
        return refuse(Refusal::Why::full,
                      name + " is known, but this relay dials no more hosts (max_hosts)");
    }
    if (source != HostSource::admin) return true;
    if (entry.row.address != address && is_of_settings(name)) {
        return refuse(Refusal::Why::invalid,
                      name + " is one of RELAY_HOSTS, with another scheme: change it there");
    }
    if (entry.row.address != address) {
        if (auto refusal = privacy_objection(address, name, source)) {
            return std::unexpected(*refusal);
        }
    }
    count_held(entry.row, -1);
    if (!is_operators(entry.row)) entry.row.source = source;
    entry.row.address = address;
    count_held(entry.row, +1);
    return true;
}

// Rows first, in one write; then the subscriptions.
std::vector<std::expected<bool, Refusal>> Registry::Core::offer(
    std::span<const base::HostAddress> addresses, HostSource source,
    const std::optional<Address>& from) {
    std::vector<std::expected<bool, Refusal>> answers;
    std::vector<std::string> fresh, met, moved;
    std::vector<store::RowChange> changes;
    for (const base::HostAddress& address : addresses) {
        const std::string name = host_name(address);
        auto known = hosts.find(name);
        if (known != hosts.end() && !ban_of(name)) {
            const HostRow before = known->second.row;
            answers.push_back(meet_known(known->second, name, address, source));
            if (answers.back()) met.push_back(name);
            if (known->second.row != before) {
                changes.push_back(change_of(name, known->second));
                moved.push_back(name);
            }
        } else if (auto refusal = objection(address, name, source, from)) {
            answers.push_back(std::unexpected(std::move(*refusal)));
        } else {
            add(name, address, source, from);
            changes.push_back(change_of(name, hosts.at(name)));
            fresh.push_back(name);
            answers.push_back(false);
        }
        if (!answers.back()) {
            const Refusal::Why why = answers.back().error().why;
            refusals[static_cast<std::size_t>(why)]->add_shared();
            if (why == Refusal::Why::full) break;
        }
    }
    if (auto written = rows->write(changes); !written) {
        take_back(fresh);
        for (const std::string& name : moved) {  // it holds; it is written down later
            if (auto it = hosts.find(name); it != hosts.end()) it->second.is_dirty = true;
        }
        for (auto& answer : answers) {
            if (answer && !*answer) answer = refuse_disk(written.error());
        }
        fresh.clear();
    }
    added[static_cast<std::size_t>(source)]->add_shared(fresh.size());
    totals.hosts += fresh.size();  // for who looks before all are counted again
    totals.pending += fresh.size();
    to_start.insert(to_start.end(), fresh.begin(), fresh.end());
    for (const std::string& name : met) {
        auto it = running.find(name);
        if (it != running.end() && !is_wanted(name, it->second)) to_stop.push_back(name);
    }
    settle();
    for (const std::string& name : moved) {
        auto it = hosts.find(name);
        if (it != hosts.end()) fleet.change(name, orders_of(it->second));
    }
    const Waker waker = source == HostSource::admin ? Waker::its_operator : Waker::stranger;
    for (const std::string& name : met) fleet.wake(name, waker);
    return answers;
}

// The store did not take them.
void Registry::Core::take_back(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        auto found = hosts.find(name);
        if (found == hosts.end()) continue;
        count_held(found->second.row, -1);
        hosts.erase(found);
        refusals[static_cast<std::size_t>(Refusal::Why::disk)]->add_shared();
    }
    snapshot.reset();
}

}  // namespace ringlay::hosts
