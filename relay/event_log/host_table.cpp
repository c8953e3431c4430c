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
    if (is_event(facts.kind)) {
        // One that the relay made itself is no event of the host.
        if (facts.upstream_seq > 0) take_event(host, facts.upstream_seq, host_ack_of(facts));
    } else if (facts.kind == FactsKind::host_name || facts.kind == FactsKind::host_cursor) {
        host.upstream_seq = facts.upstream_seq;
        take_seqs_above(host, facts.field(FactsField::seqs_above));
    }
    return {};
}

// Everything up to `ack` is in the log or was refused, and so is `seq`. Numbers are whole: where
// the ones in the log join the cursor, nothing can lie between, and the cursor moves behind them.
void HostTable::take_event(Host& host, std::uint64_t seq, std::uint64_t ack) {
    std::uint64_t& cursor = host.upstream_seq;
    std::vector<std::uint64_t>& above = host.seqs_above;
    cursor = std::max(cursor, ack);
    if (seq > cursor) {
        auto place = std::ranges::lower_bound(above, seq);
        if (place == above.end() || *place != seq) above.insert(place, seq);
    }
    auto kept = above.begin();
    for (; kept != above.end() && *kept <= cursor + 1; ++kept) cursor = std::max(cursor, *kept);
    above.erase(above.begin(), kept);
    // A forgotten one will be sent and logged again: a repeat, never a loss.
    if (above.size() > max_seqs_above) above.erase(above.begin());
}

void HostTable::take_seqs_above(Host& host, Bytes field) {
    host.seqs_above.clear();
    for (std::size_t at = 0; at < field.size(); at += sizeof(std::uint64_t)) {
        host.seqs_above.push_back(load_le<std::uint64_t>(field, at));
    }
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
    Buffer seqs_above;
    for (const Host& host : hosts_) {
        seqs_above.clear();
        for (std::uint64_t seq : host.seqs_above) append_le(seqs_above, seq);
        Facts facts;
        facts.kind = FactsKind::host_name;
        facts.wire_offset = wire_offset;
        facts.host_id = host.id;
        facts.upstream_seq = host.upstream_seq;
        facts.received = now;
        facts.text = host.name;
        facts.fields[static_cast<std::size_t>(FactsField::seqs_above)] = seqs_above;
        append_facts(out, facts);
    }
    return hosts_.size();
}

}  // namespace ringlay::event_log
