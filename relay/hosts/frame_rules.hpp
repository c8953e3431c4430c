// What becomes of one message of a host, before anything is known about its account: passed on,
// skipped, or the end of the connection (protocol 1.2, 1.4). Pure: bytes in, outcome out.
//
// outcome_table has one row for each outcome; metrics, documentation and tests iterate over it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/frame.hpp"
#include "relay/ingest/rules.hpp"

namespace ringlay::hosts {

enum class Outcome : std::uint8_t {
    passed,
    repaired,
    unrepairable,
    oversized,
    stale,
    faulty,
    bad_did,
    repeated,
    info,
    unknown,
    error,
    malformed,
    text,
};

struct OutcomeRow {
    Outcome outcome;
    std::string_view name;  // label of relay_host_frames_total
    bool is_passed;
    bool ends_connection;
    std::optional<ingest::Check> fails;
    std::string_view meaning;
};

inline constexpr std::array<OutcomeRow, 13> outcome_table{{
    {Outcome::passed, "passed", true, false, {}, "an event, spliced"},
    {Outcome::repaired, "repaired", true, false, {}, "an event, written anew in canonical form"},
    {Outcome::unrepairable, "unrepairable", false, false, ingest::Check::fields,
     "an event that has no canonical form"},
    {Outcome::oversized, "oversized", false, false, ingest::Check::size,
     "an event too large once it has our seq"},
    {Outcome::stale, "stale", false, false, ingest::Check::seq,
     "seq not above the last one of this host"},
    {Outcome::faulty, "faulty", false, false, ingest::Check::fields,
     "an event without a seq or a DID, or with one of another type"},
    {Outcome::bad_did, "bad_did", false, false, ingest::Check::did, "an event of what is no DID"},
    {Outcome::repeated,
     "repeated",
     false,
     false,
     {},
     "an event that was in the log before a restart"},
    {Outcome::info, "info", false, false, {}, "#info: logged"},
    {Outcome::unknown, "unknown", false, false, {}, "unknown op or type: skipped"},
    {Outcome::error, "error", false, true, {}, "error frame: the host ends the stream"},
    {Outcome::malformed, "malformed", false, true, ingest::Check::fields,
     "not a frame: the stream cannot be trusted"},
    {Outcome::text, "text", false, true, ingest::Check::fields,
     "text message where only binary ones may be"},
}};

constexpr const OutcomeRow& row_of(Outcome outcome) {
    return outcome_table[static_cast<std::size_t>(outcome)];
}

struct Ruling {
    Outcome outcome = Outcome::malformed;
    proto::Peek frame;     // views of the message; meaningful unless malformed
    std::string_view why;  // a literal; set when there is something to say
};

// Whether a message of this size, with a seq of so many bytes, is still one that consumers take
// when it has the longest seq: some of them end the connection at the first byte too many.
bool fits_with_any_seq(std::size_t message_bytes, std::size_t seq_bytes);

// `last_seq`: of this host, passed or skipped before; 0 if none.
Ruling rule(Bytes message, std::uint64_t last_seq);

}  // namespace ringlay::hosts
