// The hosts that the log has given a number, and how far into each host's stream the log has come.
// A fold over the facts: the same records in the same order give the same table, at start and live.
//
// Events of one host may reach the log in another order than the host's. Each says up to where
// everything of its host was finished (in the log, or dropped) before it was pushed: there is the
// cursor, and what the log has above it is kept by number. So a restart that asks the host from the
// cursor on and passes over those numbers loses nothing and repeats nothing, wherever the log was
// cut: what was finished before a record was pushed stands before that record.
//
// Owner    Log; recovery builds it.
// Thread   log worker.
// Bound    one entry for each host ever registered: name and 80 bytes; max_seqs_above numbers each.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/event_log/facts.hpp"

namespace ringlay::event_log {

struct Host {
    std::uint32_t id = 0;  // 1, 2, 3 ...
    std::string name;
    // Its cursor: every event of it up to here is in the log or was refused; 0: none.
    std::uint64_t upstream_seq = 0;
    // Of its events in the log above the cursor (others between them were still on their way):
    // these will be sent again, and must be passed over. Rising; none joins the cursor; at most a
    // host window's events.
    std::vector<std::uint64_t> seqs_above = {};

    bool operator==(const Host&) const = default;
};

class HostTable {
  public:
    static constexpr std::uint32_t max_hosts = 1 << 20;
    static constexpr std::size_t max_seqs_above = 1024;

    // An event of a host raises its cursor; host_name and host_cursor set it, with the numbers
    // above it: host_cursor has none. (So host_cursor may be pushed only when nothing of its host
    // is on its way: the host counts anew behind it.) Errors: corrupt (a fact of a host without a
    // name, a name under two ids, an id out of line).
    Result<void> apply(const Facts& facts);

    std::optional<std::uint32_t> find(std::string_view name) const;
    const Host* find(std::uint32_t id) const;
    std::uint32_t next_id() const { return static_cast<std::uint32_t>(hosts_.size()) + 1; }
    const std::vector<Host>& all() const { return hosts_; }  // by id

    // The records from which an empty table becomes this one; they begin every segment, so that no
    // host is forgotten when old segments go. Returns their number.
    std::size_t append_snapshot(Buffer& out, WallMillis now, std::uint32_t wire_offset) const;

  private:
    static void take_event(Host& host, std::uint64_t seq, std::uint64_t ack);
    static void take_seqs_above(Host& host, Bytes field);

    std::vector<Host> hosts_;  // hosts_[i].id == i + 1
    std::map<std::string, std::uint32_t, std::less<>> id_by_name_;
};

}  // namespace ringlay::event_log
