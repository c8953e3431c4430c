#include "relay/accounts/follower.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "relay/accounts/fold.hpp"
#include "relay/event_log/facts_feed.hpp"

namespace ringlay::accounts {
namespace {

using event_log::FactsFeed;
using event_log::FactsPoint;
using namespace std::chrono_literals;

constexpr Nanos no_space_retry = 1s;

FactsPoint facts_point(const index::LogPoint& point) {
    return {point.segment_base, point.facts_offset};
}

}  // namespace

struct Follower::Core {
    Core(env::Env& env_, event_log::Log& log_, index::Database& database_, base::Logger& logger_,
         FollowerOptions options_)
        : env(env_),
          log(log_),
          database(database_),
          logger(logger_),
          options(std::move(options_)) {}

    Result<void> begin();
    Result<void> open_feed();
    Result<void> apply_up_to(FactsPoint end);
    Result<bool> apply_next();
    bool is_flush_due() const;
    Result<void> flush();
    template <class Call>
    Result<void> until_there_is_room(std::string_view what, Call&& call);
    void run();
    Result<void> follow();
    void end_fatally(const Error& error);
    void say(base::LogLevel level, std::string_view event, base::LogFields fields) {
        logger.log(level, static_cast<std::uint64_t>(env.clock.wall().count()), event, fields);
    }

    env::Env& env;
    event_log::Log& log;
    index::Database& database;
    base::Logger& logger;
    const FollowerOptions options;
    FoldProgress progress;

    std::optional<FactsFeed> feed;
    index::LogPoint point;             // where the database is, in this log
    event_log::Position position = 0;  // the same, in frames
    event_log::Position flushed_position = 0;
    bool has_unflushed = false;
    Nanos flushed_at{};
    Nanos next_flush_after{};  // flushed_at

    bool is_stopping = false;
    bool has_failed = false;
    fiber::Event stop_asked;
    base::LogLimit no_space_limit{1};
    fiber::Task task;  // last: it uses the others
};

Result<void> Follower::Core::begin() {
    const index::LogPoint applied = database.applied();
    point = {.log_id = log.log_id()};
    if (applied.log_id == log.log_id()) {
        point = applied;
    } else if (applied.log_id != 0) {
        // Its rows say more than nothing, but what they say of repositories may be too new.
        say(base::LogLevel::error, "accounts belong to another event log; folding this one anew",
            {{"accounts_log_id", applied.log_id},
             {"log_id", log.log_id()},
             {"accounts_seq", applied.seq},
             {"log_seq", log.recovery().head_seq}});
    }
    if (auto opened = open_feed(); !opened) return opened;
    if (feed->began_with_gap()) {
        progress.gaps.fetch_add(1, std::memory_order_relaxed);
        say(base::LogLevel::warn, "facts were gone before they were folded: accounts may be stale",
            {{"accounts_seq", point.seq}, {"oldest_segment", feed->point().segment_base}});
    }
    position = flushed_position = feed->point().segment_base;
    flushed_at = env.clock.now();
    next_flush_after = std::min(options.first_flush_interval, options.flush_interval);
    const index::LogPoint flushed = database.flushed();
    FactsPoint needed;  // nothing is sure: all
    if (flushed.log_id == log.log_id()) needed = std::min(facts_point(flushed), feed->point());
    log.facts_needed_from(needed);
    has_unflushed = applied != flushed;
    progress.applied_seq.store(point.seq, std::memory_order_release);
    progress.flushed_seq.store(std::min(point.seq, flushed.seq), std::memory_order_relaxed);
    return {};
}

Result<void> Follower::Core::open_feed() {
    auto opened = FactsFeed::open(log, facts_point(point));
    if (!opened && opened.error().code == Errc::not_found) {
        progress.gaps.fetch_add(1, std::memory_order_relaxed);
        say(base::LogLevel::error, "accounts are ahead of the event log; folding it anew",
            {{"accounts_seq", point.seq}, {"log_seq", log.recovery().head_seq}});
        point = {.log_id = log.log_id()};
        opened = FactsFeed::open(log, {});
    }
    if (!opened) return std::unexpected(opened.error());
    feed.emplace(std::move(*opened));
    return {};
}

// Everything before `end`, which is synced.
Result<void> Follower::Core::apply_up_to(FactsPoint end) {
    while (feed->point() < end) {
        auto applied = apply_next();
        if (!applied) return std::unexpected(applied.error());
        if (is_flush_due()) {
            if (auto flushed = flush(); !flushed) return flushed;
        }
        if (is_stopping || fiber::is_cancelled()) return fail(Errc::cancelled, "fold: stopping");
        if (!*applied) static_cast<void>(stop_asked.wait(Deadline::in(options.poll_interval)));
    }
    return {};
}

// A batch; false: there was none.
Result<bool> Follower::Core::apply_next() {
    auto items = feed->read(options.max_batch);
    if (!items) return std::unexpected(items.error());
    if (items->empty()) return false;
    std::vector<index::AccountChange> changes;
    changes.reserve(items->size());
    std::uint64_t newest_seq = point.seq;
    for (const FactsFeed::Item& item : *items) {
        if (item.facts.seq != 0) newest_seq = item.facts.seq;
        auto change = change_of(item.facts, newest_seq);
        if (!change) return std::unexpected(change.error());
        if (*change) changes.push_back(**change);
    }
    const FactsFeed::Item& last = items->back();
    const index::LogPoint behind{log.log_id(), last.behind.segment_base, last.behind.offset,
                                 newest_seq};
    auto applied = until_there_is_room(
        "apply", [&](MayBlock may_block) { return database.apply(may_block, changes, behind); });
    if (!applied) return std::unexpected(applied.error());
    point = behind;
    position = last.behind.segment_base + last.facts.wire_offset + last.facts.wire_length;
    has_unflushed = true;
    progress.facts.fetch_add(items->size(), std::memory_order_relaxed);
    progress.applied_seq.store(point.seq, std::memory_order_release);
    return true;
}

bool Follower::Core::is_flush_due() const {
    return has_unflushed && (position - flushed_position >= options.flush_log_bytes ||
                             env.clock.now() - flushed_at >= next_flush_after);
}

Result<void> Follower::Core::flush() {
    auto flushed =
        until_there_is_room("flush", [&](MayBlock may_block) { return database.flush(may_block); });
    if (!flushed) return flushed;
    has_unflushed = false;
    flushed_position = position;
    flushed_at = env.clock.now();
    next_flush_after = std::min(2 * next_flush_after, options.flush_interval);
    progress.flushes.fetch_add(1, std::memory_order_relaxed);
    progress.flushed_seq.store(point.seq, std::memory_order_relaxed);
    // A later start begins here: older facts may go.
    log.facts_needed_from(facts_point(point));
    return {};
}

// In a shutdown one try must do: what is not folded is folded by the next start.
template <class Call>
Result<void> Follower::Core::until_there_is_room(std::string_view what, Call&& call) {
    for (;;) {
        Result<void> done = fiber::blocking(call);
        if (done || done.error().code != Errc::no_space) return done;
        logger.log(no_space_limit, base::LogLevel::warn,
                   static_cast<std::uint64_t>(env.clock.wall().count()),
                   "no room for accounts: the fold waits",
                   {{"step", what}, {"reason", done.error().what}, {"applied_seq", point.seq}});
        if (is_stopping) return done;
        auto waited = stop_asked.wait(Deadline::in(no_space_retry));
        if (!waited && waited.error().code == Errc::cancelled) return waited;
    }
}

void Follower::Core::run() {
    auto ended = follow();
    if (!ended) end_fatally(ended.error());
}

Result<void> Follower::Core::follow() {
    while (!is_stopping) {
        auto applied = apply_next();
        if (!applied) return std::unexpected(applied.error());
        if (is_flush_due()) {
            if (auto flushed = flush(); !flushed) return flushed;
        }
        if (*applied) continue;
        auto waited = stop_asked.wait(Deadline::in(options.poll_interval));
        if (!waited && waited.error().code == Errc::cancelled) return waited;
    }
    return {};
}

void Follower::Core::end_fatally(const Error& error) {
    has_failed = true;
    const bool is_ours = error.code == Errc::cancelled;
    if (is_ours || (is_stopping && error.code == Errc::no_space)) return;
    say(base::LogLevel::error, "the fold has failed",
        {{"reason", error.what}, {"applied_seq", point.seq}});
    if (options.on_fatal) return options.on_fatal(error.what);
    std::fprintf(stderr, "ringlay: the fold has failed: %.*s\n",
                 static_cast<int>(error.what.size()), error.what.data());
    std::abort();
}

Follower::Follower(env::Env& env, event_log::Log& log, index::Database& database,
                   base::Logger& logger, FollowerOptions options)
    : core_(std::make_unique<Core>(env, log, database, logger, std::move(options))) {}

Follower::~Follower() = default;

Result<void> Follower::catch_up() {
    if (auto begun = core_->begin(); !begun) return begun;
    if (auto applied = core_->apply_up_to(core_->log.opened_facts()); !applied) return applied;
    core_->progress.has_caught_up.store(true, std::memory_order_relaxed);
    core_->say(base::LogLevel::info, "accounts are as far as the event log was",
               {{"facts", core_->progress.facts.load(std::memory_order_relaxed)},
                {"seq", core_->point.seq}});
    core_->task = fiber::spawn("fold", [core = core_.get()] { core->run(); });
    return {};
}

void Follower::stop() {
    core_->is_stopping = true;
    core_->stop_asked.set();
    if (!core_->task.is_joinable()) return;
    core_->task.join();
    if (core_->has_failed) return;
    Result<void> done;
    for (bool has_more = true; done && has_more;) {
        auto applied = core_->apply_next();
        if (!applied) done = std::unexpected(applied.error());
        has_more = applied && *applied;
    }
    if (done && core_->has_unflushed) done = core_->flush();
    if (!done) core_->end_fatally(done.error());
}

const FoldProgress& Follower::progress() const {
    return core_->progress;
}

void Follower::register_metrics(base::Metrics& metrics) const {
    using Kind = base::Metrics::Kind;
    const FoldProgress& progress = core_->progress;
    auto show = [&metrics](Kind kind, std::string_view name, std::string_view help,
                           const auto& value) {
        metrics.callback(kind, name, help, [&value] {
            return static_cast<double>(value.load(std::memory_order_relaxed));
        });
    };
    show(Kind::gauge, "relay_fold_applied_seq", "The last event that accounts are folded from.",
         progress.applied_seq);
    show(Kind::gauge, "relay_fold_flushed_seq", "The same, of what is sure to outlast a crash.",
         progress.flushed_seq);
    show(Kind::gauge, "relay_fold_caught_up",
         "1 once everything is folded that the log had at its opening.", progress.has_caught_up);
    show(Kind::counter, "relay_fold_facts_total", "Facts that were folded.", progress.facts);
    show(Kind::counter, "relay_fold_flushes_total", "Flushes of the account rows.",
         progress.flushes);
    show(Kind::counter, "relay_fold_gaps_total",
         "Starts that found facts gone before they were folded.", progress.gaps);
    show(Kind::counter, "relay_fold_rows_from_the_future_total",
         "Account rows met that are made from events the log does not have.",
         progress.rows_from_the_future);
    metrics.callback(Kind::gauge, "relay_fold_lag_seqs",
                     "Sequence numbers from the last folded event to the newest of the log.",
                     [core = core_.get()] {
                         const std::uint64_t head = core->log.head_seq();
                         const std::uint64_t applied =
                             core->progress.applied_seq.load(std::memory_order_relaxed);
                         return head > applied ? static_cast<double>(head - applied) : 0.0;
                     });
}

}  // namespace ringlay::accounts
