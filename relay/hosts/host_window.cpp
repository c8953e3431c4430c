#include "relay/hosts/host_window.hpp"

namespace ringlay::hosts {

HostWindow::HostWindow(const ingest::Shards& shards, event_log::Sequencer& sequencer,
                       event_log::Bell& bell, HostMetrics& metrics, WindowLimits limits)
    : shards_(shards), sequencer_(sequencer), bell_(bell), metrics_(metrics), limits_(limits) {
    RINGLAY_ASSERT(limits.max_events > 0);
}

HostWindow::~HostWindow() {
    metrics_.window_events.add(-static_cast<std::int64_t>(slots_.size()));
    metrics_.window_bytes.add(-static_cast<std::int64_t>(bytes_));
}

bool HostWindow::has_room(std::size_t size_bytes) {
    reap();
    return fits(size_bytes);
}

Result<HostWindow::Slot*> HostWindow::take(std::size_t size_bytes) {
    if (!has_room(size_bytes)) metrics_.window_waits.add_shared();
    while (!fits(size_bytes)) {
        auto room = bell_.listen("room in the host's window", Deadline::never(),
                                 [&] { return oldest_is_done(); });
        if (!room) return std::unexpected(room.error());
        reap();
    }
    Slot& slot = slots_.emplace_back();
    slot.size_bytes = size_bytes;
    slot.entry.done_bell = &bell_;
    bytes_ += size_bytes;
    metrics_.window_events.add(1);
    metrics_.window_bytes.add(static_cast<std::int64_t>(size_bytes));
    return &slot;
}

void HostWindow::push_event(Slot& slot) {
    reap();
    // The oldest that was not finished a moment ago; what is before it is.
    slot.entry.host_ack = slots_.front().entry.upstream_seq - 1;
    shards_.of(slot.entry.text).push(slot.entry);
}

void HostWindow::push_fact(Slot& slot) {
    sequencer_.push(slot.entry);
}

Result<void> HostWindow::drain() {
    for (;;) {
        reap();
        if (slots_.empty()) return {};
        auto done = bell_.listen("the host's events to be done", Deadline::never(),
                                 [&] { return oldest_is_done(); });
        if (!done) return done;
    }
}

void HostWindow::reap() {
    while (!slots_.empty() && oldest_is_done()) {
        std::size_t size_bytes = slots_.front().size_bytes;
        slots_.pop_front();
        bytes_ -= size_bytes;
        metrics_.window_events.add(-1);
        metrics_.window_bytes.add(-static_cast<std::int64_t>(size_bytes));
    }
}

bool HostWindow::fits(std::size_t size_bytes) const {
    if (slots_.empty()) return true;
    return slots_.size() < limits_.max_events && bytes_ + size_bytes <= limits_.max_bytes;
}

bool HostWindow::oldest_is_done() const {
    return !slots_.empty() && slots_.front().entry.is_done.load();
}

}  // namespace ringlay::hosts
