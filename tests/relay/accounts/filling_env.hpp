// An environment for the database whose disk is full while the test says so.
#pragma once

#include <memory>

#include "index/memory_disk.hpp"

namespace rocksdb {
class Env;
}

namespace ringlay::accounts::test {

class FillingEnv {
  public:
    explicit FillingEnv(rocksdb::Env* below);
    ~FillingEnv();
    FillingEnv(const FillingEnv&) = delete;
    FillingEnv& operator=(const FillingEnv&) = delete;

    void set_full(bool is_full);
    rocksdb::Env* env();

  private:
    struct Core;
    std::unique_ptr<Core> core_;
};

}  // namespace ringlay::accounts::test
