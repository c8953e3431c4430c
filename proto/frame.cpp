#include "proto/frame.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "proto/base/assert.hpp"
#include "proto/cbor.hpp"
#include "proto/syntax.hpp"

namespace ringlay::proto {
namespace {

using namespace std::string_view_literals;

struct KindText {
    FrameKind kind;
    std::string_view name;
    std::string_view type;    // `t` in the header
    std::string_view header;  // the bytes: t text | op int
};

constexpr KindText kinds[] = {
    {FrameKind::commit, "commit", "#commit", "\xa2\x61t\x67#commit\x62op\x01"},
    {FrameKind::sync, "sync", "#sync", "\xa2\x61t\x65#sync\x62op\x01"},
    {FrameKind::identity, "identity", "#identity", "\xa2\x61t\x69#identity\x62op\x01"},
    {FrameKind::account, "account", "#account", "\xa2\x61t\x68#account\x62op\x01"},
    {FrameKind::info, "info", "#info", "\xa2\x61t\x65#info\x62op\x01"},
    {FrameKind::error, "error", "", "\xa1\x62op\x20"},
    {FrameKind::unknown, "unknown", "", ""},
};

constexpr std::int64_t op_message = 1;
constexpr std::int64_t op_error = -1;

const KindText& text_of(FrameKind kind) {
    return kinds[static_cast<std::size_t>(kind)];
}

FrameKind kind_of_type(std::string_view type) {
    for (const KindText& text : kinds) {
        if (!text.type.empty() && text.type == type) return text.kind;
    }
    return FrameKind::unknown;
}

// What a commit has in old schemas and must have in all, and what stands there if nothing does.
struct Required {
    std::string_view key;
    std::uint8_t value;
};
constexpr Required commit_required[] = {{"blobs", 0x80}, {"rebase", 0xf4}, {"tooBig", 0xf4}};

// Optional fields that may be absent but not null.
bool is_optional_key(FrameKind kind, std::string_view key) {
    if (kind == FrameKind::commit) return key == "prevData";
    if (kind == FrameKind::identity) return key == "handle";
    return kind == FrameKind::account && key == "status";
}

Result<FrameKind> read_header(CborReader& in) {
    std::optional<std::int64_t> op;
    std::optional<std::string_view> type;
    if (auto kind = in.peek_kind(); kind && *kind != CborKind::map) {
        return fail(Errc::malformed, "frame: header is not a map");
    }
    auto read = for_each_entry(in, [&](std::string_view key) -> Result<void> {
        if (key == "op") return store(op, in.read_int());
        if (key == "t") return store(type, in.read_text());
        return in.skip();
    });
    if (!read) return std::unexpected(read.error());
    if (!op) return fail(Errc::malformed, "frame: header without op");
    if (*op == op_error) return FrameKind::error;
    if (*op != op_message) return FrameKind::unknown;
    if (!type) return fail(Errc::malformed, "frame: header without t");
    return kind_of_type(*type);
}

// Goes over the payload, entry by entry.
class PayloadWalk {
  public:
    PayloadWalk(CborReader& in, Peek& frame) : in_(in), frame_(frame) {}

    Result<void> read_entry(std::string_view key) {
        if (key == "seq") return read_seq();
        switch (frame_.kind) {
            case FrameKind::commit:
                return read_commit_entry(key);
            case FrameKind::sync:
            case FrameKind::identity:
            case FrameKind::account:
                return key == "did" ? read_did() : read_other(key);
            case FrameKind::info:
                if (key == "name") return store(frame_.name, in_.read_text());
                return key == "message" ? read_message() : in_.skip();
            case FrameKind::error:
                if (key == "error") return store(frame_.name, in_.read_text());
                return key == "message" ? read_message() : in_.skip();
            case FrameKind::unknown:
                break;
        }
        return in_.skip();
    }

    Result<void> finish() {
        if (is_event(frame_.kind)) {
            if (!frame_.has_seq) note_fault(FrameFault::fields, "frame: no seq");
            if (frame_.did.empty()) note_fault(FrameFault::fields, "frame: no did");
        }
        if (frame_.kind == FrameKind::error && frame_.name.empty()) {
            return fail(Errc::malformed, "frame: error without a name");
        }
        if (frame_.kind == FrameKind::info && frame_.name.empty()) {
            return fail(Errc::malformed, "frame: info without a name");
        }
        if (frame_.kind == FrameKind::commit && required_found_ != std::size(commit_required)) {
            lacks_or_nulls_ = true;
        }
        return {};
    }

    bool lacks_or_nulls() const { return lacks_or_nulls_; }

  private:
    // Only an event must have one; what other kinds carry under this key is noted if it is a seq.
    Result<void> read_seq() {
        auto kind = in_.peek_kind();
        if (!kind) return std::unexpected(kind.error());
        if (*kind != CborKind::integer) {
            note_fault(FrameFault::fields, "frame: seq is not an integer");
            return in_.skip();
        }
        auto start = static_cast<std::uint32_t>(in_.offset());
        auto seq = in_.read_int();
        if (!seq && seq.error().code != Errc::too_large) return std::unexpected(seq.error());
        if (!seq || *seq < 1 || *seq >= static_cast<std::int64_t>(seq_limit)) {
            if (!seq && !is_event(frame_.kind)) return std::unexpected(seq.error());
            note_fault(FrameFault::fields, "frame: seq out of range");
            return {};
        }
        frame_.has_seq = true;
        frame_.seq = static_cast<std::uint64_t>(*seq);
        frame_.seq_offset = start;
        frame_.seq_bytes = static_cast<std::uint32_t>(in_.offset()) - start;
        return {};
    }

    Result<void> read_did() {
        auto kind = in_.peek_kind();
        if (!kind) return std::unexpected(kind.error());
        if (*kind != CborKind::text) {
            note_fault(FrameFault::fields, "frame: did is not a text");
            return in_.skip();
        }
        if (auto read = store(frame_.did, in_.read_text()); !read) return read;
        if (!is_did(frame_.did)) note_fault(FrameFault::did, "frame: did syntax");
        return {};
    }

    // The first one counts.
    void note_fault(FrameFault fault, std::string_view what) {
        if (!is_event(frame_.kind) || frame_.fault != FrameFault::none) return;
        frame_.fault = fault;
        frame_.fault_what = what;
    }

    Result<void> read_commit_entry(std::string_view key) {
        if (key == "repo") return read_did();
        auto required = std::ranges::find(commit_required, key, &Required::key);
        if (required == std::end(commit_required)) return read_other(key);
        ++required_found_;
        return skip_noting_null();
    }

    Result<void> read_other(std::string_view key) {
        return is_optional_key(frame_.kind, key) ? skip_noting_null() : in_.skip();
    }

    Result<void> skip_noting_null() {
        auto is_null = in_.read_null_if_next();
        if (!is_null) return std::unexpected(is_null.error());
        if (!*is_null) return in_.skip();
        lacks_or_nulls_ = true;
        return {};
    }

    // Some senders write the message of an error always, and null if there is nothing to say.
    Result<void> read_message() {
        auto is_null = in_.read_null_if_next();
        if (!is_null) return std::unexpected(is_null.error());
        return *is_null ? Result<void>() : store(frame_.message, in_.read_text());
    }

    CborReader& in_;
    Peek& frame_;
    std::size_t required_found_ = 0;
    bool lacks_or_nulls_ = false;
};

// A map whose entries are added in any order and written in the canonical one.
class SortedMap {
  public:
    // Begins an entry; its value is what is appended to bytes() until the next begins.
    void add_key(std::string_view key) {
        entries_.push_back({key, bytes_.size()});
        CborWriter(bytes_).write_text(key);
    }

    Buffer& bytes() { return bytes_; }

    void write_to(Buffer& out) {
        CborWriter(out).write_map(entries_.size());
        std::size_t end = bytes_.size();
        for (std::size_t i = entries_.size(); i > 0; --i) {
            entries_[i - 1].size_bytes = end - entries_[i - 1].offset;
            end = entries_[i - 1].offset;
        }
        std::ranges::sort(entries_, key_before, &Entry::key);
        for (const Entry& entry : entries_) {
            CborWriter(out).write_encoded(Bytes(bytes_).subspan(entry.offset, entry.size_bytes));
        }
    }

  private:
    struct Entry {
        std::string_view key;
        std::size_t offset;
        std::size_t size_bytes = 0;
    };

    Buffer bytes_;
    std::vector<Entry> entries_;
};

Result<void> recode(CborReader& in, Buffer& out);

Result<void> recode_array(CborReader& in, Buffer& out) {
    Buffer items;
    std::uint64_t count = 0;
    auto read = for_each_item(in, [&] {
        ++count;
        return recode(in, items);
    });
    if (!read) return read;
    CborWriter(out).write_array(count);
    CborWriter(out).write_encoded(items);
    return {};
}

Result<void> recode_map(CborReader& in, Buffer& out) {
    SortedMap map;
    auto read = for_each_entry(in, [&](std::string_view key) {
        map.add_key(key);
        return recode(in, map.bytes());
    });
    if (!read) return read;
    map.write_to(out);
    return {};
}

// Copies an item into canonical form. Nested as deep as the reader allows.
Result<void> recode(CborReader& in, Buffer& out) {
    auto kind = in.peek_kind();
    if (!kind) return std::unexpected(kind.error());
    CborWriter writer(out);
    auto copy = [](auto&& read, auto&& write) -> Result<void> {
        if (!read) return std::unexpected(read.error());
        write(*read);
        return {};
    };
    switch (*kind) {
        case CborKind::integer:
            return copy(in.read_int(), [&](std::int64_t value) { writer.write_int(value); });
        case CborKind::bytes:
            return copy(in.read_bytes(), [&](Bytes value) { writer.write_bytes(value); });
        case CborKind::text:
            return copy(in.read_text(), [&](std::string_view value) { writer.write_text(value); });
        case CborKind::link:
            return copy(in.read_link(), [&](Bytes value) { writer.write_link(value); });
        case CborKind::boolean:
        case CborKind::null:
            return copy(in.read_any(), [&](Bytes item) { writer.write_encoded(item); });
        case CborKind::array:
            return recode_array(in, out);
        case CborKind::map:
            return recode_map(in, out);
    }
    return {};
}

}  // namespace

std::string_view frame_kind_name(FrameKind kind) {
    return text_of(kind).name;
}

Bytes canonical_header(FrameKind kind) {
    std::string_view header = text_of(kind).header;
    return {reinterpret_cast<const std::uint8_t*>(header.data()), header.size()};
}

Result<Peek> peek(Bytes message) {
    if (message.size() > max_message_bytes) {
        return fail(Errc::too_large, "frame: larger than a message may be");
    }
    CborReader in(message, CborMode::lenient);
    Peek frame;
    auto kind = read_header(in);
    if (!kind) return std::unexpected(kind.error());
    frame.kind = *kind;
    frame.header_bytes = static_cast<std::uint32_t>(in.offset());
    frame.header_canonical =
        std::ranges::equal(message.first(frame.header_bytes), canonical_header(frame.kind));

    if (in.at_end()) return fail(Errc::malformed, "frame: no payload");
    if (auto item = in.peek_kind(); item && *item != CborKind::map) {
        return fail(Errc::malformed, "frame: payload is not a map");
    }
    PayloadWalk walk(in, frame);
    auto read = for_each_entry(in, [&](std::string_view key) { return walk.read_entry(key); });
    if (!read) return std::unexpected(read.error());
    if (auto whole = walk.finish(); !whole) return std::unexpected(whole.error());
    frame.payload_bytes = static_cast<std::uint32_t>(in.offset()) - frame.header_bytes;
    frame.has_trailing = !in.at_end();
    frame.envelope_canonical = frame.header_canonical && in.is_canonical() && !frame.has_trailing;
    frame.needs_repair =
        is_event(frame.kind) && (!frame.envelope_canonical || walk.lacks_or_nulls());
    return frame;
}

std::size_t splice_size_bytes(Bytes message, const Peek& frame, std::uint64_t new_seq) {
    return message.size() - frame.seq_bytes + cbor_head_bytes(new_seq);
}

void splice_into(std::span<std::uint8_t> out, Bytes message, const Peek& frame,
                 std::uint64_t new_seq) {
    RINGLAY_ASSERT(is_event(frame.kind) && frame.fault == FrameFault::none && !frame.needs_repair);
    RINGLAY_ASSERT(new_seq > 0 && new_seq < seq_limit);
    RINGLAY_ASSERT(out.size() == splice_size_bytes(message, frame, new_seq));
    Bytes before = message.first(frame.seq_offset);
    Bytes after = message.subspan(frame.seq_offset + frame.seq_bytes);
    std::memcpy(out.data(), before.data(), before.size());
    std::size_t at = before.size();
    at += write_cbor_head(out.subspan(at), 0, new_seq);
    std::memcpy(out.subspan(at, after.size()).data(), after.data(), after.size());
}

Result<Buffer> repair(Bytes message, const Peek& frame, std::uint64_t new_seq) {
    RINGLAY_ASSERT(is_event(frame.kind) && frame.fault == FrameFault::none);
    RINGLAY_ASSERT(new_seq > 0 && new_seq < seq_limit);
    Bytes payload = payload_of(message, frame);
    CborReader in(payload, CborMode::lenient);
    SortedMap map;
    std::array<bool, std::size(commit_required)> is_found{};
    auto read = for_each_entry(in, [&](std::string_view key) -> Result<void> {
        auto required = std::ranges::find(commit_required, key, &Required::key);
        bool is_required = frame.kind == FrameKind::commit && required != std::end(commit_required);
        if (is_required || key == "seq" || is_optional_key(frame.kind, key)) {
            auto is_null = in.read_null_if_next();
            if (!is_null) return std::unexpected(is_null.error());
            if (*is_null) return {};
        }
        if (is_required) is_found[static_cast<std::size_t>(required - commit_required)] = true;
        if (key == "seq") return in.skip();
        map.add_key(key);
        return recode(in, map.bytes());
    });
    if (!read) return std::unexpected(read.error());
    map.add_key("seq");
    CborWriter(map.bytes()).write_uint(new_seq);
    for (std::size_t i = 0; i < is_found.size(); ++i) {
        if (frame.kind != FrameKind::commit || is_found[i]) continue;
        map.add_key(commit_required[i].key);
        map.bytes().push_back(commit_required[i].value);
    }
    Bytes header = canonical_header(frame.kind);
    Buffer out(header.begin(), header.end());
    map.write_to(out);
    return out;
}

}  // namespace ringlay::proto
