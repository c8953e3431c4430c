// The fold through crashes: log and database on their disks, power lost or the process killed at
// any moment; after each restart the rows are what their place in the log says, and once caught up
// what the log says.

#include <catch2/catch.hpp>

#include "index/memory_disk.hpp"
#include "relay/accounts/follower.hpp"
#include "relay/env/sim/world.hpp"
#include "tests/relay/accounts/fold_rig.hpp"
#include "tests/sim/crash_harness.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::accounts;
using namespace ringlay::accounts::test;
using event_log::FactsPoint;
using event_log::Log;

namespace {

struct Tally {
    std::uint64_t lives = 0;
    std::uint64_t facts = 0;
    std::uint64_t flushes = 0;
    std::uint64_t lost = 0;          // appended, and gone in a crash
    std::uint64_t folded_again = 0;  // by the next life
    std::uint64_t went_on = 0;       // lives that began with rows of the one before
    std::uint64_t facts_removed = 0;
    std::uint64_t clean_ends = 0;
};

class FoldCrashes {
  public:
    FoldCrashes(std::uint64_t seed, Tally& tally)
        : random_(seed), tally_(tally), world_(with_seed(seed)), machine_(world_.machine("m")) {
        disks_.push_back(std::make_unique<index::MemoryDisk>());
        has_own_worker_ = random_() % 2 == 0;
    }

    void run() {
        // A life without a crash, to know how long one is.
        const std::uint64_t before = world_.event_count();
        live(0);
        const std::uint64_t usual = world_.event_count() - before;
        for (int i = 0; i < 5; ++i) live(1 + random_() % usual);
        live(0);
    }

  private:
    struct Life {
        bool is_alive = true;
        std::unique_ptr<fiber::Event> fold_end = std::make_unique<fiber::Event>();
        fiber::Worker* fold_worker = nullptr;
    };

    static env::WorldOptions with_seed(std::uint64_t seed) {
        env::WorldOptions options;
        options.seed = seed;
        options.time_limit = 10min;
        return options;
    }

    // Crashes after that many events of the world; 0: ends as it should.
    void live(std::uint64_t events) {
        Life& life = *lives_.emplace_back(std::make_unique<Life>());
        ++tally_.lives;
        machine_.start_worker({.name = "log"}, [this, &life] { work(life); });
        if (events > 0) {
            static_cast<void>(world_.run_to_event(world_.event_count() + events));
            life.is_alive = false;
            // The old life goes on over a disk that nobody will see.
            disks_.push_back(disks_.back()->copy_of_files());
            machine_.crash(random_() % 2 == 0 ? env::CrashMode::kill : env::CrashMode::power_loss);
        }
        auto stuck = world_.run();
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
    }

    event_log::LogOptions log_options(const Life& life) {
        event_log::LogOptions options = event_log::test::small_log();
        options.segment_bytes = 1500;
        options.reservation_block = 50;
        options.sync_interval = 5ms;
        options.keeps_facts = true;
        options.space.retention_bytes = 8000;
        options.space.interval = 5ms;
        options.on_fatal = [&life](std::string_view what) {
            INFO(what);
            REQUIRE_FALSE(life.is_alive);
        };
        return options;
    }

    void on_fold_worker(Life& life, const std::function<void()>& function) {
        if (!has_own_worker_) return function();
        fiber::call_on(*life.fold_worker, "fold", [&] { function(); });
    }

    void work(Life& life) {
        env::Env env;
        if (has_own_worker_) {
            life.fold_worker =
                &machine_.start_worker({.name = "fold"}, [end = life.fold_end.get()] {
                    fiber::CancelBlocker blocker;
                    static_cast<void>(end->wait());
                });
        }
        index::MemoryDisk& disk = *disks_.back();
        auto log = Log::open(env, "/log", log_options(life));
        if (life.is_alive) REQUIRE(log.has_value());
        if (log) {
            // Not while the log was being opened: the disk may be that of the next life by now.
            if (life.is_alive) fold(env, life, **log, disk);
            fiber::CancelBlocker blocker;
            if (life.is_alive) (*log)->close();
        }
        if (has_own_worker_) on_fold_worker(life, [&] { life.fold_end->set(); });
    }

    void fold(env::Env& env, Life& life, Log& log, index::MemoryDisk& disk) {
        auto database = open_database(disk.env());
        remember(life, log, *database);
        if (!life.is_alive) return;
        base::Logger logger(base::LogLevel::error, base::LogFormat::text);
        FollowerOptions options;
        options.poll_interval = 1ms;
        options.max_batch = 1 + random_() % 20;
        options.flush_interval = Nanos(static_cast<std::int64_t>(1 + random_() % 50'000'000));
        options.flush_log_bytes = 500 + random_() % 5000;
        options.on_fatal = [&life](std::string_view what) {
            INFO(what);
            REQUIRE_FALSE(life.is_alive);
        };
        Follower follower(env, log, *database, logger, options);
        Result<void> caught_up;
        on_fold_worker(life, [&] { caught_up = follower.catch_up(); });
        if (life.is_alive) {
            INFO((caught_up ? "" : caught_up.error().what));
            REQUIRE(caught_up.has_value());
            REQUIRE(follower.progress().gaps.load() == 0);
            REQUIRE(support::difference(*database, model_of(history_).model) == "");
            tally_.folded_again += follower.progress().facts.load();
            change(life, log, *database);
        }
        if (life.is_alive && random_() % 2 == 0) {
            static_cast<void>(log.sync_now());
            on_fold_worker(life, [&] { follower.stop(); });
            if (life.is_alive) {
                ++tally_.clean_ends;
                REQUIRE(support::difference(*database, model_of(history_).model) == "");
                REQUIRE(database->flushed() == database->applied());
            }
        }
        tally_.flushes += follower.progress().flushes.load();
        on_fold_worker(life, [&] { follower.stop(); });
    }

    // What the crash has left of the history; and the rows that it has left are those of their
    // place in the log.
    void remember(Life& life, Log& log, const index::Database& database) {
        if (log.host_table().all().empty()) {
            for (auto name : {"a", "b", "c"}) {
                event_log::Entry entry;
                entry.kind = event_log::FactsKind::host_name;
                entry.text = name;
                event_log::Entry* batch[] = {&entry};
                static_cast<void>(log.append(batch));
            }
        }
        std::vector<Record> records = read_facts(log);
        if (!life.is_alive) return;
        const index::LogPoint applied = database.applied();
        const FactsPoint point{applied.segment_base, applied.facts_offset};
        REQUIRE(point <= log.opened_facts());
        std::size_t folded = 0;
        if (applied.log_id != 0) {
            ++tally_.went_on;
            REQUIRE(applied.log_id == log.log_id());
            // Facts go only once they are folded.
            folded = records.empty() ? history_.size() : records.front().number - 1;
            for (const Record& record : records) {
                if (record.behind <= point) folded = record.number;
            }
        } else if (!records.empty()) {
            REQUIRE(records.front().number == 1);
        }
        if (!records.empty()) {
            tally_.facts_removed += records.front().number - 1;
            const std::size_t left = records.back().number;
            REQUIRE(left <= history_.size());
            REQUIRE(records.size() == left - records.front().number + 1);
            REQUIRE(synced_numbers_ <= left);
            tally_.lost += history_.size() - left;
            while (history_.size() > left) history_.pop_back();
            note_seqs(log);
        } else {
            REQUIRE(synced_numbers_ == 0);
            history_.clear();
        }
        synced_numbers_ = history_.size();
        REQUIRE(folded <= history_.size());
        REQUIRE(support::difference(database, model_of(history_, folded).model) == "");
        REQUIRE(applied.seq == model_of(history_, folded).seq);
    }

    // The last events of a life may be in the log although it could not say their seqs any more.
    void note_seqs(Log& log) {
        auto feed = event_log::FactsFeed::open(log, {});
        REQUIRE(feed.has_value());
        for (;;) {
            auto items = feed->read(100);
            REQUIRE(items.has_value());
            if (items->empty()) return;
            for (const auto& item : *items) {
                if (item.facts.kind == FactsKind::host_name) continue;
                history_[item.facts.upstream_seq - 1].seq = item.facts.seq;
            }
        }
    }

    void change(Life& life, Log& log, const index::Database& database) {
        for (std::uint64_t steps = 5 + random_() % 20; steps > 0 && life.is_alive; --steps) {
            const std::size_t count = 1 + random_() % 6;
            for (std::size_t i = 0; i < count; ++i) {
                history_.push_back(random_fact(random_, history_.size() + 1));
            }
            // Of facts without a frame at the very end of a segment nobody misses what is lost when
            // the segment behind it is not: a history with holes is not what this test is about.
            while (!event_log::is_event(history_.back().kind)) {
                history_.back() = random_fact(random_, history_.size());
            }
            // What a life that has ended does now is nobody's history.
            std::deque<OwnedFact> own(history_.end() - static_cast<std::ptrdiff_t>(count),
                                      history_.end());
            const bool is_appended = append_last(log, own, count);
            if (!life.is_alive) return;
            REQUIRE(is_appended);
            std::move(own.begin(), own.end(), history_.end() - static_cast<std::ptrdiff_t>(count));
            tally_.facts += count;
            if (random_() % 3 == 0) {
                static_cast<void>(
                    fiber::sleep_for(Nanos(static_cast<std::int64_t>(random_() % 20'000'000))));
            }
            if (!life.is_alive) return;
            const index::LogPoint applied = database.applied();
            REQUIRE(FactsPoint{applied.segment_base, applied.facts_offset} <= log.synced_facts());
            REQUIRE(applied.seq <= log.synced().seq);
        }
    }

    std::mt19937_64 random_;
    Tally& tally_;
    bool has_own_worker_ = false;
    std::deque<OwnedFact> history_;  // number n is at n - 1
    std::uint64_t synced_numbers_ = 0;
    std::vector<std::unique_ptr<index::MemoryDisk>> disks_;  // the last one is the present life's
    std::vector<std::unique_ptr<Life>> lives_;
    env::World world_;
    env::Machine& machine_;
};

}  // namespace

TEST_CASE("after any crash the rows are those of their place in the log, then those of the log") {
    Tally tally;
    const support::SeedRange seeds = support::sim_seeds(100);
    for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
        INFO("seed " << seed);
        FoldCrashes(seed, tally).run();
    }
    const std::uint64_t count = seeds.last - seeds.first + 1;
    if (count < 50) return;
    CHECK(tally.lives == count * 7);
    CHECK(tally.facts > count * 100);
    CHECK(tally.flushes > count * 10);
    CHECK(tally.lost > count);
    CHECK(tally.folded_again > count * 20);
    CHECK(tally.went_on > count * 3);
    CHECK(tally.facts_removed > count * 20);
    CHECK(tally.clean_ends > count / 2);
}
