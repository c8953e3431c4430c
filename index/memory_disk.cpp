#include "index/memory_disk.hpp"

#include <rocksdb/env.h>

#include <string>
#include <vector>

#include "proto/base/assert.hpp"

namespace ringlay::index {
namespace {

// The root is called "" here. This environment cannot tell an empty directory from an empty file,
// and does not mind. What fails has run out of memory: there is nobody to tell.
void copy_below(rocksdb::Env& from, rocksdb::Env& to, const std::string& path) {
    std::vector<std::string> names;
    rocksdb::Status listed = from.GetChildren(path, &names);
    if (path.empty() && listed.IsNotFound()) return;  // nothing was ever written
    RINGLAY_ASSERT(listed.ok());
    if (names.empty()) {
        std::string bytes;
        if (path.empty()) return;
        RINGLAY_ASSERT(rocksdb::ReadFileToString(&from, path, &bytes).ok());
        RINGLAY_ASSERT(rocksdb::WriteStringToFile(&to, bytes, path).ok());
        return;
    }
    if (!path.empty()) RINGLAY_ASSERT(to.CreateDirIfMissing(path).ok());
    for (const std::string& name : names) {
        if (name != "LOCK") copy_below(from, to, path + "/" + name);
    }
}

}  // namespace

MemoryDisk::MemoryDisk() : env_(rocksdb::NewMemEnv(rocksdb::Env::Default())) {}

MemoryDisk::~MemoryDisk() = default;

std::unique_ptr<MemoryDisk> MemoryDisk::copy_of_files() const {
    auto copy = std::make_unique<MemoryDisk>();
    copy_below(*env_, *copy->env_, "");
    return copy;
}

}  // namespace ringlay::index
