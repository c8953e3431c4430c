// How a host's state follows from what its subscriber reports. Pure.
//
// state     reported                                            becomes
// banned    anything                                            banned, until an operator lifts it
// any       put off for sending invalid events                  quarantined
// any       connected, held back most of the last ten minutes   throttled
// any       connected, no event for an hour                     idle
// any       connected                                           active
// any       not connected, was so before                        offline
// any       not connected, never was                            pending
#pragma once

#include "relay/hosts/host_row.hpp"

namespace ringlay::hosts {

struct HostReport {
    bool is_connected = false;
    bool was_connected = false;  // ever
    bool is_quarantined = false;
    bool is_throttled = false;
    Nanos silent_for{};  // since the last event, or since it connected
};

inline constexpr Nanos idle_after = std::chrono::hours(1);

constexpr HostState next_state(HostState now, const HostReport& report) {
    if (now == HostState::banned) return HostState::banned;
    if (report.is_quarantined) return HostState::quarantined;
    if (!report.is_connected) {
        return report.was_connected ? HostState::offline : HostState::pending;
    }
    if (report.is_throttled) return HostState::throttled;
    return report.silent_for >= idle_after ? HostState::idle : HostState::active;
}

}  // namespace ringlay::hosts
