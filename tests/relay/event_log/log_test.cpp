#include "relay/event_log/log_writer.hpp"

#include "relay/event_log/check.hpp"
#include "tests/relay/event_log/one_log.hpp"
#include "tests/support/worlds.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;
using namespace ringlay::event_log::test;
using fiber::Op;

TEST_CASE("what is appended is read back byte for byte, across segments and a restart") {
    OneLog one;
    Buffer expected;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        for (std::uint64_t i = 1; i <= 100; ++i) {
            extend(expected, append_one(*log, 1, i, 100 + i * 7));
        }
        CHECK(log->head_seq() == 1099);
        CHECK(log->head() == expected.size());
        CHECK(log->counters().segments.load() > 5);
        CHECK(read_all(*log) == expected);
        log->close();
    });
    one.run([&] {
        auto log = one.open();
        CHECK(log->recovery().was_clean);
        CHECK(log->recovery().first_seq == 1100);
        CHECK_FALSE(log->recovery().cut_anything());
        CHECK(log->hosts() == std::vector<Host>{{1, "pds.example", 100}});
        CHECK(read_all(*log) == expected);
        CHECK(seqs_of(read_all(*log)) == range_of(1000, 1099));
        log->close();
    });
}

TEST_CASE("the wire files are what consumers are sent, byte for byte, behind a header") {
    OneLog one;
    Buffer expected;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        for (std::uint64_t i = 1; i <= 30; ++i) extend(expected, append_one(*log, 1, i, 500));
        log->close();
        Buffer on_disk;
        for (const std::string& name : one.names()) {
            if (!name.ends_with(".wire")) continue;
            CHECK(parse_segment_file_name(name)->base == on_disk.size());
            Buffer file = one.content(name);
            on_disk.insert(on_disk.end(), file.begin() + segment_header_bytes, file.end());
        }
        CHECK(on_disk == expected);
    });
}

TEST_CASE("a batch is written with one write to each file, and published at once") {
    OneLog one = OneLog::without_short_writes();
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        std::deque<OwnedEntry> owned;
        std::vector<Entry*> batch;
        for (std::uint64_t i = 1; i <= 5; ++i) {
            batch.push_back(&owned.emplace_back(1, i, 250).entry);
        }
        // The third write from now on would fail.
        one.machine.disk().fail(Op::Kind::write_at, 3, EIO);
        REQUIRE(log->append(batch).has_value());
        for (std::uint64_t i = 0; i < 5; ++i) CHECK(batch[i]->seq == 1000 + i);
        CHECK(log->head_seq() == 1004);
        CHECK(log->counters().batches.load() == 2);
        CHECK(log->counters().events.load() == 5);
        CHECK(log->counters().batches_by_size[3].load() == 1);  // 5 to 8
    });
}

TEST_CASE("nothing is published that is not in the file") {
    OneLog one = OneLog::without_short_writes();
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        append_one(*log, 1, 1);
        const Position head = log->head();
        // A full disk: the frame is written, its facts are not. The head must not move.
        one.machine.disk().fail(Op::Kind::write_at, 2, ENOSPC);
        bool is_done = false;
        OwnedEntry owned(1, 2, 300);
        fiber::Task append = fiber::spawn("append", [&] {
            Entry* batch[] = {&owned.entry};
            REQUIRE(log->append(batch).has_value());
            is_done = true;
        });
        REQUIRE(fiber::sleep_for(100ms).has_value());
        CHECK_FALSE(is_done);
        CHECK(log->head() == head);
        CHECK(log->stall() == Stall::disk_full);
        CHECK(one.content("00000000000000000000.wire").size() == segment_header_bytes + head);
        append.join();
        CHECK(is_done);
        CHECK(log->stall() == Stall::none);
        CHECK(log->counters().no_space_retries.load() == 1);
        CHECK(one.content("00000000000000000000.wire").size() ==
              segment_header_bytes + log->head());
        log->close();
    });
}

TEST_CASE("a full disk drops no batch: the same bytes with the same seqs come when there is room") {
    OneLog one;
    Buffer expected;
    one.run([&] {
        LogOptions options = small_log();
        options.sync_interval = 1ms;
        auto log = one.open(options);
        append_host(*log, "pds.example");
        std::uint32_t faults = 0;
        for (std::uint64_t i = 1; i <= 60; ++i) {
            if (i % 7 == 0)
                one.machine.disk().fail(Op::Kind::write_at, 1 + i % 3, ENOSPC, 1 + i % 2);
            if (i % 11 == 0) one.machine.disk().fail(Op::Kind::allocate, 1, ENOSPC, 2), ++faults;
            REQUIRE(fiber::sleep_for(5ms).has_value());
            extend(expected, append_one(*log, 1, i, 150 + i));
        }
        CHECK(log->counters().no_space_retries.load() > 8);
        // Room was made by removing the oldest: what is left is the newest part, whole.
        Buffer rest = read_all(*log);
        CHECK(rest.size() < expected.size());
        CHECK(std::equal(rest.rbegin(), rest.rend(), expected.rbegin()));
        log->close();
    });
    one.run([&] {
        auto log = one.open();
        Buffer rest = read_all(*log);
        CHECK(std::equal(rest.rbegin(), rest.rend(), expected.rbegin()));
        CHECK(log->hosts() == std::vector<Host>{{1, "pds.example", 60}});
    });
}

TEST_CASE("a crowd in the mailbox becomes batches within their bounds of bytes and entries") {
    OneLog one;
    one.run([&] {
        auto log = one.open();  // batches of 2,000 bytes and 8 entries; a tail of 8 KiB
        append_host(*log, "pds.example");
        Sequencer sequencer(*log);
        Bell bell;
        std::deque<OwnedEntry> owned;
        for (std::uint64_t i = 1; i <= 30; ++i) {
            sequencer.push(owned.emplace_back(1, i, 1900, &bell).entry);
        }
        for (std::uint64_t i = 31; i <= 60; ++i) {
            sequencer.push(owned.emplace_back(1, i, 120, &bell).entry);
        }
        REQUIRE(bell.listen("done", Deadline::in(10s),
                            [&] { return owned.back().entry.is_done.load(); })
                    .has_value());
        const LogCounters& counters = log->counters();
        CHECK(counters.events.load() == 60);
        CHECK(counters.batches_by_size[0].load() >= 30);
        CHECK(counters.batches_by_size[3].load() >= 3);
        CHECK(counters.batches_by_size[4].load() == 0);
        sequencer.stop();
        CHECK(seqs_of(read_all(*log)) == range_of(1000, 1059));
        log->close();
    });
}

TEST_CASE("a full disk does not cost the segment that the newest one still needs") {
    OneLog one = OneLog::without_short_writes();
    std::uint64_t synced = 0;
    one.run([&] {
        LogOptions options = small_log();
        options.sync_interval = 1h;
        auto log = one.open(options);
        append_host(*log, "pds.example");
        std::uint64_t upstream_seq = 0;
        while (log->counters().segments.load() == 1) {
            REQUIRE(log->sync_now().has_value());
            synced = log->synced().seq;
            append_one(*log, 1, ++upstream_seq, 300);  // the last one makes a segment of its own
        }
        one.machine.disk().fail(Op::Kind::write_at, 1, ENOSPC, 3);
        append_one(*log, 1, ++upstream_seq, 300);
        CHECK(log->counters().no_space_retries.load() == 3);
        CHECK(log->counters().segments_removed.load() == 0);
        CHECK(log->synced().seq == synced);
        one.machine.crash(env::CrashMode::power_loss);
    });
    one.run([&] {
        auto log = one.open();
        CHECK(log->head_seq() >= synced);
        CHECK(log->hosts().size() == 1);
    });
}

TEST_CASE("an append that waits for a full disk can be given up, and is then not in the log") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        Sequencer sequencer(*log);
        one.machine.disk().set_capacity(0);
        Bell bell;
        std::deque<OwnedEntry> owned;
        for (std::uint64_t i = 1; i <= 3; ++i) {
            sequencer.push(owned.emplace_back(1, i, 250, &bell).entry);
        }
        REQUIRE(fiber::sleep_for(2s).has_value());
        CHECK_FALSE(owned[0].entry.is_done.load());
        sequencer.stop();
        for (OwnedEntry& each : owned) {
            CHECK(each.entry.is_done.load());
            CHECK_FALSE(each.entry.is_logged);
        }
        CHECK(log->head_seq() == 0);
        one.machine.disk().set_capacity(1 << 30);
    });
    one.run([&] {
        auto log = one.open();
        CHECK(log->head_seq() == 0);
        CHECK(log->hosts().size() == 1);
    });
}

TEST_CASE("below the space reserve appends wait, with a name for it") {
    OneLog one;
    one.run([&] {
        LogOptions options = small_log();
        options.space.reserve_bytes = 100'000;
        one.machine.disk().set_capacity(200'000);
        auto log = one.open(options);
        append_host(*log, "pds.example");
        append_one(*log, 1, 1);
        one.machine.disk().set_capacity(50'000);
        REQUIRE(fiber::sleep_for(300ms).has_value());
        bool is_done = false;
        fiber::Task append = fiber::spawn("append", [&] {
            append_one(*log, 1, 2);
            is_done = true;
        });
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK_FALSE(is_done);
        CHECK(log->stall() == Stall::space_reserve);
        CHECK(name_of(log->stall()) == "space reserve reached");
        one.machine.disk().set_capacity(200'000);
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(is_done);
        append.join();
        CHECK(log->stall() == Stall::none);
        log->close();
    });
}

TEST_CASE("without a descriptor for a new segment appends wait, with a name for it") {
    OneLog one;
    one.run([&] {
        auto log = one.open(small_log());
        append_host(*log, "pds.example");
        one.machine.disk().fail(Op::Kind::open, 2, EMFILE, 20);  // the second one is of its facts
        std::uint64_t appended = 0;
        fiber::Task append = fiber::spawn("append", [&] {
            for (; appended < 20; ++appended) append_one(*log, 1, appended + 1, 390);
        });
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(appended < 20);
        CHECK(log->stall() == Stall::no_descriptors);
        CHECK(name_of(log->stall()) == "no descriptors left");
        REQUIRE(fiber::sleep_for(5s).has_value());
        CHECK(appended == 20);
        append.join();
        CHECK(log->stall() == Stall::none);
        CHECK(log->counters().segments.load() > 1);
        CHECK(seqs_of(read_all(*log)) == range_of(1000, 1019));
        log->close();
    });
}

TEST_CASE("without a descriptor for a sync nothing more is appended until it is made up for") {
    OneLog one;
    one.run([&] {
        auto log = one.open(small_log());
        append_host(*log, "pds.example");
        REQUIRE(fiber::sleep_for(1s).has_value());
        one.machine.disk().fail(Op::Kind::sync_directory, 1, EMFILE, 20);  // two seconds
        std::uint64_t appended = 0;
        fiber::Task append = fiber::spawn("append", [&] {
            for (; appended < 40; ++appended) {
                append_one(*log, 1, appended + 1, 390);
                REQUIRE(fiber::sleep_for(10ms).has_value());
            }
        });
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(appended < 40);
        CHECK(log->head_seq() > log->synced().seq);
        CHECK(log->stall() == Stall::no_descriptors);
        REQUIRE(fiber::sleep_for(4s).has_value());
        CHECK(appended == 40);
        append.join();
        CHECK(log->synced().seq == 1039);
        CHECK(log->stall() == Stall::none);
        log->close();
    });
}

TEST_CASE("a sync of a file that says busy is a failed sync all the same") {
    OneLog one;
    one.run([&] {
        LogOptions options = small_log();
        std::string reason;
        options.on_fatal = [&](std::string_view what) { reason = what; };
        auto log = one.open(options);
        append_host(*log, "pds.example");
        one.machine.disk().fail(Op::Kind::sync, 1, ENOMEM);
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(reason == "a sync of the log failed");
        CHECK(log->stall() == Stall::failed);
    });
}

TEST_CASE("descriptors may be missing at any moment: the log goes on, rolls, seals and removes") {
    auto seed = GENERATE(range(1u, 20u));
    CAPTURE(seed);
    OneLog one(seed);
    Buffer expected;
    std::mt19937 random(seed);
    one.run([&] {
        LogOptions options = small_log();
        options.sync_interval = 1ms;
        options.space.retention_bytes = 30'000;
        auto log = one.open(options);
        append_host(*log, "pds.example");
        for (std::uint64_t i = 1; i <= 300; ++i) {
            if (random() % 7 == 0) {
                auto kind = random() % 2 == 0 ? Op::Kind::open : Op::Kind::sync_directory;
                int error = random() % 2 == 0 ? EMFILE : ENFILE;
                one.machine.disk().fail(kind, 1 + random() % 4, error, 1 + random() % 3);
            }
            if (random() % 3 == 0) REQUIRE(fiber::sleep_for(5ms).has_value());
            extend(expected, append_one(*log, 1, i, 150 + i));
        }
        REQUIRE(fiber::sleep_for(10s).has_value());
        CHECK(log->stall() == Stall::none);
        CHECK(log->counters().segments_removed.load() > 3);
        CHECK(log->synced().seq == 1299);
        log->close();
    });
    one.run([&] {
        auto opened = one.try_open();
        while (!opened) opened = one.try_open();  // faults may be left
        auto log = std::move(*opened);
        Buffer rest = read_all(*log);
        CHECK(rest.size() > 10'000);
        CHECK(std::equal(rest.rbegin(), rest.rend(), expected.rbegin()));
        log->close();
    });
}

TEST_CASE("a failed sync, or an error that is not a full disk, ends the log for good") {
    const Op::Kind kind = GENERATE(Op::Kind::sync, Op::Kind::write_at);
    OneLog one = OneLog::without_short_writes();
    std::vector<std::string> reasons;
    one.run([&] {
        LogOptions options = small_log();
        options.on_fatal = [&](std::string_view what) { reasons.emplace_back(what); };
        auto log = one.open(options);
        append_host(*log, "pds.example");
        append_one(*log, 1, 1);
        REQUIRE(log->sync_now().has_value());
        const SyncedTo synced = log->synced();
        CHECK(synced.seq == 1000);
        one.machine.disk().fail(kind, 1, EIO);
        if (kind == Op::Kind::sync) append_one(*log, 1, 2);
        OwnedEntry owned(1, 3, 300);
        Entry* batch[] = {&owned.entry};
        REQUIRE(fiber::sleep_for(500ms).has_value());
        auto appended = log->append(batch);
        CHECK(appended.error().code == Errc::closed);
        CHECK(log->sync_now().error().code == Errc::closed);
        CHECK(log->synced().seq == synced.seq);
        CHECK(log->stall() == Stall::failed);
        log->close();
    });
    CHECK(reasons.size() == 1);
    CHECK_FALSE(one.has("clean"));
}

TEST_CASE("within the sync interval everything is durable, and synced() never says too much") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        OneLog one(seed);
        std::uint64_t said = 0;
        one.run([&] {
            LogOptions options = small_log();
            options.sync_interval = 10ms;
            auto log = one.open(options);
            append_host(*log, "pds.example");
            for (std::uint64_t i = 1; i <= 20 + seed; ++i) {
                append_one(*log, 1, i, 300);
                REQUIRE(fiber::sleep_for(1ms).has_value());
                REQUIRE(log->synced().seq <= log->head_seq());
            }
            if (seed % 2 == 0) {
                REQUIRE(fiber::sleep_for(1s).has_value());
                CHECK(log->synced().seq == log->head_seq());
                CHECK(log->synced().position == log->head());
            }
            said = log->synced().seq;
            one.machine.crash(env::CrashMode::power_loss);
        });
        one.run([&] {
            auto log = one.open();
            CHECK(log->head_seq() >= said);
            CHECK(log->recovery().segments_dropped == 0);
        });
    }
}

TEST_CASE("an append does not wait for a sync") {
    env::WorldOptions options = OneLog::options_of(3);
    options.disk.sync_latency = {200ms, 200ms};
    options.disk.slow_per_mille = 0;
    env::World world(options);
    env::Env env;
    world.machine("m").start_worker({.name = "log"}, [&] {
        auto log = Log::open(env, "/log", small_log()).value();
        append_host(*log, "pds.example");
        const Nanos began = fiber::now();
        std::uint64_t syncs_before = log->counters().syncs.load();
        for (std::uint64_t i = 1; i <= 30; ++i) append_one(*log, 1, i, 300);
        CHECK(fiber::now() - began < 100ms);
        REQUIRE(fiber::sleep_for(5s).has_value());
        CHECK(log->counters().syncs.load() > syncs_before);
        CHECK(log->synced().seq == log->head_seq());
        log->close();
    });
    CHECK_FALSE(world.run().has_value());
}

TEST_CASE("the oldest segments go by bytes; hosts and their cursors stay known") {
    OneLog one;
    LogOptions options = small_log();
    options.space.retention_bytes = 15'000;
    one.run([&] {
        auto log = one.open(options);
        append_host(*log, "early.example");
        append_host(*log, "late.example");
        append_one(*log, 1, 77);
        for (std::uint64_t i = 1; i <= 300; ++i) {
            append_one(*log, 2, i, 300);
            if (i % 5 == 0) REQUIRE(fiber::sleep_for(50ms).has_value());
        }
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(log->counters().disk_bytes.load() <= 15'000);
        CHECK(log->counters().segments_removed.load() > 10);
        std::vector<std::uint64_t> seqs = seqs_of(read_all(*log));
        CHECK(seqs == range_of(seqs.front(), 1300));
        CHECK(log->counters().oldest_seq.load() == seqs.front());
        CHECK(seqs.front() > 1200);
        log->close();
    });
    one.run([&] {
        auto log = one.open(options);
        CHECK(log->hosts() ==
              std::vector<Host>{{1, "early.example", 77}, {2, "late.example", 300}});
        CHECK(log->recovery().oldest_seq > 1200);
    });
}

TEST_CASE("old segments go by age, not by a step of the clock") {
    OneLog one;
    LogOptions options = small_log();
    options.space.retention_hours = 1;
    one.run([&] {
        auto log = one.open(options);
        append_host(*log, "pds.example");
        for (std::uint64_t i = 1; i <= 60; ++i) append_one(*log, 1, i, 300);
        REQUIRE(fiber::sleep_for(1s).has_value());
        const std::uint64_t segments = log->counters().segments.load();
        CHECK(segments > 4);
        one.world.step_wall(24h * 365);
        REQUIRE(fiber::sleep_for(10min).has_value());
        CHECK(log->counters().segments.load() == segments);
        REQUIRE(fiber::sleep_for(50min + 30s).has_value());
        CHECK(log->counters().segments.load() == segments - 1);
        REQUIRE(fiber::sleep_for(60s).has_value());
        CHECK(log->counters().segments.load() == segments - 2);
        REQUIRE(fiber::sleep_for(1h).has_value());
        CHECK(log->counters().segments.load() == 1);
        log->close();
    });
}

TEST_CASE("a second log on one directory is refused while the first is open") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        auto second = one.try_open();
        REQUIRE_FALSE(second.has_value());
        CHECK(second.error().code == Errc::busy);
        log->close();
        CHECK(one.try_open().has_value());
    });
}

TEST_CASE("seq crosses 2^32 and messages cross frame lengths without a byte out of place") {
    OneLog one;
    one.run([&] {
        LogOptions options = small_log();
        options.initial_seq = (std::uint64_t{1} << 32) - 3;
        options.max_message_bytes = 70'000;
        options.tail = {.chunk_bytes = 32'768, .chunk_count = 8};
        auto log = one.open(options);
        append_host(*log, "pds.example");
        Buffer expected;
        for (std::uint64_t i = 1; i <= 8; ++i) {
            extend(expected, append_one(*log, 1, i, i < 6 ? 200 : 65'500 + i));
        }
        CHECK(read_all(*log) == expected);
        log->close();
        auto report = verify_log(one.env, "/log");
        REQUIRE(report.has_value());
        CHECK(report->is_sound());
        CHECK(report->events == 8);
    });
}

TEST_CASE("hosts get ids from one up, each name one id, also within a batch") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        Entry entries[4];
        const char* names[] = {"a.example", "b.example", "a.example", "c.example"};
        std::vector<Entry*> batch;
        for (std::size_t i = 0; i < 4; ++i) {
            entries[i].kind = FactsKind::host_name;
            entries[i].text = names[i];
            batch.push_back(&entries[i]);
        }
        REQUIRE(log->append(batch).has_value());
        CHECK(entries[0].host_id == 1);
        CHECK(entries[1].host_id == 2);
        CHECK(entries[2].host_id == 1);
        CHECK(entries[3].host_id == 3);
        CHECK(append_host(*log, "b.example") == 2);
        Sequencer sequencer(*log);
        CHECK(sequencer.register_host("c.example") == 3u);
        CHECK(sequencer.register_host("d.example") == 4u);
        sequencer.stop();
        CHECK(log->hosts().size() == 4);
        CHECK(log->head_seq() == 0);
        log->close();
    });
}

TEST_WITH_WORKERS("senders on all workers see their events in the log, in order, each once") {
    env::Env& env = world.env();
    const std::string path = world.directory().path();
    constexpr std::uint64_t count = 300;
    auto log = Log::open(env, path, small_log()).value();
    auto sequencer = std::make_unique<Sequencer>(*log);
    std::vector<std::vector<std::uint64_t>> seqs(world.worker_count());
    std::vector<Buffer> seen(world.worker_count());
    {
        fiber::TaskGroup tasks;
        for (std::size_t w = 0; w < world.worker_count(); ++w) {
            tasks.spawn("sender", [&, w] {
                fiber::call_on(world.worker(w), "send", [&, w] {
                    auto host = sequencer->register_host("host" + std::to_string(w));
                    if (!host) return;
                    Bell bell;
                    std::deque<OwnedEntry> window;
                    for (std::uint64_t i = 1; i <= count || !window.empty();) {
                        if (i <= count && window.size() < 20) {
                            window.emplace_back(*host, i, 120 + i % 200, &bell);
                            ++i;
                            sequencer->push(window.back().entry);
                            continue;
                        }
                        Entry& oldest = window.front().entry;
                        if (!bell.listen("done", Deadline::never(),
                                         [&] { return oldest.is_done.load(); })) {
                            return;
                        }
                        seqs[w].push_back(oldest.seq);
                        window.pop_front();
                    }
                    // Others may still ring: the bell goes when nobody can any more.
                    fiber::call_on(log->worker(), "settle", [] {});
                });
            });
            tasks.spawn("consumer", [&, w] {
                fiber::call_on(world.worker(w), "consume", [&, w] {
                    ReadPort port(*log, {.block_bytes = 512, .max_blocks = 2});
                    auto reader = Reader::open(port, 0);
                    if (!reader) return;
                    const std::uint64_t all = count * world.worker_count();
                    while (reader->frames_delivered() < all) {
                        if (!reader->wait(Deadline::in(10s))) return;
                        auto view = reader->view(333);
                        if (!view) return;
                        extend(seen[w], Buffer(view->bytes().begin(), view->bytes().end()));
                        reader->advance(*view, view->bytes().size());
                    }
                });
            });
        }
        while (tasks.size() > 0) REQUIRE(fiber::sleep_for(1ms).has_value());
    }
    std::vector<std::uint64_t> together;
    for (const auto& one : seqs) {
        CHECK(one.size() == count);
        CHECK(std::ranges::is_sorted(one));
        together.insert(together.end(), one.begin(), one.end());
    }
    std::ranges::sort(together);
    const Buffer expected = read_all(*log);
    CHECK(together == seqs_of(expected));
    CHECK(together == range_of(1000, 999 + count * world.worker_count()));
    for (const Buffer& one : seen) CHECK(one == expected);
    sequencer->stop();
    log->close();
    sequencer.reset();
    log.reset();
    auto report = verify_log(env, path);
    REQUIRE(report.has_value());
    CHECK(report->is_sound());
    CHECK(report->events == together.size());
}

TEST_CASE("a receipt counts what is in the log, with a seq that is not older") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        Receipt receipt;
        Receipt other;
        Bell bell;
        std::deque<OwnedEntry> owned;
        Sequencer sequencer(*log);
        auto push = [&](Receipt& to) {
            OwnedEntry& entry = owned.emplace_back(1, owned.size() + 1, 300, &bell);
            entry.entry.receipt = &to;
            sequencer.push(entry.entry);
        };
        auto all_done = [&] {
            return std::ranges::all_of(owned, [](auto& each) { return each.entry.is_done.load(); });
        };
        for (int i = 0; i < 20; ++i) push(i == 7 ? other : receipt);
        CHECK(receipt.count.load() == 0);
        for (std::uint64_t counted = 0; !all_done();) {
            REQUIRE(fiber::sleep_for(10us).has_value());
            const std::uint64_t count = receipt.count.load();
            REQUIRE(count >= counted);
            counted = count;
            if (count == 0) continue;
            const std::size_t newest = count - 1 + (count > 7 ? 1 : 0);
            REQUIRE(receipt.seq.load() >= owned[newest].entry.seq);
            for (std::size_t i = 0; i < owned.size(); ++i) {
                if (owned[i].entry.is_done.load()) REQUIRE((i == 7 || i <= newest));
            }
        }
        CHECK(receipt.count.load() == 19);
        CHECK(receipt.seq.load() == 1019);
        CHECK(other.count.load() == 1);
        CHECK(other.seq.load() >= owned[7].entry.seq);

        // What the log could not take is done, and not counted.
        one.machine.disk().fail(Op::Kind::write_at, 1, ENOSPC, 1000);
        push(receipt);
        sequencer.stop();
        CHECK(owned.back().entry.is_done.load());
        CHECK_FALSE(owned.back().entry.is_logged);
        CHECK(receipt.count.load() == 19);
        CHECK(receipt.seq.load() == 1019);
    });
}
