// A disk in memory for the database's files, so that a simulation can crash over them: at any
// moment they can be copied, and the copy is what the next process finds, while the old database
// object may still be alive over the original.
//
// Between two calls of Database's the files hold what was flushed and nothing else; a copy is meant
// to be taken there, not beside a flush() in another thread.
//
// Owner    the caller; it outlives every Database over env().
// Thread   as RocksDB's environments: any.
// Bound    what is written to it.
#pragma once

#include <memory>

namespace rocksdb {
class Env;
}

namespace ringlay::index {

class MemoryDisk {
  public:
    MemoryDisk();
    ~MemoryDisk();
    MemoryDisk(const MemoryDisk&) = delete;
    MemoryDisk& operator=(const MemoryDisk&) = delete;

    rocksdb::Env* env() { return env_.get(); }

    // Locks are not copied: the process that held them has gone.
    std::unique_ptr<MemoryDisk> copy_of_files() const;

  private:
    std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace ringlay::index
