// Takes over the hosts of other relays: asks each RELAY_UPSTREAM for its list
// (com.atproto.sync.listHosts), at once and then every 20 minutes, and offers what is new to the
// registry. A host that is known is not touched: it has its own back-off.
//
// An upstream is believed in nothing but names: it may list without end, slowly, hugely, relays and
// private hosts. What fails is tried again after 30 s, then more seldom, for ever; while no host is
// known, or no list was read since the start, every 30 s: a relay that was started offline is there
// as soon as its network is. What was read before a failure is kept.
//
// Owner    Relay; the book, the fetch and what they use outlive it.
// Thread   the main worker; a fiber for each upstream.
// Bound    pages, bytes of a page, hosts of a list (DiscoveryOptions); one page at a time.
// Errors   none to the caller: status() has them in words; the log each when it is new, and what
//          lasts every five minutes.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <list>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "relay/hosts/host_book.hpp"
#include "relay/hosts/listed_hosts.hpp"

namespace ringlay::hosts {

struct DiscoveryOptions {
    std::vector<std::string> upstreams = {};  // http(s)://host[:port]
    std::string user_agent = {};
    Nanos interval = std::chrono::minutes(20);     // between two lists, and up to a tenth more
    Nanos first_retry = std::chrono::seconds(30);  // then twice as long, up to `interval`
    Nanos said_every = std::chrono::minutes(5);    // at least, while it goes on failing
    std::size_t max_offered = 1000;                // in one write
    Nanos page_time = std::chrono::seconds(30);
    std::uint64_t max_page_bytes = 2'000'000;
    std::size_t max_pages = 100;
    std::size_t max_hosts = 50'000;  // looked at in one list
};

// Of one upstream.
struct DiscoveryStatus {
    std::string upstream;       // its host, with the port if it is not the scheme's own
    WallMillis last_success{};  // 0: never
    WallMillis next_attempt{};  // 0: it is under way
    // Of the last list, or of the part of it that was read:
    std::size_t listed = 0;
    std::size_t added = 0;       // that were new
    std::size_t rejected = 0;    // no names of hosts, banned there or here, above a quota ...
    std::string rejection = {};  // why, of the last one
    bool is_cut = false;         // there was more than is read of one list
    // Why the last attempt failed; empty: it did not.
    std::string failure = {};
};

// Of one that failed: why, and when it is tried again.
std::string failure_words(const DiscoveryStatus& status, WallMillis now);

class Discovery {
  public:
    Discovery(env::Env& env, base::Logger& logger, base::Metrics& metrics, HostBook book,
              Fetch fetch, DiscoveryOptions options);
    ~Discovery() { stop(); }
    Discovery(const Discovery&) = delete;
    Discovery& operator=(const Discovery&) = delete;

    void start();
    void stop();
    std::vector<DiscoveryStatus> status() const;

  private:
    struct Upstream {
        std::string url;
        DiscoveryStatus status;
        std::string last_said;  // to the log
        Nanos said_at{};
        fiber::Task task;
    };

    void follow(Upstream& upstream);
    std::expected<void, std::string> take_list(Upstream& upstream);
    std::expected<ListedHosts, std::string> read_page(const Upstream& upstream,
                                                      const std::string& cursor);
    bool take_hosts(Upstream& upstream, const ListedHosts& page,
                    std::unordered_set<std::string>& known);
    bool offer(Upstream& upstream, std::vector<base::HostAddress>& addresses);
    void reject(Upstream& upstream, std::string words);
    void note_success(Upstream& upstream);
    void note_failure(Upstream& upstream, std::string why, Nanos retry);
    void say(base::LogLevel level, std::string_view event, base::LogFields fields);

    env::Env& env_;
    base::Logger& logger_;
    const HostBook book_;
    const Fetch fetch_;
    const DiscoveryOptions options_;
    base::Counter& lists_;
    base::Counter& failures_;
    base::Counter& added_;
    base::Counter& rejected_;
    base::Gauge& listed_;
    base::Gauge& last_success_;
    std::list<Upstream> upstreams_;
    bool has_read_a_list_ = false;
};

}  // namespace ringlay::hosts
