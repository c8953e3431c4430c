// One event of a host on its way through a shard into the log, with everything that the facts will
// say of it.
//
// Owner    a slot of hosts::HostWindow; between Shard::push() and is_done the shard and then the
//          log use it and the host leaves it alone. is_done always comes; is_logged says whether it
//          is in the log. A shard's own events (status repair) belong to the shard.
// Thread   one at a time: the host's worker, the shard's, the log's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "proto/base/bytes.hpp"
#include "proto/cid.hpp"
#include "proto/frame.hpp"
#include "relay/event_log/entry.hpp"

namespace ringlay::ingest {

// What shards count of a host; by several of them, relaxed. Nothing here decides about an event.
struct HostCounts {
    std::atomic<std::uint64_t> passed{0};
    std::atomic<std::uint64_t> forged{0};        // dropped for what no honest host sends
    std::atomic<std::uint64_t> refused{0};       // dropped for anything else
    std::atomic<std::uint64_t> limited{0};       // #identity, #account above its rate
    std::atomic<std::uint64_t> unverified{0};    // could not be checked, whatever became of it
    std::atomic<std::uint64_t> new_accounts{0};  // first met, or moved here
    // The same, and those that were met in an event that could not be checked: what it is charged.
    std::atomic<std::uint64_t> charged_accounts{0};
    // Of the commits that passed the one with the newest rev: its unix time, and how much later
    // than that it came; less than nothing: its host's clock is ahead. 0: none, or revs are no
    // times.
    std::atomic<std::uint64_t> newest_rev_ms{0};
    std::atomic<std::int64_t> newest_came_after_ms{0};
};

// Outlives the events that point to it.
struct HostRef {
    std::uint32_t id = 0;  // the log's number
    std::string name;      // as proto::host_of_endpoint() writes it
    bool is_tls = false;   // how it is reached
    // A stranger announced it: it is never to be found in a private network. Its worker may change
    // that at any time.
    mutable std::atomic<bool> is_strangers{false};
    mutable HostCounts counts{};
};

struct Event : event_log::Entry {
    // From the host room: Entry's message, seq place, kind, host_id, upstream_seq, host_ack,
    // received, text (the DID), done_bell; and these. `message` needs no repair any more.
    const HostRef* host = nullptr;
    std::uint32_t header_bytes = 0;
    std::uint32_t payload_bytes = 0;

    Bytes payload() const { return message.subspan(header_bytes, payload_bytes); }

    // Memory for what the shard makes: Entry::fields and a rewritten message point here.
    std::array<char, 13> rev_text{};
    proto::Cid data;
    proto::Cid commit;
    std::array<std::uint8_t, 2> standings{};
    Buffer rewritten;

    // Of the shard's parking place; nobody else looks.
    Event* parked_next = nullptr;
    Nanos parked_at{};
};

// The host gets its slot back, and the event is not in the log.
inline void drop(Event& event) {
    event.is_logged = false;
    event_log::Bell* bell = event.done_bell;
    event.is_done.store(true);  // from here on it is the host's
    if (bell != nullptr) bell->notify();
}

}  // namespace ringlay::ingest
