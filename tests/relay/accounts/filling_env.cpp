#include "tests/relay/accounts/filling_env.hpp"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <atomic>

namespace ringlay::accounts::test {
namespace {

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

// RocksDB rests for a second of real time after each failure.
class Sleepless : public rocksdb::SystemClockWrapper {
  public:
    Sleepless() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
    const char* Name() const override { return "sleepless"; }
    void SleepForMicroseconds(int) override {}
};

}  // namespace

struct FillingEnv::Core : rocksdb::EnvWrapper {
    explicit Core(rocksdb::Env* below)
        : EnvWrapper(below), disk(std::make_shared<FillingDisk>(below->GetFileSystem())) {
        file_system_ = disk;
        system_clock_ = std::make_shared<Sleepless>();
    }
    std::shared_ptr<FillingDisk> disk;
};

FillingEnv::FillingEnv(rocksdb::Env* below) : core_(std::make_unique<Core>(below)) {}
FillingEnv::~FillingEnv() = default;

void FillingEnv::set_full(bool is_full) {
    core_->disk->is_full = is_full;
}

rocksdb::Env* FillingEnv::env() {
    return core_.get();
}

}  // namespace ringlay::accounts::test
