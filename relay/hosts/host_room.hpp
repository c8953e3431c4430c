// The hosts of one worker.
//
// Owner    Relay; made and destroyed on its worker. stop() first, then shards and
//          sequencer stop, then it may be destroyed: until then entries in flight point into it.
// Thread   its worker.
#pragma once

#include <memory>
#include <vector>

#include "relay/hosts/subscriber.hpp"

namespace ringlay::hosts {

class HostRoom {
  public:
    // `shards` must be complete before the first add().
    HostRoom(env::Env& env, const ingest::Shards& shards, ingest::IngestMetrics& ingest,
             event_log::Sequencer& sequencer, base::Logger& logger, HostMetrics& metrics,
             std::string user_agent);
    ~HostRoom() { stop(); }
    HostRoom(const HostRoom&) = delete;
    HostRoom& operator=(const HostRoom&) = delete;

    void add(base::HostAddress address, const std::optional<event_log::Host>& known);
    void stop();  // ends every stream
    std::vector<HostStatus> status() const;

  private:
    void reap();

    event_log::Bell bell_;
    HostContext context_;
    std::vector<std::unique_ptr<Subscriber>> subscribers_;
    fiber::TaskGroup tasks_;
    fiber::Task reaper_;
};

}  // namespace ringlay::hosts
