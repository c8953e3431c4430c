// Which look-ups of DIDs that nothing is known of may begin, by the hosts whose events ask for
// them. One is in vain if the answer says that the DID is not that host's: each host has so many of
// these at once and one more now and then. While it has none left, its further DIDs wait in line;
// their events keep their slots in its window, so that in the end it is not read any further.
//
// A look-up takes one when it begins and gives it back if it was not in vain: a host with any
// number of new accounts of its own never waits.
//
// Pure: time is handed in.
//
// Owner    Shard::Core.
// Bound    hosts that have caused a look-up a while ago at most; lines: the windows of their hosts.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "relay/net/token_bucket.hpp"

namespace ringlay::ingest {

class FirstLooks {
  public:
    FirstLooks(std::uint32_t at_once, std::uint32_t per_minute)
        : at_once_(at_once), per_second_(per_minute / 60.0) {}

    bool is_spent(std::uint32_t host_id, Nanos now);
    // False: none is left, or others of this host are in line.
    bool take(std::uint32_t host_id, Nanos now);
    void wait_in_line(std::uint32_t host_id, std::string_view did, Nanos now);
    // A look-up has been answered. One that was not taken and was in vain is owed, up to at_once.
    void ended(std::uint32_t host_id, bool was_taken, bool was_in_vain, Nanos now);

    struct Turn {
        std::uint32_t host_id = 0;
        std::string did;
    };
    // The next in line whose time has come; it has taken one.
    std::optional<Turn> take_due(Nanos now);
    Nanos next_due() const { return dues_.empty() ? Nanos::max() : dues_.begin()->first; }

    std::size_t hosts() const { return hosts_.size(); }
    std::size_t in_line() const { return in_line_; }

  private:
    struct Host {
        net::TokenBucket tokens;
        std::deque<std::string> line;
        Nanos due = Nanos::max();  // of the first in line
    };
    Host& host(std::uint32_t host_id);
    void arm(std::uint32_t host_id, Host& host, Nanos now);

    const double at_once_;
    const double per_second_;
    std::unordered_map<std::uint32_t, Host> hosts_;
    std::set<std::pair<Nanos, std::uint32_t>> dues_;
    std::size_t in_line_ = 0;
};

}  // namespace ringlay::ingest
