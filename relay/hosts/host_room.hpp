// The hosts of one worker.
//
// Owner    Relay; made and destroyed on its worker. stop() first, then shards and sequencer stop,
//          then it may be destroyed: until then entries in flight point into it.
// Thread   its worker; remove() and reset_cursor() wait until the host's fiber has ended.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/hosts/subscriber.hpp"

namespace ringlay::hosts {

struct HostRoomOptions {
    std::string user_agent;
    const net::Outbound* outbound = nullptr;   // nullptr: plain, to anywhere
    const net::Outbound* strangers = nullptr;  // for hosts that strangers announced
    net::MessageBudget* messages = nullptr;    // of what has come in part; nullptr: no bound
    net::AddressPlaces* places = nullptr;      // nullptr: any number of hosts at one address
    std::uint32_t events_per_second = 50;      // of a host without accounts
    DialLimits dial;                           // this worker's share
};

class HostRoom {
  public:
    // `shards` must be complete before the first add().
    HostRoom(env::Env& env, const ingest::Shards& shards, ingest::IngestMetrics& ingest,
             event_log::Sequencer& sequencer, base::Logger& logger, HostMetrics& metrics,
             HostRoomOptions options);
    ~HostRoom() { stop(); }
    HostRoom(const HostRoom&) = delete;
    HostRoom& operator=(const HostRoom&) = delete;

    // A host that is there already gets the orders only.
    void add(const base::HostAddress& address, const HostOrders& orders,
             const std::optional<event_log::Host>& known);
    // These do nothing for a host that is not there.
    void remove(std::string_view name);
    void change(std::string_view name, const HostOrders& orders);
    void wake(std::string_view name, Waker waker);  // its next attempt is now
    void set_accounts(std::string_view name, std::uint64_t known);
    void reset_cursor(std::string_view name, std::optional<std::uint64_t> cursor);

    void stop();  // ends every stream
    std::vector<HostStatus> status() const;

  private:
    struct Guest {
        std::unique_ptr<Subscriber> subscriber;
        fiber::Task task;
        bool is_busy = false;  // its fiber is being ended by somebody who waits for that
    };
    void begin(Guest& guest);
    void reap();

    event_log::Bell bell_;
    DialGate gate_;
    HostContext context_;
    std::map<std::string, Guest, std::less<>> guests_;
    std::list<Guest> leaving_;  // until their windows are empty
    fiber::Task reaper_;
    bool is_stopping_ = false;
};

}  // namespace ringlay::hosts
