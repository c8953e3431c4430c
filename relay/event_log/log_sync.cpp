// What is published becomes durable: bytes, then names, then the word of it; then seals.

#include <algorithm>

#include "relay/event_log/log_core.hpp"

namespace ringlay::event_log {

void Log::Core::run_sync() {
    fiber::CancelBlocker blocker;
    while (!is_stopping && !has_failed) {
        static_cast<void>(sync_wake.wait(Deadline::in(options.sync_interval)));
        sync_wake.reset();
        if (is_stopping || has_failed) return;
        if (reservation_wanted) extend_reservation();
        if (!has_failed && has_unsynced()) static_cast<void>(sync_once());
    }
}

void Log::Core::extend_reservation() {
    auto extended = reservation.extend(next_seq, env.clock.wall());
    reservation_wanted = false;
    if (!extended && stall_of(extended.error()) == Stall::failed) {
        fatal("sequence numbers cannot be reserved");
    }
    reserved.wake_all();
}

// Appends wait meanwhile: what a loss of power may take has the bound of a sync interval.
void Log::Core::set_short_of_descriptors(bool is_short) {
    if (std::exchange(is_short_of_descriptors, is_short) && !is_short) room_made.wake_all();
}

bool Log::Core::has_unsynced() const {
    return names_unsynced || std::ranges::any_of(segments, [](const auto& segment) {
               return !segment->is_sealed &&
                      (segment->is_rolled || segment->synced != segment->extent);
           });
}

// Appends go on meanwhile: what they add is for the next round.
Result<void> Log::Core::sync_once() {
    while (is_syncing) static_cast<void>(sync_done.wait("another sync", Deadline::never()));
    if (has_failed) return fail(Errc::closed, "log: failed");
    is_syncing = true;
    const Nanos began = env.clock.now();
    counters.syncing_since_ns.store(began.count(), std::memory_order_relaxed);
    const std::uint64_t seq = tail.head_seq();
    const Position position = tail.head();
    const FactsPoint facts_point = facts_head();
    Result<void> done = sync_files();
    counters.syncing_since_ns.store(0, std::memory_order_relaxed);
    counters.slow_syncs.note(env.clock.now(), env.clock.now() - began);
    if (done) {
        set_short_of_descriptors(false);
        synced_seq.store(seq);
        synced_position.store(position);
        synced_facts.store(facts_point);
        seal_complete_segments();
        const auto took_ns = static_cast<std::uint64_t>((env.clock.now() - began).count());
        counters.syncs.fetch_add(1, std::memory_order_relaxed);
        counters.sync_ns_total.fetch_add(took_ns, std::memory_order_relaxed);
        if (took_ns > counters.sync_ns_max.load(std::memory_order_relaxed)) {
            counters.sync_ns_max.store(took_ns, std::memory_order_relaxed);
        }
    } else if (done.error().code == Errc::busy) {
        set_short_of_descriptors(true);  // the next round makes up for it
    } else {
        // The kernel may have forgotten which bytes it failed to write: no second try can be
        // believed.
        fatal("a sync of the log failed");
    }
    is_syncing = false;
    sync_done.wake_all();
    return done;
}

// `busy`: a descriptor for the directory was missing, and nothing was asked of the disk for it.
Result<void> Log::Core::sync_files() {
    struct Covered {
        Segment* segment;
        SegmentExtent extent;
        bool has_snapshot;
    };
    // While is_syncing, only what is sealed is removed, and nobody else seals: the pointers stay.
    std::vector<Covered> covered;
    for (const auto& segment : segments) {
        if (!segment->is_sealed) {
            covered.push_back({segment.get(), segment->extent, segment->has_snapshot});
        }
    }
    const bool sync_names = std::exchange(names_unsynced, false);
    for (const Covered& one : covered) {
        if (one.segment->synced == one.extent) continue;
        for (const env::File* file : {&one.segment->wire, &one.segment->facts}) {
            if (auto synced = file->sync(); !synced) return fail(Errc::io, synced.error().what);
        }
    }
    if (sync_names) {
        if (auto synced = directory.sync(); !synced) {
            names_unsynced = true;
            return synced;
        }
    }
    for (const Covered& one : covered) {
        one.segment->synced = one.extent;
        one.segment->is_snapshot_synced = one.has_snapshot;
    }
    return {};
}

// Oldest first, so that a seal says of everything before it that it was complete, too.
void Log::Core::seal_complete_segments() {
    for (std::size_t i = 0; i < segments.size(); ++i) {
        Segment& segment = *segments[i];
        if (segment.is_sealed) continue;
        if (!segment.is_rolled || segment.synced != segment.extent) return;
        if (auto sealed = seal(segment); !sealed) {
            // Without room for a seal the segment stays as it is until there is some.
            if (stall_of(sealed.error()) == Stall::failed) fatal("a segment cannot be sealed");
            return;
        }
        i = static_cast<std::size_t>(-1);  // older ones may have been removed meanwhile
    }
}

Result<void> Log::Core::seal(Segment& segment) {
    // Gives back what was allocated and not needed.
    auto done = segment.wire.truncate(segment_header_bytes + segment.extent.wire_bytes);
    if (!done) return done;
    const Buffer file = encode_seal({log_id, segment.base, segment.extent, segment.index});
    done = write_whole(directory, segment_file_name(segment.base, SegmentFile::seal), file);
    if (done) done = directory.sync();
    if (!done) return done;
    segment.wire.close();
    segment.facts.close();
    segment.is_sealed = true;
    return {};
}

void Log::Core::fatal(std::string_view what) {
    if (has_failed) return;
    has_failed = true;
    set_stall(Stall::failed);
    options.on_fatal(what);
    room_made.wake_all();
    reserved.wake_all();
    sync_wake.set();
    space_wake.set();
}

}  // namespace ringlay::event_log
