#include "relay/api/ingest_pace.hpp"

#include <algorithm>

namespace ringlay::api {

IngestStatus IngestPace::look(const Counts& counts) {
    IngestStatus status;
    status.has_begun = counts.has_begun;
    status.fold_percent = counts.fold_percent;
    status.hosts_known = counts.hosts_known;
    status.hosts_connected = counts.hosts_connected;
    if (samples_.empty() || counts.now - samples_.back().at >= spacing) {
        samples_.push_back({counts.now, counts.verified, counts.unverified});
        if (samples_.size() > max_samples) samples_.pop_front();
    }
    const Sample& base = samples_.front();
    const std::uint64_t verified = counts.verified - base.verified;
    const std::uint64_t events = verified + counts.unverified - base.unverified;
    const auto elapsed_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(counts.now - base.at).count();
    if (elapsed_ms > 0) {
        status.events_per_second = events * 1000 / static_cast<std::uint64_t>(elapsed_ms);
    }
    if (events > 0) status.verified_percent = verified * 100 / events;

    const bool is_alone = counts.has_begun && counts.wants_hosts && counts.hosts_connected == 0;
    if (!is_alone || !last_not_alone_) last_not_alone_ = counts.now;
    status.alone_for =
        std::chrono::duration_cast<std::chrono::seconds>(counts.now - *last_not_alone_);
    return status;
}

}  // namespace ringlay::api
