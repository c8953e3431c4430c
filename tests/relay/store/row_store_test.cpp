#include "relay/store/row_store.hpp"

#include <map>
#include <string>

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
