#include "relay/hosts/host_room.hpp"

namespace ringlay::hosts {

HostRoom::HostRoom(env::Env& env, const ingest::Shards& shards, ingest::IngestMetrics& ingest,
                   event_log::Sequencer& sequencer, base::Logger& logger, HostMetrics& metrics,
                   std::string user_agent)
    : context_{.env = env,
               .shards = shards,
               .ingest = ingest,
               .sequencer = sequencer,
               .bell = bell_,
               .logger = logger,
               .metrics = metrics,
               .user_agent = std::move(user_agent),
               .window = {},
               .has_entries_in_flight = {}},
      reaper_(fiber::spawn("host room reaps", [this] { reap(); })) {}

void HostRoom::add(base::HostAddress address, const std::optional<event_log::Host>& known) {
    auto& subscriber = subscribers_.emplace_back(
        std::make_unique<Subscriber>(context_, std::move(address), known));
    tasks_.spawn("host", [&its = *subscriber] { its.run(); });
}

void HostRoom::stop() {
    tasks_.cancel_and_join();
    reaper_.cancel_and_join();
}

// A window is emptied when its host sends again. For hosts that have fallen silent, all windows are
// looked at once a second while there is anything in flight: one wake-up for all of them.
void HostRoom::reap() {
    while (context_.has_entries_in_flight.wait()) {
        context_.has_entries_in_flight.reset();
        if (!fiber::sleep_for(std::chrono::seconds(1))) return;
        for (const auto& subscriber : subscribers_) subscriber->reap_window();
    }
}

std::vector<HostStatus> HostRoom::status() const {
    std::vector<HostStatus> all;
    for (const auto& subscriber : subscribers_) all.push_back(subscriber->status());
    return all;
}

}  // namespace ringlay::hosts
