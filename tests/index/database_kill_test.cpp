// Processes that are killed in the middle of what they do to their files: of each life the next one
// must find rows, counts and the place in the log as they were together at some batch.
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>

#include "tests/index/model.hpp"

using namespace ringlay;
using namespace ringlay::support;
using ringlay::index::Database;

namespace {

// Ends the process before a change to a file, when as many as were allowed are done.
class Fuse {
  public:
    explicit Fuse(std::int64_t changes) : left_(changes) {}
    void burn() {
        if (left_.fetch_sub(1) == 1) ::kill(::getpid(), SIGKILL);
    }
    std::int64_t left() const { return left_.load(); }

  private:
    std::atomic<std::int64_t> left_;
};

class FusedFile : public rocksdb::FSWritableFileOwnerWrapper {
  public:
    FusedFile(std::unique_ptr<rocksdb::FSWritableFile> file, Fuse& fuse)
        : FSWritableFileOwnerWrapper(std::move(file)), fuse_(fuse) {}

    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) override {
        fuse_.burn();
        return FSWritableFileOwnerWrapper::Append(data, options, context);
    }
    // A killed process leaves what it has written, synced or not: the time can be saved.
    rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
        fuse_.burn();
        return rocksdb::IOStatus::OK();
    }
    rocksdb::IOStatus Close(const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* context) override {
        fuse_.burn();
        return FSWritableFileOwnerWrapper::Close(options, context);
    }

  private:
    Fuse& fuse_;
};

class FusedFileSystem : public rocksdb::FileSystemWrapper {
  public:
    explicit FusedFileSystem(Fuse& fuse)
        : FileSystemWrapper(rocksdb::FileSystem::Default()), fuse_(fuse) {}

    const char* Name() const override { return "fused"; }
    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* context) override {
        fuse_.burn();
        std::unique_ptr<rocksdb::FSWritableFile> plain;
        auto status = FileSystemWrapper::NewWritableFile(name, options, &plain, context);
        if (status.ok()) *file = std::make_unique<FusedFile>(std::move(plain), fuse_);
        return status;
    }
    rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                                 const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* context) override {
        fuse_.burn();
        return FileSystemWrapper::RenameFile(from, to, options, context);
    }
    rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* context) override {
        fuse_.burn();
        return FileSystemWrapper::DeleteFile(name, options, context);
    }

  private:
    Fuse& fuse_;
};

constexpr std::uint64_t seed = 5;
constexpr std::uint64_t batches_of_a_life = 60;

int wrong(const std::string& what) {
    std::fprintf(stderr, "a life found: %s\n", what.c_str());
    return 1;
}

// Opens what the last life has left, compares, goes on. `changes`: to files, until it is killed.
int live(const std::string& path, std::int64_t changes, std::uint64_t must_have, int told) {
    Fuse fuse(changes);
    auto env = rocksdb::NewCompositeEnv(std::make_shared<FusedFileSystem>(fuse));
    index::Options options;
    options.path = path;
    options.env = env.get();
    options.write_buffer_bytes = 256 << 10;  // RocksDB flushes between our flushes, too
    const auto may_block = MayBlock::on_own_thread();
    auto opened = Database::open(may_block, options);
    if (!opened) return wrong(std::string(opened.error().what));
    auto& database = **opened;
    std::uint64_t n = database.applied().seq;
    if (n < must_have) return wrong("what was flushed is gone");
    if (database.applied() != point_of(n)) return wrong("a point that never was");
    auto what = difference(database, model_at(seed, n));
    if (!what.empty()) return wrong(what + " at batch " + std::to_string(n));
    for (std::uint64_t i = 0; i < batches_of_a_life; ++i) {
        ++n;
        if (!database.apply(may_block, views(batch_of(seed, n)), point_of(n))) return 2;
        if (n % 7 != 0) continue;
        if (!database.flush(may_block)) return 3;
        const std::uint64_t flushed = database.flushed().seq;
        if (::write(told, &flushed, sizeof flushed) != sizeof flushed) return 4;
    }
    opened->reset();
    return 0;
}

struct End {
    bool was_killed;
    int status;
    std::uint64_t flushed;  // the last that it told
};

End run_life(const std::string& path, std::int64_t changes, std::uint64_t must_have) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) ::_exit(live(path, changes, must_have, ends[1]));
    ::close(ends[1]);
    std::uint64_t flushed = must_have, told = 0;
    while (::read(ends[0], &told, sizeof told) == sizeof told) flushed = told;
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return {was_killed, status, flushed};
}

}  // namespace

TEST_CASE("through sixty kills rows, counts and the place in the log stay together") {
    std::string directory = "/tmp/ringlay-index-kill-XXXXXX";
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    const std::string path = directory + "/index";
    std::mt19937_64 random(seed);
    std::uint64_t flushed = 0;
    int kills = 0;
    for (int life = 0; life < 120 && kills < 60; ++life) {
        const auto changes = static_cast<std::int64_t>(1 + random() % 250);
        CAPTURE(life, changes, flushed);
        auto end = run_life(path, changes, flushed);
        CAPTURE(end.status);
        REQUIRE((end.was_killed || end.status == 0));
        REQUIRE(end.flushed >= flushed);
        flushed = end.flushed;
        kills += end.was_killed ? 1 : 0;
    }
    CHECK(kills >= 60);
    CHECK(flushed > 100);
    CHECK(run_life(path, -1, flushed).status == 0);
    std::filesystem::remove_all(directory);
}
