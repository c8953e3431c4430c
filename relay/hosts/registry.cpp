#include "relay/hosts/registry.hpp"

#include <algorithm>
#include <map>

#include "relay/hosts/lifecycle.hpp"
#include "relay/hosts/new_host_quota.hpp"
#include "relay/hosts/registry_core.hpp"

namespace ringlay::hosts {
namespace {

constexpr std::string_view file_name = "hosts";

}  // namespace

Registry::Core::Core(env::Env& its_env, base::Logger& its_logger, base::Metrics& metrics,
                     HostFleet its_fleet, RegistryOptions its_options)
    : env(its_env),
      logger(its_logger),
      fleet(std::move(its_fleet)),
      options(std::move(its_options)),
      quota({.per_day = options.new_hosts_per_day,
             .per_domain = options.new_hosts_per_domain_per_day,
             .per_address = options.new_hosts_per_address_per_day}),
      rows_depth(metrics.queue("host_rows", options.max_hosts)) {
    for (const base::HostAddress& address : options.settings) {
        names_of_settings.insert(host_name(address));
    }
    constexpr HostState all[] = {HostState::pending, HostState::active,    HostState::idle,
                                 HostState::offline, HostState::throttled, HostState::quarantined,
                                 HostState::banned};
    for (HostState state : all) {
        by_state.push_back(&metrics.gauge("relay_hosts", "Hosts that are known, by state.",
                                          {{"state", std::string(state_name(state))}}));
    }
    for (HostSource source :
         {HostSource::settings, HostSource::upstream, HostSource::crawl, HostSource::admin}) {
        added.push_back(&metrics.counter("relay_new_hosts_total",
                                         "Hosts that were added, by who named them.",
                                         {{"source", std::string(source_name(source))}}));
    }
    for (std::string_view why :
         {"invalid", "private", "banned", "quota", "domain", "full", "unknown", "disk"}) {
        refusals.push_back(&metrics.counter("relay_new_host_refusals_total",
                                            "Hosts that were named and not added, by reason.",
                                            {{"why", std::string(why)}}));
    }
    for (std::size_t i = 0; i < forgotten.size(); ++i) {
        forgotten[i] = &metrics.counter("relay_hosts_forgotten_total",
                                        "Hosts whose rows were removed, by reason.",
                                        {{"why", i == 0 ? "unreached" : "admin"}});
    }
}

// ----- rows -----------------------------------------------------------------------------------

std::expected<void, std::string> Registry::Core::open() {
    auto directory = env.disk.open_directory(options.data_dir);
    if (!directory) {
        return std::unexpected(options.data_dir + ": " + std::string(directory.error().what));
    }
    std::string why;
    auto opened = store::RowStore::open(std::move(*directory), std::string(file_name), why);
    if (!opened) return std::unexpected(why);
    rows = std::move(*opened);
    for (const auto& [key, value] : rows->rows()) {
        if (key.starts_with(ban_prefix)) {
            bans.emplace(key.substr(ban_prefix.size()), std::string(value.begin(), value.end()));
            continue;
        }
        auto stored = decode_row(value);
        if (!stored)
            return std::unexpected("hosts: " + key + ": " + std::string(stored.error().what));
        Entry& entry = hosts[host_name(stored->row.address)];
        entry.id = stored->id;
        entry.row = std::move(stored->row);
        next_id = std::max(next_id, entry.id + 1);
        count_held(entry.row, +1);
    }
    return {};
}

// Those of the settings are there as long as the settings name them.
Result<void> Registry::Core::take_settings() {
    std::vector<store::RowChange> changes;
    std::erase_if(hosts, [&](const auto& item) {
        const bool is_named =
            std::ranges::find(options.settings, item.second.row.address) != options.settings.end();
        if (item.second.row.source != HostSource::settings || is_named) return false;
        changes.push_back({std::string(host_prefix) + item.first, std::nullopt});
        return true;
    });
    for (const base::HostAddress& address : options.settings) {
        Entry& entry = hosts[host_name(address)];
        const bool is_new = entry.id == 0;
        if (!is_new && entry.row.address == address) continue;
        if (is_new) {
            entry.id = next_id++;
            entry.row.source = HostSource::settings;
            entry.row.added = env.clock.wall();
        }
        entry.row.address = address;
        changes.push_back(change_of(host_name(address), entry));
    }
    return rows->write(changes);
}

store::RowChange Registry::Core::change_of(const std::string& name, Entry& entry) {
    entry.is_dirty = false;
    snapshot.reset();
    return {std::string(host_prefix) + name, encode(entry.row, entry.id)};
}

std::expected<void, Refusal> Registry::Core::save(const std::string& name) {
    const store::RowChange change = change_of(name, hosts.at(name));
    if (auto done = rows->write(std::span(&change, 1)); !done) return refuse_disk(done.error());
    return {};
}

bool Registry::Core::is_trusted(const HostRow& row) const {
    const std::string& name = row.address.name;
    return row.is_trusted || std::ranges::any_of(options.trusted_domains, [&](const auto& domain) {
               return name == domain || is_below(name, domain);
           });
}

bool Registry::Core::is_operators(const HostRow& row) const {
    return row.source == HostSource::settings || row.source == HostSource::admin ||
           is_of_settings(host_name(row.address));
}

HostOrders Registry::Core::orders_of(const Entry& entry) const {
    HostOrders orders;
    orders.limits = entry.row.limits;
    orders.is_trusted = is_trusted(entry.row);
    orders.is_operators = is_operators(entry.row);
    orders.begins_live = entry.row.source == HostSource::upstream;
    orders.is_quarantined = entry.row.state == HostState::quarantined;
    // Whoever announced the name may let it point elsewhere after it was checked.
    const base::HostAddress& address = entry.row.address;
    orders.is_strangers = entry.row.source == HostSource::crawl && !orders.is_operators &&
                          !options.private_hosts.allows_host(address.name, address.port);
    return orders;
}

// ----- what the subscribers report ------------------------------------------------------------

void Registry::Core::take_statuses() {
    if (is_asking) {
        static_cast<void>(asked.wait());
        return;
    }
    is_asking = true;
    asked.reset();
    const Nanos asked_at = env.clock.now();
    std::vector<HostStatus> statuses = fleet.statuses();
    for (HostStatus& status : statuses) {
        auto found = hosts.find(status.name);
        // What was just ended may still be in a report.
        if (found != hosts.end() && running.contains(status.name)) {
            take_report(found->second, std::move(status), asked_at);
        }
    }
    count_states();
    snapshot.reset();
    taken_at = env.clock.now();
    is_asking = false;
    asked.set();
}

void Registry::Core::take_report(Entry& entry, HostStatus status, Nanos asked_at) {
    HostRow& row = entry.row;
    const bool is_connected = status.phase == HostPhase::connected;
    if (is_connected) row.last_connected = env.clock.wall();
    if (status.last_event.count() > 0) row.last_event = status.last_event;
    const WallMillis heard = std::max(status.last_event, status.connected_since);
    const HostState state = next_state(row.state, {.is_connected = is_connected,
                                                   .was_connected = row.last_connected.count() > 0,
                                                   .is_quarantined = status.is_quarantined,
                                                   .is_throttled = status.is_throttled,
                                                   .silent_for = Nanos(env.clock.wall() - heard)});
    if (state != row.state) {
        const bool matters = state == HostState::quarantined ||
                             row.state == HostState::quarantined || row.state == HostState::pending;
        if (matters) entry.is_dirty = true;
        row.state = state;
    }
    row.failure = status.failure;
    if (row.cursor_order && !status.counts_anew && entry.ordered_at < asked_at) {
        row.cursor_order.reset();  // from here on the log knows
        entry.is_dirty = true;
    }
    entry.accounts = std::max(entry.accounts, status.accounts);
    entry.live = std::move(status);
}

void Registry::Core::count_states() {
    std::vector<std::int64_t> counts(by_state.size());
    std::size_t connected = 0;
    left_out = 0;
    for (const auto& [name, entry] : hosts) {
        if (entry.is_left_out) ++left_out;
        ++counts[static_cast<std::size_t>(entry.row.state)];
        if (entry.live && entry.live->phase == HostPhase::connected) ++connected;
    }
    for (std::size_t i = 0; i < counts.size(); ++i) by_state[i]->set(counts[i]);
    auto count = [&](HostState state) {
        return static_cast<std::size_t>(counts[static_cast<std::size_t>(state)]);
    };
    totals = {.hosts = hosts.size(),
              .connected = connected,
              .pending = count(HostState::pending),
              .offline = count(HostState::offline),
              .quarantined = count(HostState::quarantined),
              .banned = count(HostState::banned)};
    rows_depth.set_depth(hosts.size());
}

// What matters is written at once; how each host fares, now and then.
void Registry::Core::follow() {
    Nanos saved = env.clock.now();
    while (fiber::sleep_for(options.poll_interval)) {
        take_statuses();
        const bool is_time = env.clock.now() - saved >= std::chrono::minutes(10);
        if (is_time) saved = env.clock.now();
        save_dirty(is_time);
        if (is_time) forget_unreached();
        start_left_out();
    }
    take_statuses();
    fiber::CancelBlocker blocker;
    save_dirty(true);
}

void Registry::Core::save_dirty(bool all) {
    std::vector<store::RowChange> changes;
    std::vector<std::string> names;
    for (auto& [name, entry] : hosts) {
        if (!all && !entry.is_dirty) continue;
        changes.push_back(change_of(name, entry));
        names.push_back(name);
    }
    if (changes.empty()) return;
    auto done = rows->write(changes);
    if (done) return;
    for (const std::string& name : names) {
        if (auto found = hosts.find(name); found != hosts.end()) found->second.is_dirty = true;
    }
    logger.log(save_lines, base::LogLevel::error,
               static_cast<std::uint64_t>(env.clock.wall().count()), "hosts cannot be written down",
               {{"reason", done.error().what}, {"dir", options.data_dir}});
}

std::shared_ptr<const std::vector<HostView>> Registry::Core::views() {
    constexpr Nanos max_age = std::chrono::seconds(1);
    if (env.clock.now() - taken_at >= max_age) take_statuses();
    if (snapshot) return snapshot;
    auto all = std::make_shared<std::vector<HostView>>();
    all->reserve(hosts.size());
    for (const auto& [name, entry] : hosts) all->push_back({entry.row, entry.id, entry.live});
    std::ranges::sort(*all, {}, &HostView::id);
    snapshot = std::move(all);
    return snapshot;
}

// ----- the class ------------------------------------------------------------------------------

Registry::Registry(env::Env& env, base::Logger& logger, base::Metrics& metrics, HostFleet fleet,
                   RegistryOptions options)
    : core_(std::make_unique<Core>(env, logger, metrics, std::move(fleet), std::move(options))) {}

Registry::~Registry() = default;

std::expected<void, std::string> Registry::open() {
    auto opened = core_->open();
    if (!opened) return opened;
    if (auto taken = core_->take_settings(); !taken) {
        return std::unexpected("hosts cannot be written down in " + core_->options.data_dir + ": " +
                               std::string(taken.error().what));
    }
    core_->count_states();
    return {};
}

void Registry::start() {
    core_->has_started = true;
    core_->started_at = core_->env.clock.now();
    const std::vector<std::string> names = core_->by_rank();
    core_->to_start.assign(names.begin(), names.end());
    core_->settle();
    core_->count_states();
    core_->follower = fiber::spawn("follows hosts", [core = core_.get()] { core->follow(); });
}

void Registry::stop() {
    core_->follower.cancel_and_join();
    core_->has_started = false;
}

std::expected<bool, Refusal> Registry::offer(const base::HostAddress& address, HostSource source,
                                             std::optional<Address> from) {
    auto answers = core_->offer(std::span(&address, 1), source, from);
    return std::move(answers.front());
}

std::vector<std::expected<bool, Refusal>> Registry::offer_all(
    std::span<const base::HostAddress> addresses, HostSource source) {
    return core_->offer(addresses, source, std::nullopt);
}

std::expected<void, Refusal> Registry::remove(std::string_view name) {
    return core_->remove(std::string(name));
}

std::expected<std::size_t, Refusal> Registry::ban(std::string_view name_or_domain,
                                                  std::string_view reason) {
    return core_->ban(std::string(name_or_domain), reason);
}

std::expected<std::size_t, Refusal> Registry::unban(std::string_view name_or_domain) {
    return core_->unban(std::string(name_or_domain));
}

std::expected<void, Refusal> Registry::change_limits(std::string_view name,
                                                     const HostLimits& limits) {
    auto found = core_->hosts.find(name);
    if (found == core_->hosts.end()) {
        return refuse(Refusal::Why::unknown, std::string(name) + " is not known here");
    }
    const HostLimits before = std::exchange(found->second.row.limits, limits);
    const HostOrders orders = core_->orders_of(found->second);
    auto saved = core_->save(std::string(name));
    if (saved) {
        core_->fleet.change(name, orders);
    } else if (found = core_->hosts.find(name); found != core_->hosts.end()) {
        found->second.row.limits = before;
        core_->snapshot.reset();
    }
    return saved;
}

std::expected<void, Refusal> Registry::reset_cursor(std::string_view name,
                                                    std::optional<std::uint64_t> cursor) {
    return core_->reset_cursor(std::string(name), cursor);
}

// Written down first: the subscriber has it in memory only, until an event comes.
std::expected<void, Refusal> Registry::Core::reset_cursor(const std::string& name,
                                                          std::optional<std::uint64_t> cursor) {
    while (is_ordering) {
        if (!ordered.wait()) return refuse(Refusal::Why::disk, "the relay stops");
    }
    is_ordering = true;
    ordered.reset();
    auto done = take_cursor_order(name, cursor);
    is_ordering = false;
    ordered.set();
    return done;
}

std::expected<void, Refusal> Registry::Core::take_cursor_order(
    const std::string& name, std::optional<std::uint64_t> cursor) {
    auto found = hosts.find(name);
    if (found == hosts.end()) return refuse(Refusal::Why::unknown, name + " is not known here");
    if (ban_of(name)) {
        return refuse(Refusal::Why::banned, name + " is banned: unblock it first");
    }
    auto before = std::exchange(found->second.row.cursor_order, CursorOrder{cursor});
    found->second.ordered_at = Nanos::max();
    auto saved = save(name);
    if (saved) fleet.reset_cursor(name, cursor);
    found = hosts.find(name);
    if (found == hosts.end()) return saved;
    if (!saved) found->second.row.cursor_order = before;
    found->second.ordered_at = env.clock.now();
    snapshot.reset();
    return saved;
}

void Registry::set_accounts(const std::map<std::string, std::uint64_t, std::less<>>& accounts) {
    for (const auto& [name, count] : accounts) {
        auto found = core_->hosts.find(name);
        if (found == core_->hosts.end()) continue;
        found->second.accounts = std::max(found->second.accounts, count);
        core_->fleet.set_accounts(name, count);
    }
}

std::optional<std::string> Registry::ban_of(std::string_view name) const {
    return core_->ban_of(name);
}

const std::map<std::string, std::string, std::less<>>& Registry::bans() const {
    return core_->bans;
}

std::shared_ptr<const std::vector<HostView>> Registry::views() {
    return core_->views();
}

std::optional<HostView> Registry::view(std::string_view name) {
    constexpr Nanos max_age = std::chrono::seconds(1);
    if (core_->env.clock.now() - core_->taken_at >= max_age) core_->take_statuses();
    auto found = core_->hosts.find(name);
    if (found == core_->hosts.end()) return std::nullopt;
    return HostView{found->second.row, found->second.id, found->second.live};
}

Registry::Totals Registry::totals() const {
    return core_->totals;
}

}  // namespace ringlay::hosts
