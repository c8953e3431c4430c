#include "relay/ingest/first_looks.hpp"

namespace ringlay::ingest {

bool FirstLooks::is_spent(std::uint32_t host_id, Nanos now) {
    auto found = hosts_.find(host_id);
    if (found == hosts_.end()) return false;
    Host& its = found->second;
    return !its.line.empty() || its.tokens.until_free(now, 1) > Nanos::zero();
}

bool FirstLooks::take(std::uint32_t host_id, Nanos now) {
    if (is_spent(host_id, now)) return false;
    return host(host_id).tokens.take(now);
}

void FirstLooks::wait_in_line(std::uint32_t host_id, std::string_view did, Nanos now) {
    Host& its = host(host_id);
    its.line.emplace_back(did);
    ++in_line_;
    arm(host_id, its, now);
}

void FirstLooks::ended(std::uint32_t host_id, bool was_taken, bool was_in_vain, Nanos now) {
    if (!was_taken && !was_in_vain) return;
    Host& its = host(host_id);
    // What is owed has a bound: whoever owes it is slow enough.
    const bool owes_most = !its.tokens.has(now, 1 - at_once_);
    if (was_taken || !owes_most) {
        its.tokens.charge(now, (was_in_vain ? 1 : 0) - (was_taken ? 1 : 0));
    }
    arm(host_id, its, now);
    if (its.line.empty() && its.tokens.is_full(now)) hosts_.erase(host_id);
}

std::optional<FirstLooks::Turn> FirstLooks::take_due(Nanos now) {
    while (next_due() <= now) {
        const std::uint32_t host_id = dues_.begin()->second;
        Host& its = host(host_id);
        const bool has_one = its.tokens.take(now);
        Turn turn{.host_id = host_id, .did = {}};
        if (has_one) {
            turn.did = std::move(its.line.front());
            its.line.pop_front();
            --in_line_;
        }
        arm(host_id, its, now);
        if (has_one) return turn;
    }
    return std::nullopt;
}

FirstLooks::Host& FirstLooks::host(std::uint32_t host_id) {
    auto found = hosts_.find(host_id);
    if (found != hosts_.end()) return found->second;
    Host fresh{.tokens = {per_second_, at_once_}, .line = {}};
    return hosts_.emplace(host_id, std::move(fresh)).first->second;
}

void FirstLooks::arm(std::uint32_t host_id, Host& host, Nanos now) {
    if (host.due != Nanos::max()) dues_.erase({host.due, host_id});
    host.due = host.line.empty() ? Nanos::max() : now + host.tokens.until_free(now, 1);
    if (host.due != Nanos::max()) dues_.emplace(host.due, host_id);
}

}  // namespace ringlay::ingest
