#include "index/database.hpp"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <atomic>
#include <filesystem>

#include "crypto/did_key.hpp"
#include "index/memory_disk.hpp"
#include "index/packed_did.hpp"
#include "index/rows.hpp"
#include "tests/index/model.hpp"

using namespace ringlay;
using namespace ringlay::support;
using ringlay::index::AccountChange;
using ringlay::index::AccountRow;
using ringlay::index::Database;
using ringlay::index::IdentityRow;
using ringlay::index::MemoryDisk;

namespace {

const auto may_block = MayBlock::on_own_thread();
constexpr std::string_view alice = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
constexpr std::string_view bob = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";
constexpr proto::AccountStanding active, deleted{false, proto::AccountStatus::deleted};
constexpr proto::AccountStanding taken_down{false, proto::AccountStatus::takendown};

index::Options options_on(rocksdb::Env* env) {
    index::Options options;
    options.path = "/index";
    options.env = env;
    options.write_buffer_bytes = 1 << 20;
    options.block_cache_bytes = 1 << 20;
    options.compacts_by_itself = false;
    return options;
}

std::unique_ptr<Database> open(MemoryDisk& disk) {
    auto database = Database::open(may_block, options_on(disk.env()));
    REQUIRE(database.has_value());
    return std::move(*database);
}

Errc open_error(MemoryDisk& disk) {
    auto database = Database::open(may_block, options_on(disk.env()));
    REQUIRE_FALSE(database.has_value());
    return database.error().code;
}

void apply(Database& database, const std::vector<AccountChange>& changes, std::uint64_t n) {
    REQUIRE(database.apply(may_block, changes, point_of(n)).has_value());
}

std::optional<AccountRow> row_of(const Database& database, std::string_view did) {
    return database.account(may_block, did).value();
}

index::RepoState repo(std::uint64_t rev) {
    std::mt19937_64 random(rev);
    return {rev, random_cid(random), random_cid(random)};
}

using Counts = std::map<std::uint32_t, std::uint64_t>;

Counts counts(const Database& database) {
    return database.accounts_by_host(may_block).value();
}

// Puts into a closed database what no Database would.
void forge(MemoryDisk& disk, std::size_t family, const std::string& key, const std::string& value) {
    rocksdb::DBOptions options;
    options.env = disk.env();
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const char* name : {"default", "account", "identity", "host"}) {
        families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    REQUIRE(rocksdb::DB::Open(options, "/index", families, &handles, &db).ok());
    if (value.empty()) {
        REQUIRE(db->Delete({}, handles[family], key).ok());
    } else {
        REQUIRE(db->Put({}, handles[family], key, value).ok());
    }
    REQUIRE(db->Flush({}, handles).ok());
    for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
    delete db;
}

std::string text(const Buffer& bytes) {
    return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("a fresh database is empty and has come to no place in any log") {
    MemoryDisk disk;
    auto database = open(disk);
    CHECK(database->applied() == index::LogPoint{});
    CHECK(database->flushed() == index::LogPoint{});
    CHECK_FALSE(row_of(*database, alice).has_value());
    CHECK(database->list_accounts(may_block, "", 10).value().empty());
    CHECK(counts(*database).empty());
    CHECK(database->size().accounts == 0);
    CHECK_FALSE(database->identity(may_block, alice).value().has_value());
}

TEST_CASE("what a change does not name stays; what it names is as it says") {
    MemoryDisk disk;
    auto database = open(disk);
    apply(*database, {{alice, 10, 3, repo(5), taken_down, deleted}}, 1);
    const AccountRow first{10, repo(5), 3, taken_down, deleted};
    CHECK(row_of(*database, alice) == first);
    CHECK_FALSE(row_of(*database, bob).has_value());

    apply(*database, {{alice, 11, 0, {}, {}, {}}}, 2);
    AccountRow row = first;
    row.last_seq = 11;
    CHECK(row_of(*database, alice) == row);

    apply(*database, {{alice, 12, 4, {}, active, {}}}, 3);
    row = {12, repo(5), 4, active, deleted};
    CHECK(row_of(*database, alice) == row);
    apply(*database, {{alice, 13, 0, repo(6), {}, active}}, 4);
    row = {13, repo(6), 4, active, active};
    CHECK(row_of(*database, alice) == row);
    CHECK(database->applied() == point_of(4));
}

TEST_CASE("a repository never goes back: a lower rev is ignored, the same rev is taken") {
    MemoryDisk disk;
    auto database = open(disk);
    apply(*database, {{alice, 10, 1, repo(5), {}, {}}}, 1);
    apply(*database, {{alice, 11, 1, repo(4), {}, {}}}, 2);
    CHECK(row_of(*database, alice)->repo == repo(5));
    CHECK(row_of(*database, alice)->last_seq == 11);
    auto other = repo(99);
    other.rev = 5;
    apply(*database, {{alice, 12, 1, other, {}, {}}}, 3);
    CHECK(row_of(*database, alice)->repo == other);
    // Within one batch as between two.
    apply(*database, {{alice, 13, 1, repo(8), {}, {}}, {alice, 14, 1, repo(7), {}, {}}}, 4);
    CHECK(row_of(*database, alice)->repo == repo(8));
}

TEST_CASE("the last seq of a row never goes back") {
    MemoryDisk disk;
    auto database = open(disk);
    apply(*database, {{alice, 20, 1, {}, {}, {}}, {alice, 19, 1, {}, {}, {}}}, 1);
    CHECK(row_of(*database, alice)->last_seq == 20);
    apply(*database, {{alice, 18, 1, {}, {}, {}}}, 2);
    CHECK(row_of(*database, alice)->last_seq == 20);
}

TEST_CASE("an account counts for its host, moves with it, and not while deleted upstream") {
    MemoryDisk disk;
    auto database = open(disk);
    apply(*database, {{alice, 1, 7, {}, {}, {}}, {bob, 2, 7, {}, {}, {}}}, 1);
    CHECK(counts(*database) == Counts{{7, 2}});
    apply(*database, {{alice, 3, 8, {}, {}, {}}}, 2);
    CHECK(counts(*database) == Counts{{7, 1}, {8, 1}});
    apply(*database, {{alice, 4, 0, {}, {}, deleted}, {bob, 5, 0, {}, deleted, {}}}, 3);
    CHECK(counts(*database) == Counts{{7, 1}});  // deleted by us counts still
    apply(*database, {{alice, 6, 9, {}, {}, {}}}, 4);
    CHECK(counts(*database) == Counts{{7, 1}});
    apply(*database, {{alice, 7, 0, {}, {}, active}}, 5);
    CHECK(counts(*database) == Counts{{7, 1}, {9, 1}});
    apply(*database, {{bob, 8, 0, {}, {}, taken_down}}, 6);
    CHECK(counts(*database) == Counts{{7, 1}, {9, 1}});
    apply(*database, {{"did:web:c", 9, 0, repo(1), {}, {}}}, 7);  // no host has spoken for it
    CHECK(counts(*database) == Counts{{7, 1}, {9, 1}});
    apply(*database, {{bob, 10, 70'000, {}, {}, {}}}, 8);
    CHECK(counts(*database) == Counts{{9, 1}, {70'000, 1}});
    CHECK(database->size().accounts == 3);
}

TEST_CASE("an active account is counted, whatever word explains it") {
    MemoryDisk disk;
    auto database = open(disk);
    apply(*database, {{alice, 1, 7, {}, {}, {{true, proto::AccountStatus::deleted}}}}, 1);
    CHECK(counts(*database) == Counts{{7, 1}});
}

TEST_CASE("a batch without changes moves the place in the log") {
    MemoryDisk disk;
    auto database = open(disk);
    apply(*database, {}, 9);
    CHECK(database->applied() == point_of(9));
    CHECK(database->flushed() == index::LogPoint{});
    REQUIRE(database->flush(may_block).has_value());
    CHECK(database->flushed() == point_of(9));
}

TEST_CASE("pages of a listing join without a gap, from any text, in the order of the DIDs") {
    MemoryDisk disk;
    auto database = open(disk);
    Model model;
    for (std::uint64_t n = 1; n <= 20; ++n) {
        apply(*database, views(batch_of(3, n)), n);
        model.apply(batch_of(3, n));
        if (n % 6 == 0) REQUIRE(database->flush(may_block).has_value());
    }
    REQUIRE(difference(*database, model) == "");
    for (std::size_t limit : {1u, 7u, 1000u}) {
        std::string after;
        std::vector<std::string> dids;
        for (;;) {
            auto page = database->list_accounts(may_block, after, limit).value();
            REQUIRE(page.size() <= limit);
            if (page.empty()) break;
            for (auto& item : page) dids.push_back(item.did);
            after = dids.back();
        }
        REQUIRE(dids.size() == model.rows.size());
        REQUIRE(std::ranges::equal(dids, model.rows, {}, {}, [](auto& row) { return row.first; }));
    }
    std::mt19937_64 random(1);
    for (int i = 0; i < 500; ++i) {
        std::string after = model_did(random() % 200);
        if (random() % 2 == 0) after.resize(random() % (after.size() + 1));
        if (random() % 4 == 0) after += static_cast<char>(random());
        CAPTURE(after);
        auto first = database->list_accounts(may_block, after, 1).value();
        auto expected = model.rows.upper_bound(after);
        REQUIRE(first.empty() == (expected == model.rows.end()));
        if (!first.empty()) REQUIRE(first[0].did == expected->first);
    }
}

TEST_CASE("a page has a bound, whatever is asked for") {
    MemoryDisk disk;
    auto database = open(disk);
    std::vector<std::string> dids;
    for (std::uint64_t i = 0; i < Database::max_page + 5; ++i) dids.push_back(model_did(i * 7));
    std::vector<AccountChange> changes;
    for (const auto& did : dids) changes.push_back({did, 1, 1, {}, {}, {}});
    apply(*database, changes, 1);
    CHECK(database->list_accounts(may_block, "", SIZE_MAX).value().size() == Database::max_page);
    CHECK(database->list_accounts(may_block, "", 0).value().empty());
    CHECK(counts(*database) == Counts{{1, Database::max_page + 5}});
}

TEST_CASE("an identity is kept as it was put, replaced by the next, apart from the account") {
    MemoryDisk disk;
    auto database = open(disk);
    auto key = crypto::parse_multikey("zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc").value();
    const IdentityRow known{key, "pds.example", 1'700'000'000'000};
    const IdentityRow unknown{std::nullopt, "", 1'700'000'000'001};
    std::vector<Database::Named> named = {{std::string(alice), known}, {"did:web:b", unknown}};
    REQUIRE(database->put_identities(may_block, named).has_value());
    CHECK(database->identity(may_block, alice).value() == known);
    CHECK(database->identity(may_block, "did:web:b").value() == unknown);
    CHECK_FALSE(row_of(*database, alice).has_value());
    named = {{std::string(alice), unknown}};
    REQUIRE(database->put_identities(may_block, named).has_value());
    CHECK(database->identity(may_block, alice).value() == unknown);
    REQUIRE(database->flush(may_block).has_value());
    CHECK(database->size().identities > 0);
    CHECK(database->size().disk_bytes > 0);
    CHECK(database->size().memory_bytes > 0);

    database.reset();
    database = open(disk);
    CHECK(database->identity(may_block, alice).value() == unknown);
    CHECK(database->identity(may_block, "did:web:b").value() == unknown);
}

TEST_CASE("what was flushed is there again; what was not is gone, its place in the log with it") {
    MemoryDisk disk;
    auto database = open(disk);
    apply(*database, {{alice, 1, 7, repo(1), {}, {}}}, 1);
    REQUIRE(database->flush(may_block).has_value());
    apply(*database, {{alice, 2, 8, repo(2), {}, {}}, {bob, 3, 8, {}, {}, {}}}, 2);
    CHECK(database->applied() == point_of(2));
    CHECK(database->flushed() == point_of(1));
    database.reset();
    database = open(disk);
    CHECK(database->applied() == point_of(1));
    CHECK(database->flushed() == point_of(1));
    CHECK(row_of(*database, alice)->repo == repo(1));
    CHECK_FALSE(row_of(*database, bob).has_value());
    CHECK(counts(*database) == Counts{{7, 1}});
    CHECK(database->size().accounts == 1);
    // The counts go on from where they were.
    apply(*database, {{alice, 2, 8, {}, {}, {}}, {bob, 3, 8, {}, {}, {}}}, 2);
    CHECK(counts(*database) == Counts{{8, 2}});
    CHECK(database->size().accounts == 2);
}

TEST_CASE("full write buffers are flushed by the call that fills them") {
    MemoryDisk disk;
    auto database = open(disk);
    std::uint64_t n = 0;
    while (database->flushed() == index::LogPoint{} && n < 2000) {
        ++n;
        apply(*database, views(batch_of(4, n, 300, 100'000)), n);
    }
    CHECK(n > 3);
    CHECK(n < 500);
    CHECK(database->flushed() == point_of(n));
    CHECK(database->size().memory_bytes < 2 << 20);
    apply(*database, {}, n + 1);  // they are empty now
    CHECK(database->flushed() == point_of(n));
}

TEST_CASE("the machine's file system, with RocksDB's own threads, holds the same") {
    std::string directory = "/tmp/ringlay-index-XXXXXX";
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    index::Options options;
    options.path = directory + "/index";
    Model model;
    for (std::uint64_t n = 1; n <= 30;) {
        auto database = Database::open(may_block, options);
        REQUIRE(database.has_value());
        REQUIRE((*database)->applied() == point_of(n - 1));
        REQUIRE(difference(**database, model) == "");
        for (int i = 0; i < 10; ++i, ++n) {
            apply(**database, views(batch_of(6, n)), n);
            model.apply(batch_of(6, n));
        }
        auto second = Database::open(may_block, options);
        REQUIRE_FALSE(second.has_value());
        REQUIRE(second.error().code == Errc::busy);
        REQUIRE((*database)->flush(may_block).has_value());
    }
    options.path = directory + "/no/such/place";
    auto nowhere = Database::open(may_block, options);
    REQUIRE_FALSE(nowhere.has_value());
    CHECK(nowhere.error().code == Errc::io);
    std::filesystem::remove_all(directory);
}

TEST_CASE("a database that another one has open is busy") {
    MemoryDisk disk;
    auto database = open(disk);
    CHECK(open_error(disk) == Errc::busy);
    database.reset();
    CHECK(open(disk) != nullptr);
}

TEST_CASE("a newer format is unsupported, of the database as of a row") {
    MemoryDisk disk;
    REQUIRE(open(disk)->flush(may_block).has_value());
    forge(disk, 1, index::pack_did(alice), "\x02newer");
    forge(disk, 2, index::pack_did(alice), "\x02newer");
    auto database = open(disk);
    CHECK(database->account(may_block, alice).error().code == Errc::unsupported);
    CHECK(database->identity(may_block, alice).error().code == Errc::unsupported);
    database.reset();
    forge(disk, 0, "state", std::string("\x02\0\0\0whatever", 12));
    CHECK(open_error(disk) == Errc::unsupported);
}

TEST_CASE("families of a newer format are unsupported") {
    MemoryDisk disk;
    open(disk).reset();
    {
        rocksdb::Options options;
        options.env = disk.env();
        std::vector<rocksdb::ColumnFamilyDescriptor> families;
        for (const char* name : {"default", "account", "identity", "host"}) {
            families.emplace_back(name, rocksdb::ColumnFamilyOptions());
        }
        std::vector<rocksdb::ColumnFamilyHandle*> handles;
        rocksdb::DB* db = nullptr;
        REQUIRE(rocksdb::DB::Open(options, "/index", families, &handles, &db).ok());
        handles.push_back(nullptr);
        REQUIRE(db->CreateColumnFamily({}, "pairs", &handles.back()).ok());
        for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
        delete db;
    }
    CHECK(open_error(disk) == Errc::unsupported);
}

TEST_CASE("a row that cannot be read is corrupt, and is never written over") {
    MemoryDisk disk;
    auto database = open(disk);
    apply(*database, {{alice, 1, 7, {}, {}, {}}}, 1);
    REQUIRE(database->flush(may_block).has_value());
    database.reset();
    forge(disk, 1, index::pack_did(alice), "\x01");
    database = open(disk);
    CHECK(database->account(may_block, alice).error().code == Errc::corrupt);
    CHECK(database->list_accounts(may_block, "", 10).error().code == Errc::corrupt);
    const std::vector<AccountChange> changes = {{bob, 2, 7, {}, {}, {}}, {alice, 2, 7, {}, {}, {}}};
    auto applied = database->apply(may_block, changes, point_of(2));
    REQUIRE_FALSE(applied.has_value());
    CHECK(applied.error().code == Errc::corrupt);
    CHECK(database->applied() == point_of(1));
    CHECK_FALSE(row_of(*database, bob).has_value());
    CHECK(counts(*database) == Counts{{7, 1}});
    database.reset();

    forge(disk, 1, index::pack_did(alice), "");
    forge(disk, 1, "\x07strange", text(index::encode(AccountRow{})));
    CHECK(open(disk)->list_accounts(may_block, "", 10).error().code == Errc::corrupt);
}

TEST_CASE("counts or a state that cannot be, are corrupt") {
    MemoryDisk disk;
    auto database = open(disk);
    apply(*database, {{alice, 1, 7, {}, {}, {}}}, 1);
    REQUIRE(database->flush(may_block).has_value());
    database.reset();
    const std::string seven("\0\0\0\x07", 4);
    SECTION("a count that is no number") {
        forge(disk, 3, seven, "1");
    }
    SECTION("a host that is no number") {
        forge(disk, 3, "7", std::string(8, '\0'));
    }
    SECTION("a state of another length") {
        forge(disk, 0, "state", "x");
    }
    SECTION("no state, but accounts") {
        forge(disk, 0, "state", "");
    }
    SECTION("a count below what leaves") {
        forge(disk, 3, seven, std::string(8, '\0'));
        auto wrong = open(disk);
        const std::vector<AccountChange> changes = {{alice, 2, 8, {}, {}, {}}};
        CHECK(wrong->apply(may_block, changes, point_of(2)).error().code == Errc::corrupt);
        return;
    }
    CHECK(open_error(disk) == Errc::corrupt);
}

namespace {

// A disk that is full while somebody says so.
class FillingFile : public rocksdb::FSWritableFileOwnerWrapper {
  public:
    FillingFile(std::unique_ptr<rocksdb::FSWritableFile> file, const std::atomic<bool>& is_full)
        : FSWritableFileOwnerWrapper(std::move(file)), is_full_(is_full) {}

    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) override {
        if (is_full_) return rocksdb::IOStatus::NoSpace();
        return FSWritableFileOwnerWrapper::Append(data, options, context);
    }

  private:
    const std::atomic<bool>& is_full_;
};

class FillingDisk : public rocksdb::FileSystemWrapper {
  public:
    explicit FillingDisk(const std::shared_ptr<rocksdb::FileSystem>& below)
        : FileSystemWrapper(below) {}

    std::atomic<bool> is_full{false};

    const char* Name() const override { return "filling"; }
    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* context) override {
        std::unique_ptr<rocksdb::FSWritableFile> plain;
        auto status = FileSystemWrapper::NewWritableFile(name, options, &plain, context);
        if (status.ok()) *file = std::make_unique<FillingFile>(std::move(plain), is_full);
        return status;
    }
};

// RocksDB rests for a second after each failure.
class Sleepless : public rocksdb::SystemClockWrapper {
  public:
    Sleepless() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
    const char* Name() const override { return "sleepless"; }
    void SleepForMicroseconds(int) override {}
};

class FillingEnv : public rocksdb::EnvWrapper {
  public:
    explicit FillingEnv(rocksdb::Env* below)
        : EnvWrapper(below), disk(std::make_shared<FillingDisk>(below->GetFileSystem())) {
        file_system_ = disk;
        system_clock_ = std::make_shared<Sleepless>();
    }
    std::shared_ptr<FillingDisk> disk;
};

}  // namespace

TEST_CASE("a full disk is no_space; when there is room again, all goes on and nothing is lost") {
    const std::uint64_t seed = GENERATE(range(1u, 40u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    MemoryDisk memory;
    FillingEnv env(memory.env());
    auto opened = Database::open(may_block, options_on(&env));
    REQUIRE(opened.has_value());
    auto& database = **opened;
    std::uint64_t n = 0, flushed = 0;
    int failures = 0;
    for (int step = 0; step < 60; ++step) {
        CAPTURE(step, n, flushed);
        // At least once there is something to flush and no room; to its end, all goes well.
        const bool must_apply = step == 19, must_flush = step == 20;
        env.disk->is_full = must_flush || (!must_apply && step < 50 && random() % 3 == 0);
        std::optional<Errc> failure;
        if (must_apply || (!must_flush && random() % 3 > 0)) {
            auto done = database.apply(may_block, views(batch_of(seed, n + 1)), point_of(n + 1));
            if (done) ++n;
            if (!done) failure = done.error().code;
        } else {
            auto done = database.flush(may_block);
            if (done) flushed = n;
            if (!done) failure = done.error().code;
        }
        if (failure) {
            REQUIRE(*failure == Errc::no_space);
            REQUIRE(env.disk->is_full);
            ++failures;
        }
        REQUIRE(database.applied() == point_of(n));
        REQUIRE(database.flushed() == point_of(flushed));
        if (step % 5 != 0) continue;
        REQUIRE(difference(database, model_at(seed, n)) == "");
        auto copy = memory.copy_of_files();
        auto next = open(*copy);
        const std::uint64_t found = next->applied().seq;
        REQUIRE(found >= flushed);
        REQUIRE(difference(*next, model_at(seed, found)) == "");
    }
    CHECK(flushed > 10);
    CHECK(failures > 0);
}
