// One message of the event stream: a header and a payload, both CBOR maps (protocol 1.2).
//
// A relay passes an event on with another seq and everything else as it came. For that it does not
// decode the event: peek() walks once over the message, finds what routing and replay need, and
// where the bytes of the seq are; splice_into() copies the message with these bytes exchanged. What
// is not canonical, or lacks a field that is required, goes the slow road of repair() instead, so
// that everything we send is canonical.
//
//     auto frame = peek(message);
//     if (!frame) drop the connection: the stream is malformed;
//     if (frame->kind == FrameKind::unknown) skip it;
//     if (frame->fault != FrameFault::none) refuse this event;
//     if (frame->needs_repair) { auto whole = repair(message, *frame, seq); ... }
//     else { out.resize(splice_size_bytes(message, *frame, seq)); splice_into(out, ...); }
//
// Owner    Peek holds views of the message.
// Bound    messages of max_message_bytes; peek() and splicing allocate nothing, repair() allocates
//          in proportion to the message.
// Errors   malformed, too_large.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::proto {

enum class FrameKind : std::uint8_t { commit, sync, identity, account, info, error, unknown };

// "commit", "sync" ...: for logs and metrics.
std::string_view frame_kind_name(FrameKind kind);

// Kinds with an account and a seq, which a relay numbers and passes on.
inline bool is_event(FrameKind kind) {
    return kind <= FrameKind::account;
}

// The header and payload of a frame of this kind as they must be sent; empty for unknown.
Bytes canonical_header(FrameKind kind);

// Why a frame that is well-formed is not an event, although its type says so: it is refused alone,
// the stream goes on (protocol 4.2, checks 2 and 4).
enum class FrameFault : std::uint8_t { none, fields, did };

struct Peek {
    FrameKind kind = FrameKind::unknown;
    std::uint32_t header_bytes = 0;
    std::uint32_t payload_bytes = 0;

    // Where the integer after the key "seq" lies in the message. Every event has one; of the other
    // kinds only some unknown ones do.
    bool has_seq = false;   // of an event: always, unless `fault` is set
    std::uint64_t seq = 0;  // 1 ... 2^53 - 1
    std::uint32_t seq_offset = 0;
    std::uint32_t seq_bytes = 0;

    FrameFault fault = FrameFault::none;
    std::string_view fault_what;  // a literal

    std::string_view did;      // of an event: DID syntax, unless `fault` is set
    std::string_view name;     // #info: `name`; error: `error`
    std::string_view message;  // #info and error, optional

    bool header_canonical = false;    // byte for byte canonical_header(kind)
    bool envelope_canonical = false;  // and the payload canonical throughout, nothing after it
    bool has_trailing = false;        // bytes after the payload
    bool needs_repair = false;        // events: not canonical, or a required field is missing
};

Result<Peek> peek(Bytes message);

inline Bytes payload_of(Bytes message, const Peek& frame) {
    return message.subspan(frame.header_bytes, frame.payload_bytes);
}

// No road makes a message longer than this beyond what it was.
inline constexpr std::size_t max_growth_bytes = 32;

// Only for events without a fault that need no repair. `out` has exactly splice_size_bytes().
std::size_t splice_size_bytes(Bytes message, const Peek& frame, std::uint64_t new_seq);
void splice_into(std::span<std::uint8_t> out, Bytes message, const Peek& frame,
                 std::uint64_t new_seq);

// For an event without a fault: the canonical frame of the same meaning, with the new seq. Unknown
// payload fields stay; unknown header fields, bytes behind the payload and optional fields that are
// null go. What old software leaves out of a commit is added: `rebase`, `tooBig`, `blobs`.
Result<Buffer> repair(Bytes message, const Peek& frame, std::uint64_t new_seq);

}  // namespace ringlay::proto
