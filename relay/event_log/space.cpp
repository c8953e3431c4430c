#include "relay/event_log/space.hpp"

#include <algorithm>

namespace ringlay::event_log {
namespace {

constexpr std::uint64_t default_retention_bytes = 100'000'000'000;
constexpr std::uint64_t least_reserve_bytes = std::uint64_t{2} << 30;
constexpr Nanos between_removals_by_age = std::chrono::minutes(1);
constexpr std::uint64_t longest_retention_hours = 1'000'000;

// The smaller of two opinions: the wall clock's, and what it would say if it had not been touched
// since the start.
WallMillis age_of(WallMillis newest, const SpaceState& state, const SpaceInputs& inputs) {
    auto running = std::chrono::duration_cast<WallMillis>(inputs.now - state.started);
    return std::min(inputs.wall, state.wall_at_start + running) - newest;
}

}  // namespace

SpaceLimits space_limits(const SpaceOptions& options, std::uint64_t free_bytes,
                         std::uint64_t log_bytes) {
    // As if the log were not there, so that every start decides alike.
    const std::uint64_t volume_bytes = free_bytes + log_bytes;
    SpaceLimits limits;
    limits.retention_bytes = options.retention_bytes != 0
                                 ? options.retention_bytes
                                 : std::min(volume_bytes / 2, default_retention_bytes);
    limits.reserve_bytes =
        options.reserve_bytes != 0
            ? options.reserve_bytes
            : std::min(std::max(volume_bytes / 10, least_reserve_bytes), volume_bytes / 4);
    limits.retention = std::chrono::hours(
        static_cast<std::int64_t>(std::min(options.retention_hours, longest_retention_hours)));
    return limits;
}

SpaceDecision decide_space(const SpaceLimits& limits, const SpaceState& state,
                           const SpaceInputs& inputs) {
    std::uint64_t log_bytes = 0;
    for (const SpaceSegment& segment : inputs.segments) log_bytes += segment.disk_bytes;
    std::uint64_t reachable = inputs.free_bytes + log_bytes;
    std::uint64_t beyond_reserve =
        reachable > limits.reserve_bytes ? reachable - limits.reserve_bytes : 0;

    SpaceDecision decision;
    decision.budget_bytes = std::min(limits.retention_bytes, beyond_reserve);
    std::uint64_t free_bytes = inputs.free_bytes;
    std::size_t& count = decision.remove_count;
    while (count < inputs.segments.size() && inputs.segments[count].is_removable &&
           log_bytes > decision.budget_bytes) {
        log_bytes -= inputs.segments[count].disk_bytes;
        free_bytes += inputs.segments[count].disk_bytes;
        ++count;
    }
    bool may_by_age = !state.last_removed_by_age ||
                      inputs.now - *state.last_removed_by_age >= between_removals_by_age;
    if (count == 0 && may_by_age && !inputs.segments.empty() && inputs.segments[0].is_removable &&
        age_of(inputs.segments[0].newest, state, inputs) > limits.retention) {
        free_bytes += inputs.segments[0].disk_bytes;
        count = 1;
        decision.removes_by_age = true;
    }
    decision.is_below_reserve = free_bytes < limits.reserve_bytes;
    return decision;
}

}  // namespace ringlay::event_log
