#include "proto/commit.hpp"

#include "proto/base/assert.hpp"
#include "proto/cbor.hpp"
#include "proto/syntax.hpp"
#include "proto/tid.hpp"

namespace ringlay::proto {
namespace {

// In canonical order: did text | rev text | sig bytes | data link | prev link or null | version
// int. A map of up to 23 entries has a head of one byte, the count in its low bits.
constexpr std::uint8_t map_head = 0xa0;
constexpr std::uint32_t max_keys = 23;
constexpr std::uint64_t version = 3;

// What was found so far, apart from what is in the block's struct.
struct Found {
    std::optional<std::uint64_t> version;
    bool has_data = false;
    bool has_prev = false;
};

Result<void> read_did(CborReader& in, CommitBlock& commit) {
    if (auto read = store(commit.did, in.read_text()); !read) return read;
    if (!is_did(commit.did)) return fail(Errc::malformed, "commit: did syntax");
    return {};
}

Result<void> read_rev(CborReader& in, CommitBlock& commit) {
    if (auto read = store(commit.rev, in.read_text()); !read) return read;
    if (!is_tid(commit.rev)) return fail(Errc::malformed, "commit: rev syntax");
    return {};
}

Result<void> read_prev(CborReader& in, CommitBlock& commit, Found& found) {
    found.has_prev = true;
    auto is_null = in.read_null_if_next();
    if (!is_null) return std::unexpected(is_null.error());
    return *is_null ? Result<void>() : store(commit.prev, in.read_cid());
}

Result<void> read_entry(CborReader& in, std::string_view key, CommitBlock& commit, Found& found) {
    if (key == "did") return read_did(in, commit);
    if (key == "rev") return read_rev(in, commit);
    if (key == "prev") return read_prev(in, commit, found);
    if (key == "version") return store(found.version, in.read_uint());
    if (key == "data") {
        found.has_data = true;
        return store(commit.data, in.read_cid());
    }
    if (key == "sig") {
        if (auto read = store(commit.sig, in.read_bytes()); !read) return read;
        if (commit.sig.size() == CommitBlock::sig_bytes) return {};
        return fail(Errc::malformed, "commit: length of sig");
    }
    commit.extra_keys = true;
    return in.skip();
}

Result<void> check_complete(const CommitBlock& commit, const Found& found) {
    if (!found.version) return fail(Errc::malformed, "commit: no version");
    if (*found.version != version) return fail(Errc::unsupported, "commit: version");
    if (commit.did.empty()) return fail(Errc::malformed, "commit: no did");
    if (commit.rev.empty()) return fail(Errc::malformed, "commit: no rev");
    if (commit.sig.empty()) return fail(Errc::malformed, "commit: no sig");
    if (!found.has_data) return fail(Errc::malformed, "commit: no data");
    if (!found.has_prev) return fail(Errc::malformed, "commit: no prev");
    return {};
}

void write_fields(Buffer& out, const CommitFields& fields, Bytes sig) {
    CborWriter writer(out);
    auto map = writer.write_map(sig.empty() ? 5 : 6);
    writer.write_key(map, "did");
    writer.write_text(fields.did);
    writer.write_key(map, "rev");
    writer.write_text(fields.rev);
    if (!sig.empty()) {
        writer.write_key(map, "sig");
        writer.write_bytes(sig);
    }
    writer.write_key(map, "data");
    writer.write_cid(fields.data);
    writer.write_key(map, "prev");
    if (fields.prev) {
        writer.write_cid(*fields.prev);
    } else {
        writer.write_null();
    }
    writer.write_key(map, "version");
    writer.write_uint(version);
}

}  // namespace

Result<CommitBlock> parse_commit_block(Bytes block) {
    CborReader in(block);
    auto map = in.read_map();
    if (!map) return std::unexpected(map.error());
    if (map->count > max_keys) return fail(Errc::too_large, "commit: too many keys");
    CommitBlock commit{};
    Found found;
    for (;;) {
        std::size_t start = in.offset();
        auto key = in.next_key(*map);
        if (!key) return std::unexpected(key.error());
        if (!*key) break;
        auto read = read_entry(in, **key, commit, found);
        if (!read) return std::unexpected(read.error());
        if (**key != "sig") continue;
        commit.unsigned_parts = {static_cast<std::uint8_t>(map_head | (map->count - 1)),
                                 block.subspan(1, start - 1), block.subspan(in.offset())};
    }
    if (!in.at_end()) return fail(Errc::malformed, "commit: bytes after it");
    if (auto checked = check_complete(commit, found); !checked) {
        return std::unexpected(checked.error());
    }
    return commit;
}

Buffer encode_unsigned_commit(const CommitFields& fields) {
    Buffer out;
    write_fields(out, fields, {});
    return out;
}

Buffer encode_signed_commit(const CommitFields& fields,
                            std::span<const std::uint8_t, CommitBlock::sig_bytes> sig) {
    Buffer out;
    write_fields(out, fields, sig);
    return out;
}

}  // namespace ringlay::proto
