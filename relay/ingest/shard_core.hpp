// The inside of a shard. Private to relay/ingest/shard*.cpp, which are one class in parts:
//
//     shard.cpp           its fibers, and the way of an event from the mailbox to a ruling
//     shard_verdicts.cpp  what becomes of an event that has been ruled on: facts, other words, drop
//     shard_waits.cpp     what is done for an account whose first event cannot be ruled on
//     shard_identity.cpp  what is learned of identities, and what follows from it
//
// All of it runs on one worker and waits nowhere between two changes of state, except where a
// fiber says so (yield, blocking): what is true of an account at the begin of a function stays
// true.
//
// Owner    Shard.
// Thread   its worker, but for the mailbox.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "relay/accounts/account_table.hpp"
#include "relay/ingest/account_loader.hpp"
#include "relay/ingest/account_pace.hpp"
#include "relay/ingest/alarms.hpp"
#include "relay/ingest/clock_judge.hpp"
#include "relay/ingest/first_looks.hpp"
#include "relay/ingest/hosts_met.hpp"
#include "relay/ingest/identity_rate.hpp"
#include "relay/ingest/identity_writer.hpp"
#include "relay/ingest/late_events.hpp"
#include "relay/ingest/own_entries.hpp"
#include "relay/ingest/parking.hpp"
#include "relay/ingest/recently.hpp"
#include "relay/ingest/rules.hpp"
#include "relay/ingest/shard.hpp"
#include "relay/ingest/status_asker.hpp"
#include "relay/ingest/watermark.hpp"

namespace ringlay::ingest {

struct Shard::Core {
    using Account = accounts::Account;

    // Whose event has caused a look-up.
    struct Cause {
        std::uint32_t host_id = 0;
        std::uint32_t host_name = 0;  // a number of HostsMet
        bool has_taken = false;       // one of FirstLooks
    };

    Core(ShardContext& its_context, ShardOptions its_options);

    // shard.cpp
    void stop();
    void run_mailbox();
    void run_resumer();
    void run_timer();
    void receive(Event& event);
    bool may_be_of_own_host(const Event& event);
    bool is_held_up_by_another(const Parked& parked, const Event& event);
    void park(Event& event, ParkReason reason, const Progress& progress);
    void resume(Parked& parked);
    // Rules on the event and does what follows. Nothing: it is not ours any more. Else it must wait
    // for this.
    std::optional<ParkReason> settle(Event& event, Progress& progress);
    bool is_doubtful_farewell(const Ruling& ruling, const Account& account,
                              const Progress& progress) const;
    std::optional<ParkReason> settle_without_key(Event& event, Account& account, Knowledge& known,
                                                 const Progress& progress);
    std::optional<ParkReason> settle_contradiction(Event& event, const Ruling& ruling,
                                                   const Progress& progress);
    enum class Pace : std::uint8_t { passes, waits, is_overtaken };
    Pace pace_of(const Event& event, const Knowledge& known, const Progress& progress);
    std::optional<ParkReason> settle_inactive(Event& event, const Ruling& ruling);
    Knowledge knowledge_of(const Account& account) const;
    bool may_pass_unverified(const Event& event, const Account& account) const;
    void watch_clock(const Event& event, const Ruling& ruling);

    // shard_verdicts.cpp
    void pass(Event& event, Account& account, const Ruling& ruling);
    void pass_unverified(Event& event, const Account& account, const Ruling& ruling,
                         const Progress& progress);
    void drop(Event& event, Check check, std::string_view why);
    void drop_limited(Event& event, base::Counter& counter);
    void charge_new_account(const Event& event);
    void count_passed(const Event& event, const Account& account, const Ruling& ruling);
    Result<void> put_into_our_words(Event& event, const Account& account, const Ruling& ruling);
    void set_repo_fields(Event& event, const Ruling::Proof& proof);
    void set_statuses(Event& event, const Account& account);
    // Hands over what changes an account's state.
    void push(Event& event);
    void keep_late(const Event& event, const Ruling& ruling, const Progress& progress);
    void repair(const Event& event);
    void look_at_fold();

    // shard_waits.cpp
    void begin_wait(Parked& parked, ParkReason reason);
    void wake(Parked& parked);
    void on_loaded(std::string_view did, const Account& account);
    void wait_for_key(Parked& parked);
    void wait_for_refresh(Parked& parked);
    void wait_for_host(Parked& parked);
    void wait_for_pace(Parked& parked);
    const Event* take_first_look(Parked& parked);
    void join_line(Parked& parked, std::uint32_t host_id);
    void begin_turn(Parked& parked, const Event& cause);
    void take_turns();
    void set_turn_alarm();
    // `cause`: who has to answer for it. `has_taken`: one of its first looks.
    void look_up(Parked& parked, const Event& cause, bool has_taken = false);
    void count_look(std::string_view did, const Cause& cause, const identity::LookUp& found);
    void on_looked_up(std::string_view did, std::uint64_t look, const identity::LookUp& found);
    void on_alarm(const Alarm& alarm);
    void on_parked_alarm(Parked& parked);
    void set_alarm(Parked& parked, Nanos at);
    void set_alarm(Nanos at, Alarm::Kind kind, std::string_view did);
    Nanos last_moment(const Event& event) const;
    void pin(Parked& parked);

    // shard_identity.cpp
    void learned(std::string_view did, const identity::LookUp& found);
    void keep_fresh(std::string_view did, const Account& account, std::uint32_t host_id);
    void purge_identity(std::string_view did, Account& account, std::uint32_t host_id);
    void refresh_in_background(std::string_view did, std::uint32_t host_id);
    void begin_search(const Event& event, std::uint32_t failures);
    void search_late(std::string_view did);
    void search_later(std::string_view did, LateEvents::Search& search);
    void verify_late(std::string_view did, Account& account);
    bool is_good(const LateEvent& event, const Account& account) const;
    void fold_late(std::string_view did, Account& account, const LateEvent& event);
    Nanos age_of(const Account& account) const;  // of its identity; never looked up: the longest

    Nanos now() const { return context.env.clock.now(); }
    std::uint64_t now_ms() const {
        return static_cast<std::uint64_t>(context.env.clock.wall().count());
    }

    ShardContext& context;
    const ShardOptions options;
    const std::uint32_t me;  // the worker's index, for counters

    HostsMet hosts;
    accounts::AccountTable table;
    Parking parking;
    Alarms alarms;
    Nanos timer_sleeps_until = Nanos::max();
    LateEvents late;
    FirstLooks first_looks;
    Nanos turn_alarm = Nanos::max();
    Recently refusals;          // (DID, host): this host was found not to have the account
    Recently vain_looks;        // DID: a signature stayed wrong
    Recently charged;           // (DID, host): new there, and unverified
    Recently background_looks;  // DID: because its identity was old
    // DIDs that are looked up with no event waiting; true: once more after that.
    std::map<std::string, bool, std::less<>> refreshing;
    IdentityRate identity_rate;
    AccountPace account_pace;
    ClockJudge clock_judge;
    Watermark watermark;
    event_log::Receipt receipt;
    Nanos fold_interval{};  // 0: nobody waits for the fold
    OwnEntries own;
    std::uint64_t next_look = 1;
    base::LogLimit drop_lines{20};
    bool is_stopping = false;

    fiber::Mailbox<Event> mailbox;
    std::deque<std::string> ready;  // parked accounts to be looked at
    fiber::Event has_ready;
    fiber::Event timer_changed;

    identity::Resolver resolver;
    IdentityWriter writer;
    AccountLoader loader;
    StatusAsker asker;
    fiber::Task mailbox_task;
    fiber::Task resumer_task;
    fiber::Task timer_task;
};

}  // namespace ringlay::ingest
