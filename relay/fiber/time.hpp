// Time as fibers see it. `Nanos` is the monotonic clock of the worker's kernel (its zero means
// nothing); `WallMillis` is the calendar, since 1970, and may jump. Both are read only through the
// Kernel, so that a simulated world has its own.
#pragma once

#include <chrono>

namespace ringlay {

using Nanos = std::chrono::nanoseconds;
using WallMillis = std::chrono::milliseconds;

// The instant at which a wait gives up with Errc::timed_out. Passed down a call chain unchanged, so
// that ten reads share one limit instead of having ten.
struct Deadline {
    Nanos at;

    static constexpr Deadline never() { return {Nanos::max()}; }
    static Deadline in(Nanos duration);  // from now on, by the clock of the current worker

    bool operator==(const Deadline&) const = default;
};

inline Deadline earlier(Deadline a, Deadline b) {
    return a.at < b.at ? a : b;
}

}  // namespace ringlay
