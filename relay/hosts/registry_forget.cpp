// Which rows go: those that the administration removes, and candidates that were never reached.

#include "relay/hosts/registry_core.hpp"

namespace ringlay::hosts {

std::expected<void, Refusal> Registry::Core::forget(const std::vector<std::string>& names) {
    // They go before the store is asked, so that nobody writes one down behind its removal.
    std::vector<store::RowChange> changes;
    std::vector<std::pair<std::string, Entry>> gone;
    for (const std::string& name : names) {
        auto found = hosts.find(name);
        if (found == hosts.end()) continue;
        changes.push_back({std::string(host_prefix) + name, std::nullopt});
        count_held(found->second.row, -1);
        gone.emplace_back(name, std::move(found->second));
        hosts.erase(found);
    }
    snapshot.reset();
    auto done = rows->write(changes);
    for (auto& [name, entry] : gone) {
        if (!done && !hosts.contains(name)) {
            count_held(entry.row, +1);
            hosts.emplace(name, std::move(entry));
        } else {
            to_stop.push_back(name);
        }
    }
    count_states();
    settle();
    if (!done) return refuse_disk(done.error());
    return {};
}

std::expected<void, Refusal> Registry::Core::remove(const std::string& name) {
    if (!hosts.contains(name)) return refuse(Refusal::Why::unknown, name + " is not known here");
    if (is_of_settings(name)) {
        return refuse(
            Refusal::Why::invalid,
            name + " is one of RELAY_HOSTS: take it out there and start again, or block it");
    }
    auto done = forget({name});
    if (done) forgotten[1]->add_shared();
    return done;
}

// Whoever names hosts without end must not fill the table for good. A relay that reaches nobody, or
// has only just started, knows nothing about them.
void Registry::Core::forget_unreached() {
    if (totals.connected == 0 || env.clock.now() - started_at < options.tried_for) return;
    std::vector<std::string> names;
    for (const auto& [name, entry] : hosts) {
        const HostRow& row = entry.row;
        const bool is_candidate = !is_operators(row) && row.state == HostState::pending &&
                                  row.last_connected.count() == 0;
        if (!is_candidate || !running.contains(name)) continue;
        if (env.clock.wall() - row.added >= options.forgotten_after) names.push_back(name);
    }
    if (names.empty() || !forget(names)) return;
    forgotten[0]->add_shared(names.size());
    logger.log(base::LogLevel::info, static_cast<std::uint64_t>(env.clock.wall().count()),
               "hosts forgotten", {{"hosts", names.size()}, {"why", "never reached"}});
}

}  // namespace ringlay::hosts
