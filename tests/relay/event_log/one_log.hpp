// A log on a simulated machine of one worker: several lives over one disk, with faults by number.
#pragma once

#include <functional>

#include "relay/env/sim/world.hpp"
#include "tests/relay/event_log/log_fixture.hpp"

namespace ringlay::event_log::test {

class OneLog {
  public:
    explicit OneLog(std::uint64_t seed = 1) : OneLog(options_of(seed)) {}
    explicit OneLog(env::WorldOptions options)
        : world(std::move(options)), machine(world.machine("m")) {}

    // Every operation of the disk is one operation, so that faults can be counted out.
    static OneLog without_short_writes() {
        env::WorldOptions options = options_of(1);
        options.disk.short_write_per_mille = 0;
        return OneLog(std::move(options));
    }

    // One life: a process that runs `body` to its end.
    void run(const std::function<void()>& body) {
        machine.start_worker({.name = "log"}, [body] { body(); });
        auto stuck = world.run();
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        REQUIRE(machine.disk().open_files() == 0);
    }

    std::unique_ptr<Log> open(LogOptions options = small_log()) {
        auto log = Log::open(env, "/log", std::move(options));
        INFO((log ? "" : log.error().what));
        REQUIRE(log.has_value());
        return std::move(*log);
    }

    Result<std::unique_ptr<Log>> try_open(LogOptions options = small_log()) {
        return Log::open(env, "/log", std::move(options));
    }

    Buffer content(std::string_view name) {
        return machine.disk().content("/log/" + std::string(name)).value();
    }
    bool has(std::string_view name) {
        return machine.disk().content("/log/" + std::string(name)).has_value();
    }
    void put(std::string_view name, const Buffer& bytes) {
        machine.disk().put("/log/" + std::string(name), bytes);
    }
    std::vector<std::string> names() {
        return env.disk.open_directory("/log").value().list().value();
    }

    static env::WorldOptions options_of(std::uint64_t seed) {
        env::WorldOptions options;
        options.seed = seed;
        return options;
    }

    env::World world;
    env::Machine& machine;
    env::Env env;
};

// Everything in the log from a cursor on.
inline Buffer read_all(Log& log, std::uint64_t cursor = 0) {
    ReadPort port(log);
    auto reader = Reader::open(port, cursor);
    REQUIRE(reader.has_value());
    auto stream = read_to_head(*reader);
    INFO((stream ? "" : stream.error().what));
    REQUIRE(stream.has_value());
    REQUIRE(reader->at_frame_boundary());
    return *stream;
}

inline std::vector<std::uint64_t> range_of(std::uint64_t first, std::uint64_t last) {
    std::vector<std::uint64_t> all;
    for (std::uint64_t seq = first; seq <= last; ++seq) all.push_back(seq);
    return all;
}

inline void extend(Buffer& stream, const Buffer& frame) {
    stream.insert(stream.end(), frame.begin(), frame.end());
}

}  // namespace ringlay::event_log::test
