// A consumer that believes nothing: keeps the records of one account as its events tell them, and
// rebuilds the whole tree to check each commit. Fails the running test otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "crypto/public_key.hpp"
#include "proto/base/bytes.hpp"
#include "proto/event.hpp"
#include "proto/frame.hpp"
#include "proto/mst.hpp"

namespace ringlay::bench {

class Reader {
  public:
    using Records = std::map<std::string, proto::Cid>;

    Reader(std::string did, const crypto::PublicKey& key) : did_(std::move(did)), key_(key) {}

    // As if all that is in the tree had been read before.
    void start_from(const proto::Mst& tree, std::string rev);

    proto::FrameKind read(Bytes frame);

    const Records& records() const { return records_; }
    std::size_t op_count() const { return op_count_; }

  private:
    using Blocks = std::map<proto::Cid, Bytes>;

    Blocks read_archive(Bytes archive);
    proto::Cid check_commit_block(const Blocks& blocks, std::string_view rev);
    void read_commit(Bytes payload);
    void read_sync(Bytes payload);
    void apply(const proto::RepoOp& op, const Blocks& blocks);

    std::string did_;
    crypto::PublicKey key_;
    Records records_;
    std::optional<std::string> rev_;
    std::uint64_t seq_ = 0;
    std::size_t op_count_ = 0;
    proto::Cid archive_root_;
    std::optional<proto::Cid> commit_;  // of rev_, where it has been seen
};

}  // namespace ringlay::bench
