// CARv1 archives: the blocks that a commit or sync event carries (protocol 2.5).
//
// The reader goes through the archive once, giving out views; nothing is copied, allocated or
// hashed. Blocks come in any order, some twice, some that nothing refers to. That a block's data
// hashes to its CID is for the caller to check.
//
// Owner    views of the archive's bytes.
// Errors   malformed, unsupported (version). After an error the rest of the archive is meaningless.
#pragma once

#include <optional>
#include <span>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "proto/cid.hpp"

namespace ringlay::proto {

struct CarBlock {
    Bytes cid;  // of valid syntax (cid_prefix); Cid::parse() says whether it is one we can check
    Bytes data;
};

class CarReader {
  public:
    // Reads the header. An archive without roots is refused: there is no commit in it.
    static Result<CarReader> open(Bytes archive);

    Bytes root() const { return root_; }  // the first one: the commit
    std::size_t root_count() const { return root_count_; }

    // The next block; nothing after the last.
    Result<std::optional<CarBlock>> next();

  private:
    CarReader(Bytes archive, std::size_t at, Bytes root, std::size_t root_count)
        : archive_(archive), at_(at), root_(root), root_count_(root_count) {}

    Bytes archive_;
    std::size_t at_;
    Bytes root_;
    std::size_t root_count_;
};

void append_car_header(Buffer& out, std::span<const Cid> roots);
void append_car_block(Buffer& out, Bytes cid, Bytes data);
inline void append_car_block(Buffer& out, const Cid& cid, Bytes data) {
    append_car_block(out, cid.bytes(), data);
}

}  // namespace ringlay::proto
