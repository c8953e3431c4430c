// The whole relay in a simulated world, between hosts that hang up and consumers that come back:
// what is sent is what was emitted, across kills and losses of power at any moment.

#include <catch2/catch.hpp>
#include <memory>
#include <set>

#include "tests/sim/crash_harness.hpp"
#include "tests/sim/line.hpp"

using namespace ringlay;
using namespace ringlay::support;
using namespace std::chrono_literals;

namespace {

// Each host's events, in its own order, among what the consumer saw; `may_repeat`: after a loss of
// power the relay numbers again what it could not keep, and the consumer sees that twice.
void check_order(const Line& line, const SimConsumer& consumer, bool may_repeat) {
    CHECK(consumer.complaint().empty());
    std::map<std::string_view, std::size_t> first_seen;
    for (std::size_t i = 0; i < consumer.seen().size(); ++i) {
        bool is_new = first_seen.emplace(consumer.seen()[i].event, i).second;
        if (!may_repeat) REQUIRE(is_new);
    }
    std::size_t total = 0;
    for (const auto& host : line.hosts) {
        std::size_t after = 0;
        for (const Buffer& event : host->events()) {
            std::string text = without_seq(event);
            auto at = first_seen.find(text);
            REQUIRE(at != first_seen.end());
            REQUIRE(at->second + 1 > after);
            after = at->second + 1;
        }
        total += host->events().size();
    }
    CHECK(first_seen.size() == total);
}

}  // namespace

TEST_CASE("the line passes every event of every host once, in order, with any number of workers") {
    const SeedRange seeds = sim_seeds(40);
    for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
        CAPTURE(seed);
        env::WorldOptions options;
        options.seed = seed;
        Line line(options, 1 + static_cast<std::uint32_t>(seed % 5));
        for (std::uint64_t i = 0; i <= seed % 3; ++i) {
            line.hosts.push_back(std::make_unique<SimHost>(line.world, "host" + std::to_string(i),
                                                           60, seed % 2 == 0 ? 5 : 0));
        }
        line.start_relay();
        for (int i = 0; i < 2; ++i) {
            line.consumers.push_back(std::make_unique<SimConsumer>(
                line.world, "consumer" + std::to_string(i), line.relay_address(), 0));
        }
        auto stuck = line.run_until_seen(60 * line.hosts.size());
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        for (const auto& consumer : line.consumers) check_order(line, *consumer, false);
        line.lives.back()->relay->request_stop();
        stuck = line.world.run_until_true([&] { return line.world.machine("relay").has_ended(); });
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        CHECK_FALSE(line.lives.back()->failure.has_value());
    }
}

TEST_CASE("kills and losses of power at any moment lose nothing and turn no seq round") {
    const SeedRange seeds = sim_seeds(60);
    for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
        CAPTURE(seed);
        const bool loses_power = seed % 3 == 0;
        env::WorldOptions options;
        options.seed = seed;
        Line line(options, 1 + static_cast<std::uint32_t>(seed % 3));
        line.hosts.push_back(std::make_unique<SimHost>(line.world, "host0", 150, 2));
        line.hosts.push_back(std::make_unique<SimHost>(line.world, "host1", 100, 0));
        line.start_relay();
        line.consumers.push_back(
            std::make_unique<SimConsumer>(line.world, "consumer", line.relay_address(), 0));
        for (int crash = 0; crash < 4; ++crash) {
            line.world.run_for(1ms * (1 + line.world.prng().below(120)));
            line.crash_relay(loses_power ? env::CrashMode::power_loss : env::CrashMode::kill);
            line.world.run_for(1ms * line.world.prng().below(20));
            line.start_relay();
        }
        auto stuck = line.run_until_seen(250);
        INFO(line.lives.back()->failure.value_or(""));
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        CHECK_FALSE(line.lives.back()->failure.has_value());
        check_order(line, *line.consumers[0], loses_power);

        // A consumer that comes late gets the same bytes under the same seqs.
        const SimConsumer& first = *line.consumers[0];
        const SimConsumer& late = *line.consumers.emplace_back(
            std::make_unique<SimConsumer>(line.world, "late", line.relay_address(), 0));
        // What the last loss of power took, hosts send again; that may still be on its way.
        stuck = line.world.run_until_true([&] {
            return late.seen().size() >= 250 && Line::distinct(late) == 250 &&
                   late.seen().back().seq >= first.seen().back().seq;
        });
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        std::map<std::uint64_t, std::string_view> by_seq;
        for (const auto& seen : first.seen()) by_seq.emplace(seen.seq, seen.event);
        for (const auto& seen : late.seen()) {
            auto before = by_seq.find(seen.seq);
            if (before != by_seq.end()) REQUIRE(before->second == seen.event);
        }
    }
}

TEST_CASE("the same seed gives the same run of the whole relay") {
    for (std::uint32_t workers : {1u, 2u, 5u}) {
        auto trace = [&] {
            env::WorldOptions options;
            options.seed = 77;
            Line line(options, workers);
            line.hosts.push_back(std::make_unique<SimHost>(line.world, "host", 80, 3));
            line.start_relay();
            line.consumers.push_back(
                std::make_unique<SimConsumer>(line.world, "consumer", line.relay_address(), 0));
            REQUIRE_FALSE(line.run_until_seen(80).has_value());
            return line.world.trace_hash();
        };
        CHECK(trace() == trace());
    }
}
