// The checks 1-15 of every event, in their order (protocol 4.2), as one table: number, name,
// counter, function. Metrics, docs/verdicts.md and the tests go through the same rows.
//
// Pure: an event, what is known of its account, the time; out comes a ruling. Nothing is changed.
// A ruling says either that every check has passed and what the facts are, or which check has not,
// and whether that is proved (drop) or has to be found out first (park).
//
// Checks 1 and 3 are made by the host room when a frame arrives (they need the socket); their rows
// are here for their numbers and counters, and they are asserted here. So is the framing part of 2.
//
// Thread   a shard's worker. About 37 us for a commit, 33 of them the signature (k256); 1 us where
//          the archive is not reached (bench/rules_bench.cpp).
// Stack    6 KB below check 15.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "crypto/public_key.hpp"
#include "crypto/sha256.hpp"
#include "proto/account_status.hpp"
#include "proto/cid.hpp"
#include "proto/commit.hpp"
#include "proto/event.hpp"
#include "relay/ingest/event.hpp"

namespace ringlay::ingest {

enum class Check : std::uint8_t {
    size = 1,        // message within 5 MB
    fields = 2,      // frame decodes; required fields and their types
    seq = 3,         // rises on the connection
    did = 4,         // syntax and a method that is resolved (plc, web)
    limits = 5,      // blocks non-empty and within limits, ops within limits
    identity = 6,    // the DID has a signing key and a PDS
    authority = 7,   // the host is that PDS
    active = 8,      // the account is active, here and at its host
    rev = 9,         // a TID above the account's rev (#sync: not below)
    future = 10,     // rev not later than now + 5 min
    car = 11,        // well-formed, every block hashes to its CID, a root that is there
    root = 12,       // the root is the event's `commit`
    commit = 13,     // commit block: strict, version 3
    match = 14,      // its did and rev are the event's
    signature = 15,  // low-S, by the account's key
};
inline constexpr std::size_t check_count = 15;

constexpr std::size_t index_of(Check check) {
    return static_cast<std::size_t>(check) - 1;
}

// Whether an event that fails it says something about its host: not so what is merely repeated,
// late or early, or of an account that is inactive.
constexpr bool is_of_bad_faith(Check check) {
    switch (check) {
        case Check::seq:
        case Check::active:
        case Check::rev:
        case Check::future:
            return false;
        default:
            return true;
    }
}

// What is known when the rules run. Views; nothing here outlives the call.
struct Knowledge {
    // Of the DID's identity. `is_definite_none`: looked up, and there is none that works.
    bool has_identity = false;  // key and PDS are known; without both it counts as not known
    bool is_definite_none = false;
    std::optional<crypto::PublicKey> key;
    std::string_view pds_host;

    // Of the account. Without a row: rev 0, active, host_id 0.
    std::uint64_t rev = 0;
    proto::Cid data;
    std::uint32_t host_id = 0;
    proto::AccountStanding local;
    proto::AccountStanding upstream;

    WallMillis now{};
    bool ignores_future = false;  // our own clock is behind: check 10 passes
    // The key could not be found out in time and policy lets the event pass without checks that
    // need the identity (6, 7 and 15). Of no effect where an identity is known, or known to be
    // none: what is wrong by what is known is never passed (design I11).
    bool skips_identity = false;
};

enum class Disposition : std::uint8_t {
    pass,
    drop,     // proved wrong, or of no use
    unknown,  // check 6: no identity is known; check 7, 15: wrong by what is known now; check 8:
              // inactive by what is known now. The shard finds out more, or gives up.
};

// Of a commit or sync whose block was read (set from check 14 on, passed or not).
struct RepoProof {
    std::uint64_t rev = 0;
    std::string_view rev_text;  // view of the payload
    proto::Cid data;
    proto::Cid commit;
    crypto::Digest unsigned_digest{};  // what `signature` signs
    std::array<std::uint8_t, 64> signature{};
    bool is_verified = false;
};

struct Ruling {
    Disposition disposition = Disposition::pass;
    Check check = Check::size;  // that did not pass; meaningless for pass
    std::string_view why;       // a literal, for logs

    using Proof = RepoProof;
    std::optional<Proof> proof;
    // Of an #account event.
    std::optional<proto::AccountStanding> standing;
    // How far the rev is ahead of our clock; of a commit or sync that has come to check 10.
    std::optional<std::chrono::microseconds> ahead;  // any rev fits, as it would not in ns
};

struct Case;  // one event under examination: rules.cpp

using CheckFunction = void (*)(Case&);

struct CheckRow {
    Check check;
    std::string_view name;     // label of relay_checks_failed_total{check="..."}
    std::string_view meaning;  // one line, for docs
    bool is_of_host_room;      // made when the frame arrives
    CheckFunction function;
};

// In order: row i is check i + 1.
std::span<const CheckRow, check_count> check_table();

// Runs the rows in order until one does not pass, or `last` has. An event has passed when all have:
// fewer are for measuring.
Ruling examine(const Event& event, const Knowledge& known, Check last = Check::signature);

}  // namespace ringlay::ingest
