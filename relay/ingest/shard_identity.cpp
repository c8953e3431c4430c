// What is learned of identities, and what follows from it.

#include <algorithm>
#include <array>

#include "proto/tid.hpp"
#include "relay/ingest/shard_core.hpp"

namespace ringlay::ingest {

using event_log::FactsField;
using event_log::FactsKind;
using identity::LookUp;

namespace {

// Look-ups without an event that waits for them are made only while the resolver has little to do.
constexpr std::size_t max_waiting_for_background = 256;

// Between look-ups for events that were passed unverified.
Nanos search_pause(std::uint32_t failures) {
    constexpr std::array<Nanos, 3> pauses{std::chrono::seconds(5), std::chrono::seconds(15),
                                          std::chrono::seconds(60)};
    return pauses[std::min<std::size_t>(std::max(failures, 1u), pauses.size()) - 1];
}

}  // namespace

// To the table, the database, and the events that have waited for it.
void Shard::Core::learned(std::string_view did, const LookUp& found) {
    if (found.kind == LookUp::Kind::unavailable) return;
    identity::Identity its;
    if (found.kind == LookUp::Kind::found) its = found.identity;
    std::optional<Account> account = table.find(did);
    // Of DIDs that are nobody's there are any number: only those that were somebody's are written.
    if (its.is_working() || (account && (account->key || account->host_id != 0))) {
        writer.put(did, {.key = its.key, .pds_host = its.pds_host, .fetched_ms = found.at.count()});
    }
    if (!account) return;
    const std::uint32_t pds = hosts.number_of_pds(its.pds_host);
    if (account->key != its.key || account->pds != pds) {
        refusals.forget(did);
        vain_looks.forget(did);
        if (Parked* parked = parking.find(did)) parked->has_own = true;  // of whoever that is now
    }
    account->key = its.key;
    account->pds = pds;
    account->asked_ms = found.at.count();
    table.store(did, *account);
    verify_late(did, *account);
}

// An identity that is old or purged is still believed, and looked up again meanwhile.
void Shard::Core::keep_fresh(std::string_view did, const Account& account, std::uint32_t host_id) {
    const bool is_purged = account.asked_ms == 0;
    if (!account.has_working_identity()) return;
    if (age_of(account) <= options.identity_ttl) return;
    if (refreshing.contains(did) || background_looks.contains(did, 0, now())) return;
    if (resolver.waiting() >= max_waiting_for_background) return;
    if (is_purged && !resolver.take_refresh(host_id)) return;
    background_looks.add(did, 0, now());
    refresh_in_background(did, host_id);
}

// After an #identity: what is known may be outdated. It still serves until the directory has
// answered; at once if this host has not caused too many look-ups, else with the next commit.
void Shard::Core::purge_identity(std::string_view did, Account& account, std::uint32_t host_id) {
    refusals.forget(did);
    vain_looks.forget(did);
    background_looks.forget(did);
    if (!account.has_working_identity()) return table.store(did, account);
    const bool was_purged = std::exchange(account.asked_ms, 0) == 0;
    table.store(did, account);
    if (resolver.waiting() < max_waiting_for_background && resolver.take_refresh(host_id)) {
        refresh_in_background(did, host_id);
    } else if (!was_purged) {
        // So that a restart knows it, too.
        writer.put(did, {.key = account.key,
                         .pds_host = std::string(hosts.name(account.pds)),
                         .fetched_ms = 0});
    }
}

void Shard::Core::refresh_in_background(std::string_view did, std::uint32_t host_id) {
    auto [place, is_new] = refreshing.emplace(did, false);
    if (!is_new) {
        place->second = true;  // the answer that comes may be older than the question
        return;
    }
    resolver.look_up(did, host_id,
                     [this, its_did = std::string(did), host_id](const LookUp& found) {
                         if (is_stopping) return;
                         const bool once_more = refreshing.extract(its_did).mapped();
                         learned(its_did, found);
                         if (once_more && found.kind != LookUp::Kind::unavailable) {
                             refresh_in_background(its_did, host_id);
                         }
                     });
}

// ----- events that were passed unverified -----------------------------------------------------

// Looks the account up as long as events of it wait for that; not at once if that has just failed.
void Shard::Core::begin_search(const Event& event, std::uint32_t failures) {
    LateEvents::Search* search = late.search(event.text);
    if (search == nullptr) return;  // forgotten at once
    search->failures = failures;
    search->host_id = event.host_id;
    search->host_name = hosts.number_of_pds(event.host->name);
    if (failures > 0) return search_later(event.text, *search);
    search_late(event.text);
}

void Shard::Core::search_late(std::string_view did) {
    LateEvents::Search* search = late.search(did);
    if (search == nullptr || search->is_under_way || now() < search->not_before) return;
    search->is_under_way = true;
    const Cause cause{search->host_id, search->host_name};
    resolver.look_up(did, cause.host_id,
                     [this, its_did = std::string(did), cause](const LookUp& found) {
                         if (is_stopping) return;
                         count_look(its_did, cause, found);
                         if (LateEvents::Search* its = late.search(its_did)) {
                             its->is_under_way = false;
                             if (found.kind == LookUp::Kind::unavailable) {
                                 ++its->failures;
                                 search_later(its_did, *its);
                             }
                         }
                         learned(its_did, found);
                     });
}

void Shard::Core::search_later(std::string_view did, LateEvents::Search& search) {
    search.not_before = now() + search_pause(search.failures);
    set_alarm(search.not_before, Alarm::Kind::late, did);
}

void Shard::Core::verify_late(std::string_view did, Account& account) {
    std::vector<LateEvent> events = late.take(did);
    if (events.empty()) return;
    for (const LateEvent& event : events) {
        if (is_good(event, account)) {
            context.metrics.late_good.add(me);
            fold_late(did, account, event);
        } else {
            context.metrics.late_bad.add(me);
        }
    }
    table.unpin(did);
}

bool Shard::Core::is_good(const LateEvent& event, const Account& account) const {
    if (!account.has_working_identity() || event.host_name != account.pds) return false;
    return event.kind == FactsKind::account ||
           crypto::verify(*account.key, event.unsigned_digest, event.signature);
}

// What the facts would have said, had the key been known in time.
void Shard::Core::fold_late(std::string_view did, Account& account, const LateEvent& event) {
    const bool is_account = event.kind == FactsKind::account;
    if (!is_account && event.rev <= account.rev) return;  // newer ones were verified since
    OwnEntry& said =
        own.add(is_account ? FactsKind::account_standing : FactsKind::late_verification, did,
                event.host_id, context.env.clock.wall());
    account.host_id = event.host_id;
    if (is_account) {
        account.upstream = event.standing;
        set_statuses(said.event, account);
    } else {
        account.rev = event.rev;
        account.data = event.data;
        const std::string rev_text = proto::Tid(event.rev).to_text();
        Ruling::Proof proof;
        proof.rev_text = rev_text;
        proof.data = event.data;
        proof.commit = event.commit;
        set_repo_fields(said.event, proof);
    }
    table.store(did, account);
    push(said.event);
}

Nanos Shard::Core::age_of(const Account& account) const {
    if (account.asked_ms == 0) return Nanos::max();
    const auto asked = WallMillis(account.asked_ms);
    return std::max(Nanos::zero(), Nanos(context.env.clock.wall() - asked));
}

}  // namespace ringlay::ingest
