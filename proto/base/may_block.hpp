// Permission to block the calling thread. Code that may sleep in the kernel (RocksDB, libpq, a slow
// file system) takes a MayBlock by value; only the blocking pool can make one, so calling such code
// on a ring worker does not compile.
#pragma once

namespace ringlay {

namespace fiber {
class BlockingPool;
}

class MayBlock {
  public:
    // For tests and for programs without workers (ringlay log check), whose thread is their own.
    static MayBlock on_own_thread() { return {}; }

  private:
    friend class fiber::BlockingPool;
    MayBlock() = default;
};

}  // namespace ringlay
