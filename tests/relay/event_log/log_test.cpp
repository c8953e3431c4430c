#include "relay/event_log/log_writer.hpp"

#include "relay/env/sim/world.hpp"
#include "tests/relay/event_log/log_fixture.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;
using namespace ringlay::event_log::test;

namespace {

// One machine of one worker; its process runs `body` to its end.
class OneLog {
  public:
    explicit OneLog(std::uint64_t seed = 1)
        : world(options_of(seed)), machine(world.machine("m")) {}

    static env::WorldOptions options_of(std::uint64_t seed) {
        env::WorldOptions options;
        options.seed = seed;
        return options;
    }

    void run(const std::function<void(env::Env&)>& body) {
        machine.start_worker({.name = "log"}, [this, body] { body(env); });
        auto stuck = world.run();
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
    }

    env::World world;
    env::Machine& machine;
    env::Env env;
};

std::unique_ptr<Log> open_log(env::Env& env, LogOptions options = small_log()) {
    auto log = Log::open(env, "/log", std::move(options));
    if (!log) INFO(log.error().what);
    REQUIRE(log.has_value());
    return std::move(*log);
}

}  // namespace

TEST_CASE("what is appended is read back byte for byte, across segments and a restart") {
    OneLog one;
    Buffer expected;
    one.run([&](env::Env& env) {
        auto log = open_log(env);
        std::uint32_t host = append_host(*log, "pds.example");
        for (std::uint64_t i = 1; i <= 100; ++i) {
            Buffer frame = append_one(*log, host, i, 100 + i * 7);
            expected.insert(expected.end(), frame.begin(), frame.end());
        }
        CHECK(log->head_seq() == 1099);
        CHECK(log->head() == expected.size());
        ReadPort port(*log);
        Reader reader = Reader::open(port, 0).value();
        CHECK(reader.start().kind == Start::Kind::inside);
        CHECK(read_to_head(reader).value() == expected);
        CHECK(reader.at_frame_boundary());
        CHECK(reader.frames_delivered() == 100);
        log->close();
    });
    one.run([&](env::Env& env) {
        auto log = open_log(env);
        CHECK(log->recovery().was_clean);
        CHECK(log->recovery().first_seq == 1100);
        CHECK_FALSE(log->recovery().cut_anything());
        CHECK(log->hosts() == std::vector<Host>{{1, "pds.example", 100}});
        ReadPort port(*log);
        Reader reader = Reader::open(port, 0).value();
        CHECK(read_to_head(reader).value() == expected);
        log->close();
    });
}
