#include "relay/accounts/follower.hpp"

#include "index/memory_disk.hpp"
#include "relay/accounts/fold.hpp"
#include "relay/env/sim/world.hpp"
#include "tests/relay/accounts/filling_env.hpp"
#include "tests/relay/accounts/fold_rig.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::accounts;
using namespace ringlay::accounts::test;
using namespace std::chrono_literals;
using event_log::Log;

namespace {

event_log::LogOptions log_options() {
    event_log::LogOptions options = event_log::test::small_log();
    options.sync_interval = 10ms;
    options.keeps_facts = true;
    return options;
}

// Lives of one process, one after the other, over a log and a database.
class FoldRig {
  public:
    explicit FoldRig(std::uint64_t seed = 1) : world(with_seed(seed)), random(seed) {}

    void run(const std::function<void()>& body) {
        world.machine("m").start_worker({.name = "log"}, [body] { body(); });
        auto stuck = world.run();
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
    }

    std::unique_ptr<Log> open_log(event_log::LogOptions options = log_options(),
                                  std::string_view path = "/log") {
        auto log = Log::open(env, path, std::move(options));
        REQUIRE(log.has_value());
        if ((*log)->host_table().all().empty()) {
            for (auto name : {"a", "b", "c"}) event_log::test::append_host(**log, name);
        }
        return std::move(*log);
    }
    std::unique_ptr<index::Database> open_database() { return test::open_database(disk.env()); }
    std::unique_ptr<Follower> follow(Log& log, index::Database& database,
                                     FollowerOptions options = {}) {
        if (!options.on_fatal) options.on_fatal = [](auto what) { FAIL(what); };
        return std::make_unique<Follower>(env, log, database, logger, std::move(options));
    }
    std::string logged() {
        std::string all;
        logger.flush([&](std::string_view line) { all += line; });
        return all;
    }

    static env::WorldOptions with_seed(std::uint64_t seed) {
        env::WorldOptions options;
        options.seed = seed;
        return options;
    }

    env::Env env;
    base::Logger logger{base::LogLevel::info, base::LogFormat::text};
    index::MemoryDisk disk;
    std::deque<OwnedFact> history;
    env::World world;
    std::mt19937_64 random;
};

void sleep(Nanos duration) {
    static_cast<void>(fiber::sleep_for(duration));
}

}  // namespace

TEST_CASE("accounts become what the log's facts add up to, at the start and then live") {
    auto seed = GENERATE(range(1u, 20u));
    CAPTURE(seed);
    FoldRig rig(seed);
    rig.run([&] {
        auto log = rig.open_log();
        append_random(*log, rig.history, rig.random, rig.random() % 200);
        log->close();
    });
    rig.run([&] {
        auto log = rig.open_log();
        auto database = rig.open_database();
        FollowerOptions options;
        options.max_batch = 1 + rig.random() % 40;
        auto follower = rig.follow(*log, *database, std::move(options));
        const FoldProgress& progress = follower->progress();
        CHECK_FALSE(progress.has_caught_up.load());
        REQUIRE(follower->catch_up().has_value());
        CHECK(progress.has_caught_up.load());
        CHECK(progress.applied_seq.load() == model_of(rig.history).seq);
        CHECK(support::difference(*database, model_of(rig.history).model) == "");

        append_random(*log, rig.history, rig.random, 50);
        sleep(1s);
        CHECK(progress.applied_seq.load() == model_of(rig.history).seq);
        CHECK(support::difference(*database, model_of(rig.history).model) == "");

        append_random(*log, rig.history, rig.random, 50);
        REQUIRE(log->sync_now().has_value());
        follower->stop();
        CHECK(support::difference(*database, model_of(rig.history).model) == "");
        CHECK(database->flushed() == database->applied());
        CHECK(progress.flushed_seq.load() == model_of(rig.history).seq);
        CHECK(progress.gaps.load() == 0);
        log->close();
    });
    // What was flushed is not folded again.
    rig.run([&] {
        auto log = rig.open_log();
        auto database = rig.open_database();
        auto follower = rig.follow(*log, *database);
        REQUIRE(follower->catch_up().has_value());
        CHECK(follower->progress().applied_seq.load() == model_of(rig.history).seq);
        CHECK(follower->progress().facts.load() == 0);
        CHECK(support::difference(*database, model_of(rig.history).model) == "");
        follower->stop();
        CHECK(follower->progress().flushes.load() == 0);
        log->close();
    });
}

TEST_CASE("what is not synced is not applied, however long it waits") {
    FoldRig rig;
    rig.run([&] {
        event_log::LogOptions options = log_options();
        options.sync_interval = 1h;
        options.reservation_block = 100'000;  // a reservation syncs, too
        auto log = rig.open_log(options);
        REQUIRE(log->sync_now().has_value());
        auto database = rig.open_database();
        auto follower = rig.follow(*log, *database);
        REQUIRE(follower->catch_up().has_value());
        sleep(1s);
        append_random(*log, rig.history, rig.random, 10);
        sleep(10s);
        CHECK(log->synced().seq == 0);
        CHECK(follower->progress().applied_seq.load() == 0);
        CHECK(support::difference(*database, {}) == "");
        // Into the next segments, too.
        append_random(*log, rig.history, rig.random, 100);
        sleep(10s);
        CHECK(log->counters().segments.load() > 2);
        CHECK(log->synced().seq == 0);
        CHECK(follower->progress().applied_seq.load() == 0);
        CHECK(support::difference(*database, {}) == "");
        REQUIRE(log->sync_now().has_value());
        const std::size_t synced = rig.history.size();
        append_random(*log, rig.history, rig.random, 100);
        sleep(10s);
        CHECK(support::difference(*database, model_of(rig.history, synced).model) == "");
        follower->stop();
        CHECK(support::difference(*database, model_of(rig.history, synced).model) == "");
        log->close();
    });
}

TEST_CASE("a fold that came further than it could say does the same again to the same end") {
    auto seed = GENERATE(range(1u, 20u));
    CAPTURE(seed);
    FoldRig rig(seed);
    rig.run([&] {
        auto log = rig.open_log();
        append_random(*log, rig.history, rig.random, 120);
        REQUIRE(log->sync_now().has_value());
        auto database = rig.open_database();
        // Rows as they are after `done` facts, and a point before them.
        const std::size_t done = rig.random() % 120;
        FoldModel ahead = model_of(rig.history, done);
        std::vector<index::AccountChange> changes;
        for (const auto& [did, row] : ahead.model.rows) {
            std::optional<index::RepoState> repo;
            if (row.repo.rev > 0) repo = row.repo;
            changes.push_back({did, row.last_seq, row.host_id, repo, row.local, row.upstream});
        }
        index::LogPoint point{log->log_id(), 0, event_log::segment_header_bytes, 0};
        auto records = read_facts(*log);
        if (std::size_t stated = rig.random() % (done + 1); stated > 0) {
            const auto& behind = records[stated - 1].behind;
            point = {log->log_id(), behind.segment_base, behind.offset,
                     model_of(rig.history, stated).seq};
        }
        REQUIRE(database->apply(MayBlock::on_own_thread(), changes, point).has_value());
        auto follower = rig.follow(*log, *database);
        REQUIRE(follower->catch_up().has_value());
        sleep(1s);
        CHECK(follower->progress().gaps.load() == 0);
        CHECK(support::difference(*database, model_of(rig.history).model) == "");
        follower->stop();
        CHECK(database->flushed().seq == model_of(rig.history).seq);
        log->close();
    });
}

TEST_CASE("rows are flushed by time, and by how much of the log they cover") {
    FoldRig rig;
    rig.run([&] {
        auto log = rig.open_log();
        auto database = rig.open_database();
        FollowerOptions options;
        options.first_flush_interval = options.flush_interval = 60s;
        options.flush_log_bytes = 20'000;
        auto follower = rig.follow(*log, *database, std::move(options));
        const FoldProgress& progress = follower->progress();
        REQUIRE(follower->catch_up().has_value());
        append_random(*log, rig.history, rig.random, 10);
        sleep(55s);
        CHECK(progress.flushes.load() == 0);
        sleep(10s);
        CHECK(progress.flushes.load() == 1);
        CHECK(database->flushed() == database->applied());
        sleep(300s);
        CHECK(progress.flushes.load() == 1);  // there is nothing to flush
        for (int i = 0; i < 40; ++i) {
            append_random(*log, rig.history, rig.random, 20);
            sleep(200ms);
        }
        const std::uint64_t flushes = progress.flushes.load();
        const std::uint64_t bytes = log->head();
        CHECK(bytes > 80'000);
        CHECK(flushes >= bytes / 25'000);
        CHECK(flushes <= 2 + bytes / 20'000);
        follower->stop();
        log->close();
    });
}

TEST_CASE("the first flushes come soon, later ones seldom") {
    FoldRig rig;
    rig.run([&] {
        auto log = rig.open_log();
        auto database = rig.open_database();
        FollowerOptions options;
        options.first_flush_interval = 5s;
        options.flush_interval = 15s;
        auto follower = rig.follow(*log, *database, std::move(options));
        REQUIRE(follower->catch_up().has_value());
        // At 5, 15 (10 later), 30, 45 and 60 s.
        const std::uint64_t expected[] = {0, 1, 1, 2, 2, 2, 3, 3, 3, 4};
        sleep(2s);
        for (std::uint64_t flushes : expected) {
            append_random(*log, rig.history, rig.random, 2);
            CHECK(follower->progress().flushes.load() == flushes);
            sleep(5s);
        }
        follower->stop();
        log->close();
    });
}

TEST_CASE("facts stay, whatever their frames do, until they are folded and flushed") {
    FoldRig rig;
    event_log::LogOptions small = log_options();
    small.segment_bytes = 1500;
    small.space.retention_bytes = 8000;
    rig.run([&] {
        auto log = rig.open_log(small);
        for (int i = 0; i < 20; ++i) {
            append_random(*log, rig.history, rig.random, 10);
            sleep(200ms);
        }
        CHECK(log->counters().segments_removed.load() > 0);
        log->close();
    });
    rig.run([&] {
        auto log = rig.open_log(small);
        auto database = rig.open_database();
        CHECK(read_facts(*log).size() == rig.history.size());
        auto follower = rig.follow(*log, *database);
        REQUIRE(follower->catch_up().has_value());
        CHECK(support::difference(*database, model_of(rig.history).model) == "");
        sleep(1s);
        CHECK(read_facts(*log).size() == rig.history.size());  // not flushed yet
        sleep(61s);
        CHECK(follower->progress().flushes.load() == 1);
        CHECK(read_facts(*log).size() < rig.history.size());
        follower->stop();
        log->close();
    });
}

TEST_CASE("facts that went before they were folded are a gap: counted, said, gone on behind") {
    FoldRig rig;
    rig.run([&] {
        event_log::LogOptions small = log_options();
        small.segment_bytes = 1500;
        small.space.retention_bytes = 8000;
        small.keeps_facts = false;
        auto log = rig.open_log(small);
        for (int i = 0; i < 20; ++i) {
            append_random(*log, rig.history, rig.random, 10);
            sleep(200ms);
        }
        const std::size_t left = read_facts(*log).size();
        REQUIRE(left < rig.history.size());
        auto database = rig.open_database();
        auto follower = rig.follow(*log, *database);
        REQUIRE(follower->catch_up().has_value());
        CHECK(follower->progress().gaps.load() == 1);
        CHECK(rig.logged().find("facts were gone before they were folded") != std::string::npos);
        rig.history.erase(rig.history.begin(),
                          rig.history.end() - static_cast<std::ptrdiff_t>(left));
        sleep(1s);
        CHECK(support::difference(*database, model_of(rig.history).model) == "");
        follower->stop();
        log->close();
    });
}

TEST_CASE("a database of another log keeps its rows, and this log is folded from its start") {
    FoldRig rig;
    index::LogPoint of_the_other;
    rig.run([&] {
        auto log = rig.open_log(log_options(), "/other");
        auto database = rig.open_database();
        auto follower = rig.follow(*log, *database);
        REQUIRE(follower->catch_up().has_value());
        rig.history.push_back(random_fact(rig.random, 1));
        rig.history.back().kind = FactsKind::account;
        rig.history.back().is_unverified = false;
        rig.history.back().did = "did:web:only-there.example";
        rig.history.back().standings = {0, 0};
        rig.history.back().message =
            event_log::test::identity_message("did:web:only-there.example", 1, 130);
        REQUIRE(append_last(*log, rig.history, 1));
        REQUIRE(log->sync_now().has_value());
        follower->stop();
        of_the_other = database->flushed();
        CHECK(of_the_other.log_id == log->log_id());
        CHECK(rig.logged().find("another event log") == std::string::npos);
        log->close();
    });
    rig.run([&] {
        event_log::LogOptions options = log_options();
        options.initial_seq = 10;
        auto log = rig.open_log(options);
        REQUIRE(log->log_id() != of_the_other.log_id);
        append_random(*log, rig.history, rig.random, 100);
        REQUIRE(log->sync_now().has_value());
        auto database = rig.open_database();
        auto follower = rig.follow(*log, *database);
        REQUIRE(follower->catch_up().has_value());
        CHECK(rig.logged().find("accounts belong to another event log") != std::string::npos);
        sleep(1s);
        CHECK(follower->progress().applied_seq.load() == log->head_seq());
        CHECK(database->applied().log_id == log->log_id());
        // The one of before is newer than all of this log: is_from_the_future() says so.
        CHECK(support::difference(*database, model_of(rig.history).model) == "");
        follower->stop();
        log->close();
    });
}

TEST_CASE("a database ahead of its log is said to be so, and folded anew") {
    FoldRig rig;
    rig.run([&] {
        auto log = rig.open_log();
        append_random(*log, rig.history, rig.random, 50);
        REQUIRE(log->sync_now().has_value());
        auto database = rig.open_database();
        REQUIRE(database
                    ->apply(MayBlock::on_own_thread(), {},
                            {log->log_id(), log->synced_facts().segment_base,
                             log->synced_facts().offset + 1000, log->head_seq() + 5})
                    .has_value());
        auto follower = rig.follow(*log, *database);
        REQUIRE(follower->catch_up().has_value());
        CHECK(follower->progress().gaps.load() == 1);
        CHECK(rig.logged().find("accounts are ahead of the event log") != std::string::npos);
        sleep(1s);
        CHECK(follower->progress().applied_seq.load() == log->head_seq());
        CHECK(support::difference(*database, model_of(rig.history).model) == "");
        follower->stop();
        log->close();
    });
}

TEST_CASE("a full disk is waited out: the fold goes on where it was") {
    FoldRig rig;
    FillingEnv filling(rig.disk.env());
    rig.run([&] {
        auto log = rig.open_log();
        auto database = test::open_database(filling.env());
        FollowerOptions options;
        options.flush_interval = 1s;
        auto follower = rig.follow(*log, *database, std::move(options));
        REQUIRE(follower->catch_up().has_value());
        filling.set_full(true);
        append_random(*log, rig.history, rig.random, 100);
        sleep(30s);
        CHECK(follower->progress().flushes.load() == 0);
        CHECK(rig.logged().find("no room for accounts") != std::string::npos);
        append_random(*log, rig.history, rig.random, 100);
        filling.set_full(false);
        sleep(30s);
        CHECK(follower->progress().flushes.load() > 0);
        CHECK(support::difference(*database, model_of(rig.history).model) == "");
        CHECK(database->flushed() == database->applied());
        // A shutdown does not wait for room.
        filling.set_full(true);
        append_random(*log, rig.history, rig.random, 10);
        REQUIRE(log->sync_now().has_value());
        const Nanos before = fiber::now();
        follower->stop();
        CHECK(fiber::now() - before < 1s);
        CHECK(database->flushed() != database->applied());
        filling.set_full(false);
        log->close();
    });
}

TEST_CASE("a fact that cannot be read stops the start, and later ends the process") {
    FoldRig rig;
    std::string fatal;
    FollowerOptions options;
    options.on_fatal = [&](std::string_view what) { fatal = what; };
    auto bad_fact = [&] {
        OwnedFact fact = random_fact(rig.random, rig.history.size() + 1);
        fact.kind = FactsKind::account_standing;
        fact.is_unverified = false;
        fact.standings = {16, 0};
        fact.message.clear();
        return fact;
    };
    rig.run([&] {
        auto log = rig.open_log();
        append_random(*log, rig.history, rig.random, 20);
        REQUIRE(log->sync_now().has_value());
        auto database = rig.open_database();
        auto follower = rig.follow(*log, *database, options);
        REQUIRE(follower->catch_up().has_value());
        sleep(1s);
        rig.history.push_back(bad_fact());
        REQUIRE(append_last(*log, rig.history, 1));
        sleep(1s);
        CHECK(fatal == "fact: a standing that is none");
        CHECK(support::difference(*database, model_of(rig.history, 20).model) == "");
        follower->stop();
        log->close();
    });
    rig.run([&] {
        fatal.clear();
        auto log = rig.open_log();
        auto database = rig.open_database();
        auto follower = rig.follow(*log, *database, options);
        auto caught_up = follower->catch_up();
        REQUIRE_FALSE(caught_up.has_value());
        CHECK(caught_up.error().code == Errc::corrupt);
        CHECK_FALSE(follower->progress().has_caught_up.load());
        CHECK(fatal.empty());
        follower->stop();
        log->close();
    });
}

TEST_CASE("the page of metrics shows how far the fold is") {
    FoldRig rig;
    rig.run([&] {
        base::Metrics metrics(1);
        auto log = rig.open_log();
        append_random(*log, rig.history, rig.random, 20);
        REQUIRE(log->sync_now().has_value());
        auto database = rig.open_database();
        auto follower = rig.follow(*log, *database);
        follower->register_metrics(metrics);
        auto shows = [&](const std::string& line) {
            return metrics.expose().find("\n" + line + "\n") != std::string::npos;
        };
        CHECK(shows("relay_fold_caught_up 0"));
        REQUIRE(follower->catch_up().has_value());
        sleep(1s);
        follower->progress().rows_from_the_future.fetch_add(3);
        const std::string head = std::to_string(log->head_seq());
        CHECK(shows("relay_fold_caught_up 1"));
        CHECK(shows("relay_fold_applied_seq " + head));
        CHECK(shows("relay_fold_flushed_seq 0"));
        CHECK(shows("relay_fold_lag_seqs 0"));
        CHECK(shows("relay_fold_gaps_total 0"));
        CHECK(shows("relay_fold_rows_from_the_future_total 3"));
        append_random(*log, rig.history, rig.random, 20);
        CHECK(shows("relay_fold_lag_seqs " +
                    std::to_string(log->head_seq() - follower->progress().applied_seq.load())));
        REQUIRE(log->sync_now().has_value());
        follower->stop();
        CHECK(shows("relay_fold_flushed_seq " + std::to_string(log->head_seq())));
        CHECK(shows("relay_fold_flushes_total 1"));
        CHECK(shows("relay_fold_facts_total " + std::to_string(follower->progress().facts.load())));
        CHECK(follower->progress().facts.load() >= rig.history.size());
        log->close();
    });
}

// The log on one worker, the fold on another.
RINGLAY_TEST_ON(fold_beside_a_log, ([](auto body) { support::on_both_kernels({2}, body); }),
                "the fold follows a log of another worker, on rings as in the simulation") {
    std::mt19937_64 random(1);
    std::deque<OwnedFact> history;
    index::MemoryDisk disk;
    auto database = test::open_database(disk.env());
    base::Logger logger(base::LogLevel::info, base::LogFormat::text);
    auto opened = Log::open(world.env(), world.directory().path() + "/log", log_options());
    REQUIRE(opened.has_value());
    Log& log = **opened;
    for (auto name : {"a", "b", "c"}) event_log::test::append_host(log, name);
    std::unique_ptr<Follower> follower;
    world.on(1, [&] {
        FollowerOptions options;
        options.poll_interval = 1ms;
        follower = std::make_unique<Follower>(world.env(), log, *database, logger, options);
        REQUIRE(follower->catch_up().has_value());
    });
    for (int i = 0; i < 30; ++i) {
        append_random(log, history, random, 20);
        sleep(1ms);
        CHECK(follower->progress().applied_seq.load(std::memory_order_acquire) <=
              log.highest_issued_seq());
    }
    REQUIRE(log.sync_now().has_value());
    world.on(1, [&] { follower->stop(); });
    CHECK(support::difference(*database, model_of(history).model) == "");
    world.on(1, [&] { follower.reset(); });
    log.close();
}
