#include "relay/hosts/discovery.hpp"

#include <algorithm>
#include <utility>

#include "proto/url.hpp"

namespace ringlay::hosts {
namespace {

constexpr std::string_view list_target = "/xrpc/com.atproto.sync.listHosts?limit=1000";

std::int64_t seconds_of(Nanos time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

// Everything but letters and digits is escaped: it may be any text of the upstream's.
std::string escaped(std::string_view cursor) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (char c : cursor) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

// How an upstream is called in words: `bsky.network`, `localhost:2470`.
std::string name_of(const std::string& url) {
    auto parsed = proto::parse_url(url);
    return parsed ? net::authority_of(*parsed) : url;
}

}  // namespace

std::string failure_words(const DiscoveryStatus& status, WallMillis now) {
    if (status.next_attempt <= now) return status.failure + "; it is being tried again";
    return status.failure + "; next attempt in " +
           std::to_string(seconds_of(status.next_attempt - now)) + " s";
}

Discovery::Discovery(env::Env& env, base::Logger& logger, base::Metrics& metrics, HostBook book,
                     Fetch fetch, DiscoveryOptions options)
    : env_(env),
      logger_(logger),
      book_(std::move(book)),
      fetch_(std::move(fetch)),
      options_(std::move(options)),
      lists_(metrics.counter("relay_discovery_lists_total", "Lists of hosts read to their end.")),
      failures_(metrics.counter("relay_discovery_failures_total",
                                "Attempts to read a list of hosts that failed.")),
      added_(metrics.counter("relay_discovery_hosts_added_total",
                             "Hosts found in lists of other relays.")),
      rejected_(metrics.counter("relay_discovery_hosts_rejected_total",
                                "Entries of lists that were not taken as a host.")),
      listed_(metrics.gauge("relay_discovery_hosts_listed", "Hosts in the last list read.")),
      last_success_(metrics.gauge("relay_discovery_last_success_timestamp_seconds",
                                  "When a list was last read to its end; 0: never.")) {
    for (std::string url : options_.upstreams) {
        while (url.ends_with('/')) url.pop_back();
        Upstream& upstream = upstreams_.emplace_back();
        upstream.status.upstream = name_of(url);
        upstream.url = std::move(url);
    }
}

void Discovery::start() {
    for (Upstream& upstream : upstreams_) {
        upstream.task =
            fiber::spawn("takes over an upstream's hosts", [this, &upstream] { follow(upstream); });
    }
}

void Discovery::stop() {
    for (Upstream& upstream : upstreams_) upstream.task.cancel_and_join();
}

std::vector<DiscoveryStatus> Discovery::status() const {
    std::vector<DiscoveryStatus> all;
    for (const Upstream& upstream : upstreams_) all.push_back(upstream.status);
    return all;
}

void Discovery::follow(Upstream& upstream) {
    Nanos retry = options_.first_retry;
    while (!fiber::is_cancelled()) {
        upstream.status.next_attempt = {};
        auto taken = take_list(upstream);
        if (fiber::is_cancelled()) return;
        Nanos pause = options_.interval;
        if (taken) {
            retry = options_.first_retry;
            note_success(upstream);
        } else {
            const bool is_alone = !has_read_a_list_ || book_.views()->empty();
            if (is_alone) retry = options_.first_retry;
            pause = std::min(retry, options_.interval);
            if (!is_alone) retry = pause * 2;
            note_failure(upstream, std::move(taken.error()), pause);
        }
        // Relays that were started together do not ask together for ever.
        const auto tenth = static_cast<std::uint64_t>(pause.count() / 10 + 1);
        pause += Nanos(static_cast<std::int64_t>(env_.random.below(tenth)));
        upstream.status.next_attempt =
            env_.clock.wall() + std::chrono::duration_cast<WallMillis>(pause);
        if (!fiber::sleep_for(pause)) return;
    }
}

std::expected<void, std::string> Discovery::take_list(Upstream& upstream) {
    DiscoveryStatus& status = upstream.status;
    status.listed = status.added = status.rejected = 0;
    status.rejection.clear();
    status.is_cut = false;
    std::unordered_set<std::string> known;
    const auto views = book_.views();
    for (const HostView& view : *views) known.insert(host_name(view.row.address));

    std::unordered_set<std::string> cursors;
    std::string cursor;
    for (std::size_t pages = 1;; ++pages) {
        auto page = read_page(upstream, cursor);
        if (!page) return std::unexpected(std::move(page.error()));
        if (!take_hosts(upstream, *page, known)) break;
        // A cursor that was given before leads around in a circle.
        if (!page->cursor || !cursors.insert(*page->cursor).second) return {};
        if (pages == options_.max_pages) break;
        cursor = std::move(*page->cursor);
    }
    status.is_cut = true;
    return {};
}

std::expected<ListedHosts, std::string> Discovery::read_page(const Upstream& upstream,
                                                             const std::string& cursor) {
    std::string text = upstream.url + std::string(list_target);
    if (!cursor.empty()) text += "&cursor=" + escaped(cursor);
    const std::string& name = upstream.status.upstream;
    auto url = proto::parse_url(text);
    if (!url)
        return std::unexpected(name +
                               " is no address of a relay: " + std::string(url.error().what));
    net::FetchOptions options;
    options.headers.add("User-Agent", options_.user_agent);
    options.headers.add("Accept", "application/json");
    options.max_body_bytes = options_.max_page_bytes;
    options.deadline = Deadline::in(options_.page_time);
    options.redirects = 2;
    auto response = fetch_(*url, options);
    if (!response) return std::unexpected(name + " not reachable: " + response.error().reason);
    if (response->status != 200) {
        return std::unexpected(name + " gives no list of hosts: status " +
                               std::to_string(response->status));
    }
    auto page = parse_listed_hosts(response->body);
    if (!page) {
        return std::unexpected(name + " gives no list of hosts: " + std::string(page.error().what));
    }
    return std::move(*page);
}

// False: there is no more room, for this list or at all.
bool Discovery::take_hosts(Upstream& upstream, const ListedHosts& page,
                           std::unordered_set<std::string>& known) {
    DiscoveryStatus& status = upstream.status;
    std::vector<base::HostAddress> fresh;
    bool is_cut = false;
    for (std::size_t i = 0; i < page.unreadable; ++i) reject(upstream, "an entry without a name");
    for (const ListedHosts::Entry& entry : page.hosts) {
        if (fiber::is_cancelled()) return false;
        is_cut = status.listed == options_.max_hosts;
        if (is_cut) break;
        // A page may have a hundred thousand of them.
        if (++status.listed % 64 == 0) fiber::yield();
        if (entry.is_banned) {
            reject(upstream, entry.hostname + ": banned there");
            continue;
        }
        auto address = Registry::parse_hostname(entry.hostname);
        if (!address) {
            reject(upstream, entry.hostname + ": " + address.error().words);
            continue;
        }
        std::string name = host_name(*address);
        if (name == status.upstream || !known.insert(std::move(name)).second) continue;
        fresh.push_back(std::move(*address));
        if (fresh.size() == options_.max_offered && !offer(upstream, fresh)) return false;
    }
    return offer(upstream, fresh) && !is_cut;
}

// Those that wait to be offered. False: the relay takes no more.
bool Discovery::offer(Upstream& upstream, std::vector<base::HostAddress>& addresses) {
    if (addresses.empty()) return true;
    const std::vector<base::HostAddress> offered = std::exchange(addresses, {});
    const auto answers = book_.offer_all(offered, HostSource::upstream);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const auto& was_known = answers[i];
        if (!was_known) {
            reject(upstream, host_name(offered[i]) + ": " + was_known.error().words);
            if (was_known.error().why == Refusal::Why::full) return false;
        } else if (!*was_known) {
            ++upstream.status.added;
            added_.add_shared();
        }
    }
    return true;
}

void Discovery::reject(Upstream& upstream, std::string words) {
    ++upstream.status.rejected;
    upstream.status.rejection = std::move(words);
    rejected_.add_shared();
}

void Discovery::note_success(Upstream& upstream) {
    DiscoveryStatus& status = upstream.status;
    status.failure.clear();
    upstream.last_said.clear();
    has_read_a_list_ = true;
    status.last_success = env_.clock.wall();
    lists_.add_shared();
    listed_.set(static_cast<std::int64_t>(status.listed));
    last_success_.set(status.last_success.count() / 1000);
    say(status.is_cut ? base::LogLevel::warn : base::LogLevel::info, "hosts listed",
        {{"upstream", status.upstream},
         {"listed", status.listed},
         {"new", status.added},
         {"rejected", status.rejected},
         {"rejection", status.rejection},
         {"cut", status.is_cut}});
}

void Discovery::note_failure(Upstream& upstream, std::string why, Nanos retry) {
    DiscoveryStatus& status = upstream.status;
    status.failure = std::move(why);
    failures_.add_shared();
    const bool is_new = status.failure != upstream.last_said;
    if (!is_new && env_.clock.now() - upstream.said_at < options_.said_every) return;
    upstream.last_said = status.failure;
    upstream.said_at = env_.clock.now();
    std::string words =
        status.failure + "; retrying in " + std::to_string(seconds_of(retry)) + " s";
    if (status.last_success.count() == 0) {
        words += "; `scripts/run --local-network` needs no internet";
    }
    say(base::LogLevel::warn, "no list of hosts", {{"reason", words}});
}

void Discovery::say(base::LogLevel level, std::string_view event, base::LogFields fields) {
    logger_.log(level, static_cast<std::uint64_t>(env_.clock.wall().count()), event, fields);
}

}  // namespace ringlay::hosts
