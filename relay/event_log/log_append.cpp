// Batches: numbered, spliced into the tail, written from there, published.

#include <algorithm>
#include <bit>
#include <cstring>

#include "proto/base/assert.hpp"
#include "proto/base/crc32c.hpp"
#include "proto/cbor.hpp"
#include "relay/event_log/frame_walk.hpp"
#include "relay/event_log/log_core.hpp"

namespace ringlay::event_log {
namespace {

constexpr std::size_t cbor_head_max_bytes = 9;
constexpr auto ack_lag_index = static_cast<std::size_t>(FactsField::ack_lag);

std::uint64_t most_wire_bytes(std::span<Entry* const> batch) {
    std::uint64_t total = 0;
    for (const Entry* entry : batch) {
        if (entry->message.empty()) continue;
        total += entry->message.size() + max_ws_header_bytes + cbor_head_max_bytes;
    }
    return total;
}

void raise(std::atomic<std::uint64_t>& most, std::uint64_t value) {
    if (value > most.load(std::memory_order_relaxed)) most.store(value, std::memory_order_relaxed);
}

void add(std::atomic<std::uint64_t>& counter, std::uint64_t value) {
    counter.store(counter.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

}  // namespace

Result<void> Log::Core::append(std::span<Entry* const> batch) {
    RINGLAY_ASSERT(!batch.empty() && batch.size() <= options.max_batch_entries);
    RINGLAY_ASSERT(!is_appending && !is_closed);
    fiber::CancelBlocker blocker;
    is_appending = true;
    const Nanos began = env.clock.now();
    counters.appending_since_ns.store(began.count(), std::memory_order_relaxed);

    Result<void> done = make_ready(batch);
    if (done) {
        compose(batch);
        done = write_batch();
    }
    if (done) {
        publish(batch);
        count(batch, began);
    } else {
        for (Entry* entry : batch) entry->seq = 0;
    }
    counters.appending_since_ns.store(0, std::memory_order_relaxed);
    is_appending = false;
    return done;
}

// Returns when there are seqs, room by policy, and a segment for the batch.
Result<void> Log::Core::make_ready(std::span<Entry* const> batch) {
    const std::uint64_t wire_bytes = most_wire_bytes(batch);
    RINGLAY_ASSERT(wire_bytes <= tail.max_unpublished_bytes());
    if (auto reserved_now = reserve_for(batch.size()); !reserved_now) return reserved_now;
    for (;;) {
        if (has_failed) return fail(Errc::closed, "log: failed");
        // What was composed for a batch that was given up is in the tail for ever.
        if (tail.written() != tail.head()) return fail(Errc::closed, "log: given up");
        Stall why = Stall::none;
        if (is_below_reserve) {
            why = Stall::space_reserve;
        } else if (is_short_of_descriptors) {
            why = Stall::no_descriptors;
        } else {
            auto rolled = roll_if_needed(wire_bytes);
            if (rolled) break;
            why = stall_of(rolled.error());
            if (why == Stall::failed) {
                fatal("a new segment cannot be made");
                continue;
            }
        }
        if (auto room = wait_for_room(why); !room) return room;
    }
    set_stall(Stall::none);
    return {};
}

// Whether an error passes when somebody gives something back, and what has to be given back.
Stall Log::Core::stall_of(const Error& error) {
    if (error.code == Errc::no_space) return Stall::disk_full;
    if (error.code == Errc::busy) return Stall::no_descriptors;
    return Stall::failed;
}

Result<void> Log::Core::reserve_for(std::size_t count) {
    while (!has_failed && next_seq + count > reservation.ceiling()) {
        set_stall(Stall::reservation);
        reservation_wanted = true;
        sync_wake.set();
        static_cast<void>(reserved.wait("sequence numbers", Deadline::in(retry_interval)));
    }
    if (has_failed) return fail(Errc::closed, "log: failed");
    if (reservation.is_half_used(next_seq) && !reservation_wanted) {
        reservation_wanted = true;
        sync_wake.set();
    }
    return {};
}

// Makes room if policy has any to give; else waits until somebody has made some, or a while.
Result<void> Log::Core::wait_for_room(Stall why) {
    if (gives_up) return fail(Errc::closed, "log: given up");
    if (why == Stall::disk_full) {
        add(counters.no_space_retries, 1);
        if (remove_oldest()) return {};
    }
    set_stall(why);
    space_wake.set();
    static_cast<void>(room_made.wait("room for the log", Deadline::in(retry_interval)));
    return {};
}

Result<void> Log::Core::roll_if_needed(std::uint64_t more_bytes) {
    const std::uint64_t have = active().extent.wire_bytes;
    if (have == 0 || have + more_bytes <= options.segment_bytes) return {};
    return roll();
}

Result<void> Log::Core::roll() {
    const Position base = active().end();
    auto next =
        create_segment(directory, log_id, base, last_seq, env.clock.wall(), options.segment_bytes);
    if (!next) return std::unexpected(next.error());
    Segment& full = active();
    full.is_rolled = true;
    if (auto reader = full.reader.lock()) reader->end.store(base);
    if (auto reader = full.facts_reader.lock()) reader->set_end(full.facts_end(), base);
    segments.push_back(std::make_unique<Segment>(std::move(*next)));
    names_unsynced = true;
    update_gauges();
    return {};
}

void Log::Core::compose(std::span<Entry* const> batch) {
    facts.clear();
    records.clear();
    records.reserve(options.max_batch_entries);
    // A segment begins by naming all hosts, so that it can be read without its predecessors.
    if (!active().has_snapshot) {
        hosts.append_snapshot(facts, env.clock.wall(),
                              static_cast<std::uint32_t>(active().extent.wire_bytes));
    }
    for (Entry* entry : batch) {
        RINGLAY_ASSERT(is_event(entry->kind) == !entry->message.empty());
        if (is_event(entry->kind)) {
            compose_event(*entry);
        } else {
            compose_fact(*entry);
        }
    }
}

void Log::Core::compose_event(Entry& entry) {
    RINGLAY_ASSERT(next_seq < reservation.ceiling());
    RINGLAY_ASSERT(entry.message.size() <= options.max_message_bytes);
    entry.seq = next_seq++;
    std::array<std::uint8_t, cbor_head_max_bytes> seq_bytes{};
    const std::size_t seq_size = proto::write_cbor_head(seq_bytes, 0, entry.seq);
    const Bytes before = entry.message.first(entry.seq_offset);
    const Bytes after = entry.message.subspan(entry.seq_offset + entry.seq_length);
    const WsHeader header = ws_header_for(before.size() + seq_size + after.size());

    const Position begin = tail.written();
    std::uint32_t crc = 0;
    for (Bytes part : {header.view(), before, Bytes(seq_bytes).first(seq_size), after}) {
        tail.write(part);
        crc = crc32c(part, crc);
    }

    Record& record = add_record(entry);
    record.facts.verdicts = entry.verdicts;
    record.facts.wire_offset = static_cast<std::uint32_t>(begin - active().base);
    record.facts.wire_length = static_cast<std::uint32_t>(tail.written() - begin);
    record.facts.wire_crc = crc;
    record.facts.seq = entry.seq;
    if (entry.upstream_seq > 0) {
        RINGLAY_ASSERT(entry.host_ack < entry.upstream_seq);
        const std::uint64_t lag = entry.upstream_seq - 1 - entry.host_ack;
        std::memcpy(record.ack_lag.data(), &lag, sizeof lag);
        if (lag > 0) record.facts.fields[ack_lag_index] = record.ack_lag;
    }
    append_facts(facts, record.facts);
}

// What every record takes over from its entry. Records do not move until the batch is published.
Log::Core::Record& Log::Core::add_record(const Entry& entry) {
    RINGLAY_ASSERT(records.size() < records.capacity());
    RINGLAY_ASSERT(entry.fields[ack_lag_index].empty());
    Record& record = records.emplace_back();
    record.offset = facts.size();
    record.facts.kind = entry.kind;
    record.facts.host_id = entry.host_id;
    record.facts.upstream_seq = entry.upstream_seq;
    record.facts.received = entry.received;
    record.facts.text = entry.text;
    record.facts.fields = entry.fields;
    return record;
}

void Log::Core::compose_fact(Entry& entry) {
    entry.seq = 0;
    if (entry.kind == FactsKind::host_name) {
        auto known = hosts.find(entry.text);
        std::uint32_t id = hosts.next_id();
        for (const Record& record : records) {
            if (record.facts.kind != FactsKind::host_name) continue;
            if (record.facts.text == entry.text) known = record.facts.host_id;
            id = std::max(id, record.facts.host_id + 1);
        }
        entry.host_id = known.value_or(id);
        if (known) return;
    }
    Record& record = add_record(entry);
    record.facts.wire_offset = static_cast<std::uint32_t>(tail.written() - active().base);
    append_facts(facts, record.facts);
}

// Until it is in both files; a full disk or memory is waited out over files that end where they
// were published.
Result<void> Log::Core::write_batch() {
    Segment& segment = active();
    const std::uint64_t wire_end = segment_header_bytes + segment.extent.wire_bytes;
    const std::uint64_t facts_end = segment_header_bytes + segment.extent.facts_bytes;
    const std::vector<Bytes> parts = tail.unpublished(tail.head());
    for (;;) {
        if (has_failed) return fail(Errc::closed, "log: failed");
        Result<void> written;
        const Nanos began = env.clock.now();
        if (!parts.empty()) written = segment.wire.write_at(wire_end, parts);
        if (written && !facts.empty()) written = segment.facts.write_at(facts_end, Bytes(facts));
        counters.slow_writes.note(env.clock.now(), env.clock.now() - began);
        if (written) {
            set_stall(Stall::none);
            return {};
        }
        const Stall why = stall_of(written.error());
        if (why == Stall::failed) {
            fatal("a segment cannot be written");
            continue;
        }
        if (!segment.wire.truncate(wire_end) || !segment.facts.truncate(facts_end)) {
            fatal("a segment cannot be cut back after a failed write");
            continue;
        }
        if (auto room = wait_for_room(why); !room) return room;
    }
}

void Log::Core::publish(std::span<Entry* const> batch) {
    Segment& segment = active();
    SegmentExtent& extent = segment.extent;
    for (const Record& record : records) {
        const bool is_known = hosts.apply(record.facts).has_value();
        RINGLAY_ASSERT(is_known);  // senders use ids that register_host() gave them
        if (!is_event(record.facts.kind)) continue;
        segment.index.add(record.facts.seq,
                          segment_header_bytes + extent.facts_bytes + record.offset);
        if (extent.events == 0) {
            extent.first_seq = record.facts.seq;
            extent.first_received = record.facts.received;
        }
        extent.last_seq = last_seq = record.facts.seq;
        extent.last_received = std::max(extent.last_received, record.facts.received);
        ++extent.events;
    }
    segment.has_snapshot = true;
    extent.facts_bytes += facts.size();
    extent.wire_bytes += tail.written() - tail.head();
    RINGLAY_ASSERT(segment.end() == tail.written());
    for (Entry* entry : batch) entry->is_logged = true;
    tail.publish(extent.events == 0 ? tail.head_seq() : last_seq);
}

void Log::Core::count(std::span<Entry* const> batch, Nanos began) {
    auto events = static_cast<std::uint64_t>(
        std::ranges::count_if(batch, [](const Entry* entry) { return entry->seq > 0; }));
    std::uint64_t wire_bytes = 0;
    for (const Record& record : records) wire_bytes += record.facts.wire_length;
    add(counters.events, events);
    add(counters.facts_only, batch.size() - events);
    add(counters.wire_bytes, wire_bytes);
    add(counters.facts_bytes, facts.size());
    add(counters.batches, 1);
    const auto bucket = static_cast<std::size_t>(std::bit_width(batch.size() - 1));
    add(counters.batches_by_size[std::min(bucket, counters.batches_by_size.size() - 1)], 1);
    const auto took_ns = static_cast<std::uint64_t>((env.clock.now() - began).count());
    add(counters.append_ns_total, took_ns);
    raise(counters.append_ns_max, took_ns);
    add(counters.disk_bytes, wire_bytes + facts.size());
    if (counters.oldest_seq.load(std::memory_order_relaxed) == 0) update_gauges();
}

}  // namespace ringlay::event_log
