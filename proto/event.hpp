// The messages of the event stream, field by field (protocol 1.7): read from a payload as views,
// written as complete canonical frames.
//
// Reading is as tolerant as the network needs: keys in any order, unknown keys passed over, an
// optional field that is null is an absent one, `blobs`, `rebase` and `tooBig` may be missing from
// a commit, and its `since` may be anything. It is not tolerant where an event would have no clear
// meaning: a required field that is missing or of another type, a DID, rev or seq that is none,
// more than the protocol allows.
//
// Owner    views of the payload; for writing, of whatever the caller put in.
// Bound    limits.hpp: blocks, ops.
// Errors   malformed, too_large, unsupported (a link that must be to a dag-cbor block and is not).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/base/assert.hpp"
#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "proto/cbor.hpp"
#include "proto/cid.hpp"

namespace ringlay::proto {

enum class RepoAction : std::uint8_t { create, update, remove };  // on the wire: "delete"

struct RepoOp {
    RepoAction action = RepoAction::create;
    std::string_view path;      // as sent: split_repo_path() says whether it is one
    std::optional<Bytes> cid;   // of the new record; none for a delete
    std::optional<Bytes> prev;  // of the old record

    // Whether `cid` and `prev` are what this action must have under Sync 1.1. Before it, there was
    // no `prev`.
    bool has_sync11_shape() const;
};

// The ops of a commit, decoded while one goes through them.
class RepoOps {
  public:
    RepoOps() = default;

    // An encoded array; every op is checked here once.
    static Result<RepoOps> parse(Bytes array);

    std::size_t count() const { return count_; }

    // Calls `on_op(const RepoOp&)` for each, in order.
    template <class OnOp>
    void for_each(OnOp&& on_op) const {
        CborReader in(array_, CborMode::lenient);
        auto checked = for_each_item(in, [&]() -> Result<void> {
            auto op = read_op(in);
            if (!op) return std::unexpected(op.error());
            on_op(*op);
            return {};
        });
        RINGLAY_ASSERT(checked.has_value());
    }

  private:
    RepoOps(Bytes array, std::size_t count) : array_(array), count_(count) {}
    static Result<RepoOp> read_op(CborReader& in);

    static constexpr std::uint8_t empty_array[] = {0x80};

    Bytes array_ = empty_array;
    std::size_t count_ = 0;
};

// What RepoOps::parse() reads.
Buffer encode_ops(std::span<const RepoOp> ops);

struct CommitEvent {
    std::uint64_t seq = 0;
    std::string_view repo;
    std::string_view rev;
    std::optional<std::string_view> since;  // a hint: not checked
    Cid commit;
    Bytes blocks;
    RepoOps ops;
    std::optional<Cid> prev_data;
    std::string_view time;  // not checked
    bool is_rebase = false;
    bool is_too_big = false;
};

struct SyncEvent {
    std::uint64_t seq = 0;
    std::string_view did;
    std::string_view rev;
    Bytes blocks;
    std::string_view time;
};

struct IdentityEvent {
    std::uint64_t seq = 0;
    std::string_view did;
    std::string_view time;
    std::optional<std::string_view> handle;  // as claimed: not checked
};

struct AccountEvent {
    std::uint64_t seq = 0;
    std::string_view did;
    std::string_view time;
    bool is_active = false;
    std::optional<std::string_view> status;  // an open set
};

struct InfoMessage {
    std::string_view name;
    std::optional<std::string_view> message;
};

struct ErrorMessage {
    std::string_view error;
    std::optional<std::string_view> message;
};

// Exactly one payload: see payload_of() in frame.hpp.
Result<CommitEvent> parse_commit_event(Bytes payload);
Result<SyncEvent> parse_sync_event(Bytes payload);
Result<IdentityEvent> parse_identity_event(Bytes payload);
Result<AccountEvent> parse_account_event(Bytes payload);
Result<InfoMessage> parse_info(Bytes payload);
Result<ErrorMessage> parse_error(Bytes payload);

// Header and payload. `blobs` is always empty.
Buffer encode_frame(const CommitEvent& event);
Buffer encode_frame(const SyncEvent& event);
Buffer encode_frame(const IdentityEvent& event);
Buffer encode_frame(const AccountEvent& event);
Buffer encode_frame(const InfoMessage& info);
Buffer encode_frame(const ErrorMessage& error);

}  // namespace ringlay::proto
