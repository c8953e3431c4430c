#include "relay/event_log/reader.hpp"

#include "tests/relay/event_log/one_log.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;
using namespace ringlay::event_log::test;
using fiber::Op;

namespace {

// A tail that holds almost nothing, so that nearly all reading is from files.
LogOptions cold_log() {
    LogOptions options = small_log();
    options.tail = {.chunk_bytes = 1024, .chunk_count = 6};
    return options;
}

void append_many(Log& log, std::uint64_t first, std::uint64_t last, std::size_t size_bytes = 200) {
    for (std::uint64_t i = first; i <= last; ++i) append_one(log, 1, i, size_bytes);
}

}  // namespace

TEST_CASE("from every cursor a reader gets exactly the events above it, cold and warm") {
    OneLog one;
    one.run([&] {
        auto log = one.open(cold_log());
        append_host(*log, "pds.example");
        append_many(*log, 1, 120);
        CHECK(log->counters().segments.load() > 4);
        for (std::uint64_t cursor = 999; cursor <= 1119; ++cursor) {
            CAPTURE(cursor);
            REQUIRE(seqs_of(read_all(*log, cursor)) == range_of(cursor + 1, 1119));
        }
        log->close();
    });
}

TEST_CASE("while the log grows, a reader gets every event once, whatever its cursor and pace") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        OneLog one(seed);
        one.run([&] {
            auto log = one.open(cold_log());
            append_host(*log, "pds.example");
            append_many(*log, 1, 40);
            ReadPort port(*log, {.block_bytes = 256, .max_blocks = 2});
            const std::uint64_t cursor = 999 + seed;
            Reader reader = Reader::open(port, cursor).value();
            fiber::Task writer = fiber::spawn("writer", [&] {
                for (std::uint64_t i = 41; i <= 120; ++i) {
                    append_one(*log, 1, i, 100 + i * seed % 400);
                    if (i % 3 == 0) REQUIRE(fiber::sleep_for(100us).has_value());
                }
            });
            env::Prng prng(seed);
            Buffer stream;
            while (reader.frames_delivered() < 1119 - cursor) {
                REQUIRE(reader.wait(Deadline::in(1s)).has_value());
                auto view = reader.view(1 + prng.below(700));
                REQUIRE(view.has_value());
                REQUIRE_FALSE(view->empty());
                std::size_t taken = 1 + prng.below(view->bytes().size());
                stream.insert(stream.end(), view->bytes().begin(),
                              view->bytes().begin() + static_cast<std::ptrdiff_t>(taken));
                reader.advance(*view, taken);
                if (prng.below(4) == 0) REQUIRE(fiber::sleep_for(200us).has_value());
            }
            writer.join();
            CHECK(seqs_of(stream) == range_of(cursor + 1, 1119));
            CHECK(reader.is_at_head());
            CHECK(reader.view(100)->empty());
            log->close();
        });
    }
}

TEST_CASE("without a cursor a reader begins at the head, with what comes then") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        append_many(*log, 1, 5);
        ReadPort port(*log);
        Reader reader = Reader::open(port, std::nullopt).value();
        CHECK(reader.start().kind == Start::Kind::live_tip);
        CHECK(reader.is_at_head());
        CHECK(reader.wait(Deadline::in(1ms)).error().code == Errc::timed_out);
        append_many(*log, 6, 7);
        REQUIRE(reader.wait(Deadline::in(1s)).has_value());
        CHECK(reader.lag_bytes() > 0);
        CHECK(seqs_of(read_to_head(reader).value()) == range_of(1005, 1006));
        CHECK_FALSE(reader.was_cold());
        log->close();
    });
}

TEST_CASE("a cursor that was never issued is future; one that may have been is not") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        append_many(*log, 1, 5);
        CHECK(log->highest_issued_seq() == 1004);
        auto kind = [&](std::uint64_t cursor) { return log->find_cursor(cursor)->kind; };
        CHECK(kind(1003) == Start::Kind::inside);
        CHECK(kind(1004) == Start::Kind::inside);
        CHECK(kind(1005) == Start::Kind::future);
        CHECK(log->find_cursor(5'000)->seq == 1004);
        // An unclean end: the last life may have issued everything up to the ceiling.
    });
    one.run([&] {
        auto log = one.open();
        CHECK(log->recovery().first_seq == 1100);
        auto kind = [&](std::uint64_t cursor) { return log->find_cursor(cursor)->kind; };
        CHECK(kind(1004) == Start::Kind::inside);
        CHECK(kind(1050) == Start::Kind::inside);
        CHECK(kind(1099) == Start::Kind::inside);
        CHECK(kind(1100) == Start::Kind::future);
        CHECK(log->find_cursor(1100)->seq == 1099);
        // A cursor inside the jump is served from the next event.
        append_many(*log, 6, 7);
        CHECK(seqs_of(read_all(*log, 1050)) == range_of(1100, 1101));
        CHECK(seqs_of(read_all(*log, 1003)) == std::vector<std::uint64_t>{1004, 1100, 1101});
        log->close();
    });
}

TEST_CASE("a cursor older than the window is outdated and gets all of it; 0 never is") {
    OneLog one;
    LogOptions options = small_log();
    options.space.retention_bytes = 15'000;
    one.run([&] {
        auto log = one.open(options);
        append_host(*log, "pds.example");
        CHECK(log->find_cursor(5)->kind == Start::Kind::outdated);  // of an earlier relay's life
        CHECK(log->find_cursor(5)->seq == 1000);
        CHECK(log->find_cursor(999)->kind == Start::Kind::inside);
        CHECK(log->find_cursor(0)->kind == Start::Kind::inside);
        for (std::uint64_t i = 1; i <= 200; ++i) {
            append_one(*log, 1, i, 300);
            if (i % 5 == 0) REQUIRE(fiber::sleep_for(50ms).has_value());
        }
        REQUIRE(fiber::sleep_for(1s).has_value());
        const std::uint64_t oldest = log->counters().oldest_seq.load();
        REQUIRE(oldest > 1050);
        ReadPort port(*log);
        Reader outdated = Reader::open(port, oldest - 2).value();
        CHECK(outdated.start().kind == Start::Kind::outdated);
        CHECK(outdated.start().seq == oldest);
        CHECK(seqs_of(read_to_head(outdated).value()) == range_of(oldest, 1199));
        Reader exact = Reader::open(port, oldest - 1).value();  // has missed nothing
        CHECK(exact.start().kind == Start::Kind::inside);
        CHECK(seqs_of(read_to_head(exact).value()) == range_of(oldest, 1199));
        Reader zero = Reader::open(port, 0).value();
        CHECK(zero.start().kind == Start::Kind::inside);
        CHECK(seqs_of(read_to_head(zero).value()) == range_of(oldest, 1199));
        log->close();
    });
}

TEST_CASE("a reader whose segment is removed is told so at its next look, and holds no space") {
    OneLog one;
    LogOptions options = cold_log();
    options.space.retention_bytes = 15'000;
    one.run([&] {
        auto log = one.open(options);
        append_host(*log, "pds.example");
        append_many(*log, 1, 40, 300);
        ReadPort port(*log, {.block_bytes = 256, .max_blocks = 2});
        Reader reader = Reader::open(port, 0).value();
        auto view = reader.view(100);
        REQUIRE(view.has_value());
        CHECK(reader.was_cold());
        reader.advance(*view, 100);
        view = View();
        append_many(*log, 41, 100, 300);
        REQUIRE(fiber::sleep_for(2s).has_value());
        CHECK(log->counters().segments_removed.load() > 0);
        auto gone = reader.view(100);
        REQUIRE_FALSE(gone.has_value());
        CHECK(gone.error().code == Errc::not_found);
        std::uint64_t used = env::SimDiskOptions().capacity_bytes - one.machine.disk().free_bytes();
        CHECK(used < 15'000 + options.segment_bytes);  // the active one is allocated ahead
        log->close();
    });
}

TEST_CASE("readers that catch up together read each block once, within the bound of the cache") {
    OneLog one;
    one.run([&] {
        auto log = one.open(cold_log());
        append_host(*log, "pds.example");
        append_many(*log, 1, 60, 300);
        ReadPort port(*log, {.block_bytes = 1024, .max_blocks = 3, .idle = 10s});
        {
            fiber::TaskGroup tasks;
            for (int i = 0; i < 20; ++i) {
                tasks.spawn("reader", [&] {
                    Reader reader = Reader::open(port, 0).value();
                    CHECK(seqs_of(read_to_head(reader, 4096).value()) == range_of(1000, 1059));
                });
            }
            while (tasks.size() > 0) {
                REQUIRE(fiber::sleep_for(20us).has_value());
                REQUIRE(port.blocks().memory_bytes() <= 3 * 1024);
            }
        }
        const std::uint64_t blocks = log->head() / 1024 + 2 * log->counters().segments.load();
        CHECK(port.blocks().reads() <= 2 * blocks);
        CHECK(port.blocks().memory_bytes() > 0);
        Reader live = Reader::open(port, std::nullopt).value();
        REQUIRE(fiber::sleep_for(11s).has_value());
        CHECK(live.wait(Deadline::in(1ms)).error().code == Errc::timed_out);
        CHECK(port.blocks().memory_bytes() == 0);
        log->close();
    });
}

TEST_CASE("a disk error while reading cold is the reader's alone, and passes") {
    OneLog one;
    one.run([&] {
        auto log = one.open(cold_log());
        append_host(*log, "pds.example");
        append_many(*log, 1, 40);
        ReadPort port(*log);
        Reader reader = Reader::open(port, 0).value();
        one.machine.disk().fail(Op::Kind::read_at, 1, EIO);
        CHECK(reader.view(100).error().code == Errc::io);
        CHECK(port.blocks().memory_bytes() == 0);
        CHECK(seqs_of(read_to_head(reader).value()) == range_of(1000, 1039));
        append_one(*log, 1, 41);
        log->close();
    });
}

TEST_CASE("a batch wakes every listening reader, and rings no bell without listeners") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        ReadPort port(*log);
        int woken = 0;
        {
            fiber::TaskGroup tasks;
            for (int i = 0; i < 10; ++i) {
                tasks.spawn("reader", [&] {
                    Reader reader = Reader::open(port, std::nullopt).value();
                    for (int round = 0; round < 5; ++round) {
                        REQUIRE(reader.wait(Deadline::in(1s)).has_value());
                        REQUIRE(read_to_head(reader).has_value());
                        ++woken;
                    }
                });
            }
            REQUIRE(fiber::sleep_for(1ms).has_value());
            CHECK(port.bell().waiting() == 10);
            for (std::uint64_t i = 1; i <= 5; ++i) {
                append_one(*log, 1, i);
                REQUIRE(fiber::sleep_for(10ms).has_value());
                CHECK(woken == static_cast<int>(i) * 10);
            }
            while (tasks.size() > 0) REQUIRE(fiber::sleep_for(1ms).has_value());
        }
        CHECK(port.bell().waiting() == 0);
        log->close();
    });
}
