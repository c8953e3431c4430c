// All hosts that the relay knows: rows kept on disk, each with a subscriber on some worker. The one
// place where hosts are added, banned, limited and looked at; discovery, requestCrawl and the
// administration come here.
//
// A candidate is a row from the first moment (state `pending`) and is retried for ever; if it was
// never reached, and nobody but a stranger or a list has named it, for 30 days. Rows follow what
// the subscribers report, by the pure rules of lifecycle.hpp. Rows beyond max_hosts, which was
// larger once, stay and are not dialled: the operator's own hosts go first, then those that were
// reached last.
//
// Owner    Relay.
// Thread   the main worker; calls may wait (they ask other workers, or the disk) and overlap.
// Bound    max_hosts rows; quotas of new hosts by day, registrable domain and address of who asks;
//          hosts of one domain or network that strangers and lists have named.
// Errors   Refusal, in words for the caller.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/logger.hpp"
#include "relay/base/metrics.hpp"
#include "relay/base/private_hosts.hpp"
#include "relay/env/env.hpp"
#include "relay/hosts/host_row.hpp"
#include "relay/hosts/subscriber.hpp"

namespace ringlay::hosts {

// What the registry needs of the workers; Relay provides it.
struct HostFleet {
    // Begins and ends a host's subscription, on its worker.
    std::function<void(const base::HostAddress&, const HostOrders&)> start;
    std::function<void(const std::vector<std::string>& names)> stop;
    std::function<void(std::string_view name, const HostOrders&)> change;
    std::function<void(std::string_view name, Waker)> wake;  // its next attempt is now
    std::function<void(std::string_view name, std::uint64_t accounts)> set_accounts;
    // The next connection asks for this cursor; nothing: live.
    std::function<void(std::string_view name, std::optional<std::uint64_t>)> reset_cursor;
    std::function<std::vector<HostStatus>()> statuses;
};

struct RegistryOptions {
    std::string data_dir;                      // where the rows are, in the file `hosts`
    std::vector<base::HostAddress> settings;   // RELAY_HOSTS
    std::vector<std::string> trusted_domains;  // `*.host.bsky.network`
    base::PrivateHosts private_hosts;
    std::uint32_t max_hosts = 20'000;
    std::uint32_t new_hosts_per_day = 1000;
    std::uint32_t new_hosts_per_domain_per_day = 50;   // of one registrable domain
    std::uint32_t new_hosts_per_address_per_day = 50;  // of one requestCrawl caller
    // For good, of one holder (holder_of()), that strangers and lists have named. Trusted domains
    // and what RELAY_ALLOW_PRIVATE_HOSTS names have no such bound.
    std::uint32_t max_hosts_of_holder = 1000;
    // What strangers and lists have named and was never reached is forgotten, if it was tried.
    WallMillis forgotten_after = std::chrono::days(30);
    Nanos tried_for = std::chrono::hours(1);
    Nanos poll_interval = std::chrono::seconds(5);  // of the subscribers' reports
};

struct Refusal {
    // quota: for today; domain: it has as many as it may; full: there are as many as may be.
    enum class Why : std::uint8_t {
        invalid,
        is_private,
        banned,
        quota,
        domain,
        full,
        unknown,
        disk,
    };
    Why why = Why::invalid;
    std::string words;
};

// A row and, where there is a subscriber, what it last said.
struct HostView {
    HostRow row;
    std::uint64_t id = 0;  // of the row: rising, for paging
    std::optional<HostStatus> live;
};

class Registry {
  public:
    Registry(env::Env& env, base::Logger& logger, base::Metrics& metrics, HostFleet fleet,
             RegistryOptions options);
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    // Reads the rows and adds those of the settings; call once, first. The error is a sentence.
    std::expected<void, std::string> open();
    void start();  // all subscriptions; then follows them
    void stop();   // following; HostFleet's functions are not called after that

    // What a hostname of a stranger stands for (protocol 4.10): a bare name or an http, https, ws
    // or wss URL.
    static std::expected<base::HostAddress, Refusal> parse_hostname(std::string_view text);

    // A new host, or one that is known already (true: it was; its next attempt is now, unless it is
    // put off: only an operator ends that). `from`: the address of who asks, for the quota; admin
    // and settings have none.
    std::expected<bool, Refusal> offer(const base::HostAddress& address, HostSource source,
                                       std::optional<Address> from);
    // The same for many, in one write. Answers are in their order; behind one that is `full` there
    // are none.
    std::vector<std::expected<bool, Refusal>> offer_all(
        std::span<const base::HostAddress> addresses, HostSource source);
    // Forgets a host, but for its bans. Whoever names it again adds it again.
    std::expected<void, Refusal> remove(std::string_view name);

    // A host, or with a leading `*.` every host below a domain, those to come included. Returns how
    // many hosts it concerns now.
    std::expected<std::size_t, Refusal> ban(std::string_view name_or_domain,
                                            std::string_view reason);
    std::expected<std::size_t, Refusal> unban(std::string_view name_or_domain);
    std::expected<void, Refusal> change_limits(std::string_view name, const HostLimits& limits);
    std::expected<void, Refusal> reset_cursor(std::string_view name,
                                              std::optional<std::uint64_t> cursor);
    // What the database knows, by name; hosts that are not known are passed over.
    void set_accounts(const std::map<std::string, std::uint64_t, std::less<>>& accounts);
    std::optional<std::string> ban_of(std::string_view name) const;  // the reason, if it is banned
    // Reasons by name or `*.domain`.
    const std::map<std::string, std::string, std::less<>>& bans() const;

    // At most a second old, in the order of ids.
    std::shared_ptr<const std::vector<HostView>> views();
    std::optional<HostView> view(std::string_view name);
    struct Totals {
        std::size_t hosts = 0;
        std::size_t connected = 0;
        std::size_t pending = 0;
        std::size_t offline = 0;
        std::size_t quarantined = 0;
        std::size_t banned = 0;
    };
    Totals totals() const;  // of the last poll; never waits

  private:
    struct Core;
    std::unique_ptr<Core> core_;
};

}  // namespace ringlay::hosts
