// The consumers of one worker.
//
// Owner    Relay; made, run and destroyed on its worker.
// Thread   seats come in by the mailbox from the worker that accepts; everything else here.
// Bound    seats: Firehose hands out at most max_consumers.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "relay/fiber/fiber.hpp"
#include "relay/fiber/mailbox.hpp"
#include "relay/firehose/consumer.hpp"

namespace ringlay::firehose {

class ConsumerRoom {
  public:
    // Seats go back to `returned` when their consumers have gone.
    ConsumerRoom(env::Env& env, event_log::ReadPort& port, base::Logger& logger,
                 FirehoseMetrics& metrics, ConsumerLimits limits, fiber::Mailbox<Seat>& returned);
    ~ConsumerRoom();  // every consumer is told 1001 and has gone; nobody may push any more
    ConsumerRoom(const ConsumerRoom&) = delete;
    ConsumerRoom& operator=(const ConsumerRoom&) = delete;

    void push(Seat& seat) { arriving_.push(seat); }  // from any worker
    // Tells every consumer 1001 and waits until all have gone; who arrives later is told as well.
    void close();
    std::vector<ConsumerStatus> status() const;

  private:
    void welcome();
    void serve(std::unique_ptr<Seat> seat);
    void update_pause();

    ConsumerContext context_;
    fiber::Mailbox<Seat>& returned_;
    fiber::Mailbox<Seat> arriving_;
    std::list<Consumer*> present_;
    std::unique_ptr<fiber::TaskGroup> consumers_;
    fiber::Task welcome_;
};

}  // namespace ringlay::firehose
