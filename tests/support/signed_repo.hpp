// An account as its host keeps it, for tests: real events, signed, chained and with covering proofs
// (bench/fleet/repo.hpp makes them), and forgeries of them.
//
//     SignedRepo alice(1);
//     Buffer frame = alice.create(seq, now, "app.bsky.feed.post/a");
//     Buffer bad = forge::signature(alice, frame);
//
// Owner    one SignedRepo is one account. The same number gives the same DID and key.
// Time     given by the caller with each event; revs rise even if it does not.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bench/fleet/repo.hpp"
#include "crypto/signing_key.hpp"
#include "proto/base/bytes.hpp"
#include "proto/cid.hpp"
#include "proto/tid.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::support {

class SignedRepo {
  public:
    explicit SignedRepo(std::uint64_t number, crypto::Curve curve = crypto::Curve::k256);
    SignedRepo(std::string did, const crypto::SigningKey& key);

    const std::string& did() const { return repo_.did(); }
    const crypto::SigningKey& key() const { return key_; }
    const crypto::PublicKey& public_key() const { return key_.public_key(); }
    proto::Tid rev() const { return repo_.rev(); }           // zero before the first commit
    proto::Cid data() const { return repo_.tree().root(); }  // of the tree as it is
    const proto::Mst& tree() const { return repo_.tree(); }

    // Each is one #commit. Records are invented: another one each time.
    Buffer create(std::uint64_t seq, WallMillis at, std::string_view path);
    Buffer update(std::uint64_t seq, WallMillis at, std::string_view path);
    Buffer remove(std::uint64_t seq, WallMillis at, std::string_view path);
    // No ops: a commit of the same tree.
    Buffer commit(std::uint64_t seq, WallMillis at, std::span<const bench::WriteOp> ops);
    bench::WriteOp op(proto::RepoAction action, std::string_view path);

    Buffer sync(std::uint64_t seq, WallMillis at);
    Buffer identity(std::uint64_t seq, WallMillis at, std::string_view handle = "a.example") const;
    Buffer account(std::uint64_t seq, WallMillis at, bool is_active,
                   std::optional<std::string_view> status = std::nullopt) const;

    // From now on signs with this one.
    void rotate_key(const crypto::SigningKey& key);

    // The DID document: this key, and a PDS there.
    std::string document(std::string_view pds_url) const;

  private:
    Buffer with_key(Buffer frame) const;

    bench::Repo repo_;
    crypto::SigningKey key_;
    bool is_rotated_ = false;
    std::uint64_t records_ = 0;
};

// A good frame turned into one that fails the check of this name (ingest::Check) and none below
// it. Forgeries of a commit are signed again by the account's key where the check does not concern
// the signature, so that nothing else is wrong with them. Checks 7 and 8 are not about frames: the
// same bytes come from a host that is not the account's, or while the account is inactive.
namespace forge {

Buffer size(const SignedRepo& repo, Bytes frame);      // a field nobody knows, of 5 MB
Buffer fields(const SignedRepo& repo, Bytes frame);    // no `time`
Buffer seq(const SignedRepo& repo, Bytes frame);       // seq 1, again
Buffer did(const SignedRepo& repo, Bytes frame);       // did:example
Buffer limits(const SignedRepo& repo, Bytes frame);    // no blocks
Buffer identity(const SignedRepo& repo, Bytes frame);  // of a DID that nobody has registered
Buffer rev(const SignedRepo& repo, Bytes frame);       // of the first day of 1970
Buffer future(const SignedRepo& repo, Bytes frame, WallMillis now);  // six minutes ahead
Buffer car(const SignedRepo& repo, Bytes frame);                     // one bit of one block
Buffer root(const SignedRepo& repo, Bytes frame);                    // `commit` is the tree's root
Buffer commit(const SignedRepo& repo, Bytes frame);                  // version 2
Buffer match(const SignedRepo& repo, Bytes frame);      // rev of the event one above the block's
Buffer signature(const SignedRepo& repo, Bytes frame);  // by another key

// More ways to be wrong.
Buffer of_account(const SignedRepo& repo, Bytes frame, std::string_view did);  // but our key
Buffer with_rev(const SignedRepo& repo, Bytes frame, proto::Tid rev);
Buffer match_did(const SignedRepo& repo, Bytes frame);  // the block is of another account
Buffer high_s(const SignedRepo& repo, Bytes frame);     // the other form of the same signature

inline constexpr std::string_view nobody = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

}  // namespace forge

}  // namespace ringlay::support
