// Any bytes as the payload of any kind: what is read as an event is written as a canonical frame,
// which reads as the same event; and what repair makes of a message reads as it did before.
#include "proto/event.hpp"

#include "proto/base/assert.hpp"
#include "proto/frame.hpp"
#include "tests/proto/event_equal.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

template <class Event>
void check(Bytes payload, FrameKind kind, Result<Event> (*parse)(Bytes)) {
    auto event = parse(payload);
    if (!event) return;
    Buffer frame = encode_frame(*event);
    auto peeked = peek(frame);
    // An empty name is one for the reader, but no message that is worth sending.
    bool may_be_nameless = kind == FrameKind::info || kind == FrameKind::error;
    if (!peeked && may_be_nameless) return;
    RINGLAY_ASSERT(peeked.has_value());
    RINGLAY_ASSERT(peeked->kind == kind);
    RINGLAY_ASSERT(peeked->envelope_canonical && !peeked->needs_repair);
    auto again = parse(payload_of(frame, *peeked));
    RINGLAY_ASSERT(again.has_value());
    RINGLAY_ASSERT(*again == *event);
}

template <class Event>
void check_repair(Bytes message, const Peek& frame, Result<Event> (*parse)(Bytes)) {
    auto before = parse(payload_of(message, frame));
    Buffer repaired = repair(message, frame, frame.seq).value();
    auto after = parse(payload_of(repaired, peek(repaired).value()));
    RINGLAY_ASSERT(before.has_value() == after.has_value());
    if (before) RINGLAY_ASSERT(*before == *after);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes input(data, size);
    check(input, FrameKind::commit, parse_commit_event);
    check(input, FrameKind::sync, parse_sync_event);
    check(input, FrameKind::identity, parse_identity_event);
    check(input, FrameKind::account, parse_account_event);
    check(input, FrameKind::info, parse_info);
    check(input, FrameKind::error, parse_error);

    auto frame = peek(input);
    if (!frame || frame->fault != FrameFault::none) return 0;
    if (frame->kind == FrameKind::commit) check_repair(input, *frame, parse_commit_event);
    if (frame->kind == FrameKind::sync) check_repair(input, *frame, parse_sync_event);
    if (frame->kind == FrameKind::identity) check_repair(input, *frame, parse_identity_event);
    if (frame->kind == FrameKind::account) check_repair(input, *frame, parse_account_event);
    return 0;
}
