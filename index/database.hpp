// What a restart knows of every account: rows folded from the event log's facts, and the identities
// (key, PDS) that were looked up. RocksDB, embedded; the facts in the log are the source, this is
// what they add up to (design: "The ledger is the system of record").
//
// One atomic group: the write-ahead log is off, every batch carries the place in the log up to
// which it has come, all families are flushed in one call. After a crash the rows and their
// LogPoint agree, whatever was flushed when; the follower applies again what is missing.
//
// Owner    Relay. The RocksDB environment, if one is given, outlives it.
// Thread   any that may block (MayBlock): apply() and flush() by one at a time, the others by any
//          number beside it. What takes no MayBlock may be called by anyone.
// Bound    block cache and write buffers (Options); a page of list_accounts() is max_page rows.
// Errors   io; corrupt (a row that cannot be read, names its DID in the log of the caller);
//          unsupported (a newer format); no_space; busy (another process has it).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/public_key.hpp"
#include "proto/account_status.hpp"
#include "proto/base/may_block.hpp"
#include "proto/base/result.hpp"
#include "proto/cid.hpp"

namespace rocksdb {
class Env;
}

namespace ringlay::index {

// A place in the facts of an event log: everything before it has been applied.
struct LogPoint {
    std::uint64_t log_id = 0;        // 0: nothing has been applied yet
    std::uint64_t segment_base = 0;  // of the segment
    std::uint64_t facts_offset = 0;  // in its facts file
    std::uint64_t seq = 0;           // of the last event before it

    bool operator==(const LogPoint&) const = default;
};

struct RepoState {
    std::uint64_t rev = 0;  // a TID as a number; 0: no commit is known
    proto::Cid data;
    proto::Cid commit;

    bool operator==(const RepoState&) const = default;
};

struct AccountRow {
    std::uint64_t last_seq =
        0;  // of the newest event that changed it; above the log's end: unknown
    RepoState repo;
    std::uint32_t host_id = 0;  // the log's number of the host that last spoke with authority
    proto::AccountStanding local;
    proto::AccountStanding upstream;

    bool operator==(const AccountRow&) const = default;
};

// What one fact says of an account. What is absent stays as it is.
struct AccountChange {
    std::string_view did;
    std::uint64_t seq = 0;
    std::uint32_t host_id = 0;      // 0: as it was
    std::optional<RepoState> repo;  // ignored if its rev is below the row's
    std::optional<proto::AccountStanding> local;
    std::optional<proto::AccountStanding> upstream;
};

struct IdentityRow {
    std::optional<crypto::PublicKey> key;  // without key or pds_host: no working identity
    std::string pds_host;
    std::int64_t fetched_ms = 0;  // unix time

    bool operator==(const IdentityRow&) const = default;
};

struct Options {
    std::string path;
    rocksdb::Env* env = nullptr;  // nullptr: the machine's file system
    std::uint64_t block_cache_bytes = 32 << 20;
    std::uint64_t write_buffer_bytes = 32 << 20;  // of all families together
    bool compacts_by_itself = true;  // false: no thread of RocksDB's does anything alone
};

class Database {
  public:
    static constexpr std::size_t max_page = 1000;

    static Result<std::unique_ptr<Database>> open(MayBlock, const Options& options);
    ~Database();  // what was not flushed is lost, as in a crash: flush() first
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    // In one batch with the point up to which the log has now been applied.
    Result<void> apply(MayBlock, std::span<const AccountChange> changes, const LogPoint& point);
    Result<void> flush(MayBlock);
    LogPoint applied() const;  // of the latest apply()
    LogPoint flushed() const;  // what is sure to be there after a crash

    Result<std::optional<AccountRow>> account(MayBlock, std::string_view did) const;
    // In the order of DIDs (bytewise), those above `after`, at most `limit` (<= max_page).
    struct Listed {
        std::string did;
        AccountRow row;
    };
    Result<std::vector<Listed>> list_accounts(MayBlock, std::string_view after,
                                              std::size_t limit) const;
    // Accounts by the host that last spoke for them; deleted ones are not counted.
    Result<std::map<std::uint32_t, std::uint64_t>> accounts_by_host(MayBlock) const;

    Result<std::optional<IdentityRow>> identity(MayBlock, std::string_view did) const;
    struct Named {
        std::string did;
        IdentityRow row;
    };
    Result<void> put_identities(MayBlock, std::span<const Named> identities);

    struct Size {
        std::uint64_t accounts = 0;  // estimates of RocksDB's
        std::uint64_t identities = 0;
        std::uint64_t disk_bytes = 0;
        std::uint64_t memory_bytes = 0;
    };
    Size size() const;  // does not block

  private:
    struct Core;
    explicit Database(std::unique_ptr<Core> core);
    std::unique_ptr<Core> core_;
};

}  // namespace ringlay::index
