// Events that were passed without a check of their signature, because nobody could tell the
// account's key: what is needed to check them once it is known (design I7). Until then they are
// known by their rev, so that a host that sends one again is not believed to send a new one.
//
// Owner    Shard::Core.
// Thread   its worker.
// Bound    max_events, and max_per_account. Beyond them one of the host that has most of them is
//          forgotten, its oldest: no host makes those of others forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/sha256.hpp"
#include "proto/account_status.hpp"
#include "proto/cid.hpp"
#include "relay/event_log/facts.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::ingest {

struct LateEvent {
    event_log::FactsKind kind = event_log::FactsKind::commit;
    std::uint32_t host_id = 0;
    std::uint32_t host_name = 0;  // a number of HostNames
    // of a commit or sync
    std::uint64_t rev = 0;
    proto::Cid data;
    proto::Cid commit;
    crypto::Digest unsigned_digest{};
    std::array<std::uint8_t, 64> signature{};
    // of an #account
    proto::AccountStanding standing;
};

class LateEvents {
  public:
    static constexpr std::size_t max_per_account = 16;

    // How the look-ups for one account go.
    struct Search {
        std::uint32_t failures = 0;
        bool is_under_way = false;
        Nanos not_before{};
        std::uint32_t host_id = 0;    // that has caused it
        std::uint32_t host_name = 0;  // a number of HostNames
    };

    explicit LateEvents(std::size_t max_events) : max_events_(max_events) {}

    struct Added {
        bool is_first = false;               // of its account
        bool has_forgotten = false;          // one event
        std::optional<std::string> emptied;  // an account that has none any more
    };
    Added add(std::string_view did, const LateEvent& event);

    // Whether this is one of them, or older than the newest of this host. A #sync may have the rev
    // of the commit before it.
    bool is_known(std::string_view did, std::uint32_t host_id, event_log::FactsKind kind,
                  std::uint64_t rev) const;

    Search* search(std::string_view did);               // nullptr: no event of this account
    std::vector<LateEvent> take(std::string_view did);  // all of them, oldest first

    std::size_t size() const { return size_; }
    std::size_t accounts() const { return by_account_.size(); }

  private:
    struct Aging {
        const std::string* did;  // the key in by_account_
        LateEvent event;
    };
    struct OfAccount {
        std::deque<std::list<Aging>::iterator> events;  // the oldest first
        Search search;
    };
    using ByAccount = std::map<std::string, OfAccount, std::less<>>;
    using Place = std::list<Aging>::iterator;

    Place put(ByAccount::iterator account, const LateEvent& event);
    void remove(Place place);
    // Of the account's events the oldest of the host that has most of them.
    static std::size_t least_needed(const OfAccount& account);

    const std::size_t max_events_;
    std::size_t size_ = 0;
    std::map<std::uint32_t, std::list<Aging>> by_host_;        // the oldest first; none is empty
    std::set<std::pair<std::size_t, std::uint32_t>> by_size_;  // how many each host has
    ByAccount by_account_;
};

}  // namespace ringlay::ingest
