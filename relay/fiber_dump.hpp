// Every fiber of every worker, with what it waits for, written to a function: what SIGUSR1 shows.
//
// Thread   request() from any thread that is no worker; each worker writes its own part when it
//          comes by. A worker that is stuck writes nothing: the watchdog names it.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <string_view>

#include "relay/fiber/worker.hpp"

namespace ringlay {

class FiberDump {
  public:
    using Write = std::function<void(std::string_view text)>;  // from the workers' threads

    explicit FiberDump(Write write) : write_(std::move(write)) {}

    // Ignored for a worker that has not yet answered the last one. Workers are known by address.
    void request(fiber::Worker& worker);

  private:
    class Request final : public fiber::Message {
      public:
        explicit Request(const Write& write) : write_(write) {}
        void deliver() override {
            write_(fiber::Worker::current().dump());
            is_open.store(false);
        }
        std::atomic<bool> is_open{false};

      private:
        const Write& write_;
    };
    struct Line {
        fiber::Worker* worker;
        Request request;
        Line(fiber::Worker& its, const Write& write) : worker(&its), request(write) {}
    };

    const Write write_;
    std::list<Line> lines_;
};

inline void FiberDump::request(fiber::Worker& worker) {
    for (Line& line : lines_) {
        if (line.worker != &worker) continue;
        if (!line.request.is_open.exchange(true)) worker.send(line.request);
        return;
    }
    lines_.emplace_back(worker, write_).request.is_open.store(true);
    worker.send(lines_.back().request);
}

}  // namespace ringlay
