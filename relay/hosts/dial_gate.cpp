#include "relay/hosts/dial_gate.hpp"

#include <algorithm>

namespace ringlay::hosts {

DialLimits DialLimits::share(std::uint32_t workers) const {
    auto part = [&](std::uint32_t whole) { return std::max(2u, (whole + workers - 1) / workers); };
    return {.max_at_once = part(max_at_once), .per_second = part(per_second)};
}

Result<DialGate::Pass> DialGate::enter(bool goes_first) {
    ++waiting_;
    Result<void> waited;
    while (waited && inside_ >= limits_.max_at_once) {
        waited = (goes_first ? first_ : others_).wait("its turn to dial", Deadline::never());
    }
    --waiting_;
    if (!waited) return std::unexpected(waited.error());
    ++inside_;
    Pass pass(*this);
    const Nanos start = std::max(fiber::now(), next_start_);
    next_start_ = start + Nanos(std::chrono::seconds(1)) / limits_.per_second;
    if (start > fiber::now()) {
        waited = fiber::sleep_until(Deadline{start});
        if (!waited) return std::unexpected(waited.error());
    }
    return pass;
}

void DialGate::leave() {
    --inside_;
    (first_.empty() ? others_ : first_).wake_one();
}

}  // namespace ringlay::hosts
