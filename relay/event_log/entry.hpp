// One thing to be put into the log: an event with its frame, or a fact without one.
//
// Owner    the sender, all the time; between Sequencer::push() and is_done the log worker uses it
//          and the sender leaves it, and the bytes that it points to, alone. is_done always comes.
// Thread   is_done may be loaded from any worker (acquire or stronger); the rest after that.
// Bound    senders own their entries: how many they make is their bound (a host's window).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "relay/event_log/bell.hpp"
#include "relay/event_log/facts.hpp"
#include "relay/fiber/mailbox.hpp"

namespace ringlay::event_log {

// How far the entries of one sender have come, for a sender that does not look at each.
// Written by the log worker when they are in the log, before their is_done; read by anyone: first
// count (acquire), then seq, which is then at least that of entry number `count`. What never got
// into the log (is_logged false) is not counted.
struct Receipt {
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::uint64_t> seq{0};  // of the log when the newest of them was in it
};

struct Entry : fiber::MailboxNode {
    // The message as it goes out (frame header and payload), but for the seq: the CBOR integer at
    // [seq_offset, seq_offset + seq_length) is replaced by ours. Empty for facts without a frame.
    Bytes message;
    std::uint32_t seq_offset = 0;
    std::uint32_t seq_length = 0;

    FactsKind kind = FactsKind::commit;
    std::uint16_t verdicts = 0;  // Verdict bits
    std::uint32_t host_id = 0;   // for host_name: set by the sequencer
    std::uint64_t upstream_seq = 0;
    // Of an event of a host: every event of it up to here was finished before this one was pushed.
    // At most upstream_seq - 1, which it is when nothing else of the host is on its way; without
    // an upstream seq (the relay's own events) it means nothing. The host's cursor after a restart
    // is made of these (host_table.hpp).
    std::uint64_t host_ack = 0;
    WallMillis received{};
    std::string_view text;  // the DID; for host_name the host's name

    std::array<Bytes, facts_field_count> fields{};  // of the facts; ack_lag is set by the log
    Receipt* receipt = nullptr;                     // may be shared by entries; outlives them
    Bell* done_bell = nullptr;                      // may be shared by entries; outlives them

    // Set by the log worker, before is_done.
    std::uint64_t seq = 0;   // 0: has no frame
    bool is_logged = false;  // false: the log was ended while it could take nothing
    std::atomic<bool> is_done{false};
};

}  // namespace ringlay::event_log
