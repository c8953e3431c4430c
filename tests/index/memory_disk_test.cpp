#include "index/memory_disk.hpp"

#include <rocksdb/env.h>

#include "tests/index/model.hpp"

using namespace ringlay;
using namespace ringlay::support;
using ringlay::index::Database;
using ringlay::index::MemoryDisk;

namespace {

const auto may_block = MayBlock::on_own_thread();

std::unique_ptr<Database> open(MemoryDisk& disk) {
    index::Options options;
    options.path = "/data/index";
    options.env = disk.env();
    options.write_buffer_bytes = 1 << 20;
    options.block_cache_bytes = 1 << 20;
    options.compacts_by_itself = false;
    disk.env()->CreateDirIfMissing("/data");
    auto database = Database::open(may_block, options);
    REQUIRE(database.has_value());
    return std::move(*database);
}

}  // namespace

TEST_CASE("a copy holds every file as it was, and nothing that is written later") {
    MemoryDisk disk;
    auto* env = disk.env();
    REQUIRE(env->CreateDirIfMissing("/a").ok());
    REQUIRE(env->CreateDirIfMissing("/a/b").ok());
    REQUIRE(rocksdb::WriteStringToFile(env, "one", "/a/x").ok());
    REQUIRE(rocksdb::WriteStringToFile(env, "two", "/a/b/y").ok());
    auto copy = disk.copy_of_files();
    REQUIRE(rocksdb::WriteStringToFile(env, "three", "/a/x").ok());
    REQUIRE(rocksdb::WriteStringToFile(env, "four", "/a/z").ok());
    std::string bytes;
    REQUIRE(rocksdb::ReadFileToString(copy->env(), "/a/x", &bytes).ok());
    CHECK(bytes == "one");
    REQUIRE(rocksdb::ReadFileToString(copy->env(), "/a/b/y", &bytes).ok());
    CHECK(bytes == "two");
    CHECK_FALSE(copy->env()->FileExists("/a/z").ok());
}

TEST_CASE("a copy can be opened while the old database lives, and has what was flushed") {
    MemoryDisk disk;
    auto old_life = open(disk);
    Model flushed;
    flushed.apply(batch_of(1, 1));
    REQUIRE(old_life->apply(may_block, views(batch_of(1, 1)), point_of(1)).has_value());
    REQUIRE(old_life->flush(may_block).has_value());
    REQUIRE(old_life->apply(may_block, views(batch_of(1, 2)), point_of(2)).has_value());

    auto copy = disk.copy_of_files();
    auto new_life = open(*copy);
    CHECK(new_life->applied() == point_of(1));
    CHECK(difference(*new_life, flushed).empty());
    CHECK(old_life->applied() == point_of(2));
    REQUIRE(old_life->flush(may_block).has_value());  // does not reach the copy
    CHECK(new_life->applied() == point_of(1));
    CHECK(difference(*new_life, flushed).empty());
}

TEST_CASE("at five hundred crashes the rows are those of the point that the database has come to") {
    const std::uint64_t seed = GENERATE(range(1u, 11u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    auto disk = std::make_unique<MemoryDisk>();
    auto database = open(*disk);
    std::uint64_t n = 0;
    for (int crash = 0; crash < 50; ++crash) {
        CAPTURE(crash, n);
        std::uint64_t flushed = n;
        for (std::uint64_t steps = random() % 8; steps > 0; --steps) {
            if (random() % 4 == 0) {
                REQUIRE(database->flush(may_block).has_value());
                flushed = n;
                REQUIRE(database->flushed() == point_of(n));
            } else {
                ++n;
                REQUIRE(
                    database->apply(may_block, views(batch_of(seed, n)), point_of(n)).has_value());
            }
            REQUIRE(database->applied() == point_of(n));
        }
        REQUIRE(difference(*database, model_at(seed, n)) == "");

        auto copy = disk->copy_of_files();
        auto next = open(*copy);
        REQUIRE(next->applied() == point_of(flushed));
        REQUIRE(next->flushed() == point_of(flushed));
        REQUIRE(difference(*next, model_at(seed, flushed)) == "");
        database = std::move(next);
        disk = std::move(copy);
        n = flushed;
    }
}
