#include "relay/ingest/parking.hpp"

#include "proto/base/assert.hpp"

namespace ringlay::ingest {

Parked& Parking::open(std::string_view did) {
    auto [place, is_new] = parked_.emplace(did, Parked());
    RINGLAY_ASSERT(is_new);
    place->second.did = did;
    return place->second;
}

void Parking::close(Parked& parked) {
    RINGLAY_ASSERT(parked.first == nullptr);
    parked_.erase(parked_.find(parked.did));
}

void Parking::append(Parked& parked, Event& event, Nanos now) {
    event.parked_at = now;
    event.parked_next = nullptr;
    (parked.first == nullptr ? parked.first : parked.last->parked_next) = &event;
    parked.last = &event;
    ++events_;
}

Event& Parking::take_first(Parked& parked) {
    RINGLAY_ASSERT(parked.first != nullptr);
    Event& event = *parked.first;
    parked.first = std::exchange(event.parked_next, nullptr);
    --events_;
    return event;
}

void Parking::put_back(Parked& parked, Event& event) {
    event.parked_next = std::exchange(parked.first, &event);
    if (event.parked_next == nullptr) parked.last = &event;
    ++events_;
}

Event* Parking::take_any() {
    while (!parked_.empty()) {
        Parked& parked = parked_.begin()->second;
        if (parked.first != nullptr) return &take_first(parked);
        parked_.erase(parked_.begin());
    }
    return nullptr;
}

}  // namespace ringlay::ingest
