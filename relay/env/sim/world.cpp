#include "relay/env/sim/world.hpp"

#include <algorithm>
#include <cstdio>

namespace ringlay::env {
namespace {

constexpr Nanos first_instant = std::chrono::seconds(1);

}  // namespace

// A worker and the fiber it began with. What is done to that fiber from outside goes by message:
// then it happens on its worker, at a place in the order of events.
struct World::Member {
    enum class Errand : std::uint8_t { begin, stop, join };
    struct Note final : fiber::Message {
        Note(Member& its, Errand the_errand) : member(its), errand(the_errand) {}
        void deliver() override { member.deliver(errand); }
        Member& member;
        Errand errand;
    };

    Member(World& world, Process& process, std::uint32_t number, fiber::WorkerOptions options,
           std::move_only_function<void()> first_body)
        : kernel(world, process, number),
          worker(kernel, std::move(options)),
          body(std::move(first_body)) {
        worker.send(begin);
    }

    void deliver(Errand errand) {
        switch (errand) {
            case Errand::begin:
                first = worker.spawn("first", std::move(body));
                if (is_stopped) first.cancel();
                break;
            case Errand::stop:
                first.cancel();
                break;
            case Errand::join:
                first.join();
                break;
        }
    }

    SimKernel kernel;
    fiber::Worker worker;
    std::move_only_function<void()> body;
    fiber::Task first;
    Note begin{*this, Errand::begin};
    Note stop{*this, Errand::stop};
    Note join{*this, Errand::join};
    bool is_root = false;  // started from outside the world
    bool is_stopped = false;
    bool is_joined = false;
};

World::World(WorldOptions options)
    : options_(std::move(options)),
      prng_(options_.seed),
      now_(first_instant),
      net_(*this, options_.net) {}

World::~World() {
    for (const auto& machine : machines_) machine->stop();
    Limits limits;
    if (auto still_there = report(drive(limits))) {
        // Fibers that cannot be ended cannot be destroyed either: leave them, and be heard.
        std::fprintf(stderr, "a simulated world was destroyed too early: %s", still_there->c_str());
        for (auto& member : members_) static_cast<void>(member.release());
    }
}

fiber::Worker& World::start_worker(fiber::WorkerOptions options,
                                   std::move_only_function<void()> first) {
    Machine* machine = nullptr;
    if (fiber::Worker::has_current()) {
        auto& kernel = static_cast<SimKernel&>(fiber::Worker::current().kernel());
        machine = kernel.process().machine;
    } else {
        machine = &this->machine("local");
    }
    return machine->start_worker(std::move(options), std::move(first));
}

fiber::Worker& World::start_on(Process& process, fiber::WorkerOptions options,
                               std::move_only_function<void()> first) {
    auto number = static_cast<std::uint32_t>(members_.size());
    Member& member = *members_.emplace_back(
        std::make_unique<Member>(*this, process, number, std::move(options), std::move(first)));
    member.is_root = !fiber::Worker::has_current();
    alive_.push_back(&member);
    return member.worker;
}

Machine& World::machine(std::string_view name) {
    for (const auto& machine : machines_) {
        if (machine->name() == name) return *machine;
    }
    auto index = static_cast<std::uint32_t>(machines_.size());
    return *machines_.emplace_back(std::make_unique<Machine>(*this, std::string(name), index));
}

void World::stop(const Process& process) {
    for (Member* member : alive_) {
        if (&member->kernel.process() != &process || !member->is_root) continue;
        if (!std::exchange(member->is_stopped, true)) member->worker.send(member->stop);
    }
}

bool World::has_ended(const Machine& machine) const {
    return std::ranges::none_of(
        alive_, [&](const Member* member) { return member->kernel.process().machine == &machine; });
}

WallMillis World::wall() const {
    return options_.wall_start + wall_offset_ +
           std::chrono::duration_cast<WallMillis>(now_ - first_instant);
}

void World::trace(std::uint32_t worker, std::uint32_t kind, int handle, std::int64_t size) {
    auto mix = [this](std::uint64_t value) {
        trace_hash_ = (std::rotl(trace_hash_, 23) ^ value) * 0x9fb21c651e98df25;
    };
    mix(static_cast<std::uint64_t>(now_.count()));
    mix(static_cast<std::uint64_t>(worker) << 32 | kind);
    mix(static_cast<std::uint64_t>(handle));
    mix(static_cast<std::uint64_t>(size));
}

std::optional<std::string> World::run() {
    return report(drive({}));
}

void World::run_until(Nanos at) {
    Limits limits;
    limits.until = at;
    drive(limits);
    now_ = std::max(now_, at);
}

bool World::run_to_event(std::uint64_t event_count) {
    Limits limits;
    limits.event_count = event_count;
    return drive(limits) == Outcome::reached;
}

std::optional<std::string> World::run_until_true(const std::function<bool()>& is_true) {
    Limits limits;
    limits.is_true = &is_true;
    Outcome outcome = drive(limits);
    if (outcome == Outcome::ended) return "all workers have ended, and it is still not true\n";
    return report(outcome);
}

World::Outcome World::drive(const Limits& limits) {
    RINGLAY_ASSERT(!fiber::Worker::has_current());
    bool is_limited = limits.until != Nanos::max();
    Nanos give_up_at = is_limited ? Nanos::max() : now_ + options_.time_limit;
    for (;;) {
        if (limits.is_true != nullptr && (*limits.is_true)()) return Outcome::reached;
        if (!fire_due_events(limits.event_count)) return Outcome::reached;
        if (alive_.empty()) return Outcome::ended;
        if (now_ >= limits.until) return Outcome::reached;
        if (now_ >= give_up_at) return Outcome::out_of_time;
        if (Member* member = pick()) {
            step(*member);
            continue;
        }
        Nanos next = next_instant();
        if (next > limits.until) return Outcome::reached;
        if (next == Nanos::max()) return Outcome::stuck;
        now_ = next;
    }
}

// False: the limit is reached.
bool World::fire_due_events(std::uint64_t limit) {
    while (event_count_ < limit && events_.next_at() <= now_) {
        EventQueue::Event event = events_.pop();
        ++event_count_;
        event.sink->on_event(event.what);
    }
    return event_count_ < limit;
}

World::Member* World::pick() {
    runnable_.clear();
    for (Member* member : alive_) {
        fiber::Worker& worker = member->worker;
        if (worker.has_ready() || worker.has_messages() || member->kernel.has_completed() ||
            worker.next_timer() <= now_) {
            runnable_.push_back(member);
        }
    }
    if (runnable_.empty()) return nullptr;
    return runnable_.size() == 1 ? runnable_[0] : runnable_[prng_.below(runnable_.size())];
}

void World::step(Member& member) {
    member.worker.step();
    now_ += prng_.between(options_.cpu_per_step);
    if (!member.is_joined && member.first.is_joinable() && member.first.is_done()) {
        member.is_joined = true;
        member.worker.send(member.join);
    }
    if (member.worker.fiber_count() > 0 || member.worker.has_messages()) return;
    member.kernel.stop();
    trace(member.kernel.number(), UINT32_MAX, -1, 0);
    std::erase(alive_, &member);
}

Nanos World::next_instant() const {
    Nanos next = events_.next_at();
    for (const Member* member : alive_) next = std::min(next, member->worker.next_timer());
    return next;
}

std::string World::dump() const {
    std::string text;
    for (const Member* member : alive_) {
        const Process& process = member->kernel.process();
        text += "machine " + process.machine->name() + (process.has_crashed ? ", crashed" : "");
        text += ", worker " + member->worker.name() + "\n" + member->worker.dump();
    }
    return text;
}

std::optional<std::string> World::report(Outcome outcome) const {
    switch (outcome) {
        case Outcome::stuck:
            return "seed " + std::to_string(options_.seed) +
                   ": no event and no timer is left, but fibers wait\n" + dump();
        case Outcome::out_of_time:
            return "seed " + std::to_string(options_.seed) +
                   ": the time limit has passed, and fibers still run\n" + dump();
        default:
            return std::nullopt;
    }
}

}  // namespace ringlay::env
