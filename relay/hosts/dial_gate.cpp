#include "relay/hosts/dial_gate.hpp"

#include <algorithm>

namespace ringlay::hosts {

DialLimits DialLimits::share(std::uint32_t workers) const {
    auto part = [&](std::uint32_t whole) { return std::max(2u, (whole + workers - 1) / workers); };
    return {.max_at_once = part(max_at_once), .per_second = part(per_second)};
}

Result<DialGate::Pass> DialGate::enter(bool goes_first) {
    if (inside_ < limits_.max_at_once) {
        ++inside_;
    } else if (auto waited = wait_for_place(goes_first ? first_ : others_); !waited) {
        return std::unexpected(waited.error());
    }
    Pass pass(*this);
    const Nanos start = std::max(fiber::now(), next_start_);
    next_start_ = start + Nanos(std::chrono::seconds(1)) / limits_.per_second;
    if (start > fiber::now()) {
        auto waited = fiber::sleep_until(Deadline{start});
        if (!waited) return std::unexpected(waited.error());
    }
    return pass;
}

// While anybody waits all places are taken: who leaves hands the place on.
Result<void> DialGate::wait_for_place(Line& line) {
    fiber::Event called;
    const auto place = line.insert(line.end(), &called);
    ++waiting_;
    auto waited = called.wait();
    --waiting_;
    if (!waited) line.erase(place);  // nobody has called it
    return waited;
}

DialGate::Line& DialGate::next_line() {
    if (first_.empty()) return others_;
    if (others_.empty()) return first_;
    return ++calls_ % others_turn == 0 ? others_ : first_;
}

void DialGate::leave() {
    Line& line = next_line();
    if (line.empty()) {
        --inside_;
        return;
    }
    fiber::Event& next = *line.front();
    line.pop_front();
    next.set();
}

}  // namespace ringlay::hosts
