// Where hosts and the rest of the relay meet: the registry decides which there are, the workers
// have them.
#include <set>

#include "relay/accounts/compact_did.hpp"
#include "relay/ingest/host_origin.hpp"
#include "relay/relay_rooms.hpp"

namespace ringlay {
namespace {

// Strangers choose names: without the key, which is drawn at the start, they cannot have many hosts
// on one worker.
std::size_t worker_of_host(std::string_view name, accounts::HashKey key, std::size_t workers) {
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(name.data()), name.size());
    return static_cast<std::size_t>(accounts::keyed_hash(key, bytes) % workers);
}

// Consumers, their readers and what is asked of a worker take the rest.
static_assert(base::max_hosts_of_a_worker + 8 * 1024 <= fiber::WorkerOptions().max_fibers);

hosts::RegistryOptions registry_options(const base::Config& config, const net::Outbound& outbound) {
    hosts::RegistryOptions options;
    options.data_dir = config.data_dir;
    options.settings = config.hosts;
    options.trusted_domains = config.trusted_domains;
    options.private_hosts = outbound.allowed();
    options.max_hosts = config.max_hosts;
    options.new_hosts_per_day = config.new_hosts_per_day;
    return options;
}

}  // namespace

std::optional<std::string> Relay::open_hosts() {
    const base::Config& config = options_.config;
    hosts_ = std::make_unique<HostsRoom>();
    HostsRoom& room = *hosts_;
    room.placement = {env_.random.next(), env_.random.next()};
    for (event_log::Host& host : log_->log->hosts()) {
        std::string name = host.name;
        room.known.emplace(std::move(name), std::move(host));
    }
    room.registry = std::make_unique<hosts::Registry>(env_, logger_, metrics_, host_fleet(),
                                                      registry_options(config, outbound_));
    if (auto opened = room.registry->open(); !opened) return opened.error();

    const hosts::HostBook book = hosts::book_of(*room.registry);
    auto fetch_by = [this](const net::Outbound& outbound) -> hosts::Fetch {
        return [this, &outbound](const proto::Url& url, const net::FetchOptions& options) {
            net::FetchOptions guarded = options;
            guarded.outbound = &outbound;
            return net::fetch(env_, url, guarded);
        };
    };
    room.figures = std::make_unique<hosts::FigureBook>(
        env_, hosts::FigureSources{.log_hosts = [this] { return log_->log->hosts(); },
                                   .accounts =
                                       [this] {
                                           std::map<std::string, std::uint64_t, std::less<>> all;
                                           const auto views = hosts_->registry->views();
                                           for (const auto& view : *views) {
                                               if (!view.live) continue;
                                               all.emplace(view.live->name, view.live->accounts);
                                           }
                                           return all;
                                       }});
    room.check = std::make_unique<hosts::HostCheck>(
        env_, metrics_, fetch_by(strangers_),
        hosts::HostCheckOptions{.user_agent = options_.user_agent});
    room.discovery = std::make_unique<hosts::Discovery>(
        env_, logger_, metrics_, book, fetch_by(outbound_),
        hosts::DiscoveryOptions{.upstreams = config.upstream, .user_agent = options_.user_agent});
    room.crawl = std::make_unique<api::CrawlRequests>(
        env_, logger_, metrics_, book,
        [this](const base::HostAddress& address, const std::optional<Address>& from) {
            return hosts_->check->check(address, from);
        },
        api::CrawlOptions{.is_on = config.request_crawl == base::RequestCrawl::on,
                          .private_hosts = config.allow_private_hosts});
    auto figures = [this] { return hosts_->figures->get(); };
    room.queries = std::make_unique<api::HostQueries>(
        api::HostSources{.views = book.views, .view = book.view, .figures = figures});
    room.admin = std::make_unique<api::AdminHosts>(
        env_, logger_,
        api::AdminHostsSources{.book = book,
                               .figures = figures,
                               .totals = [this] { return hosts_->registry->totals(); },
                               .discovery = [this] { return hosts_->discovery->status(); },
                               .consumers = [this] { return consumer_statuses(); },
                               .crawl = room.crawl.get(),
                               .trusted_domains = config.trusted_domains,
                               .new_hosts_per_day = config.new_hosts_per_day,
                               .events_per_second = config.host_events_per_second});
    room.gate = std::make_unique<api::AdminGate>(env_, logger_, metrics_, config.admin_passwords);
    return std::nullopt;
}

hosts::HostFleet Relay::host_fleet() {
    // Runs on the host's worker, where its room is; nothing is there before the start.
    auto on_room = [this](std::string_view name, auto function) {
        if (!hosts_->has_started) return;
        WorkerRoom& room = *rooms_[worker_of_host(name, hosts_->placement, rooms_.size())];
        fiber::call_on(*room.worker, "a host's orders", [&] { function(*room.hosts); });
    };
    hosts::HostFleet fleet;
    fleet.start = [this, on_room](const base::HostAddress& address,
                                  const hosts::HostOrders& orders) {
        const std::string name = hosts::host_name(address);
        std::optional<event_log::Host> known;
        if (auto at_start = hosts_->known.find(name); at_start != hosts_->known.end()) {
            known = at_start->second;
        }
        on_room(name, [&](hosts::HostRoom& room) { room.add(address, orders, known); });
    };
    fleet.stop = [this](const std::vector<std::string>& names) { stop_hosts(names); };
    fleet.change = [on_room](std::string_view name, const hosts::HostOrders& orders) {
        on_room(name, [&](hosts::HostRoom& room) { room.change(name, orders); });
    };
    fleet.wake = [on_room](std::string_view name, hosts::Waker waker) {
        on_room(name, [&](hosts::HostRoom& room) { room.wake(name, waker); });
    };
    fleet.set_accounts = [on_room](std::string_view name, std::uint64_t accounts) {
        on_room(name, [&](hosts::HostRoom& room) { room.set_accounts(name, accounts); });
    };
    fleet.reset_cursor = [on_room](std::string_view name, std::optional<std::uint64_t> cursor) {
        on_room(name, [&](hosts::HostRoom& room) { room.reset_cursor(name, cursor); });
    };
    fleet.statuses = [this] { return host_statuses(); };
    return fleet;
}

// Should they come back, they go on where the log is by then.
void Relay::stop_hosts(const std::vector<std::string>& names) {
    if (!hosts_->has_started) return;
    std::map<std::size_t, std::vector<std::string_view>> by_worker;
    for (const std::string& name : names) {
        by_worker[worker_of_host(name, hosts_->placement, rooms_.size())].push_back(name);
    }
    for (const auto& [index, theirs] : by_worker) {
        WorkerRoom& room = *rooms_[index];
        fiber::call_on(*room.worker, "ends hosts", [&] {
            for (std::string_view name : theirs) room.hosts->remove(name);
        });
    }
    const std::set<std::string_view> stopped(names.begin(), names.end());
    for (event_log::Host& host : log_->log->hosts()) {
        if (!stopped.contains(host.name)) continue;
        std::string name = host.name;
        hosts_->known.insert_or_assign(std::move(name), std::move(host));
    }
}

std::vector<hosts::HostStatus> Relay::host_statuses() {
    std::vector<hosts::HostStatus> all;
    if (!hosts_->has_started) return all;
    for (auto& room : rooms_) {
        fiber::call_on(*room->worker, "tell of the hosts", [&] {
            for (auto& host : room->hosts->status()) all.push_back(std::move(host));
        });
    }
    return all;
}

void Relay::start_hosts() {
    hosts_->has_started = true;
    hosts_->registry->start();
    hosts_->discovery->start();
    hosts_->accounts = fiber::spawn("counts accounts", [this] { count_accounts(); });
}

// Once: what is met later the subscribers count. It reads a row of each host: nobody waits for it.
void Relay::count_accounts() {
    auto counted = fiber::blocking(
        [&](MayBlock may_block) { return fold_->database->accounts_by_host(may_block); });
    if (!counted) {
        return say(base::LogLevel::warn, "accounts of hosts are not known",
                   {{"reason", counted.error().what}});
    }
    std::map<std::string, std::uint64_t, std::less<>> by_name;
    for (const auto& [name, host] : hosts_->known) {
        auto found = counted->find(host.id);
        if (found != counted->end()) by_name.emplace(name, found->second);
    }
    hosts_->registry->set_accounts(by_name);
}

void Relay::stop_hosts() {
    if (!hosts_ || !hosts_->has_started) return;
    hosts_->discovery->stop();
    hosts_->accounts.cancel_and_join();
    hosts_->registry->stop();
}

std::string Relay::host_origin(std::string_view name) {
    const std::optional<hosts::HostView> view = hosts_->registry->view(name);
    return ingest::origin_of_host(
        name, view ? std::optional(view->row.address.is_tls) : std::nullopt, outbound_.allowed());
}

std::vector<std::string> Relay::host_notes() const {
    std::vector<std::string> notes;
    for (const hosts::DiscoveryStatus& upstream : hosts_->discovery->status()) {
        if (upstream.failure.empty()) continue;
        notes.push_back("upstream: " + hosts::failure_words(upstream, env_.clock.wall()));
    }
    return notes;
}

}  // namespace ringlay
