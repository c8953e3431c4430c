#include "relay/ingest/late_events.hpp"

#include "proto/base/assert.hpp"

namespace ringlay::ingest {

using event_log::FactsKind;

LateEvents::Added LateEvents::add(std::string_view did, const LateEvent& event) {
    Added added;
    auto found = by_account_.find(did);
    if (found == by_account_.end()) {
        found = by_account_.emplace(did, OfAccount()).first;
        added.is_first = true;
    }
    OfAccount& its = found->second;
    by_age_.push_back({&found->first, event});
    its.events.push_back(std::prev(by_age_.end()));

    if (its.events.size() > max_per_account) {
        by_age_.erase(its.events.front());
        its.events.pop_front();
        added.has_forgotten = true;
    } else if (by_age_.size() > max_events_) {
        auto oldest = by_account_.find(*by_age_.front().did);
        RINGLAY_ASSERT(oldest != by_account_.end());
        oldest->second.events.pop_front();
        by_age_.pop_front();
        added.has_forgotten = true;
        if (oldest->second.events.empty()) {
            added.emptied = oldest->first;
            by_account_.erase(oldest);
        }
    }
    return added;
}

bool LateEvents::is_known(std::string_view did, std::uint32_t host_id, FactsKind kind,
                          std::uint64_t rev) const {
    auto found = by_account_.find(did);
    if (found == by_account_.end()) return false;
    for (const auto& at : found->second.events) {
        const LateEvent& event = at->event;
        if (event.host_id != host_id || event.kind == FactsKind::account) continue;
        if (rev < event.rev) return true;
        if (rev == event.rev && (kind == FactsKind::commit || event.kind == kind)) return true;
    }
    return false;
}

LateEvents::Search* LateEvents::search(std::string_view did) {
    auto found = by_account_.find(did);
    return found == by_account_.end() ? nullptr : &found->second.search;
}

std::vector<LateEvent> LateEvents::take(std::string_view did) {
    std::vector<LateEvent> events;
    auto found = by_account_.find(did);
    if (found == by_account_.end()) return events;
    for (const auto& at : found->second.events) {
        events.push_back(at->event);
        by_age_.erase(at);
    }
    by_account_.erase(found);
    return events;
}

}  // namespace ringlay::ingest
