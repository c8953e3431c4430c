// The inside of the registry. Private to relay/hosts/registry.cpp.
//
// Owner    Registry.
// Thread   the main worker. Whatever waits may find other hosts afterwards: entries are looked up
//          again by name.
#pragma once

#include <map>

#include "relay/hosts/new_host_quota.hpp"
#include "relay/hosts/registry.hpp"
#include "relay/store/row_store.hpp"

namespace ringlay::hosts {

struct Registry::Core {
    struct Entry {
        std::uint64_t id = 0;
        HostRow row;
        std::optional<HostStatus> live;
        bool is_dirty = false;  // the store has another row
    };

    Core(env::Env& its_env, base::Logger& its_logger, base::Metrics& metrics, HostFleet its_fleet,
         RegistryOptions its_options);

    std::expected<void, std::string> open();
    Result<void> take_settings();
    store::RowChange change_of(const std::string& name, Entry& entry);
    std::expected<void, Refusal> save(const std::string& name);
    HostOrders orders_of(const Entry& entry) const;
    // Starts its subscription, unless it is banned.
    void begin(const std::string& name);

    std::optional<Refusal> objection(const base::HostAddress& address, const std::string& name,
                                     HostSource source, const std::optional<Address>& from);
    std::expected<bool, Refusal> offer(const base::HostAddress& address, HostSource source,
                                       const std::optional<Address>& from);
    std::optional<std::string> ban_of(std::string_view name) const;
    // Whose state does not say yet that they are, or are not, banned.
    std::vector<std::string> names_with_ban(bool is_banned_now) const;
    std::expected<std::size_t, Refusal> ban(const std::string& target, std::string_view reason);
    std::expected<std::size_t, Refusal> unban(const std::string& target);

    void take_statuses();
    void take_report(Entry& entry, HostStatus status);
    void count_states();
    void follow();
    void save_dirty(bool all);
    std::shared_ptr<const std::vector<HostView>> views();

    env::Env& env;
    base::Logger& logger;
    const HostFleet fleet;
    const RegistryOptions options;
    std::unique_ptr<store::RowStore> rows;
    std::map<std::string, Entry, std::less<>> hosts;       // by name
    std::map<std::string, std::string, std::less<>> bans;  // reasons, by name or `*.domain`
    std::uint64_t next_id = 1;
    NewHostQuota quota;
    Totals totals;
    bool is_asking = false;
    fiber::Event asked;
    std::shared_ptr<const std::vector<HostView>> snapshot;  // for views(); none: something changed
    Nanos taken_at = Nanos::min() / 2;                      // when the statuses were
    base::LogLimit save_lines{1, 60'000};
    base::QueueGauge& rows_depth;
    std::vector<base::Gauge*> by_state;
    std::vector<base::Counter*> added;
    std::vector<base::Counter*> refusals;
    fiber::Task follower;
};

}  // namespace ringlay::hosts
