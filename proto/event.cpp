#include "proto/event.hpp"

#include <algorithm>

#include "proto/frame.hpp"
#include "proto/limits.hpp"
#include "proto/syntax.hpp"
#include "proto/tid.hpp"

namespace ringlay::proto {
namespace {

// One key of a map and how it is read. `missing` is what is wrong without it; an optional one has
// none.
template <class Event>
struct Field {
    std::string_view key;
    std::string_view missing;
    Result<void> (*read)(CborReader& in, Event& event);
};

// Reads a map by its table of fields. Keys come at most once: the reader sees to that.
template <class Event, std::size_t count>
Result<Event> read_fields(CborReader& in, const Field<Event> (&fields)[count]) {
    Event event;
    bool is_found[count] = {};
    auto read = for_each_entry(in, [&](std::string_view key) -> Result<void> {
        auto field = std::ranges::find(fields, key, &Field<Event>::key);
        if (field == std::end(fields)) return in.skip();
        is_found[field - fields] = true;
        return field->read(in, event);
    });
    if (!read) return std::unexpected(read.error());
    for (std::size_t i = 0; i < count; ++i) {
        if (!is_found[i] && !fields[i].missing.empty()) {
            return fail(Errc::malformed, fields[i].missing);
        }
    }
    return event;
}

template <class Event, std::size_t count>
Result<Event> parse_payload(Bytes payload, const Field<Event> (&fields)[count]) {
    CborReader in(payload, CborMode::lenient);
    auto event = read_fields(in, fields);
    if (event && !in.at_end()) return fail(Errc::malformed, "event: bytes after the payload");
    return event;
}

Result<std::uint64_t> read_seq(CborReader& in) {
    auto seq = in.read_uint();
    if (seq && (*seq == 0 || *seq >= seq_limit)) return fail(Errc::malformed, "event: seq");
    return seq;
}

Result<std::string_view> read_did(CborReader& in) {
    auto did = in.read_text();
    if (did && !is_did(*did)) return fail(Errc::malformed, "event: did");
    return did;
}

Result<std::string_view> read_rev(CborReader& in) {
    auto rev = in.read_text();
    if (rev && !is_tid(*rev)) return fail(Errc::malformed, "event: rev");
    return rev;
}

Result<Bytes> read_blocks(CborReader& in, std::size_t max_bytes) {
    auto blocks = in.read_bytes();
    if (blocks && blocks->size() > max_bytes) return fail(Errc::too_large, "event: blocks");
    return blocks;
}

// Reads a value that may be null, which is the same as none.
template <class Value>
Result<void> store_unless_null(std::optional<Value>& place, CborReader& in,
                               Result<Value> (CborReader::*read)()) {
    auto is_null = in.read_null_if_next();
    if (!is_null) return std::unexpected(is_null.error());
    return *is_null ? Result<void>() : store(place, (in.*read)());
}

// A deprecated boolean: some send null.
Result<void> store_flag(bool& place, CborReader& in) {
    std::optional<bool> flag;
    auto read = store_unless_null(flag, in, &CborReader::read_bool);
    place = flag.value_or(false);
    return read;
}

// A hint of no consequence, that old software fills with other things than a text.
Result<void> store_text_or_skip(std::optional<std::string_view>& place, CborReader& in) {
    auto kind = in.peek_kind();
    if (!kind) return std::unexpected(kind.error());
    return *kind == CborKind::text ? store(place, in.read_text()) : in.skip();
}

Result<void> store_ops(RepoOps& place, CborReader& in) {
    auto array = in.read_any();
    if (!array) return std::unexpected(array.error());
    return store(place, RepoOps::parse(*array));
}

struct ActionText {
    std::string_view text;
    RepoAction action;
};
constexpr ActionText actions[] = {
    {"create", RepoAction::create},
    {"update", RepoAction::update},
    {"delete", RepoAction::remove},
};

Result<RepoAction> read_action(CborReader& in) {
    auto text = in.read_text();
    if (!text) return std::unexpected(text.error());
    auto action = std::ranges::find(actions, *text, &ActionText::text);
    if (action == std::end(actions)) return fail(Errc::malformed, "op: action");
    return action->action;
}

constexpr Field<RepoOp> op_fields[] = {
    {"cid", "op: no cid",
     [](CborReader& in, RepoOp& op) {
         return store_unless_null(op.cid, in, &CborReader::read_link);
     }},
    {"path", "op: no path",
     [](CborReader& in, RepoOp& op) { return store(op.path, in.read_text()); }},
    {"prev", "",
     [](CborReader& in, RepoOp& op) {
         return store_unless_null(op.prev, in, &CborReader::read_link);
     }},
    {"action", "op: no action",
     [](CborReader& in, RepoOp& op) { return store(op.action, read_action(in)); }},
};

constexpr Field<CommitEvent> commit_fields[] = {
    {"ops", "commit: no ops",
     [](CborReader& in, CommitEvent& event) { return store_ops(event.ops, in); }},
    {"rev", "commit: no rev",
     [](CborReader& in, CommitEvent& event) { return store(event.rev, read_rev(in)); }},
    {"seq", "commit: no seq",
     [](CborReader& in, CommitEvent& event) { return store(event.seq, read_seq(in)); }},
    {"repo", "commit: no repo",
     [](CborReader& in, CommitEvent& event) { return store(event.repo, read_did(in)); }},
    {"time", "commit: no time",
     [](CborReader& in, CommitEvent& event) { return store(event.time, in.read_text()); }},
    {"since", "",
     [](CborReader& in, CommitEvent& event) { return store_text_or_skip(event.since, in); }},
    {"blocks", "commit: no blocks",
     [](CborReader& in, CommitEvent& event) {
         return store(event.blocks, read_blocks(in, max_commit_blocks_bytes));
     }},
    {"commit", "commit: no commit",
     [](CborReader& in, CommitEvent& event) { return store(event.commit, in.read_cid()); }},
    {"rebase", "",
     [](CborReader& in, CommitEvent& event) { return store_flag(event.is_rebase, in); }},
    {"tooBig", "",
     [](CborReader& in, CommitEvent& event) { return store_flag(event.is_too_big, in); }},
    {"prevData", "",
     [](CborReader& in, CommitEvent& event) {
         return store_unless_null(event.prev_data, in, &CborReader::read_cid);
     }},
};

constexpr Field<SyncEvent> sync_fields[] = {
    {"did", "sync: no did",
     [](CborReader& in, SyncEvent& event) { return store(event.did, read_did(in)); }},
    {"rev", "sync: no rev",
     [](CborReader& in, SyncEvent& event) { return store(event.rev, read_rev(in)); }},
    {"seq", "sync: no seq",
     [](CborReader& in, SyncEvent& event) { return store(event.seq, read_seq(in)); }},
    {"time", "sync: no time",
     [](CborReader& in, SyncEvent& event) { return store(event.time, in.read_text()); }},
    {"blocks", "sync: no blocks",
     [](CborReader& in, SyncEvent& event) {
         return store(event.blocks, read_blocks(in, max_sync_blocks_bytes));
     }},
};

constexpr Field<IdentityEvent> identity_fields[] = {
    {"did", "identity: no did",
     [](CborReader& in, IdentityEvent& event) { return store(event.did, read_did(in)); }},
    {"seq", "identity: no seq",
     [](CborReader& in, IdentityEvent& event) { return store(event.seq, read_seq(in)); }},
    {"time", "identity: no time",
     [](CborReader& in, IdentityEvent& event) { return store(event.time, in.read_text()); }},
    {"handle", "",
     [](CborReader& in, IdentityEvent& event) {
         return store_unless_null(event.handle, in, &CborReader::read_text);
     }},
};

constexpr Field<AccountEvent> account_fields[] = {
    {"did", "account: no did",
     [](CborReader& in, AccountEvent& event) { return store(event.did, read_did(in)); }},
    {"seq", "account: no seq",
     [](CborReader& in, AccountEvent& event) { return store(event.seq, read_seq(in)); }},
    {"time", "account: no time",
     [](CborReader& in, AccountEvent& event) { return store(event.time, in.read_text()); }},
    {"active", "account: no active",
     [](CborReader& in, AccountEvent& event) { return store(event.is_active, in.read_bool()); }},
    {"status", "",
     [](CborReader& in, AccountEvent& event) {
         return store_unless_null(event.status, in, &CborReader::read_text);
     }},
};

constexpr Field<InfoMessage> info_fields[] = {
    {"name", "info: no name",
     [](CborReader& in, InfoMessage& info) { return store(info.name, in.read_text()); }},
    {"message", "",
     [](CborReader& in, InfoMessage& info) {
         return store_unless_null(info.message, in, &CborReader::read_text);
     }},
};

constexpr Field<ErrorMessage> error_fields[] = {
    {"error", "error: no error",
     [](CborReader& in, ErrorMessage& error) { return store(error.error, in.read_text()); }},
    {"message", "",
     [](CborReader& in, ErrorMessage& error) {
         return store_unless_null(error.message, in, &CborReader::read_text);
     }},
};

void write_op(CborWriter& writer, const RepoOp& op) {
    auto map = writer.write_map(op.prev ? 4 : 3);
    writer.write_key(map, "cid");
    if (op.cid) {
        writer.write_link(*op.cid);
    } else {
        writer.write_null();
    }
    writer.write_key(map, "path");
    writer.write_text(op.path);
    if (op.prev) {
        writer.write_key(map, "prev");
        writer.write_link(*op.prev);
    }
    writer.write_key(map, "action");
    writer.write_text(actions[static_cast<std::size_t>(op.action)].text);
}

// A frame while it is written: a header, then a map of texts, numbers and flags.
class FrameWriter {
  public:
    FrameWriter(FrameKind kind, std::uint64_t entries, std::size_t expected_bytes = 256)
        : writer_(out_) {
        out_.reserve(expected_bytes);
        writer_.write_encoded(canonical_header(kind));
        map_ = writer_.write_map(entries);
    }

    CborWriter& key(std::string_view key) {
        writer_.write_key(map_, key);
        return writer_;
    }

    void optional_text(std::string_view key, const std::optional<std::string_view>& value) {
        if (!value) return;
        writer_.write_key(map_, key);
        writer_.write_text(*value);
    }

    Buffer finish() {
        RINGLAY_ASSERT(map_.left == 0);
        return std::move(out_);
    }

  private:
    Buffer out_;
    CborWriter writer_;
    CborWriter::Map map_{};
};

}  // namespace

bool RepoOp::has_sync11_shape() const {
    switch (action) {
        case RepoAction::create:
            return cid && !prev;
        case RepoAction::update:
            return cid && prev;
        case RepoAction::remove:
            return !cid && prev;
    }
    return false;
}

Result<RepoOp> RepoOps::read_op(CborReader& in) {
    return read_fields(in, op_fields);
}

Result<RepoOps> RepoOps::parse(Bytes array) {
    CborReader in(array, CborMode::lenient);
    std::size_t count = 0;
    auto read = for_each_item(in, [&]() -> Result<void> {
        if (++count > max_commit_ops) return fail(Errc::too_large, "commit: too many ops");
        if (auto op = read_op(in); !op) return std::unexpected(op.error());
        return {};
    });
    if (!read) return std::unexpected(read.error());
    if (!in.at_end()) return fail(Errc::malformed, "commit: bytes after the ops");
    return RepoOps(array, count);
}

Buffer encode_ops(std::span<const RepoOp> ops) {
    Buffer out;
    CborWriter writer(out);
    writer.write_array(ops.size());
    for (const RepoOp& op : ops) write_op(writer, op);
    return out;
}

Result<CommitEvent> parse_commit_event(Bytes payload) {
    return parse_payload(payload, commit_fields);
}

Result<SyncEvent> parse_sync_event(Bytes payload) {
    return parse_payload(payload, sync_fields);
}

Result<IdentityEvent> parse_identity_event(Bytes payload) {
    return parse_payload(payload, identity_fields);
}

Result<AccountEvent> parse_account_event(Bytes payload) {
    return parse_payload(payload, account_fields);
}

Result<InfoMessage> parse_info(Bytes payload) {
    return parse_payload(payload, info_fields);
}

Result<ErrorMessage> parse_error(Bytes payload) {
    return parse_payload(payload, error_fields);
}

Buffer encode_frame(const CommitEvent& event) {
    FrameWriter frame(FrameKind::commit, event.prev_data ? 12 : 11, event.blocks.size() + 1024);
    CborWriter& writer = frame.key("ops");
    writer.write_array(event.ops.count());
    event.ops.for_each([&](const RepoOp& op) { write_op(writer, op); });
    frame.key("rev").write_text(event.rev);
    frame.key("seq").write_uint(event.seq);
    frame.key("repo").write_text(event.repo);
    frame.key("time").write_text(event.time);
    frame.key("blobs").write_array(0);
    frame.key("since");
    if (event.since) {
        writer.write_text(*event.since);
    } else {
        writer.write_null();
    }
    frame.key("blocks").write_bytes(event.blocks);
    frame.key("commit").write_cid(event.commit);
    frame.key("rebase").write_bool(event.is_rebase);
    frame.key("tooBig").write_bool(event.is_too_big);
    if (event.prev_data) frame.key("prevData").write_cid(*event.prev_data);
    return frame.finish();
}

Buffer encode_frame(const SyncEvent& event) {
    FrameWriter frame(FrameKind::sync, 5, event.blocks.size() + 256);
    frame.key("did").write_text(event.did);
    frame.key("rev").write_text(event.rev);
    frame.key("seq").write_uint(event.seq);
    frame.key("time").write_text(event.time);
    frame.key("blocks").write_bytes(event.blocks);
    return frame.finish();
}

Buffer encode_frame(const IdentityEvent& event) {
    FrameWriter frame(FrameKind::identity, event.handle ? 4 : 3);
    frame.key("did").write_text(event.did);
    frame.key("seq").write_uint(event.seq);
    frame.key("time").write_text(event.time);
    frame.optional_text("handle", event.handle);
    return frame.finish();
}

Buffer encode_frame(const AccountEvent& event) {
    FrameWriter frame(FrameKind::account, event.status ? 5 : 4);
    frame.key("did").write_text(event.did);
    frame.key("seq").write_uint(event.seq);
    frame.key("time").write_text(event.time);
    frame.key("active").write_bool(event.is_active);
    frame.optional_text("status", event.status);
    return frame.finish();
}

Buffer encode_frame(const InfoMessage& info) {
    FrameWriter frame(FrameKind::info, info.message ? 2 : 1);
    frame.key("name").write_text(info.name);
    frame.optional_text("message", info.message);
    return frame.finish();
}

Buffer encode_frame(const ErrorMessage& error) {
    FrameWriter frame(FrameKind::error, error.message ? 2 : 1);
    frame.key("error").write_text(error.error);
    frame.optional_text("message", error.message);
    return frame.finish();
}

}  // namespace ringlay::proto
