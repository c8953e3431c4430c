#include "relay/identity/directory_pace.hpp"

#include <algorithm>

namespace ringlay::identity {

void DirectoryPace::failed(Nanos began, Nanos now, std::optional<Nanos> retry_after,
                           std::uint64_t random) {
    if (retry_after) {
        opens_at_ = std::max(opens_at_, now + std::min(*retry_after, longest_asked_for));
    }
    if (is_backing_off() && began < counts_from_) return;
    if (!is_backing_off()) {
        delay_ = first;
        if (++failures_ < patience) return;
    }
    // Between half and the whole of it: relays that saw one outage do not come back together.
    Nanos half = delay_ / 2;
    auto steps = static_cast<std::uint64_t>(half.count() + 1);
    opens_at_ = std::max(opens_at_, now + half + Nanos(static_cast<std::int64_t>(random % steps)));
    delay_ = std::min(delay_ * 2, longest);
    counts_from_ = now;
}

}  // namespace ringlay::identity
