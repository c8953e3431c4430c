#include "relay/event_log/space.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;
constexpr WallMillis day_one = 24h * 365;

// Four segments of 100 bytes, an hour apart, the last one active; the window is three hours.
struct Volume {
    std::vector<SpaceSegment> segments{{100, day_one, true},
                                       {100, day_one + 1h, true},
                                       {100, day_one + 2h, true},
                                       {100, day_one + 3h, false}};
    SpaceLimits limits{1000, 50, 3h};
    SpaceState state{day_one + 3h, 0ns, {}};
    SpaceInputs inputs{{}, 10'000, day_one + 3h, 0ns};

    SpaceDecision decide() {
        inputs.segments = segments;
        return decide_space(limits, state, inputs);
    }
    void pass(Nanos time) {
        inputs.now += time;
        inputs.wall += std::chrono::duration_cast<WallMillis>(time);
    }
};

}  // namespace

TEST_CASE("the budget is half of the volume, at most 100 GB, and the reserve a tenth") {
    CHECK(space_limits({}, 40 * gib, 0).retention_bytes == 20 * gib);
    CHECK(space_limits({}, 30 * gib, 10 * gib).retention_bytes == 20 * gib);  // at each start alike
    CHECK(space_limits({}, 4000 * gib, 0).retention_bytes == 100'000'000'000);
    CHECK(space_limits({}, 40 * gib, 0).reserve_bytes == 4 * gib);
    CHECK(space_limits({}, 10 * gib, 0).reserve_bytes == 2 * gib);
    CHECK(space_limits({}, 8 * gib, 0).reserve_bytes == 2 * gib);
    CHECK(space_limits({}, 10 * gib, 0).retention == 72h);
    SpaceOptions options;
    options.retention_hours = 1;
    options.retention_bytes = 7;
    options.reserve_bytes = 8;
    SpaceLimits limits = space_limits(options, 40 * gib, 0);
    CHECK(limits.retention_bytes == 7);
    CHECK(limits.reserve_bytes == 8);
    CHECK(limits.retention == 1h);
    options.retention_hours = UINT64_MAX;
    CHECK(space_limits(options, 0, 0).retention > 24h * 365 * 100);
}

TEST_CASE("on a small volume the reserve is a quarter of it, whatever the log has been allowed") {
    CHECK(space_limits({}, 4 * gib, 0).reserve_bytes == gib);
    SpaceOptions options;
    options.retention_bytes = gib;
    const SpaceLimits limits = space_limits(options, gib, 0);
    CHECK(limits.reserve_bytes == gib / 4);
    SpaceSegment active{gib / 4, day_one, false};
    SpaceInputs inputs{std::span(&active, 1), gib / 2, day_one, 0ns};
    CHECK_FALSE(decide_space(limits, {day_one, 0ns, {}}, inputs).is_below_reserve);
}

TEST_CASE("nothing goes while everything fits") {
    Volume volume;
    SpaceDecision decision = volume.decide();
    CHECK(decision.remove_count == 0);
    CHECK_FALSE(decision.is_below_reserve);
    CHECK(decision.budget_bytes == 1000);
}

TEST_CASE("by bytes the oldest go at once, as many as needed, and never the active one") {
    Volume volume;
    volume.limits.retention_bytes = 400;
    CHECK(volume.decide().remove_count == 0);
    volume.limits.retention_bytes = 399;
    CHECK(volume.decide().remove_count == 1);
    volume.limits.retention_bytes = 200;
    CHECK(volume.decide().remove_count == 2);
    volume.limits.retention_bytes = 1;
    CHECK(volume.decide().remove_count == 3);
    volume.segments[1].is_removable = false;  // and none behind one that must stay
    CHECK(volume.decide().remove_count == 1);
}

TEST_CASE("what is free shrinks the budget down to the reserve; below it appends must wait") {
    Volume volume;
    volume.limits.reserve_bytes = 500;
    volume.inputs.free_bytes = 500;
    CHECK(volume.decide().remove_count == 0);
    CHECK_FALSE(volume.decide().is_below_reserve);
    volume.inputs.free_bytes = 401;  // 99 too few: one segment
    CHECK(volume.decide().remove_count == 1);
    CHECK_FALSE(volume.decide().is_below_reserve);
    volume.inputs.free_bytes = 201;
    CHECK(volume.decide().remove_count == 3);
    CHECK_FALSE(volume.decide().is_below_reserve);
    volume.inputs.free_bytes = 199;
    CHECK(volume.decide().remove_count == 3);
    CHECK(volume.decide().is_below_reserve);
    CHECK(volume.decide().budget_bytes == 99);
    volume.inputs.free_bytes = 50;
    CHECK(volume.decide().budget_bytes == 0);
}

TEST_CASE("by age one segment goes, and the next one a minute later") {
    Volume volume;
    CHECK(volume.decide().remove_count == 0);  // just three hours
    volume.pass(2h);
    SpaceDecision decision = volume.decide();
    CHECK(decision.remove_count == 1);
    CHECK(decision.removes_by_age);
    volume.state.last_removed_by_age = volume.inputs.now;
    volume.segments.erase(volume.segments.begin());
    volume.pass(59s);
    CHECK(volume.decide().remove_count == 0);
    volume.pass(1s);
    CHECK(volume.decide().remove_count == 1);
    volume.segments[0].is_removable = false;
    CHECK(volume.decide().remove_count == 0);
}

TEST_CASE("a step of the wall clock alone removes nothing") {
    Volume volume;
    volume.inputs.wall += 24h * 365;
    CHECK(volume.decide().remove_count == 0);
    volume.inputs.now += 24h;  // a day of running agrees
    CHECK(volume.decide().remove_count == 1);
    volume.inputs.wall -= 24h * 400;  // stepped back: the other clock alone is not enough either
    CHECK(volume.decide().remove_count == 0);
}

TEST_CASE("what goes by bytes is not counted as gone by age") {
    Volume volume;
    volume.pass(24h);
    volume.limits.retention_bytes = 350;
    CHECK(volume.decide().remove_count == 1);
    CHECK_FALSE(volume.decide().removes_by_age);
}
