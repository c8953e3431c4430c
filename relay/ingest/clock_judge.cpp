#include "relay/ingest/clock_judge.hpp"

namespace ringlay::ingest {

void ClockJudge::saw(std::uint32_t host_id, bool is_in_future, Nanos now) {
    Host& host = hosts_[host_id];
    host.seen = now;
    if (is_in_future) {
        host.in_future = now;
        host.was_in_future = true;
    }
    if (now - judged_ >= interval) judge(now);
}

void ClockJudge::judge(Nanos now) {
    judged_ = now;
    std::erase_if(hosts_, [&](const auto& entry) { return now - entry.second.seen > window; });
    hosts_in_future_ = 0;
    for (const auto& [id, host] : hosts_) {
        if (host.was_in_future && now - host.in_future <= window) ++hosts_in_future_;
    }
    is_behind_ = hosts_.size() >= min_hosts && hosts_in_future_ * 2 > hosts_.size();
}

}  // namespace ringlay::ingest
