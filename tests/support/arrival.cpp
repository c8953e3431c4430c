#include "tests/support/arrival.hpp"

#include "proto/base/assert.hpp"

namespace ringlay::support {
namespace {

event_log::FactsKind facts_kind(proto::FrameKind kind) {
    using event_log::FactsKind;
    switch (kind) {
        case proto::FrameKind::commit:
            return FactsKind::commit;
        case proto::FrameKind::sync:
            return FactsKind::sync;
        case proto::FrameKind::identity:
            return FactsKind::identity;
        default:
            RINGLAY_ASSERT(kind == proto::FrameKind::account);
            return FactsKind::account;
    }
}

}  // namespace

Arrival::Arrival(const ingest::HostRef& host, Bytes frame, WallMillis received) {
    auto peeked = proto::peek(frame);
    RINGLAY_ASSERT(peeked.has_value() && proto::is_event(peeked->kind));
    message_ = peeked->needs_repair ? proto::repair(frame, *peeked, peeked->seq).value()
                                    : Buffer(frame.begin(), frame.end());
    proto::Peek place = proto::peek(message_).value();
    RINGLAY_ASSERT(!place.needs_repair);

    event.message = message_;
    event.seq_offset = place.seq_offset;
    event.seq_length = place.seq_bytes;
    event.kind = facts_kind(place.kind);
    event.host_id = host.id;
    event.upstream_seq = place.seq;
    event.host_ack = place.seq - 1;
    event.received = received;
    event.text = place.did;
    event.host = &host;
    event.header_bytes = place.header_bytes;
    event.payload_bytes = place.payload_bytes;
}

ingest::Knowledge knowledge_of(const SignedRepo& repo, const ingest::HostRef& host,
                               WallMillis now) {
    ingest::Knowledge known;
    known.has_identity = true;
    known.key = repo.public_key();
    known.pds_host = host.name;
    known.host_id = host.id;
    known.now = now;
    return known;
}

}  // namespace ringlay::support
