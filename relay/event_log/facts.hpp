// The facts record: what the relay knows about one event beyond its bytes, or a fact that is no
// event. The facts of a segment are its index by seq and time, the checksum of its frames, the
// detector of torn tails, and the source of the host cursors (docs/event-log.md, "Facts record").
//
// A record carries its own length and checksum, and the checksum of its frame on the wire. Optional
// fields are announced by presence bits; an unknown bit, kind, verdict or version is refused as
// unsupported, since a reader that skipped it would believe half of what was written.
//
// Thread   pure.
// Bound    max_facts_bytes a record; 58 bytes and the DID without optional fields.
// Errors   malformed (incomplete: more bytes are needed, or none will come), corrupt, unsupported.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::event_log {

inline constexpr std::uint64_t seq_limit = std::uint64_t{1} << 53;  // protocol 1.4

enum class FactsKind : std::uint8_t {
    // events: have a frame and a seq
    commit = 1,
    sync = 2,
    identity = 3,
    account = 4,
    // facts without a frame
    host_name = 64,    // host_id is `text`, and its cursor is upstream_seq
    host_cursor = 65,  // the cursor of host_id is upstream_seq, whatever it was before
    // of the account `text`
    late_verification = 66,  // an event that was passed unverified is right: rev, data, commit
    account_standing = 67,   // decided here, or learned by asking: the account's standings
};

constexpr bool is_event(FactsKind kind) {
    return static_cast<std::uint8_t>(kind) < 64;
}

enum Verdict : std::uint16_t {
    verdict_unverified = 1,  // passed without a check of its signature
};
inline constexpr std::uint16_t known_verdicts = verdict_unverified;

// Optional fields, in the order of their presence bits and of their bytes.
enum class FactsField : std::uint8_t {
    rev,         // 13 characters
    data_cid,    // 36 bytes
    commit_cid,  // 36 bytes
    statuses,    // local and upstream standing, a byte each (proto::AccountStanding)
    index_delta,
    ack_lag,     // u64: upstream_seq - 1 - host_ack of the event; absent: 0 (docs/event-log.md)
    seqs_above,  // u64s, rising: of host_name, the host's events in the log above its cursor
};
inline constexpr std::size_t facts_field_count = 7;

// A place in the facts: the segment (by its base) and the offset in its facts file, the header
// counted.
struct FactsPoint {
    std::uint64_t segment_base = 0;
    std::uint64_t offset = 0;

    auto operator<=>(const FactsPoint&) const = default;
};

struct Facts {
    FactsKind kind = FactsKind::commit;
    std::uint16_t verdicts = 0;
    std::uint32_t wire_offset = 0;  // of the frame in the segment; without a frame: where one
                                    // written now would begin
    std::uint32_t wire_length = 0;  // 0: no frame
    std::uint32_t wire_crc = 0;
    std::uint32_t host_id = 0;
    std::uint64_t seq = 0;           // 0: no frame
    std::uint64_t upstream_seq = 0;  // of an event: 0 if this relay made it
    WallMillis received{};
    std::string_view text;                          // a DID, or the name of a host
    std::array<Bytes, facts_field_count> fields{};  // empty: absent

    Bytes field(FactsField which) const { return fields[static_cast<std::size_t>(which)]; }
};

inline constexpr std::size_t min_facts_bytes = 58;
inline constexpr std::size_t max_facts_bytes = 1 << 20;

void append_facts(Buffer& out, const Facts& facts);

// The record at the start of `bytes`, which may go on behind it. Text and fields point into it.
struct DecodedFacts {
    Facts facts;
    std::size_t size_bytes;
};
Result<DecodedFacts> decode_facts(Bytes bytes);

// Of an event of a host: everything of the host up to here was finished before it was pushed.
std::uint64_t host_ack_of(const Facts& facts);

}  // namespace ringlay::event_log
