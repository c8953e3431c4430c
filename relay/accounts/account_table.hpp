// The accounts that a shard has in memory: state as of its latest event (ahead of the log, hence of
// the fold) and identity. Packed: kept by the million.
//
// An account that was changed by an event may leave only when the fold has that event (design I4):
// the shard gives each of its pushes to the log a number, an account remembers its latest one, and
// folded(n) says up to which push the fold has come. Until then it is pinned. One that is parked
// (an event of it waits) is pinned, too.
//
// Owner    a shard.
// Thread   its worker.
// Bound    max_accounts, unless more are pinned: pinned ones are bounded by what is in flight and
//          not folded. When full, one that was not looked at for long (a clock hand) goes; above
//          the bound, several for each new one. 171 bytes an account, and the text of a DID that
//          is no did:plc. No call moves more than a few thousand entries of eight bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "crypto/public_key.hpp"
#include "index/database.hpp"
#include "proto/account_status.hpp"
#include "proto/cid.hpp"
#include "relay/identity/identity.hpp"

namespace ringlay::accounts {

// A copy of what is known of an account; store() writes it back.
struct Account {
    std::uint64_t rev = 0;      // 0: no commit is known
    proto::Cid data;            // meaningful if rev > 0
    std::uint32_t host_id = 0;  // 0: no host has spoken for it with authority
    proto::AccountStanding local;
    proto::AccountStanding upstream;

    // Of its identity. `asked_ms` 0: never looked up, or purged.
    std::optional<crypto::PublicKey> key;
    std::uint32_t pds = 0;  // a number of HostNames; 0: none is known
    std::int64_t asked_ms = 0;

    bool has_working_identity() const { return key.has_value() && pds != 0; }
    bool operator==(const Account&) const = default;
};

// Names of hosts by small numbers, so that a million accounts share a few thousand names. Numbers
// are this table's own: not the log's host ids. Bound: max_names; then 0 is returned for new ones.
class HostNames {
  public:
    static constexpr std::uint32_t max_names = 1 << 20;
    HostNames();
    ~HostNames();
    std::uint32_t number(std::string_view name);
    std::string_view name(std::uint32_t number) const;  // empty for 0

  private:
    struct Core;
    std::unique_ptr<Core> core_;
};

class AccountTable {
  public:
    // `hash_key` is a secret of this process: DIDs come from strangers, who must not be able to
    // choose some that collide.
    explicit AccountTable(std::size_t max_accounts, std::uint64_t hash_key = 0);
    ~AccountTable();
    AccountTable(const AccountTable&) = delete;
    AccountTable& operator=(const AccountTable&) = delete;

    // Nothing: not in memory, which says nothing about the database.
    std::optional<Account> find(std::string_view did);
    // Makes it, or changes it. A new one may push another one out.
    void store(std::string_view did, const Account& account);
    // Its newest event is the shard's push number `push` (they rise); it stays until folded(push).
    void changed_by(std::string_view did, std::uint64_t push);
    // Counted: each pin() needs its unpin(). The account must be there.
    void pin(std::string_view did);
    void unpin(std::string_view did);
    // The fold has applied everything that was pushed up to this number.
    void folded(std::uint64_t push);

    std::size_t size() const;
    std::size_t pinned() const;  // that may not leave now
    std::size_t memory_bytes() const;
    std::uint64_t evicted() const;

  private:
    struct Core;
    std::unique_ptr<Core> core_;
};

}  // namespace ringlay::accounts
