#include "relay/firehose/consumer_room.hpp"

#include <algorithm>

namespace ringlay::firehose {
namespace {

// What one send costs; the pause spreads one wake-up over so many consumers that sending takes
// about a third of the worker's time at most.
constexpr Nanos pause_per_consumer = std::chrono::microseconds(12);
constexpr Nanos longest_pause = std::chrono::milliseconds(20);
constexpr std::size_t pause_from = 16;  // below, a wake-up is cheaper than the delay

}  // namespace

ConsumerRoom::ConsumerRoom(env::Env& env, event_log::ReadPort& port, base::Logger& logger,
                           FirehoseMetrics& metrics, ConsumerLimits limits,
                           fiber::Mailbox<Seat>& returned)
    : context_{.env = env,
               .port = port,
               .logger = logger,
               .metrics = metrics,
               .limits = limits,
               .pause = {}},
      returned_(returned),
      consumers_(std::make_unique<fiber::TaskGroup>()),
      welcome_(fiber::spawn("consumer room", [this] { welcome(); })) {}

ConsumerRoom::~ConsumerRoom() {
    close();
}

void ConsumerRoom::close() {
    welcome_.cancel_and_join();
    while (Seat* late = arriving_.pop_now()) returned_.push(*late);
    consumers_->cancel_and_join();
}

std::vector<ConsumerStatus> ConsumerRoom::status() const {
    std::vector<ConsumerStatus> all;
    for (const Consumer* consumer : present_) all.push_back(consumer->status());
    return all;
}

void ConsumerRoom::welcome() {
    while (auto seat = arriving_.pop("a consumer")) {
        consumers_->spawn("consumer", [this, owned = std::unique_ptr<Seat>(*seat)]() mutable {
            serve(std::move(owned));
        });
    }
}

void ConsumerRoom::serve(std::unique_ptr<Seat> seat) {
    {
        Consumer consumer(context_, *seat);
        auto here = present_.insert(present_.end(), &consumer);
        update_pause();
        consumer.run();
        present_.erase(here);
        update_pause();
    }
    seat->already_received = {};
    returned_.push(*seat.release());
}

void ConsumerRoom::update_pause() {
    context_.pause =
        present_.size() < pause_from
            ? Nanos::zero()
            : std::min<Nanos>(longest_pause,
                              pause_per_consumer * static_cast<std::int64_t>(present_.size()));
}

}  // namespace ringlay::firehose
