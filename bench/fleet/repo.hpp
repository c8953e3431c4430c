// The repository of an invented account, and the events that its host sends about it: signed,
// chained and with covering proofs, so that the strictest consumer has nothing to say against them
// (protocol 1.7, 3, 4.3).
//
// Owner    one Repo is one account. Accounts may start with the same records: those are kept once,
//          however many share them.
// Thread   one at a time for each Repo.
// Bound    about 200 bytes for each record of its own.
// Time     microseconds since 1970, given by the caller. They need not rise: revs do.
// Errors   none. Ops that do not fit the records (a create of what is there, ...) are a broken
//          invariant.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signing_key.hpp"
#include "proto/base/bytes.hpp"
#include "proto/event.hpp"
#include "proto/mst.hpp"
#include "proto/tid.hpp"

namespace ringlay::bench {

// What a program of ours needs to know an account by number: the same for the same numbers.
std::string invented_did(std::uint64_t seed, std::uint64_t number);  // a did:plc
crypto::SigningKey invented_key(crypto::Curve curve, std::uint64_t seed, std::uint64_t number);

// Records that accounts have from the start. Their contents exist nowhere: only the CIDs do.
struct StartingRecords {
    proto::Mst tree;
    std::vector<std::string> paths;
    std::uint64_t unix_micros = 0;  // of the commit that is taken to have written them
};

struct WriteOp {
    proto::RepoAction action = proto::RepoAction::create;
    std::string path;
    Buffer record;  // CBOR; empty for a removal
};

class Repo {
  public:
    // Without starting records (null) the first commit is the first of the repository.
    Repo(std::string did, const crypto::SigningKey& key,
         std::shared_ptr<const StartingRecords> start);

    const std::string& did() const { return did_; }
    const crypto::PublicKey& public_key() const { return key_.public_key(); }
    const proto::Mst& tree() const { return tree_; }
    proto::Tid rev() const { return rev_; }
    // Of the last commit that was made here; empty before the first.
    Bytes commit_block() const { return commit_; }

    // What a commit at this time will have: later than the last one, whatever the clock says.
    proto::Tid next_rev(std::uint64_t unix_micros) const;

    // Numbers of path_at(). Some may be of records that are gone.
    std::size_t path_count() const;
    // One of a record that is there, or nothing if this number does not hit one.
    std::optional<std::string_view> path_at(std::size_t number) const;

    // Applies the ops and gives the whole frame, header and payload. At most 200 ops, each path
    // once. No ops: a commit that changes nothing but the rev.
    Buffer commit_frame(std::uint64_t seq, std::uint64_t unix_micros, std::span<const WriteOp> ops);

    // The state as it is. A repository that has never committed makes its first, empty commit.
    Buffer sync_frame(std::uint64_t seq, std::uint64_t unix_micros);

    Buffer identity_frame(std::uint64_t seq, std::uint64_t unix_micros,
                          std::string_view handle) const;

    // `status` is for accounts that are not active: "deactivated" and so on.
    Buffer account_frame(std::uint64_t seq, std::uint64_t unix_micros, bool is_active,
                         std::optional<std::string_view> status) const;

  private:
    void sign_commit(proto::Tid rev);
    void apply(const WriteOp& op, std::vector<proto::MstBlock>& records);

    std::string did_;
    crypto::SigningKey key_;
    std::shared_ptr<const StartingRecords> start_;
    std::vector<std::string> own_paths_;  // of records that are there and were not at the start
    proto::Mst tree_;
    proto::Tid rev_;  // zero: no commit yet
    Buffer commit_;   // the block of the last commit
};

}  // namespace ringlay::bench
