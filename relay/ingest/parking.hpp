// Where events wait that cannot be ruled on yet, each with everything of its account behind it.
//
// Owner    Shard::Core.
// Thread   its worker.
// Bound    the windows of the hosts that sent the events: they are linked where they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "relay/ingest/event.hpp"

namespace ringlay::ingest {

enum class ParkReason : std::uint8_t {
    load,     // the account is not in memory
    key,      // its key and host are not known
    refresh,  // they contradict the event: they may have changed
    host,     // it is inactive by what is known: its host is asked
    pace,     // its status was said too often
};

// What was done for the first event of a parked account: the next one begins anew.
struct Progress {
    bool is_overdue = false;     // the key did not come in time: policy decides
    bool was_paced = false;      // it has waited for its account's pace
    bool gives_up = false;       // it has waited for as long as anything may
    bool has_turn = false;       // its first look-up may begin, or has
    bool found_out = true;       // false: the contradiction could not be looked into
    std::uint32_t looks = 0;     // look-ups that gave an answer
    std::uint32_t failures = 0;  // look-ups that gave none

    bool has_waited_for(ParkReason reason) const { return (reasons & bit_of(reason)) != 0; }
    void waited_for(ParkReason reason) { reasons |= bit_of(reason); }

  private:
    static constexpr std::uint32_t bit_of(ParkReason reason) {
        return 1u << static_cast<std::uint32_t>(reason);
    }
    std::uint32_t reasons = 0;
};

struct Parked {
    std::string did;
    Event* first = nullptr;
    Event* last = nullptr;
    ParkReason reason = ParkReason::load;
    Progress progress;
    bool is_waiting = false;     // else it is about to be looked at, or is being looked at
    bool is_pinned = false;      // in the account table
    bool has_own = false;        // what may be of the account's own host is among them
    std::uint64_t look = 0;      // the look-up that is under way; 0: none
    bool is_in_line = false;     // of its hosts, for its first look-up (FirstLooks)
    Nanos alarm = Nanos::max();  // other alarms are outdated
};

// nullptr: none of its events is of that host.
inline const Event* first_of_host(const Parked& parked, std::uint32_t host_id) {
    const Event* event = parked.first;
    while (event != nullptr && event->host_id != host_id) event = event->parked_next;
    return event;
}

class Parking {
  public:
    Parked* find(std::string_view did) {
        if (parked_.empty()) return nullptr;
        auto found = parked_.find(did);
        return found == parked_.end() ? nullptr : &found->second;
    }

    // It is not there yet. Stays where it is until close().
    Parked& open(std::string_view did);
    // None of its events is left.
    void close(Parked& parked);

    void append(Parked& parked, Event& event, Nanos now);
    // To look at: it has no place any more, unless it is put back.
    Event& take_first(Parked& parked);
    void put_back(Parked& parked, Event& event);

    // Takes any one out, while the shard stops. nullptr: there is none.
    Event* take_any();

    std::size_t accounts() const { return parked_.size(); }
    std::size_t events() const { return events_; }

  private:
    std::map<std::string, Parked, std::less<>> parked_;
    std::size_t events_ = 0;
};

}  // namespace ringlay::ingest
