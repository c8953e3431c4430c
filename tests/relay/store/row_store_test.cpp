#include "relay/store/row_store.hpp"

#include <map>
#include <string>

#include "proto/base/crc32c.hpp"
#include "relay/env/sim/world.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using store::RowChange;
using store::RowStore;
using namespace std::chrono_literals;

namespace {

Buffer bytes(std::string_view text) {
    return {text.begin(), text.end()};
}

std::unique_ptr<RowStore> open_store(const env::Directory& directory) {
    std::string why;
    auto opened = RowStore::open(directory, "rows", why);
    INFO(why);
    REQUIRE(opened);
    return std::move(*opened);
}

Result<void> put(RowStore& store, std::string_view key, std::string_view value) {
    const RowChange change{std::string(key), bytes(value)};
    return store.write(std::span(&change, 1));
}

Result<void> erase(RowStore& store, std::string_view key) {
    const RowChange change{std::string(key), std::nullopt};
    return store.write(std::span(&change, 1));
}

Buffer journal(const env::Directory& directory) {
    auto file = directory.open("rows", env::OpenMode::read).value();
    Buffer all(file.size_bytes().value());
    REQUIRE(file.read_at(0, all).value() == all.size());
    return all;
}

std::size_t longest_record(Bytes journal) {
    std::size_t longest = 0;
    for (std::size_t at = 16; at < journal.size();) {
        const std::size_t size = load_le<std::uint32_t>(journal, at + 4);
        longest = std::max(longest, size);
        at += 8 + size;
    }
    return longest;
}

void replace_journal(const env::Directory& directory, Bytes all) {
    auto file = directory.open("rows", env::OpenMode::write).value();
    REQUIRE(file.truncate(0));
    REQUIRE(file.write_at(0, all));
}

}  // namespace

TEST_ON_BOTH_KERNELS("rows are there again after a restart, as they were last written") {
    const env::Directory directory = world.directory();
    {
        auto store = open_store(directory);
        CHECK(store->rows().empty());
        const RowChange two[] = {{"a", bytes("1")}, {"b", bytes("2")}};
        CHECK(store->write(two));
        CHECK(put(*store, "a", "3"));
        CHECK(put(*store, "c", ""));
        CHECK(erase(*store, "b"));
        CHECK(erase(*store, "nobody"));
    }
    auto store = open_store(directory);
    CHECK(store->rows() == store::Rows{{"a", bytes("3")}, {"c", {}}});
}

TEST_ON_BOTH_KERNELS(
    "a last record that is torn, or that another has been begun over, is cut off") {
    const env::Directory directory = world.directory();
    std::size_t whole = 0;
    {
        auto store = open_store(directory);
        CHECK(put(*store, "a", "first"));
        whole = store->journal_bytes();
        CHECK(put(*store, "b", "second"));
    }
    const Buffer all = journal(directory);
    for (std::size_t size = whole; size < all.size(); ++size) {
        replace_journal(directory, Bytes(all).first(size));
        auto store = open_store(directory);
        CHECK(store->rows() == store::Rows{{"a", bytes("first")}});
        CHECK(put(*store, "c", "third"));
        store.reset();
        CHECK(open_store(directory)->rows() ==
              store::Rows{{"a", bytes("first")}, {"c", bytes("third")}});
    }
}

TEST_ON_BOTH_KERNELS("a wrong byte with records behind it is told with file and place") {
    const env::Directory directory = world.directory();
    std::size_t first_end = 0;
    {
        auto store = open_store(directory);
        CHECK(put(*store, "a", "first"));
        first_end = store->journal_bytes();
        CHECK(put(*store, "b", "second"));
        CHECK(put(*store, "c", "third"));
    }
    const Buffer good = journal(directory);
    for (std::size_t at : {std::size_t{0}, std::size_t{16}, first_end, first_end + 9}) {
        Buffer bad = good;
        bad[at] ^= 0x40;
        replace_journal(directory, bad);
        std::string why;
        auto opened = RowStore::open(directory, "rows", why);
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code == Errc::corrupt);
        CHECK(why.contains("/rows: "));
        const std::size_t place = at < 16 ? 0 : at < first_end ? 16 : first_end;
        CHECK(why.contains("at byte " + std::to_string(place) + ";"));
    }
}

TEST_ON_BOTH_KERNELS("a journal that is mostly history is written anew, and goes on") {
    const env::Directory directory = world.directory();
    auto store = open_store(directory);
    const std::string value(4000, 'x');
    std::uint64_t longest = 0;
    for (int i = 0; i < 300; ++i) {
        REQUIRE(put(*store, "key" + std::to_string(i % 10), value + std::to_string(i)));
        longest = std::max(longest, store->journal_bytes());
    }
    CHECK(longest > RowStore::least_journal_bytes - 10'000);
    CHECK(longest <= RowStore::least_journal_bytes + 10'000);
    const store::Rows rows = store->rows();
    CHECK(rows.size() == 10);
    store.reset();
    CHECK(open_store(directory)->rows() == rows);
}

TEST_ON_BOTH_KERNELS("what is too large is refused, and nothing of its batch is written") {
    auto store = open_store(world.directory());
    const RowChange changes[] = {{"a", bytes("fits")}, {"b", Buffer(RowStore::max_row_bytes, 'x')}};
    auto written = store->write(changes);
    REQUIRE_FALSE(written);
    CHECK(written.error().code == Errc::too_large);
    CHECK(store->rows().empty());
    CHECK(put(*store, "b", std::string(RowStore::max_row_bytes - 1, 'x')));
}

TEST_ON_BOTH_KERNELS("calls at the same time are put in line") {
    const env::Directory directory = world.directory();
    auto store = open_store(directory);
    {
        fiber::TaskGroup writers;
        for (int i = 0; i < 20; ++i) {
            writers.spawn("writes", [&, i] { CHECK(put(*store, std::to_string(i), "value")); });
        }
        while (writers.size() > 0) fiber::yield();
    }
    CHECK(store->rows().size() == 20);
    store.reset();
    CHECK(open_store(directory)->rows().size() == 20);
}

TEST_ON_BOTH_KERNELS("who waits to write is not overtaken by who comes later") {
    const env::Directory directory = world.directory();
    auto store = open_store(directory);
    fiber::TaskGroup writers;
    writers.spawn("writes twice", [&] {
        CHECK(put(*store, "first", "value"));
        CHECK(put(*store, "key", "new"));
    });
    writers.spawn("writes in between", [&] { CHECK(put(*store, "key", "old")); });
    while (writers.size() > 0) fiber::yield();
    CHECK(store->rows().at("key") == bytes("new"));
    CHECK(open_store(directory)->rows().at("key") == bytes("new"));
}

TEST_ON_BOTH_KERNELS("a large write is several records, and so is a journal made anew of it") {
    const env::Directory directory = world.directory();
    auto store = open_store(directory);
    std::vector<RowChange> changes;
    for (int i = 0; i < 600; ++i) changes.push_back({"row" + std::to_string(i), Buffer(15'000)});
    CHECK(store->write(changes));
    CHECK(longest_record(journal(directory)) <= RowStore::max_record_bytes);
    store.reset();
    store = open_store(directory);
    CHECK(store->rows().size() == changes.size());

    const std::uint64_t once = store->journal_bytes();
    for (RowChange& change : changes) change.value->at(0) = 7;
    CHECK(store->write(changes));
    CHECK(store->journal_bytes() <= once + 1000);
    CHECK(longest_record(journal(directory)) <= RowStore::max_record_bytes);
    const store::Rows rows = store->rows();
    store.reset();
    CHECK(open_store(directory)->rows() == rows);
    CHECK(rows.at("row17").at(0) == 7);
}

TEST_ON_BOTH_KERNELS("records are made small; one that is longer is read all the same") {
    const env::Directory directory = world.directory();
    open_store(directory);
    Buffer sized;
    const std::size_t count = RowStore::max_record_bytes / 1000;
    append_le(sized, static_cast<std::uint32_t>(count * (7 + 4 + 1000)));
    for (std::size_t i = 0; i < count; ++i) {
        sized.push_back(1);
        append_le(sized, std::uint16_t{4});
        append_le(sized, std::uint32_t{1000});
        append_le(sized, static_cast<std::uint32_t>(i));
        sized.resize(sized.size() + 1000);
    }
    Buffer all = journal(directory);
    append_le(all, crc32c(sized));
    all.insert(all.end(), sized.begin(), sized.end());
    replace_journal(directory, all);
    CHECK(open_store(directory)->rows().size() == count);
}

// Each life writes numbers one after the other, and is killed or loses its power at any moment.
TEST_CASE(
    "through a thousand crashes what was written is there, and the rest whole or not at all") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        env::WorldOptions options;
        options.seed = seed;
        std::uint64_t next = 1;
        std::uint64_t begun = 0;  // the highest that may be there
        std::uint64_t done = 0;   // the highest that must be
        env::Env env;
        env::World world(options);
        for (int life = 0; life < 10; ++life) {
            std::optional<std::string> failure;
            bool is_alive = true;
            world.machine("m").start_worker({.name = "main", .index = 0}, [&] {
                auto directory = env.disk.open_directory("/data");
                if (!directory) return;
                std::string why;
                auto opened = RowStore::open(std::move(*directory), "rows", why);
                if (!is_alive) return;
                if (!opened) {
                    failure = why;
                    return;
                }
                RowStore& store = **opened;
                // Two rows are always written together; the value is long, so that journals are
                // written anew, too.
                const auto a = store.rows().find("a");
                const auto b = store.rows().find("b");
                const std::uint64_t found =
                    a == store.rows().end() ? 0 : load_le<std::uint64_t>(a->second, 0);
                if ((b == store.rows().end() ? 0 : load_le<std::uint64_t>(b->second, 0)) != found) {
                    failure = "half of a batch";
                }
                if (found < done || found > begun) {
                    failure = "found " + std::to_string(found) + ", done " + std::to_string(done) +
                              ", begun " + std::to_string(begun);
                }
                while (is_alive && !failure) {
                    Buffer value;
                    append_le(value, next);
                    value.resize(8000);
                    begun = next;
                    const RowChange both[] = {{"a", value}, {"b", value}};
                    if (!store.write(both) || !is_alive) return;
                    done = next++;
                    if (fiber::is_cancelled()) return;
                }
            });
            world.run_for(1ms * (1 + world.prng().below(60)));
            is_alive = false;
            world.machine("m").crash(seed % 2 == 0 ? env::CrashMode::power_loss
                                                   : env::CrashMode::kill);
            world.run_for(1s);
            INFO(failure.value_or(""));
            REQUIRE_FALSE(failure.has_value());
            next = begun + 1;
        }
        CHECK(done > 0);
    }
}

// As above, but with writes of three records: of a write that was begun the first records may be
// there, each whole and none without those before it, whether the journal was made anew or not.
TEST_CASE("through twenty crashes of large writes no row goes back, and their order is kept") {
    constexpr std::size_t count = 580;
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
        CAPTURE(seed);
        env::WorldOptions options;
        options.seed = seed;
        std::uint64_t begun = 0;
        std::uint64_t done = 0;
        env::Env env;
        env::World world(options);
        for (int life = 0; life < 10; ++life) {
            std::optional<std::string> failure;
            bool is_alive = true;
            world.machine("m").start_worker({.name = "main", .index = 0}, [&] {
                auto directory = env.disk.open_directory("/data");
                if (!directory) return;
                std::string why;
                auto opened = RowStore::open(std::move(*directory), "rows", why);
                if (!is_alive) return;
                if (!opened) {
                    failure = why;
                    return;
                }
                RowStore& store = **opened;
                std::uint64_t before = begun;
                for (std::size_t i = 0; i < count; ++i) {
                    const auto found = store.rows().find(std::to_string(1000 + i));
                    const bool is_there = found != store.rows().end();
                    const std::uint64_t number =
                        is_there ? load_le<std::uint64_t>(found->second, 0) : 0;
                    if (number < done || number > before) {
                        failure = "row " + std::to_string(i) + " has " + std::to_string(number);
                    }
                    before = number;
                }
                while (is_alive && !failure) {
                    Buffer value;
                    append_le(value, ++begun);
                    value.resize(15'000);
                    std::vector<RowChange> changes;
                    for (std::size_t i = 0; i < count; ++i) {
                        changes.push_back({std::to_string(1000 + i), value});
                    }
                    if (!store.write(changes) || !is_alive) return;
                    done = begun;
                    if (fiber::is_cancelled()) return;
                }
            });
            world.run_for(1ms * (1 + world.prng().below(50)));
            is_alive = false;
            world.machine("m").crash(seed % 2 == 0 ? env::CrashMode::power_loss
                                                   : env::CrashMode::kill);
            world.run_for(1s);
            INFO(failure.value_or(""));
            REQUIRE_FALSE(failure.has_value());
        }
        CHECK(done > 0);
    }
}
