// "Please end", from the thread that takes signals to a fiber.
//
// Owner    main(): it outlives the runtime.
// Thread   make() and was_made() from any; wait() in one fiber.
#pragma once

#include <atomic>

#include "relay/fiber/fiber.hpp"

namespace ringlay::bench {

class StopRequest final : private fiber::Message {
  public:
    bool was_made() const { return was_made_.load(); }

    void make() {
        if (was_made_.exchange(true)) return;
        // Nobody waits yet: whoever will looks at the flag first.
        if (fiber::Worker* worker = waiting_on_.load()) worker->send(*this);
    }

    void wait() {
        waiting_on_.store(&fiber::Worker::current());
        if (!was_made()) static_cast<void>(arrived_.wait());
    }

  private:
    void deliver() override { arrived_.set(); }

    std::atomic<bool> was_made_{false};
    std::atomic<fiber::Worker*> waiting_on_{nullptr};
    fiber::Event arrived_;
};

}  // namespace ringlay::bench
