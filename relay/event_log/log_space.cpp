// Keeps the log inside its space: decides by the numbers of space.hpp, removes the oldest segments.

#include <algorithm>

#include "relay/event_log/log_core.hpp"

namespace ringlay::event_log {

void Log::Core::run_space() {
    fiber::CancelBlocker blocker;
    while (!is_stopping && !has_failed) {
        keep_space();
        static_cast<void>(space_wake.wait(Deadline::in(options.space.interval)));
        space_wake.reset();
    }
}

void Log::Core::keep_space() {
    auto free_bytes = directory.free_bytes();
    if (!free_bytes) return;  // nothing is known: a write will meet what there is
    drop_unneeded_facts();
    SpaceDecision decision = decide(*free_bytes);
    for (std::size_t i = 0; i < decision.remove_count && !has_failed; ++i) {
        if (!remove_oldest()) break;
    }
    if (decision.removes_by_age) space_state.last_removed_by_age = env.clock.now();
    counters.free_bytes.store(*free_bytes, std::memory_order_relaxed);
    counters.budget_bytes.store(decision.budget_bytes, std::memory_order_relaxed);
    const bool was_below = std::exchange(is_below_reserve, decision.is_below_reserve);
    if (was_below && !is_below_reserve) room_made.wake_all();
}

SpaceDecision Log::Core::decide(std::uint64_t free_bytes) const {
    std::vector<SpaceSegment> listed;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const Segment& segment = *segments[i];
        const bool is_followed = i + 1 < segments.size() && segments[i + 1]->is_snapshot_synced;
        listed.push_back({segment.disk_bytes(),
                          std::max(segment.created, segment.extent.last_received),
                          segment.is_durable() && is_followed});
    }
    return decide_space(limits, space_state,
                        {listed, free_bytes, env.clock.wall(), env.clock.now()});
}

// False: there is none that may go, or one is going already.
bool Log::Core::remove_oldest() {
    if (is_removing || segments.size() < 2) return false;
    if (!segments[0]->is_durable() || !segments[1]->is_snapshot_synced) return false;
    // On a full disk there may be no room for its seal; but a sync holds on to what is not sealed.
    if (!segments[0]->is_sealed && is_syncing) return false;
    is_removing = true;
    const bool keeps = needs_facts_of(*segments.front());
    std::unique_ptr<Segment> oldest = std::move(segments.front());
    segments.pop_front();
    const Position base = oldest->base;
    Result<env::File> held = fail(Errc::not_found, "segment: nobody reads it");
    auto reader = oldest->reader.lock();
    if (reader) reader->is_removed.store(true);
    if (keeps) {
        oldest->wire.close();
        oldest->facts.close();
        oldest->index = SeqIndex();
        facts_only.push_back(std::move(oldest));
    } else {
        // What is older is not needed either, and would end before a gap.
        drop_unneeded_facts();
    }
    if (reader) {
        held = directory.open(segment_file_name(base, SegmentFile::wire), env::OpenMode::write);
    }
    // Its names are durably gone before the next one's are touched: whatever a crash brings back
    // joins what is left.
    const auto removed =
        keeps ? remove_frames(directory, base) : remove_segment_files(directory, base);
    bool is_gone = removed && sync_removals();
    // A slow reader's descriptor would keep the space of a file without a name.
    if (is_gone && held) is_gone = held->truncate(0).has_value();
    if (!is_gone && !is_stopping && !gives_up) fatal("an old segment cannot be removed");
    counters.segments_removed.fetch_add(1, std::memory_order_relaxed);
    update_gauges();
    is_removing = false;
    room_made.wake_all();
    return is_gone;
}

// Without a descriptor for the directory it waits for one: the next segment may only go after this.
// When the log ends, the last one may be left to the crash rules.
Result<void> Log::Core::sync_removals() {
    for (;;) {
        auto synced = directory.sync();
        if (synced || synced.error().code != Errc::busy || is_stopping || gives_up) return synced;
        static_cast<void>(fiber::sleep_for(retry_interval));
    }
}

// Only a point in a later segment lets them go: one at their end must still be found.
bool Log::Core::needs_facts_of(const Segment& segment) const {
    return keeps_facts && needed_facts.load().segment_base <= segment.base;
}

void Log::Core::drop_unneeded_facts() {
    bool is_changed = false;
    while (!facts_only.empty() && !needs_facts_of(*facts_only.front()) && !has_failed) {
        const Position base = facts_only.front()->base;
        facts_only.pop_front();
        is_changed = true;
        if (!remove_segment_files(directory, base)) fatal("old facts cannot be removed");
    }
    if (!is_changed || has_failed) return;
    if (!sync_removals() && !is_stopping && !gives_up) return fatal("old facts cannot be removed");
    update_gauges();
    room_made.wake_all();
}

void Log::Core::update_gauges() {
    std::uint64_t disk_bytes = 0;
    const Segment* with_events = nullptr;
    for (const auto& segment : segments) {
        disk_bytes += segment->disk_bytes();
        if (with_events == nullptr && segment->extent.events > 0) with_events = segment.get();
    }
    std::uint64_t facts_only_bytes = 0;
    for (const auto& segment : facts_only) facts_only_bytes += segment->facts_end();
    const bool is_empty = with_events == nullptr;
    counters.segments.store(segments.size(), std::memory_order_relaxed);
    counters.disk_bytes.store(disk_bytes + facts_only_bytes, std::memory_order_relaxed);
    counters.facts_only_bytes.store(facts_only_bytes, std::memory_order_relaxed);
    counters.oldest_seq.store(is_empty ? 0 : with_events->extent.first_seq,
                              std::memory_order_relaxed);
    counters.oldest_wall_ms.store(is_empty ? 0 : with_events->extent.first_received.count(),
                                  std::memory_order_relaxed);
}

}  // namespace ringlay::event_log
