#include "relay/hosts/host_room.hpp"

namespace ringlay::hosts {

HostRoom::HostRoom(env::Env& env, const ingest::Shards& shards, ingest::IngestMetrics& ingest,
                   event_log::Sequencer& sequencer, base::Logger& logger, HostMetrics& metrics,
                   HostRoomOptions options)
    : gate_(options.dial),
      context_{.env = env,
               .shards = shards,
               .ingest = ingest,
               .sequencer = sequencer,
               .bell = bell_,
               .logger = logger,
               .metrics = metrics,
               .outbound = options.outbound,
               .strangers = options.strangers,
               .messages = options.messages,
               .places = options.places,
               .gate = gate_,
               .user_agent = std::move(options.user_agent),
               .events_per_second = options.events_per_second,
               .window = {},
               .has_entries_in_flight = {}},
      reaper_(fiber::spawn("host room reaps", [this] { reap(); })) {}

void HostRoom::add(const base::HostAddress& address, const HostOrders& orders,
                   const std::optional<event_log::Host>& known) {
    if (is_stopping_) return;
    auto [at, is_new] = guests_.try_emplace(host_name(address));
    Guest& guest = at->second;
    if (!is_new) return guest.subscriber->change(orders);
    guest.subscriber = std::make_unique<Subscriber>(context_, address, orders, known);
    begin(guest);
}

void HostRoom::begin(Guest& guest) {
    guest.task = fiber::spawn("host", [&its = *guest.subscriber] { its.run(); });
}

// What it has in flight points into its window, which stays until all of it is done.
void HostRoom::remove(std::string_view name) {
    auto found = guests_.find(name);
    if (found == guests_.end()) return;
    Guest& guest = leaving_.emplace_back(std::move(found->second));
    guests_.erase(found);
    if (guest.task.is_joinable()) guest.task.cancel();
    context_.has_entries_in_flight.set();
}

void HostRoom::change(std::string_view name, const HostOrders& orders) {
    auto found = guests_.find(name);
    if (found != guests_.end()) found->second.subscriber->change(orders);
}

void HostRoom::wake(std::string_view name, Waker waker) {
    auto found = guests_.find(name);
    if (found != guests_.end()) found->second.subscriber->wake(waker);
}

void HostRoom::set_accounts(std::string_view name, std::uint64_t known) {
    auto found = guests_.find(name);
    if (found != guests_.end()) found->second.subscriber->set_accounts(known);
}

void HostRoom::reset_cursor(std::string_view name, std::optional<std::uint64_t> cursor) {
    auto found = guests_.find(name);
    if (found == guests_.end() || found->second.is_busy || is_stopping_) return;
    // While its fiber ends, which may take a second, the host may be removed: then it is elsewhere.
    Guest& guest = found->second;
    guest.is_busy = true;
    fiber::Task ending = std::move(guest.task);
    ending.cancel_and_join();
    for (Guest& gone : leaving_) {
        if (gone.subscriber->name() == name) gone.is_busy = false;
    }
    found = guests_.find(name);
    if (found == guests_.end() || is_stopping_) return;
    found->second.is_busy = false;
    found->second.subscriber->set_cursor(cursor);
    begin(found->second);
}

void HostRoom::stop() {
    is_stopping_ = true;
    for (auto& [name, guest] : guests_) {
        if (guest.task.is_joinable()) guest.task.cancel();
    }
    for (auto& [name, guest] : guests_) guest.task.cancel_and_join();
    for (Guest& guest : leaving_) guest.task.cancel_and_join();
    reaper_.cancel_and_join();
}

// A window is emptied when its host sends again. For hosts that have fallen silent, all windows are
// looked at once a second while there is anything in flight: one wake-up for all of them.
void HostRoom::reap() {
    while (context_.has_entries_in_flight.wait()) {
        context_.has_entries_in_flight.reset();
        if (!fiber::sleep_for(std::chrono::seconds(1))) return;
        for (const auto& [name, guest] : guests_) guest.subscriber->reap_window();
        for (Guest& guest : leaving_) guest.subscriber->reap_window();
        std::erase_if(leaving_, [](Guest& guest) {
            const bool has_ended = !guest.task.is_joinable() || guest.task.is_done();
            return has_ended && !guest.is_busy && guest.subscriber->is_idle();
        });
        if (!leaving_.empty()) context_.has_entries_in_flight.set();
    }
}

std::vector<HostStatus> HostRoom::status() const {
    std::vector<HostStatus> all;
    all.reserve(guests_.size());
    for (const auto& [name, guest] : guests_) all.push_back(guest.subscriber->status());
    return all;
}

}  // namespace ringlay::hosts
