#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "relay/env/sim/world.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using env::CrashMode;
using env::Directory;
using env::File;
using env::Machine;
using env::OpenMode;
using env::World;
using env::WorldOptions;
using fiber::Op;

namespace {

constexpr std::uint64_t seeds = 200;
constexpr std::size_t sector = 512;

Buffer filled(std::size_t size, std::uint8_t byte) {
    return Buffer(size, byte);
}

void append(File& file, std::uint64_t offset_bytes, const Buffer& bytes) {
    REQUIRE(file.write_at(offset_bytes, bytes).has_value());
}

// A machine whose process runs `body` to its end, over the directory /d.
class OneMachine {
  public:
    explicit OneMachine(std::uint64_t seed) : OneMachine(options_of(seed)) {}
    explicit OneMachine(WorldOptions options)
        : world(std::move(options)), machine(world.machine("m")) {}

    static WorldOptions options_of(std::uint64_t seed) {
        WorldOptions options;
        options.seed = seed;
        return options;
    }

    void run(const std::function<void(Directory&)>& body) {
        start(body);
        auto stuck = world.run();
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        REQUIRE(machine.disk().open_files() == 0);
    }

    void start(const std::function<void(Directory&)>& body) {
        machine.start_worker({.name = "w"}, [body] {
            auto directory = env::Env().disk.open_directory("/d");
            REQUIRE(directory.has_value());
            body(*directory);
        });
    }

    std::optional<Buffer> content(std::string_view name) {
        return machine.disk().content("/d/" + std::string(name));
    }

    World world;
    Machine& machine;
};

// What a crash made of something, over many seeds: each outcome by name, and how often.
std::map<std::string, int> outcomes(CrashMode mode, const std::function<void(Directory&)>& body,
                                    const std::function<std::string(OneMachine&)>& look) {
    std::map<std::string, int> counts;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        CAPTURE(seed);
        WorldOptions options = OneMachine::options_of(seed);
        options.disk.short_write_per_mille = 0;  // one write is one write
        OneMachine one(options);
        one.run(body);
        one.machine.crash(mode);
        ++counts[look(one)];
    }
    return counts;
}

}  // namespace

TEST_CASE("what is synced under a synced name survives a loss of power, byte for byte") {
    auto counts = outcomes(
        CrashMode::power_loss,
        [](Directory& directory) {
            File file = directory.open("f", OpenMode::create).value();
            append(file, 0, filled(3000, 1));
            append(file, 100, filled(700, 2));
            REQUIRE(file.truncate(2000).has_value());
            REQUIRE(file.sync().has_value());
            REQUIRE(directory.sync().has_value());
        },
        [](OneMachine& one) {
            Buffer expected = filled(2000, 1);
            std::fill_n(expected.begin() + 100, 700, std::uint8_t{2});
            return one.content("f") == expected ? "whole" : "lost";
        });
    CHECK(counts == std::map<std::string, int>{{"whole", seeds}});
}

TEST_CASE("what was written and not synced is kept, lost, or kept by sectors after a power loss") {
    std::set<std::size_t> sizes;
    auto counts = outcomes(
        CrashMode::power_loss,
        [](Directory& directory) {
            File file = directory.open("f", OpenMode::create).value();
            append(file, 0, filled(4 * sector, 1));
            REQUIRE(file.sync().has_value());
            REQUIRE(directory.sync().has_value());
            append(file, 0, filled(8 * sector, 2));
        },
        [&](OneMachine& one) {
            Buffer bytes = one.content("f").value();
            sizes.insert(bytes.size());
            std::set<std::uint8_t> kinds;
            for (std::size_t at = 0; at < bytes.size(); at += sector) {
                std::size_t end = std::min(at + sector, bytes.size());
                for (std::size_t i = at; i < end; ++i) REQUIRE(bytes[i] == bytes[at]);
                REQUIRE((at < 4 * sector ? bytes[at] != 0 : bytes[at] != 1));
                kinds.insert(bytes[at]);
            }
            if (kinds == std::set<std::uint8_t>{1} && bytes.size() == 4 * sector) return "lost";
            if (kinds == std::set<std::uint8_t>{2} && bytes.size() == 8 * sector) return "kept";
            return kinds.contains(0) ? "a hole" : "by sectors";
        });
    for (const char* outcome : {"lost", "kept", "a hole", "by sectors"}) {
        CAPTURE(outcome);
        CHECK(counts[outcome] > 5);
    }
    CHECK(sizes.size() > 20);  // the size may be anywhere ahead of the bytes
}

TEST_CASE("files are forgotten each by itself") {
    auto counts = outcomes(
        CrashMode::power_loss,
        [](Directory& directory) {
            for (const char* name : {"a", "b"}) {
                File file = directory.open(name, OpenMode::create).value();
                append(file, 0, filled(10, 1));
            }
            REQUIRE(directory.sync().has_value());
        },
        [](OneMachine& one) {
            std::string outcome;
            for (const char* name : {"a", "b"}) {
                outcome += one.content(name).value() == filled(10, 1) ? "kept " : "lost ";
            }
            return outcome;
        });
    CHECK(counts.size() == 4);
}

TEST_CASE("a killed process loses nothing that it was told is written") {
    auto body = [](Directory& directory) {
        File file = directory.open("x", OpenMode::create).value();
        append(file, 0, filled(1000, 1));
        REQUIRE(directory.rename("x", "f").has_value());
    };
    auto counts = outcomes(CrashMode::kill, body, [](OneMachine& one) {
        return one.content("f") == filled(1000, 1) && !one.content("x") ? "whole" : "lost";
    });
    CHECK(counts == std::map<std::string, int>{{"whole", seeds}});

    counts = outcomes(CrashMode::kill, body, [](OneMachine& one) {
        one.machine.crash(CrashMode::power_loss);  // it was in the page cache only
        return one.content("f") == filled(1000, 1) ? "whole" : "lost";
    });
    CHECK(counts["whole"] > 5);
    CHECK(counts["lost"] > 5);
}

TEST_CASE("a file whose name was not synced may vanish, however often its bytes were") {
    auto counts = outcomes(
        CrashMode::power_loss,
        [](Directory& directory) {
            REQUIRE(directory.sync().has_value());
            File file = directory.open("f", OpenMode::create).value();
            append(file, 0, filled(100, 1));
            REQUIRE(file.sync().has_value());
        },
        [](OneMachine& one) {
            auto bytes = one.content("f");
            return !bytes ? "gone" : *bytes == filled(100, 1) ? "whole" : "changed";
        });
    CHECK(counts["gone"] > 20);
    CHECK(counts["whole"] > 20);
    CHECK(counts["changed"] == 0);
}

TEST_CASE("a rename that was not synced is done or not done, never half") {
    auto prepare = [](Directory& directory) {
        for (std::uint8_t i = 1; i <= 2; ++i) {
            File file = directory.open(i == 1 ? "old" : "new", OpenMode::create).value();
            append(file, 0, filled(10, i));
            REQUIRE(file.sync().has_value());
        }
        REQUIRE(directory.sync().has_value());
        REQUIRE(directory.rename("new", "old").has_value());
    };
    auto look = [](OneMachine& one) {
        if (one.content("new")) {
            REQUIRE(one.content("new") == filled(10, 2));
            REQUIRE(one.content("old") == filled(10, 1));
            return "undone";
        }
        REQUIRE(one.content("old") == filled(10, 2));
        return "done";
    };
    auto counts = outcomes(CrashMode::power_loss, prepare, look);
    CHECK(counts["done"] > 20);
    CHECK(counts["undone"] > 20);
    counts = outcomes(
        CrashMode::power_loss,
        [&](Directory& directory) {
            prepare(directory);
            REQUIRE(directory.sync().has_value());
        },
        look);
    CHECK(counts == std::map<std::string, int>{{"done", seeds}});
}

TEST_CASE("removals and truncations that were not synced may be undone") {
    auto counts = outcomes(
        CrashMode::power_loss,
        [](Directory& directory) {
            File file = directory.open("cut", OpenMode::create).value();
            append(file, 0, filled(1000, 1));
            REQUIRE(file.sync().has_value());
            REQUIRE(directory.open("gone", OpenMode::create).has_value());
            REQUIRE(directory.sync().has_value());
            REQUIRE(directory.remove("gone").has_value());
            REQUIRE(file.truncate(10).has_value());
        },
        [](OneMachine& one) {
            std::size_t size = one.content("cut").value().size();
            REQUIRE((size == 10 || size == 1000));
            return std::to_string(size) + (one.content("gone") ? " back" : " gone");
        });
    CHECK(counts.size() == 4);
}

TEST_CASE("syncing a directory keeps the way to it, and no other name") {
    auto counts = outcomes(
        CrashMode::power_loss,
        [](Directory& directory) {
            Directory inner = directory.make_directory("a").value().make_directory("b").value();
            REQUIRE(inner.open("f", OpenMode::create).has_value());
            REQUIRE(inner.sync().has_value());
            REQUIRE(directory.open("beside", OpenMode::create).has_value());
        },
        [](OneMachine& one) {
            REQUIRE(one.content("a/b/f").has_value());
            return one.content("beside") ? "kept" : "gone";
        });
    CHECK(counts["kept"] > 20);
    CHECK(counts["gone"] > 20);
}

TEST_CASE("a sync promises nothing for what is written while it is under way") {
    auto counts = outcomes(
        CrashMode::power_loss,
        [](Directory& directory) {
            File file = directory.open("f", OpenMode::create).value();
            REQUIRE(directory.sync().has_value());
            append(file, 0, filled(10, 1));
            bool has_synced = false;
            auto syncing = fiber::spawn("sync", [&] {
                REQUIRE(file.sync().has_value());
                has_synced = true;
            });
            fiber::yield();
            append(file, 10, filled(10, 2));
            if (has_synced) append(file, 10, filled(10, 3));  // too late for this test
            syncing.join();
        },
        [](OneMachine& one) {
            Buffer bytes = one.content("f").value();
            REQUIRE(bytes.size() >= 10);
            REQUIRE(bytes[9] == 1);
            if (bytes.size() < 20) return "lost";
            return bytes[19] == 2 ? "kept" : "other";
        });
    CHECK(counts["lost"] > 20);
    CHECK(counts["kept"] > 20);
}

TEST_CASE("a sync of a directory promises nothing for names that come while it is under way") {
    auto counts = outcomes(
        CrashMode::power_loss,
        [](Directory& directory) {
            REQUIRE(directory.open("before", OpenMode::create).has_value());
            auto syncing = fiber::spawn("sync", [&] { REQUIRE(directory.sync().has_value()); });
            fiber::yield();
            REQUIRE(directory.open("meanwhile", OpenMode::create).has_value());
            syncing.join();
        },
        [](OneMachine& one) {
            REQUIRE(one.content("before").has_value());
            return one.content("meanwhile") ? "kept" : "gone";
        });
    CHECK(counts["kept"] > 20);
    CHECK(counts["gone"] > 20);
}

TEST_CASE("a write is torn where the sectors of the file end, nowhere else") {
    auto counts = outcomes(
        CrashMode::power_loss,
        [](Directory& directory) {
            File file = directory.open("f", OpenMode::create).value();
            append(file, 0, filled(4 * sector, 1));
            REQUIRE(file.sync().has_value());
            REQUIRE(directory.sync().has_value());
            append(file, 100, filled(2 * sector, 2));
        },
        [](OneMachine& one) {
            Buffer bytes = one.content("f").value();
            REQUIRE(bytes.size() == 4 * sector);
            Buffer expected = filled(4 * sector, 1);
            std::string outcome;
            for (auto [begin, end] : {std::pair<std::size_t, std::size_t>(100, sector),
                                      {sector, 2 * sector},
                                      {2 * sector, 2 * sector + 100}}) {
                std::fill(expected.begin() + static_cast<long>(begin),
                          expected.begin() + static_cast<long>(end), bytes[begin]);
                outcome += static_cast<char>('0' + bytes[begin]);
            }
            REQUIRE(bytes == expected);
            return outcome;
        });
    CHECK(counts.size() == 8);
}

TEST_CASE("of a write that a crash finds under way nothing, a part or all is in the file") {
    for (CrashMode mode : {CrashMode::kill, CrashMode::power_loss}) {
        std::set<std::size_t> sizes;
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            CAPTURE(seed, mode == CrashMode::kill);
            WorldOptions options = OneMachine::options_of(seed);
            options.disk.short_write_per_mille = 0;
            OneMachine one(options);
            bool is_writing = false;
            one.start([&](Directory& directory) {
                File file = directory.open("f", OpenMode::create).value();
                REQUIRE(directory.sync().has_value());
                is_writing = true;
                append(file, 0, filled(2000, 1));
                is_writing = false;
            });
            REQUIRE_FALSE(one.world.run_until_true([&] { return is_writing; }).has_value());
            one.machine.crash(mode);
            Buffer bytes = one.content("f").value();
            sizes.insert(bytes.size());
            REQUIRE(bytes.size() <= 2000);
            if (mode == CrashMode::kill) REQUIRE(bytes == filled(bytes.size(), 1));
            REQUIRE_FALSE(one.world.run().has_value());
            REQUIRE_FALSE(is_writing);  // the old fibers ended in the ordinary way
        }
        CHECK(sizes.contains(0));
        CHECK(sizes.contains(2000));
        CHECK(sizes.size() > 10);
    }
}

TEST_CASE("a crashed process sees its own disk until it ends, the next one never sees its writes") {
    OneMachine one(5);
    bool has_crashed = false, has_ended = false;
    std::string seen;
    one.start([&](Directory& directory) {
        REQUIRE(directory.lock("lock").has_value());
        auto lock = directory.lock("lock");  // the first one has gone
        REQUIRE(lock.has_value());
        CHECK(directory.lock("lock").error().code == Errc::busy);
        File file = directory.open("f", OpenMode::create).value();
        append(file, 0, filled(10, 1));
        CHECK(file.sync().has_value());
        CHECK(directory.sync().has_value());
        has_crashed = true;
        CHECK(fiber::sleep_for(1h).error().code == Errc::cancelled);
        append(file, 0, filled(10, 2));
        CHECK(file.sync().has_value());
        CHECK(directory.open("g", OpenMode::create).has_value());
        Buffer bytes(10);
        CHECK(file.read_at(0, bytes).value() == 10);
        CHECK(bytes == filled(10, 2));
        static_cast<void>(fiber::sleep_for(1h));
        has_ended = true;
    });
    REQUIRE_FALSE(one.world.run_until_true([&] { return has_crashed; }).has_value());
    one.machine.crash(CrashMode::kill);
    one.machine.disk().fail(Op::Kind::sync, 1, EIO);  // for the living
    // At the same time as the old one ends; the lock has ended with its process.
    one.start([&](Directory& directory) {
        CHECK(directory.lock("lock").has_value());
        CHECK(fiber::sleep_for(1min).has_value());
        CHECK(has_ended);
        CHECK(directory.open("g", OpenMode::read).error().code == Errc::not_found);
        CHECK(directory.open("f", OpenMode::read).value().sync().error().code == Errc::io);
    });
    CHECK(one.machine.generation() == 2);
    REQUIRE_FALSE(one.world.run().has_value());
    CHECK(one.machine.has_ended());
    CHECK(one.content("f") == filled(10, 1));
}

TEST_CASE("a full volume takes what fits, then nothing; removing makes room again") {
    WorldOptions options = OneMachine::options_of(3);
    options.disk.capacity_bytes = 1000;
    OneMachine one(options);
    one.run([&](Directory& directory) {
        File file = directory.open("f", OpenMode::create).value();
        REQUIRE(file.write_at(0, filled(900, 1)).has_value());
        CHECK(directory.free_bytes() == 100u);
        CHECK(file.write_at(900, filled(200, 2)).error().code == Errc::no_space);
        CHECK(file.size_bytes() == 1000u);  // a part went in
        CHECK(file.write_at(0, filled(1000, 3)).has_value());
        CHECK(directory.free_bytes() == 0u);
        File other = directory.open("g", OpenMode::create).value();
        CHECK(other.write_at(0, filled(1, 1)).error().code == Errc::no_space);
        CHECK(directory.remove("f").has_value());
        CHECK(other.write_at(0, filled(1, 1)).error().code == Errc::no_space);  // still open
        file.close();
        CHECK(directory.free_bytes() == 1000u);
        CHECK(other.allocate(600).has_value());
        CHECK(other.size_bytes() == 0u);
        CHECK(directory.free_bytes() == 400u);
        CHECK(other.allocate(1001).error().code == Errc::no_space);
        CHECK(other.write_at(0, filled(500, 1)).has_value());
        CHECK(directory.free_bytes() == 400u);
        one.machine.disk().set_capacity(100);
        CHECK(directory.free_bytes() == 0u);
    });
    one.machine.disk().set_capacity(2000);
    one.machine.crash(CrashMode::kill);
    CHECK(one.machine.disk().free_bytes() == 1400);
}

TEST_CASE("space is counted anew after a crash: by what is there then") {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        CAPTURE(seed);
        WorldOptions options = OneMachine::options_of(seed);
        options.disk.capacity_bytes = 10'000;
        OneMachine one(options);
        one.run([](Directory& directory) {
            for (const char* name : {"a", "b", "c"}) {
                File file = directory.open(name, OpenMode::create).value();
                append(file, 0, filled(1000, 1));
                if (*name == 'b') REQUIRE(directory.sync().has_value());
                if (*name == 'a') REQUIRE(file.sync().has_value());
            }
            REQUIRE(directory.remove("a").has_value());
        });
        one.machine.crash(seed % 2 == 0 ? CrashMode::kill : CrashMode::power_loss);
        std::uint64_t used = 0;
        for (const char* name : {"a", "b", "c"}) {
            if (auto bytes = one.content(name)) used += bytes->size();
        }
        REQUIRE(one.machine.disk().free_bytes() == 10'000 - used);
    }
}

TEST_CASE("a planned fault comes at its turn, as often as planned, and only there") {
    OneMachine one(4);
    one.machine.disk().fail(Op::Kind::sync, 2, EIO, 2);
    one.machine.disk().fail(Op::Kind::write_at, 1, ENOSPC);
    one.run([](Directory& directory) {
        File file = directory.open("f", OpenMode::create).value();
        CHECK(file.write_at(0, filled(10, 1)).error().code == Errc::no_space);
        CHECK(file.write_at(0, filled(10, 1)).has_value());
        CHECK(file.sync().has_value());
        CHECK(file.sync().error().code == Errc::io);
        CHECK(file.sync().error().code == Errc::io);
        CHECK(file.sync().has_value());
    });
}

TEST_CASE("what a failed sync has left out is not written by a later one") {
    std::map<std::string, int> counts;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        OneMachine one(seed);
        one.machine.disk().fail(Op::Kind::sync, 1, EIO);
        one.run([](Directory& directory) {
            File file = directory.open("f", OpenMode::create).value();
            REQUIRE(directory.sync().has_value());
            append(file, 0, filled(10, 1));
            REQUIRE(file.sync().error().code == Errc::io);
            REQUIRE(file.sync().has_value());
            Buffer bytes(10);
            REQUIRE(file.read_at(0, bytes).value() == 10);  // readers see it all the time
        });
        one.machine.crash(CrashMode::power_loss);
        ++counts[one.content("f") == filled(10, 1) ? "kept" : "lost"];
    }
    CHECK(counts["kept"] > 20);
    CHECK(counts["lost"] > 20);
}

TEST_CASE("a volume that cannot reserve says so, and the door takes it for no error") {
    WorldOptions options = OneMachine::options_of(1);
    options.disk.can_allocate = false;
    options.disk.capacity_bytes = 10;
    OneMachine one(options);
    one.run([](Directory& directory) {
        File file = directory.open("f", OpenMode::create).value();
        CHECK(file.allocate(100).has_value());
        CHECK(directory.free_bytes() == 10u);
    });
}

TEST_CASE("a stream of writes with syncs in between stays what was written") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        CAPTURE(seed);
        OneMachine one(seed);
        std::uint64_t synced_bytes = 0;
        Buffer model;
        one.run([&](Directory& directory) {
            File file = directory.open("f", OpenMode::create).value();
            REQUIRE(directory.sync().has_value());
            bool is_writing = true;
            auto syncing = fiber::spawn("sync", [&] {
                while (is_writing) {
                    std::uint64_t size_bytes = model.size();
                    REQUIRE(file.sync().has_value());
                    synced_bytes = size_bytes;
                }
            });
            env::Random random;
            for (std::uint8_t i = 1; i <= 100; ++i) {
                Buffer bytes = filled(1 + random.below(900), i);
                append(file, model.size(), bytes);
                model.insert(model.end(), bytes.begin(), bytes.end());
                if (random.below(4) == 0) REQUIRE(fiber::sleep_for(1ms).has_value());
            }
            is_writing = false;
            syncing.join();
            REQUIRE(file.size_bytes() == model.size());
        });
        REQUIRE(one.content("f") == model);
        one.machine.crash(CrashMode::power_loss);
        Buffer left = one.content("f").value();
        REQUIRE(synced_bytes > 1000);
        REQUIRE(left.size() >= synced_bytes);
        REQUIRE(std::equal(model.begin(), model.begin() + static_cast<long>(synced_bytes),
                           left.begin()));
    }
}
