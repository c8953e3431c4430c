#include "relay/event_log/host_table.hpp"

#include <algorithm>

namespace ringlay::event_log {

Result<void> HostTable::apply(const Facts& facts) {
    if (facts.kind == FactsKind::host_name) {
        if (facts.host_id > max_hosts || facts.host_id > next_id()) {
            return fail(Errc::corrupt, "hosts: id out of line");
        }
        auto known = find(facts.text);
        if (known ? *known != facts.host_id : facts.host_id != next_id()) {
            return fail(Errc::corrupt, "hosts: two names or two ids");
        }
        if (!known) {
            hosts_.push_back({facts.host_id, std::string(facts.text), 0});
            id_by_name_.emplace(facts.text, facts.host_id);
        }
    }
    if (facts.host_id == 0 || facts.host_id >= next_id()) {
        return fail(Errc::corrupt, "hosts: id without a name");
    }
    Host& host = hosts_[facts.host_id - 1];
    host.upstream_seq =
        is_event(facts.kind) ? std::max(host.upstream_seq, facts.upstream_seq) : facts.upstream_seq;
    return {};
}

std::optional<std::uint32_t> HostTable::find(std::string_view name) const {
    auto found = id_by_name_.find(name);
    if (found == id_by_name_.end()) return std::nullopt;
    return found->second;
}

const Host* HostTable::find(std::uint32_t id) const {
    return id == 0 || id >= next_id() ? nullptr : &hosts_[id - 1];
}

std::size_t HostTable::append_snapshot(Buffer& out, WallMillis now,
                                       std::uint32_t wire_offset) const {
    for (const Host& host : hosts_) {
        Facts facts;
        facts.kind = FactsKind::host_name;
        facts.wire_offset = wire_offset;
        facts.host_id = host.id;
        facts.upstream_seq = host.upstream_seq;
        facts.received = now;
        facts.text = host.name;
        append_facts(out, facts);
    }
    return hosts_.size();
}

}  // namespace ringlay::event_log
