#include "relay/ingest/recently.hpp"

#include "proto/base/assert.hpp"

namespace ringlay::ingest {

void Recently::add(std::string_view did, std::uint32_t number, Nanos now) {
    const Nanos until = now + lifetime_;
    until_.insert_or_assign(Pair{std::string(did), number}, until);
    by_age_.push_back({until, {std::string(did), number}});
    // Twice the bound: what is stale in the queue must not grow, either.
    while (until_.size() > max_pairs_ || by_age_.size() > 2 * max_pairs_ ||
           by_age_.front().until <= now) {
        forget_oldest();
    }
}

bool Recently::contains(std::string_view did, std::uint32_t number, Nanos now) const {
    auto found = until_.find(PairView{did, number});
    return found != until_.end() && found->second > now;
}

void Recently::forget(std::string_view did) {
    auto at = until_.lower_bound(PairView{did, 0});
    while (at != until_.end() && at->first.did == did) at = until_.erase(at);
}

void Recently::forget_oldest() {
    RINGLAY_ASSERT(!by_age_.empty());
    const Aging& oldest = by_age_.front();
    auto found = until_.find(oldest.pair);
    if (found != until_.end() && found->second == oldest.until) until_.erase(found);
    by_age_.pop_front();
}

}  // namespace ringlay::ingest
