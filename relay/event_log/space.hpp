// How much of the volume the log may have, and what goes when that is less than it has (design
// I10). A pure decision over numbers; Log asks it every few seconds and when a write met ENOSPC.
//
// The oldest complete segments go first; never one that is written, or whose successor is not yet
// durable. By bytes at once; by age only as far as the monotonic clock agrees, and at most one
// segment a minute, so that a step of the wall clock cannot empty the window.
//
// Thread   pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "relay/fiber/time.hpp"

namespace ringlay::event_log {

struct SpaceOptions {
    std::uint64_t retention_hours = 72;
    std::uint64_t retention_bytes = 0;  // 0: half of what is free at the start, at most 100 GB
    // Kept free, for the database among others. 0: a tenth of what is free at the start, at least
    // 2 GiB, at most a quarter of it.
    std::uint64_t reserve_bytes = 0;
    Nanos interval = std::chrono::seconds(5);
};

// What is decided once, at start, from the options and the volume.
struct SpaceLimits {
    std::uint64_t retention_bytes = 0;
    std::uint64_t reserve_bytes = 0;
    WallMillis retention{};
};
SpaceLimits space_limits(const SpaceOptions& options, std::uint64_t free_bytes,
                         std::uint64_t log_bytes);

struct SpaceSegment {
    std::uint64_t disk_bytes = 0;
    WallMillis newest{};        // last event, or when it was made
    bool is_removable = false;  // durable, and its successor is
};

// What the clocks said at the last decision by age.
struct SpaceState {
    WallMillis wall_at_start{};
    Nanos started{};
    std::optional<Nanos> last_removed_by_age;
};

struct SpaceInputs {
    std::span<const SpaceSegment> segments;  // oldest first, the active one included
    std::uint64_t free_bytes = 0;
    WallMillis wall{};
    Nanos now{};
};

struct SpaceDecision {
    std::size_t remove_count = 0;   // of the oldest
    bool removes_by_age = false;    // the last of them goes because of its age
    bool is_below_reserve = false;  // after that: appends must wait
    std::uint64_t budget_bytes = 0;
};
SpaceDecision decide_space(const SpaceLimits& limits, const SpaceState& state,
                           const SpaceInputs& inputs);

}  // namespace ringlay::event_log
