// The hosts that the log has given a number, and how far into each host's stream the log has come.
// A fold over the facts: the same records in the same order give the same table, at start and live.
//
// Owner    Log; recovery builds it.
// Thread   log worker.
// Bound    one entry for each host ever registered: name and 56 bytes.
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
    // these will be sent again, and must be passed over. Rising; at most a host window's events.
    std::vector<std::uint64_t> seqs_above;

    bool operator==(const Host&) const = default;
};

class HostTable {
  public:
    static constexpr std::uint32_t max_hosts = 1 << 20;

    // An event raises its host's cursor; host_name and host_cursor set it. Errors: corrupt (a
    // cursor of a host without a name, a name under two ids, an id out of line).
    Result<void> apply(const Facts& facts);

    std::optional<std::uint32_t> find(std::string_view name) const;
    const Host* find(std::uint32_t id) const;
    std::uint32_t next_id() const { return static_cast<std::uint32_t>(hosts_.size()) + 1; }
    const std::vector<Host>& all() const { return hosts_; }  // by id

    // The records from which an empty table becomes this one; they begin every segment, so that no
    // host is forgotten when old segments go. Returns their number.
    std::size_t append_snapshot(Buffer& out, WallMillis now, std::uint32_t wire_offset) const;

  private:
    std::vector<Host> hosts_;  // hosts_[i].id == i + 1
    std::map<std::string, std::uint32_t, std::less<>> id_by_name_;
};

}  // namespace ringlay::event_log
