// What is done for an account whose first event cannot be ruled on yet.

#include <algorithm>
#include <array>
#include <set>

#include "relay/ingest/shard_core.hpp"

namespace ringlay::ingest {
namespace {

constexpr Nanos just_fetched = std::chrono::seconds(1);

// After look-ups that gave no answer, for an event that is held.
Nanos pause_after(std::uint32_t failures) {
    constexpr std::array<Nanos, 3> pauses{std::chrono::seconds(5), std::chrono::seconds(15),
                                          std::chrono::seconds(30)};
    return pauses[std::min<std::size_t>(std::max(failures, 1u), pauses.size()) - 1];
}

}  // namespace

void Shard::Core::begin_wait(Parked& parked, ParkReason reason) {
    RINGLAY_ASSERT(!parked.is_waiting && parked.first != nullptr);
    const bool is_new = !parked.progress.has_waited_for(reason);
    parked.progress.waited_for(reason);
    parked.reason = reason;
    parked.is_waiting = true;
    parked.alarm = Nanos::max();
    switch (reason) {
        case ParkReason::load:
            if (is_new) context.metrics.parked_load.add(me);
            return loader.load(parked.did);
        case ParkReason::key:
            if (is_new) context.metrics.parked_key.add(me);
            return wait_for_key(parked);
        case ParkReason::refresh:
            if (is_new) context.metrics.parked_refresh.add(me);
            return wait_for_refresh(parked);
        case ParkReason::host:
            if (is_new) context.metrics.parked_host.add(me);
            return wait_for_host(parked);
        case ParkReason::pace:
            if (is_new) context.metrics.parked_pace.add(me);
            return wait_for_pace(parked);
    }
}

void Shard::Core::wake(Parked& parked) {
    RINGLAY_ASSERT(parked.is_waiting);
    parked.is_waiting = false;
    parked.alarm = Nanos::max();
    ready.push_back(parked.did);
    has_ready.set();
}

void Shard::Core::on_loaded(std::string_view did, const Account& account) {
    Parked* parked = parking.find(did);
    RINGLAY_ASSERT(parked != nullptr && parked->is_waiting && parked->reason == ParkReason::load);
    table.store(did, account);
    pin(*parked);
    wake(*parked);
}

void Shard::Core::wait_for_key(Parked& parked) {
    pin(parked);
    Progress& progress = parked.progress;
    const Nanos last = last_moment(*parked.first);
    if (parked.look == 0 && progress.failures == 0) {
        const Event* cause = parked.first;
        const bool needs_turn = !progress.has_turn;
        if (needs_turn) cause = take_first_look(parked);
        if (cause == nullptr) return;
        look_up(parked, *cause, needs_turn);
    }
    progress.has_turn = true;  // also if one that went before has had it
    if (!progress.is_overdue) {
        set_alarm(parked, std::min(now() + options.key_wait, last));
    } else if (parked.look == 0) {
        set_alarm(parked, std::min(now() + pause_after(progress.failures), last));
    } else {
        set_alarm(parked, last);
    }
}

// The first look at once, unless the identity has just been fetched or the host has caused too many
// of them; the second one later, since directories have replicas that lag (protocol 9.30, 9.37).
void Shard::Core::wait_for_refresh(Parked& parked) {
    pin(parked);
    Progress& progress = parked.progress;
    const Event& event = *parked.first;
    const Nanos last = last_moment(event);
    if (parked.look != 0) return set_alarm(parked, last);
    if (progress.failures > 0) {
        return set_alarm(parked, std::min(now() + pause_after(progress.failures), last));
    }
    if (progress.looks == 0) {
        std::optional<Account> account = table.find(event.text);
        const bool is_fresh = account && age_of(*account) <= just_fetched;
        if (!is_fresh && resolver.take_refresh(event.host_id)) {
            context.metrics.key_refreshes.add(me);
            look_up(parked, event);
            return set_alarm(parked, last);
        }
        progress.looks = 1;
        progress.found_out = is_fresh;
    }
    set_alarm(parked, std::min(now() + options.second_look_after, last));
}

void Shard::Core::wait_for_host(Parked& parked) {
    pin(parked);
    const Event& event = *parked.first;
    context.metrics.status_asked.add(me);
    asker.ask(parked.did, *event.host, [this, did = parked.did](HostAnswer answer) {
        if (is_stopping) return;
        Parked* its = parking.find(did);
        RINGLAY_ASSERT(its != nullptr && its->is_waiting && its->reason == ParkReason::host);
        if (answer == HostAnswer::active) repair(*its->first);
        wake(*its);
    });
}

void Shard::Core::wait_for_pace(Parked& parked) {
    pin(parked);
    set_alarm(parked, account_pace.next(parked.did));
}

// ----- look-ups for a parked event ------------------------------------------------------------

// Whichever of its hosts has one left takes one, and has to answer for it. If none has, it joins
// the lines of all: nothing ends the wait there but a turn, there is no alarm.
const Event* Shard::Core::take_first_look(Parked& parked) {
    std::set<std::uint32_t> asked;
    for (const Event* event = parked.first; event != nullptr; event = event->parked_next) {
        const bool is_first = asked.insert(event->host_id).second;
        if (is_first && first_looks.take(event->host_id, now())) return event;
    }
    for (std::uint32_t host_id : asked) join_line(parked, host_id);
    return nullptr;
}

void Shard::Core::join_line(Parked& parked, std::uint32_t host_id) {
    first_looks.wait_in_line(host_id, parked.did, now());
    parked.is_in_line = true;
    context.metrics.turns.add(1);
    set_turn_alarm();
}

// Its events begin to wait now.
void Shard::Core::begin_turn(Parked& parked, const Event& cause) {
    RINGLAY_ASSERT(parked.is_waiting && parked.reason == ParkReason::key && parked.look == 0);
    parked.is_in_line = false;
    parked.progress.has_turn = true;
    for (Event* event = parked.first; event != nullptr; event = event->parked_next) {
        event->parked_at = now();
    }
    look_up(parked, cause, true);
    wait_for_key(parked);
}

void Shard::Core::take_turns() {
    turn_alarm = Nanos::max();
    while (auto turn = first_looks.take_due(now())) {
        context.metrics.turns.add(-1);
        Parked* parked = parking.find(turn->did);
        const Event* cause = parked != nullptr && parked->is_in_line
                                 ? first_of_host(*parked, turn->host_id)
                                 : nullptr;
        if (cause != nullptr) {
            begin_turn(*parked, *cause);
        } else {
            first_looks.ended(turn->host_id, true, false, now());  // another host has had it begun
        }
    }
    set_turn_alarm();
}

void Shard::Core::set_turn_alarm() {
    if (first_looks.next_due() >= turn_alarm) return;
    turn_alarm = first_looks.next_due();
    set_alarm(turn_alarm, Alarm::Kind::turn, {});
}

void Shard::Core::look_up(Parked& parked, const Event& cause, bool has_taken) {
    RINGLAY_ASSERT(parked.look == 0);
    parked.look = next_look++;
    const Cause its_cause{cause.host_id, hosts.number_of_pds(cause.host->name), has_taken};
    resolver.look_up(
        parked.did, cause.host_id,
        [this, did = parked.did, look = parked.look, its_cause](const identity::LookUp& found) {
            if (is_stopping) return;
            count_look(did, its_cause, found);
            on_looked_up(did, look, found);
        });
}

// In vain: the DID is not its host's. That it could not be found out is nobody's fault, and a host
// may speak of a DID of its own that is gone.
void Shard::Core::count_look(std::string_view did, const Cause& cause,
                             const identity::LookUp& found) {
    const bool is_bound =
        found.kind == identity::LookUp::Kind::found && found.identity.is_working();
    const bool is_its_own =
        is_bound && hosts.number_of_pds(found.identity.pds_host) == cause.host_name;
    std::optional<Account> account = table.find(did);
    const bool was_its_own = !is_bound && account && account->host_id == cause.host_id;
    const bool is_in_vain =
        found.kind != identity::LookUp::Kind::unavailable && !is_its_own && !was_its_own;
    if (is_in_vain) context.metrics.looks_in_vain.add(me);
    first_looks.ended(cause.host_id, cause.has_taken, is_in_vain, now());
    set_turn_alarm();
}

void Shard::Core::on_looked_up(std::string_view did, std::uint64_t look,
                               const identity::LookUp& found) {
    learned(did, found);
    Parked* parked = parking.find(did);
    if (parked == nullptr || parked->look != look) return;
    parked->look = 0;
    const bool waits_for_it = parked->is_waiting && (parked->reason == ParkReason::key ||
                                                     parked->reason == ParkReason::refresh);
    if (!waits_for_it) return;
    Progress& progress = parked->progress;
    if (found.kind != identity::LookUp::Kind::unavailable) {
        progress.failures = 0;
        ++progress.looks;
        return wake(*parked);
    }
    ++progress.failures;
    if (parked->reason == ParkReason::refresh) return wait_for_refresh(*parked);
    progress.is_overdue = true;
    wake(*parked);
}

// ----- alarms ---------------------------------------------------------------------------------

void Shard::Core::on_alarm(const Alarm& alarm) {
    if (alarm.kind == Alarm::Kind::watermark) return look_at_fold();
    if (alarm.kind == Alarm::Kind::late) return search_late(alarm.did);
    if (alarm.kind == Alarm::Kind::turn) return take_turns();
    Parked* parked = parking.find(alarm.did);
    if (parked != nullptr && parked->is_waiting && parked->alarm == alarm.at) {
        on_parked_alarm(*parked);
    }
}

void Shard::Core::on_parked_alarm(Parked& parked) {
    Progress& progress = parked.progress;
    if (parked.reason == ParkReason::pace) {
        progress.was_paced = true;
        return wake(parked);
    }
    const Event& event = *parked.first;
    const Nanos last = last_moment(event);
    if (now() >= last) {
        progress.gives_up = true;
        return wake(parked);
    }
    if (parked.reason == ParkReason::key && !progress.is_overdue) {
        progress.is_overdue = true;
        return wake(parked);
    }
    if (parked.look == 0) {
        if (parked.reason == ParkReason::refresh) {
            // Refused once already: this was the time to come again.
            if (!progress.found_out && !resolver.take_refresh(event.host_id)) {
                ++progress.looks;
                return wake(parked);
            }
            progress.found_out = true;
            context.metrics.key_refreshes.add(me);
        }
        look_up(parked, event);
    }
    set_alarm(parked, last);
}

void Shard::Core::set_alarm(Parked& parked, Nanos at) {
    parked.alarm = at;
    set_alarm(at, Alarm::Kind::parked, parked.did);
}

void Shard::Core::set_alarm(Nanos at, Alarm::Kind kind, std::string_view did) {
    alarms.set(at, kind, did);
    if (at < timer_sleeps_until) timer_changed.set();
}

Nanos Shard::Core::last_moment(const Event& event) const {
    return event.parked_at + options.give_up_after;
}

// It must not leave memory while one of its events waits for something.
void Shard::Core::pin(Parked& parked) {
    if (parked.is_pinned) return;
    table.pin(parked.did);
    parked.is_pinned = true;
}

}  // namespace ringlay::ingest
