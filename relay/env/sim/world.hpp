// A whole world in one thread: a clock that jumps, machines with disks, a network, and workers that
// are stepped one at a time. Everything that chance decides comes from one seed, so the same seed
// and the same code give the same run, whatever the number of workers: trace_hash() tells.
//
// The world picks by seed one of the workers that have something to do, steps it, and adds some CPU
// time to the clock. When none has, it jumps to the next event or timer. When there is none either
// but fibers are left, they wait for ever: that is reported with a dump of every worker.
//
// Owner    a test. Destruction asks all that still runs to end, and sees it end.
// Thread   one; everything here is called on it, from outside or from fibers of the world.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/env/env.hpp"
#include "relay/env/sim/event_queue.hpp"
#include "relay/env/sim/machine.hpp"
#include "relay/env/sim/options.hpp"
#include "relay/env/sim/prng.hpp"
#include "relay/env/sim/sim_kernel.hpp"
#include "relay/env/sim/sim_net.hpp"

namespace ringlay::env {

class World final : public Runtime {
  public:
    explicit World(WorldOptions options);
    ~World() override;

    // On the machine of the worker that asks; from outside, on the machine "local".
    fiber::Worker& start_worker(fiber::WorkerOptions options,
                                std::move_only_function<void()> first) override;
    Machine& machine(std::string_view name);  // made when it is new
    SimNet& net() { return net_; }

    // Until all workers have ended. Not nothing: they do not end; the text says who waits for what.
    [[nodiscard]] std::optional<std::string> run();
    void run_until(Nanos at);
    void run_for(Nanos duration) { run_until(now_ + duration); }
    // Until this many events have happened since the beginning; false: nothing more can happen.
    bool run_to_event(std::uint64_t event_count);
    // Until it is true, looking after each step. Nothing: it became true.
    [[nodiscard]] std::optional<std::string> run_until_true(const std::function<bool()>& is_true);
    // Every fiber, for a test that stands still.
    std::string dump() const;

    Nanos now() const { return now_; }
    WallMillis wall() const;
    void step_wall(WallMillis by) { wall_offset_ += by; }
    std::uint64_t event_count() const { return event_count_; }
    std::uint64_t trace_hash() const { return trace_hash_; }
    const WorldOptions& options() const { return options_; }
    bool has_ended() const { return alive_.empty(); }

    // For the parts of the world.
    Prng& prng() { return prng_; }
    void add_event(Nanos at, EventSink& sink, std::uint64_t what) { events_.add(at, sink, what); }
    void trace(std::uint32_t worker, std::uint32_t kind, int handle, std::int64_t size);
    Nanos tick() { return now_ += Nanos(20); }  // looking at the clock takes time, too
    fiber::Worker& start_on(Process& process, fiber::WorkerOptions options,
                            std::move_only_function<void()> first);
    void stop(const Process& process);
    bool has_ended(const Machine& machine) const;
    const std::vector<std::unique_ptr<Machine>>& machines() const { return machines_; }

  private:
    struct Member;
    enum class Outcome : std::uint8_t { ended, reached, stuck, out_of_time };
    struct Limits {
        Nanos until = Nanos::max();
        std::uint64_t event_count = UINT64_MAX;
        const std::function<bool()>* is_true = nullptr;
    };

    Outcome drive(const Limits& limits);
    bool fire_due_events(std::uint64_t limit);
    Member* pick();
    void step(Member& member);
    Nanos next_instant() const;
    std::optional<std::string> report(Outcome outcome) const;

    WorldOptions options_;
    Prng prng_;
    Nanos now_{std::chrono::seconds(1)};
    WallMillis wall_offset_{0};
    std::uint64_t event_count_ = 0;
    std::uint64_t trace_hash_ = 0x9ae16a3b2f90404f;
    EventQueue events_;
    SimNet net_;
    std::vector<std::unique_ptr<Machine>> machines_;
    std::vector<std::unique_ptr<Member>> members_;  // all that ever were
    std::vector<Member*> alive_;
    std::vector<Member*> runnable_;  // of one pick
};

}  // namespace ringlay::env
