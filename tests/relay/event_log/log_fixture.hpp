// What the tests of the event log share: messages as hosts send them, entries, options that make
// small logs do in a second what large ones do in a day, and a consumer that keeps what it gets.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "proto/event.hpp"
#include "proto/frame.hpp"
#include "relay/event_log/frame_walk.hpp"
#include "relay/event_log/log_writer.hpp"
#include "relay/event_log/reader.hpp"
#include "relay/event_log/sequencer.hpp"

namespace ringlay::event_log::test {

// A canonical #identity of about `size_bytes`, with an upstream seq.
inline Buffer identity_message(std::string_view did, std::uint64_t upstream_seq,
                               std::size_t size_bytes) {
    proto::IdentityEvent event;
    event.seq = upstream_seq;
    event.did = did;
    std::string time = "2026-01-01T00:00:00.000Z";
    time.append(size_bytes > 120 ? size_bytes - 120 : 0, 'z');
    event.time = time;
    return proto::encode_frame(event);
}

// An entry with the memory that it points to.
struct OwnedEntry {
    OwnedEntry(std::uint32_t host_id, std::uint64_t upstream_seq, std::size_t size_bytes,
               Bell* bell = nullptr)
        : did("did:plc:" + std::string(20, 'a') + std::to_string(1000 + upstream_seq % 9000)),
          message(identity_message(did, upstream_seq, size_bytes)) {
        auto frame = proto::peek(message);
        RINGLAY_ASSERT(frame && !frame->needs_repair);
        entry.message = message;
        entry.seq_offset = frame->seq_offset;
        entry.seq_length = frame->seq_bytes;
        entry.kind = FactsKind::identity;
        entry.verdicts = verdict_unverified;
        entry.host_id = host_id;
        entry.upstream_seq = upstream_seq;
        entry.host_ack = upstream_seq - 1;
        entry.received = fiber::wall();
        entry.text = did;
        entry.done_bell = bell;
    }

    // The frame that consumers must get.
    Buffer frame() const {
        Buffer out(proto::splice_size_bytes(message, proto::peek(message).value(), entry.seq));
        proto::splice_into(out, message, proto::peek(message).value(), entry.seq);
        WsHeader header = ws_header_for(out.size());
        out.insert(out.begin(), header.view().begin(), header.view().end());
        return out;
    }

    std::string did;
    Buffer message;
    Entry entry;
};

inline LogOptions small_log() {
    LogOptions options;
    options.segment_bytes = 4096;
    options.tail = {.chunk_bytes = 512, .chunk_count = 16};
    options.max_message_bytes = 2000;
    options.max_batch_bytes = 2000;
    options.max_batch_entries = 8;
    options.reservation_block = 100;
    options.initial_seq = 1000;
    options.space.retention_bytes = 1 << 20;
    options.space.reserve_bytes = 1;
    options.space.interval = std::chrono::milliseconds(100);
    return options;
}

// Appends one event as a batch of its own, and returns its frame.
inline Buffer append_one(Log& log, std::uint32_t host_id, std::uint64_t upstream_seq,
                         std::size_t size_bytes = 200) {
    OwnedEntry owned(host_id, upstream_seq, size_bytes);
    Entry* batch[] = {&owned.entry};
    REQUIRE(log.append(batch).has_value());
    return owned.frame();
}

// A host, without a sequencer.
inline std::uint32_t append_host(Log& log, std::string_view name) {
    Entry entry;
    entry.kind = FactsKind::host_name;
    entry.text = name;
    entry.received = fiber::wall();
    Entry* batch[] = {&entry};
    REQUIRE(log.append(batch).has_value());
    return entry.host_id;
}

// Everything up to the head, in views of at most `max_bytes`.
inline Result<Buffer> read_to_head(Reader& reader, std::size_t max_bytes = 700) {
    Buffer out;
    while (!reader.is_at_head()) {
        auto view = reader.view(max_bytes);
        if (!view) return std::unexpected(view.error());
        out.insert(out.end(), view->bytes().begin(), view->bytes().end());
        reader.advance(*view, view->bytes().size());
    }
    return out;
}

// The seqs of whole frames.
inline std::vector<std::uint64_t> seqs_of(Bytes stream) {
    std::vector<std::uint64_t> seqs;
    while (!stream.empty()) {
        std::size_t header = stream[1] < 126 ? 2 : stream[1] == 126 ? 4 : 10;
        std::size_t length = stream[1] < 126 ? stream[1] : std::size_t{stream[2]} * 256 + stream[3];
        auto frame = parse_ws_frame(stream.first(header + length));
        RINGLAY_ASSERT(frame.has_value());
        seqs.push_back(proto::peek(frame->message).value().seq);
        stream = stream.subspan(header + length);
    }
    return seqs;
}

}  // namespace ringlay::event_log::test
