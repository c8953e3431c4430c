// The inside of the registry. Private to relay/hosts/registry*.cpp.
//
// Owner    Registry.
// Thread   the main worker. Whatever waits may find other hosts afterwards: entries are looked up
//          again by name.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <set>

#include "relay/hosts/new_host_quota.hpp"
#include "relay/hosts/registry.hpp"
#include "relay/store/row_store.hpp"

namespace ringlay::hosts {

struct Registry::Core {
    struct Entry {
        std::uint64_t id = 0;
        HostRow row;
        std::optional<HostStatus> live;
        std::uint64_t accounts = 0;  // the most that were reported; for its next subscriber
        bool is_dirty = false;       // the store has another row
        bool is_left_out = false;    // not dialled, since max_hosts others are
        Nanos ordered_at{};          // since when its subscriber has the order of the row's cursor
    };

    Core(env::Env& its_env, base::Logger& its_logger, base::Metrics& metrics, HostFleet its_fleet,
         RegistryOptions its_options);

    std::expected<void, std::string> open();
    Result<void> take_settings();
    store::RowChange change_of(const std::string& name, Entry& entry);
    std::expected<void, Refusal> save(const std::string& name);
    HostOrders orders_of(const Entry& entry) const;
    bool is_trusted(const HostRow& row) const;
    // The operator has named it, whoever did so first.
    bool is_operators(const HostRow& row) const;

    // Who is dialled (registry_dials.cpp). What is in these queues is looked at when its turn
    // comes: a host is stopped if it is not wanted by then, and started if it is. One fiber does it
    // at a time, so stops and starts of one host never overtake each other.
    void settle();
    void stop_unwanted();
    void start_next();
    void start_left_out();
    bool is_wanted(const std::string& name, const base::HostAddress& address) const;
    std::vector<std::string> by_rank() const;

    std::optional<Refusal> privacy_objection(const base::HostAddress& address,
                                             const std::string& name, HostSource source) const;
    std::optional<Refusal> objection(const base::HostAddress& address, const std::string& name,
                                     HostSource source, const std::optional<Address>& from);
    bool is_of_settings(const std::string& name) const;
    std::vector<std::expected<bool, Refusal>> offer(std::span<const base::HostAddress> addresses,
                                                    HostSource source,
                                                    const std::optional<Address>& from);
    void add(const std::string& name, const base::HostAddress& address, HostSource source,
             const std::optional<Address>& from);
    std::expected<bool, Refusal> meet_known(Entry& entry, const std::string& name,
                                            const base::HostAddress& address, HostSource source);
    void take_back(const std::vector<std::string>& names);
    bool has_bound(const HostRow& row) const;
    void count_held(const HostRow& row, int change);

    // Rows that go (registry_forget.cpp).
    std::expected<void, Refusal> forget(const std::vector<std::string>& names);
    std::expected<void, Refusal> remove(const std::string& name);
    void forget_unreached();

    // Bans (registry_bans.cpp).
    std::optional<std::string> ban_of(std::string_view name) const;
    // Whose state does not say yet that they are, or are not, banned.
    std::vector<std::string> names_with_ban(bool is_banned_now) const;
    void mark_banned(Entry& entry, std::string_view reason);
    void mark_not_connected(Entry& entry);
    std::expected<std::size_t, Refusal> ban(const std::string& target, std::string_view reason);
    std::expected<std::size_t, Refusal> unban(const std::string& target);
    std::expected<void, Refusal> reset_cursor(const std::string& name,
                                              std::optional<std::uint64_t> cursor);
    std::expected<void, Refusal> take_cursor_order(const std::string& name,
                                                   std::optional<std::uint64_t> cursor);

    void take_statuses();
    // `asked_at`: the report is not older.
    void take_report(Entry& entry, HostStatus status, Nanos asked_at);
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
    std::set<std::string> names_of_settings;  // of options.settings: asked for each row
    std::map<std::string, std::uint32_t, std::less<>> held;  // hosts with a bound, by holder
    bool has_started = false;
    Nanos started_at{};
    std::map<std::string, base::HostAddress, std::less<>> running;  // that the fleet has
    std::deque<std::string> to_stop;
    std::deque<std::string> to_start;
    bool is_ordering = false;  // a cursor: one at a time
    fiber::Event ordered;
    bool is_settling = false;
    fiber::Event settled;
    std::size_t left_out = 0;  // of the last count
    bool is_asking = false;
    fiber::Event asked;
    std::shared_ptr<const std::vector<HostView>> snapshot;  // for views(); none: something changed
    Nanos taken_at = Nanos::min() / 2;                      // when the statuses were
    base::LogLimit save_lines{1, 60'000};
    base::QueueGauge& rows_depth;
    std::vector<base::Gauge*> by_state;
    std::vector<base::Counter*> added;
    std::vector<base::Counter*> refusals;
    std::array<base::Counter*, 2> forgotten{};  // never reached; by the administration
    fiber::Task follower;
};

inline std::unexpected<Refusal> refuse(Refusal::Why why, std::string words) {
    return std::unexpected(Refusal{why, std::move(words)});
}

inline std::unexpected<Refusal> refuse_disk(const Error& error) {
    return refuse(Refusal::Why::disk, "it could not be written down: " + std::string(error.what));
}

// `pds.example.com` is below `*.example.com`.
inline bool is_below(std::string_view name, std::string_view pattern) {
    return pattern.starts_with("*.") && name.ends_with(pattern.substr(1));
}

constexpr std::string_view host_prefix = "h:";  // keys of rows
constexpr std::string_view ban_prefix = "b:";   // of bans: a name, or `*.domain`

}  // namespace ringlay::hosts
