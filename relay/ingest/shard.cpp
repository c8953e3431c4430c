#include "relay/ingest/shard.hpp"

#include "relay/ingest/shard_core.hpp"

namespace ringlay::ingest {
namespace {

constexpr std::uint32_t events_in_turn = 8;  // some 300 us
constexpr std::size_t max_remembered = 64 * 1024;
constexpr Nanos minute = std::chrono::minutes(1);
constexpr Nanos charged_for = std::chrono::hours(24);
bool is_signed(event_log::FactsKind kind) {
    return kind == event_log::FactsKind::commit || kind == event_log::FactsKind::sync;
}

identity::ResolverOptions resolver_options(const ShardOptions& options,
                                           const ShardContext& context) {
    identity::ResolverOptions resolver = options.resolver;
    resolver.outbound = context.outbound;
    return resolver;
}

}  // namespace

Shard::Shard(ShardContext& context, ShardOptions options)
    : core_(std::make_unique<Core>(context, std::move(options))) {}

Shard::~Shard() {
    stop();
}

void Shard::push(Event& event) {
    core_->mailbox.push(event);
}

void Shard::stop() {
    core_->stop();
}

Shard::Status Shard::status() const {
    return {.accounts = core_->table.size(),
            .accounts_pinned = core_->table.pinned(),
            .account_bytes = core_->table.memory_bytes(),
            .parked = core_->parking.events(),
            .pending = core_->late.size(),
            .is_clock_behind = core_->clock_judge.is_behind()};
}

Shard::Core::Core(ShardContext& its_context, ShardOptions its_options)
    : context(its_context),
      options(std::move(its_options)),
      me(fiber::Worker::current().index()),
      table(options.max_accounts, context.env.random.next()),
      late(options.max_pending),
      first_looks(options.looks_in_vain_at_once, options.looks_in_vain_per_minute),
      refusals(options.negative_ttl, max_remembered),
      vain_looks(minute, max_remembered),
      charged(charged_for, max_remembered),
      background_looks(minute, max_remembered),
      identity_rate(options.identity_events_per_minute),
      resolver(context.env, resolver_options(options, context), context.identity_metrics),
      writer(context.database, context.logger),
      loader(
          context.database, context.log, context.logger,
          [this](std::string_view pds_host) { return hosts.number_of_pds(pds_host); },
          [this](std::string_view did, const Account& account) { on_loaded(did, account); }),
      asker(context.env, context.user_agent, context.outbound, context.strangers),
      mailbox_task(fiber::spawn("rules on events", [this] { run_mailbox(); })),
      resumer_task(fiber::spawn("rules on parked events", [this] { run_resumer(); })),
      timer_task(fiber::spawn("looks after parked events", [this] { run_timer(); })) {
    for (const event_log::Host& host : context.log.hosts()) hosts.meet(host.id, host.name);
}

void Shard::Core::stop() {
    if (is_stopping) return;
    mailbox_task.cancel_and_join();  // once the mailbox is empty
    timer_task.cancel_and_join();
    resumer_task.cancel_and_join();  // once nothing is ready
    is_stopping = true;
    asker.stop();
    loader.stop();
    resolver.stop();
    writer.stop();
    context.metrics.turns.add(-static_cast<std::int64_t>(first_looks.in_line()));
    while (Event* event = parking.take_any()) {
        context.metrics.parked.add(-1);
        context.metrics.abandoned.add(me);
        ingest::drop(*event);
    }
}

// ----- fibers ---------------------------------------------------------------------------------

void Shard::Core::run_mailbox() {
    std::uint32_t in_turn = 0;
    for (;;) {
        auto next = mailbox.pop("events of hosts");
        if (!next) break;
        receive(**next);
        if (++in_turn % events_in_turn == 0) fiber::yield();
    }
    // The end was asked for; what was pushed before that may not have rung yet.
    while (Event* event = mailbox.pop_now()) receive(*event);
}

void Shard::Core::run_resumer() {
    for (;;) {
        while (!ready.empty()) {
            std::string did = std::move(ready.front());
            ready.pop_front();
            Parked* parked = parking.find(did);
            RINGLAY_ASSERT(parked != nullptr && !parked->is_waiting);
            resume(*parked);
            fiber::yield();
        }
        has_ready.reset();
        if (!has_ready.wait()) return;
    }
}

void Shard::Core::run_timer() {
    for (;;) {
        timer_changed.reset();
        timer_sleeps_until = alarms.next();
        auto woken = timer_changed.wait(Deadline{timer_sleeps_until});
        if (!woken && woken.error().code == Errc::cancelled) return;
        timer_sleeps_until = Nanos::min();  // awake: nobody needs to wake it
        while (auto alarm = alarms.take_due(now())) on_alarm(*alarm);
    }
}

// ----- the way of an event --------------------------------------------------------------------

void Shard::Core::receive(Event& event) {
    hosts.meet(event.host_id, event.host->name);
    if (event.kind == event_log::FactsKind::identity &&
        !identity_rate.take_of_host(event.host_id, now())) {
        return drop_limited(event, context.metrics.identity_limited);
    }
    Parked* parked = parking.find(event.text);
    Progress progress;
    if (parked == nullptr) {
        if (auto reason = settle(event, progress)) park(event, *reason, progress);
        return;
    }
    if (is_held_up_by_another(*parked, event) && !settle(event, progress)) return;
    parked->has_own |= may_be_of_own_host(event);
    const bool is_another_host = first_of_host(*parked, event.host_id) == nullptr;
    parking.append(*parked, event, now());
    context.metrics.parked.add(1);
    // Who waits in line, or at the directory, holds up nobody who has not to.
    if (is_another_host && parked->is_in_line) {
        if (first_looks.take(event.host_id, now())) {
            begin_turn(*parked, event);
        } else {
            join_line(*parked, event.host_id);
        }
    } else if (is_another_host && parked->look != 0) {
        resolver.hasten(event.text, event.host_id);
    }
    // What waits for its pace is overtaken by this one, or must not keep it waiting.
    if (parked->is_waiting && parked->reason == ParkReason::pace) wake(*parked);
}

// Also when it is not known who that is.
bool Shard::Core::may_be_of_own_host(const Event& event) {
    std::optional<Account> account = table.find(event.text);
    return !account || account->pds == 0 || hosts.name(account->pds) == event.host->name;
}

// While the directory is asked whether another host has the account now, commits of the host that
// has it by what is known go on: nobody may hold an account up by speaking of it (design I9). What
// is signed proves itself; an #account does not, and may be the farewell of a former host. The
// host's events keep their order among themselves.
bool Shard::Core::is_held_up_by_another(const Parked& parked, const Event& event) {
    return parked.is_waiting && parked.reason == ParkReason::refresh && !parked.has_own &&
           parked.first->host_id != event.host_id && is_signed(event.kind) &&
           may_be_of_own_host(event);
}

void Shard::Core::park(Event& event, ParkReason reason, const Progress& progress) {
    Parked& parked = parking.open(event.text);
    parked.progress = progress;
    parked.has_own = may_be_of_own_host(event);
    parking.append(parked, event, now());
    context.metrics.parked.add(1);
    begin_wait(parked, reason);
}

void Shard::Core::resume(Parked& parked) {
    std::uint32_t in_turn = 0;
    while (parked.first != nullptr) {
        Event& event = parking.take_first(parked);
        if (auto reason = settle(event, parked.progress)) {
            parking.put_back(parked, event);
            return begin_wait(parked, *reason);
        }
        context.metrics.parked.add(-1);
        parked.progress = {};
        if (++in_turn % events_in_turn == 0) fiber::yield();
    }
    if (parked.is_pinned) table.unpin(parked.did);
    parking.close(parked);
}

std::optional<ParkReason> Shard::Core::settle(Event& event, Progress& progress) {
    std::optional<Account> account = table.find(event.text);
    if (!account) return ParkReason::load;
    Knowledge known = knowledge_of(*account);
    Ruling ruling = examine(event, known);
    watch_clock(event, ruling);
    if (ruling.disposition == Disposition::pass) {
        if (is_doubtful_farewell(ruling, *account, progress)) return ParkReason::refresh;
        const Pace pace = pace_of(event, known, progress);
        if (pace == Pace::waits) return ParkReason::pace;
        if (pace == Pace::is_overtaken) {
            drop_limited(event, context.metrics.account_overtaken);
        } else {
            pass(event, *account, ruling);
        }
        return std::nullopt;
    }
    if (ruling.disposition == Disposition::unknown) {
        if (ruling.check == Check::identity) {
            return settle_without_key(event, *account, known, progress);
        }
        if (ruling.check == Check::active) return settle_inactive(event, ruling);
        return settle_contradiction(event, ruling, progress);
    }
    drop(event, ruling.check, ruling.why);
    return std::nullopt;
}

// An #account is not signed. That an account ends may be said by a host that it has just left, and
// whose new host has not spoken yet: only an identity that is fresh tells them apart. When none can
// be had, the host that is known is believed.
bool Shard::Core::is_doubtful_farewell(const Ruling& ruling, const Account& account,
                                       const Progress& progress) const {
    constexpr Nanos fresh = std::chrono::seconds(5);
    const bool ends = ruling.standing && !ruling.standing->is_active;
    const bool was_looked_into = progress.looks > 0 || progress.gives_up;
    return ends && !was_looked_into && account.has_working_identity() && age_of(account) > fresh;
}

// Nothing is known of the account's identity, and nothing is known to be wrong.
std::optional<ParkReason> Shard::Core::settle_without_key(Event& event, Account& account,
                                                          Knowledge& known,
                                                          const Progress& progress) {
    constexpr Check check = Check::identity;
    if (progress.looks > 0) {
        drop(event, check, "identity: none that works");
        return std::nullopt;
    }
    // While events of the account wait for its key already, nobody waits for the next one.
    const bool is_searched = late.search(event.text) != nullptr;
    const bool waits = options.key_wait > Nanos::zero() && !is_searched;
    if (waits && !progress.is_overdue && !progress.gives_up) return ParkReason::key;
    const bool needs_turn = !is_searched && !progress.has_turn && !progress.gives_up;
    if (needs_turn && first_looks.is_spent(event.host_id, now())) return ParkReason::key;

    if (may_pass_unverified(event, account)) {
        known.skips_identity = true;
        Ruling ruling = examine(event, known);
        watch_clock(event, ruling);
        if (ruling.disposition != Disposition::pass) {
            drop(event, ruling.check, ruling.why);
            return std::nullopt;
        }
        const Pace pace = pace_of(event, known, progress);
        if (pace == Pace::waits) return ParkReason::pace;
        if (pace == Pace::is_overtaken) {
            drop_limited(event, context.metrics.account_overtaken);
        } else {
            pass_unverified(event, account, ruling, progress);
        }
        return std::nullopt;
    }
    if (!progress.gives_up) return ParkReason::key;
    drop(event, check, "identity: could not be found out");
    return std::nullopt;
}

// Another host has the account, or another key has signed, by what is known now.
std::optional<ParkReason> Shard::Core::settle_contradiction(Event& event, const Ruling& ruling,
                                                            const Progress& progress) {
    const bool is_of_authority = ruling.check == Check::authority;
    const bool is_identity = event.kind == event_log::FactsKind::identity;
    const bool is_refused = is_of_authority && refusals.contains(event.text, event.host_id, now());
    const bool is_vain = !is_of_authority && vain_looks.contains(event.text, 0, now());

    // An #identity may be the news that the host has the account now: one look at least.
    const bool is_settled = (is_refused && !is_identity) || is_vain;
    const std::uint32_t max_looks = is_refused ? 1 : 2;
    if (!is_settled && !progress.gives_up && progress.looks < max_looks) return ParkReason::refresh;

    if (progress.looks >= max_looks && progress.found_out) {
        if (is_of_authority) {
            refusals.add(event.text, event.host_id, now());
        } else {
            vain_looks.add(event.text, 0, now());
        }
    }
    drop(event, ruling.check, ruling.why);
    return std::nullopt;
}

// An #account that would pass, but whose account has had many of them just now, waits for the next
// second; an event behind it ends that. If that is another #account of its host that would pass, it
// has overtaken this one: only the newest standing matters. If it is anything else, this one passes
// at once, so that what was said in between keeps its place.
Shard::Core::Pace Shard::Core::pace_of(const Event& event, const Knowledge& known,
                                       const Progress& progress) {
    if (event.kind != event_log::FactsKind::account) return Pace::passes;
    if (account_pace.take(event.text, now()) || progress.was_paced) return Pace::passes;
    const Parked* parked = parking.find(event.text);
    const Event* next = parked != nullptr ? parked->first : nullptr;
    if (next == nullptr) return Pace::waits;
    const bool is_overtaken = next->kind == event.kind && next->host_id == event.host_id &&
                              examine(*next, known).disposition == Disposition::pass;
    return is_overtaken ? Pace::is_overtaken : Pace::passes;
}

std::optional<ParkReason> Shard::Core::settle_inactive(Event& event, const Ruling& ruling) {
    if (asker.may_ask(event.text, event.host_id)) return ParkReason::host;
    drop(event, ruling.check, ruling.why);
    return std::nullopt;
}

Knowledge Shard::Core::knowledge_of(const Account& account) const {
    Knowledge known;
    known.has_identity = account.has_working_identity();
    known.is_definite_none = !known.has_identity && age_of(account) <= options.negative_ttl;
    known.key = account.key;
    known.pds_host = hosts.name(account.pds);
    known.rev = account.rev;
    known.data = account.data;
    known.host_id = account.host_id;
    known.local = account.local;
    known.upstream = account.upstream;
    known.now = context.env.clock.wall();
    known.ignores_future = clock_judge.is_behind();
    return known;
}

// Only if nothing that is known speaks against this host; an account that had no identity when it
// was last looked for is known not to be one.
bool Shard::Core::may_pass_unverified(const Event& event, const Account& account) const {
    return options.passes_unverified && account.asked_ms == 0 &&
           (account.host_id == 0 || account.host_id == event.host_id) &&
           (account.pds == 0 || hosts.name(account.pds) == event.host->name);
}

void Shard::Core::watch_clock(const Event& event, const Ruling& ruling) {
    if (!ruling.ahead) return;
    const bool was_behind = clock_judge.is_behind();
    if (!clock_judge.saw(event.host_id, *ruling.ahead, now())) return;
    const auto behind_s =
        std::chrono::duration_cast<std::chrono::seconds>(clock_judge.behind_by()).count();
    // Of several shards any may say it: all see the same.
    if (was_behind || clock_judge.is_behind()) context.metrics.clock_behind_seconds.set(behind_s);
    if (clock_judge.is_behind() == was_behind) return;
    context.metrics.clock_behind.add(was_behind ? -1 : 1);
    context.logger.log(was_behind ? base::LogLevel::warn : base::LogLevel::error, now_ms(),
                       was_behind ? "this machine's clock fits again"
                                  : "this machine's clock is behind: revs are not compared with it",
                       {{"hosts", clock_judge.hosts()},
                        {"hosts_in_future", clock_judge.hosts_in_future()},
                        {"behind_s", behind_s}});
}

}  // namespace ringlay::ingest
