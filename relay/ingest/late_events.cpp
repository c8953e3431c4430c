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
    its.events.push_back(put(found, event));

    if (its.events.size() > max_per_account) {
        const auto at = its.events.begin() + static_cast<std::ptrdiff_t>(least_needed(its));
        remove(*at);
        its.events.erase(at);
        added.has_forgotten = true;
    } else if (size_ > max_events_) {
        const Place oldest = by_host_.at(by_size_.rbegin()->second).begin();
        auto account = by_account_.find(*oldest->did);
        RINGLAY_ASSERT(account != by_account_.end());
        std::erase(account->second.events, oldest);
        remove(oldest);
        added.has_forgotten = true;
        if (account->second.events.empty()) {
            added.emptied = account->first;
            by_account_.erase(account);
        }
    }
    return added;
}

LateEvents::Place LateEvents::put(ByAccount::iterator account, const LateEvent& event) {
    std::list<Aging>& its = by_host_[event.host_id];
    its.push_back({&account->first, event});
    by_size_.erase({its.size() - 1, event.host_id});
    by_size_.emplace(its.size(), event.host_id);
    ++size_;
    return std::prev(its.end());
}

void LateEvents::remove(Place place) {
    const std::uint32_t host_id = place->event.host_id;
    auto found = by_host_.find(host_id);
    std::list<Aging>& its = found->second;
    its.erase(place);
    by_size_.erase({its.size() + 1, host_id});
    --size_;
    if (its.empty()) {
        by_host_.erase(found);
    } else {
        by_size_.emplace(its.size(), host_id);
    }
}

std::size_t LateEvents::least_needed(const OfAccount& account) {
    std::map<std::uint32_t, std::size_t> counts;
    std::uint32_t most = account.events.front()->event.host_id;
    for (const Place& place : account.events) {
        const std::uint32_t host_id = place->event.host_id;
        if (++counts[host_id] > counts[most]) most = host_id;
    }
    std::size_t at = 0;
    while (account.events[at]->event.host_id != most) ++at;
    return at;
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
        remove(at);
    }
    by_account_.erase(found);
    return events;
}

}  // namespace ringlay::ingest
