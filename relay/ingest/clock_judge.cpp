#include "relay/ingest/clock_judge.hpp"

#include <algorithm>
#include <vector>

namespace ringlay::ingest {

bool ClockJudge::saw(std::uint32_t host_id, Ahead ahead, Nanos now) {
    Host& host = hosts_[host_id];
    host.seen = now;
    if (ahead > slack) {
        host.in_future = now;
        host.ahead = ahead;
        host.was_in_future = true;
    }
    if (now - judged_ < interval) return false;
    judge(now);
    return true;
}

void ClockJudge::judge(Nanos now) {
    judged_ = now;
    std::erase_if(hosts_, [&](const auto& entry) { return now - entry.second.seen > window; });
    std::vector<Ahead> ahead;
    for (const auto& [id, host] : hosts_) {
        if (host.was_in_future && now - host.in_future <= window) ahead.push_back(host.ahead);
    }
    hosts_in_future_ = ahead.size();
    is_behind_ = hosts_.size() >= min_hosts && hosts_in_future_ * 2 > hosts_.size();
    behind_by_ = Ahead::zero();
    if (!is_behind_) return;
    const auto median = ahead.begin() + static_cast<std::ptrdiff_t>(ahead.size() / 2);
    std::ranges::nth_element(ahead, median);
    behind_by_ = *median;
}

}  // namespace ringlay::ingest
