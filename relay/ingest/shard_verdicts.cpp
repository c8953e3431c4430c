// What becomes of an event that has been ruled on.

#include "proto/frame.hpp"
#include "proto/tid.hpp"
#include "relay/ingest/rewrite.hpp"
#include "relay/ingest/shard_core.hpp"

namespace ringlay::ingest {

using event_log::FactsField;
using event_log::FactsKind;
using proto::AccountStanding;

namespace {

constexpr Nanos shortest_look_at_fold = std::chrono::milliseconds(100);
constexpr Nanos longest_look_at_fold = std::chrono::seconds(1);

Bytes& field_of(Event& event, FactsField which) {
    return event.fields[static_cast<std::size_t>(which)];
}

void set_rev(Event& event, std::string_view text) {
    RINGLAY_ASSERT(text.size() == event.rev_text.size());
    text.copy(event.rev_text.data(), text.size());
    field_of(event, FactsField::rev) = {
        reinterpret_cast<const std::uint8_t*>(event.rev_text.data()), event.rev_text.size()};
}

// From now on the event's message is what it has in `rewritten`.
Result<void> use_rewritten(Event& event) {
    auto frame = proto::peek(event.rewritten);
    if (!frame) return std::unexpected(frame.error());
    event.message = event.rewritten;
    event.header_bytes = frame->header_bytes;
    event.payload_bytes = frame->payload_bytes;
    event.seq_offset = frame->seq_offset;
    event.seq_length = frame->seq_bytes;
    return {};
}

}  // namespace

void Shard::Core::pass(Event& event, Account& account, const Ruling& ruling) {
    const bool is_identity = event.kind == FactsKind::identity;
    if (is_identity && !identity_rate.take_of_account(event.text, now())) {
        return drop_limited(event, context.metrics.identity_limited);
    }
    if (ruling.standing) account.upstream = *ruling.standing;
    if (auto said = put_into_our_words(event, account, ruling); !said) {
        return drop(event, Check::fields, said.error().what);
    }
    count_passed(event, account, ruling);
    account.host_id = event.host_id;
    if (ruling.proof) {
        RINGLAY_ASSERT(ruling.proof->is_verified);
        account.rev = ruling.proof->rev;
        account.data = ruling.proof->data;
        set_repo_fields(event, *ruling.proof);
    }
    if (ruling.standing) set_statuses(event, account);
    event.verdicts = 0;
    context.metrics.verified.add(me);
    if (is_identity) {
        purge_identity(event.text, account, event.host_id);
    } else {
        table.store(event.text, account);
        keep_fresh(event.text, account, event.host_id);
    }
    push(event);
}

// It goes out, and nothing else happens: no state, no facts (design I7).
void Shard::Core::pass_unverified(Event& event, const Account& account, const Ruling& ruling,
                                  const Progress& progress) {
    if (ruling.proof && late.is_known(event.text, event.host_id, event.kind, ruling.proof->rev)) {
        return drop(event, Check::rev, "rev: sent before, and not verified yet");
    }
    if (event.kind == FactsKind::identity && !identity_rate.take_of_account(event.text, now())) {
        return drop_limited(event, context.metrics.identity_limited);
    }
    Account as_if = account;
    if (ruling.standing) as_if.upstream = *ruling.standing;
    if (auto said = put_into_our_words(event, as_if, ruling); !said) {
        return drop(event, Check::fields, said.error().what);
    }
    if (account.host_id != event.host_id) charge_new_account(event);
    keep_late(event, ruling, progress);
    event.verdicts = event_log::verdict_unverified;
    event.host->counts.unverified.fetch_add(1, std::memory_order_relaxed);
    context.metrics.unverified.add(me);
    context.sequencer.push(event);
}

void Shard::Core::drop(Event& event, Check check, std::string_view why) {
    HostCounts& counts = event.host->counts;
    (is_of_bad_faith(check) ? counts.forged : counts.refused)
        .fetch_add(1, std::memory_order_relaxed);
    context.metrics.failed(check).add(me);
    context.metrics.dropped.add(me);
    if (context.logger.enabled(base::LogLevel::debug)) {
        context.logger.log(drop_lines, base::LogLevel::debug, now_ms(), "event dropped",
                           {{"did", event.text},
                            {"host", event.host->name},
                            {"seq", event.upstream_seq},
                            {"check", check_table()[index_of(check)].name},
                            {"reason", why}});
    }
    ingest::drop(event);
}

// An #identity above its rate, or an #account that was overtaken.
void Shard::Core::drop_limited(Event& event, base::Counter& counter) {
    event.host->counts.limited.fetch_add(1, std::memory_order_relaxed);
    counter.add(me);
    context.metrics.dropped.add(me);
    ingest::drop(event);
}

// Strips what nobody here has checked, and says of an account's standing what is true here. The
// account's `upstream` is what the event says already.
Result<void> Shard::Core::put_into_our_words(Event& event, const Account& account,
                                             const Ruling& ruling) {
    Result<Buffer> words = Buffer();
    if (event.kind == FactsKind::identity && !options.keeps_handles) {
        words = identity_without_handle(event.payload());
    } else if (ruling.standing) {
        const AccountStanding effective =
            proto::effective_standing(account.local, account.upstream);
        if (effective != *ruling.standing) {
            words = account_with_standing(event.payload(), effective);
        }
    }
    if (!words) return std::unexpected(words.error());
    if (words->empty()) return {};
    event.rewritten = std::move(*words);
    context.metrics.rewritten.add(me);
    return use_rewritten(event);
}

// An account is charged once, whether it can be checked at its first event or later: what is
// invented while nobody can check it costs as much as what is real.
void Shard::Core::charge_new_account(const Event& event) {
    if (charged.contains(event.text, event.host_id, now())) return;
    charged.add(event.text, event.host_id, now());
    event.host->counts.charged_accounts.fetch_add(1, std::memory_order_relaxed);
}

void Shard::Core::count_passed(const Event& event, const Account& account, const Ruling& ruling) {
    HostCounts& counts = event.host->counts;
    counts.passed.fetch_add(1, std::memory_order_relaxed);
    if (account.host_id != event.host_id) {
        counts.new_accounts.fetch_add(1, std::memory_order_relaxed);
        if (!charged.contains(event.text, event.host_id, now())) {
            counts.charged_accounts.fetch_add(1, std::memory_order_relaxed);
        }
        if (account.host_id == 0) context.metrics.new_accounts.add(me);
    }
    // The rev of a #sync may be years old. Bridges count their revs from 1970: these are no times.
    if (!ruling.proof || event.kind != FactsKind::commit) return;
    constexpr std::uint64_t earliest_ms = 1'577'836'800'000;  // 2020, before there was a network
    const std::uint64_t rev_ms = proto::Tid(ruling.proof->rev).micros() / 1000;
    if (rev_ms < earliest_ms) return;
    // Of two shards that do this at once, either will do.
    if (rev_ms > counts.newest_rev_ms.load(std::memory_order_relaxed)) {
        counts.newest_rev_ms.store(rev_ms, std::memory_order_relaxed);
        counts.newest_came_after_ms.store(
            event.received.count() - static_cast<std::int64_t>(rev_ms), std::memory_order_relaxed);
    }
}

void Shard::Core::set_repo_fields(Event& event, const Ruling::Proof& proof) {
    set_rev(event, proof.rev_text);
    event.data = proof.data;
    event.commit = proof.commit;
    field_of(event, FactsField::data_cid) = event.data.bytes();
    field_of(event, FactsField::commit_cid) = event.commit.bytes();
}

void Shard::Core::set_statuses(Event& event, const Account& account) {
    event.standings = {account.local.to_byte(), account.upstream.to_byte()};
    field_of(event, FactsField::statuses) = event.standings;
}

void Shard::Core::push(Event& event) {
    table.changed_by(event.text, watermark.push(event_log::is_event(event.kind)));
    event.receipt = &receipt;
    context.sequencer.push(event);
    if (fold_interval == Nanos::zero()) {
        fold_interval = shortest_look_at_fold;
        set_alarm(now() + fold_interval, Alarm::Kind::watermark, {});
    }
}

// What is needed to check it once the key is known. While an account has such events it stays in
// memory and its key is looked for.
void Shard::Core::keep_late(const Event& event, const Ruling& ruling, const Progress& progress) {
    if (!ruling.proof && !ruling.standing) return refresh_in_background(event.text, event.host_id);
    LateEvent kept;
    kept.kind = event.kind;
    kept.host_id = event.host_id;
    kept.host_name = hosts.number_of_pds(event.host->name);
    if (ruling.proof) {
        kept.rev = ruling.proof->rev;
        kept.data = ruling.proof->data;
        kept.commit = ruling.proof->commit;
        kept.unsigned_digest = ruling.proof->unsigned_digest;
        kept.signature = ruling.proof->signature;
    } else {
        kept.standing = *ruling.standing;
    }
    LateEvents::Added added = late.add(event.text, kept);
    if (added.is_first) table.pin(event.text);
    if (added.has_forgotten) context.metrics.late_forgotten.add(me);
    if (added.emptied) table.unpin(*added.emptied);
    if (added.is_first) begin_search(event, progress.failures);
}

// The account is active at its host although we have not been told: says so to everyone, before the
// event that it was asked for.
void Shard::Core::repair(const Event& event) {
    std::optional<Account> account = table.find(event.text);
    RINGLAY_ASSERT(account.has_value());
    account->upstream = {};
    account->host_id = event.host_id;
    table.store(event.text, *account);

    OwnEntry& said =
        own.add(FactsKind::account, event.text, event.host_id, context.env.clock.wall());
    said.event.rewritten =
        account_frame(said.did, proto::effective_standing(account->local, account->upstream),
                      said.event.received);
    RINGLAY_ASSERT(use_rewritten(said.event).has_value());
    set_statuses(said.event, *account);
    context.metrics.status_repaired.add(me);
    push(said.event);
}

// Lets accounts leave memory whose events the fold has applied. Looks more and more seldom while
// nothing moves.
void Shard::Core::look_at_fold() {
    const std::uint64_t before = watermark.folded();
    const std::uint64_t count = receipt.count.load(std::memory_order_acquire);
    const std::uint64_t folded =
        watermark.look(count, receipt.seq.load(std::memory_order_acquire),
                       context.fold.applied_seq.load(std::memory_order_acquire));
    if (folded > before) table.folded(folded);
    own.reap();
    if (!watermark.is_behind()) {
        fold_interval = Nanos::zero();
        return;
    }
    fold_interval =
        folded > before ? shortest_look_at_fold : std::min(2 * fold_interval, longest_look_at_fold);
    set_alarm(now() + fold_interval, Alarm::Kind::watermark, {});
}

}  // namespace ringlay::ingest
