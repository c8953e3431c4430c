#include "proto/mst_node.hpp"

#include <algorithm>
#include <bit>

#include "proto/base/assert.hpp"
#include "proto/cbor.hpp"

namespace ringlay::proto {
namespace {

// { "e": [ { "k": bytes, "p": uint, "t": link|null, "v": link } ... ], "l": link|null }

Result<void> expect_map(CborReader& in, CborReader::Map& map) {
    auto opened = in.read_map();
    if (!opened) return std::unexpected(opened.error());
    map = *opened;
    return {};
}

Result<void> expect_key(CborReader& in, CborReader::Map& map, std::string_view name) {
    auto key = in.next_key(map);
    if (!key) return std::unexpected(key.error());
    if (!*key || **key != name) return fail(Errc::malformed, "mst: keys of a map");
    return {};
}

Result<void> expect_end(CborReader& in, CborReader::Map& map) {
    auto key = in.next_key(map);
    if (!key) return std::unexpected(key.error());
    if (*key) return fail(Errc::malformed, "mst: keys of a map");
    return {};
}

Result<std::optional<Cid>> read_subtree(CborReader& in) {
    auto is_null = in.read_null_if_next();
    if (!is_null) return std::unexpected(is_null.error());
    if (*is_null) return std::nullopt;
    auto cid = in.read_cid();
    if (!cid) return std::unexpected(cid.error());
    return *cid;
}

Result<std::string> whole_key(std::string_view previous, std::uint64_t prefix_bytes, Bytes suffix) {
    if (prefix_bytes > previous.size()) {
        return fail(Errc::malformed, "mst: prefix longer than the key before");
    }
    std::string_view prefix = previous.substr(0, prefix_bytes);
    if (prefix.size() + suffix.size() > max_mst_key_bytes) {
        return fail(Errc::too_large, "mst: key");
    }
    std::string key(prefix);
    key.append(suffix.begin(), suffix.end());
    if (key <= previous) return fail(Errc::malformed, "mst: keys do not ascend");
    if (common_prefix_bytes(previous, key) != prefix.size()) {
        return fail(Errc::malformed, "mst: prefix shorter than it could be");
    }
    return key;
}

Result<MstEntry> read_entry(CborReader& in, std::string_view previous) {
    CborReader::Map map;
    if (auto is = expect_map(in, map); !is) return std::unexpected(is.error());
    if (auto is = expect_key(in, map, "k"); !is) return std::unexpected(is.error());
    auto suffix = in.read_bytes();
    if (!suffix) return std::unexpected(suffix.error());
    if (auto is = expect_key(in, map, "p"); !is) return std::unexpected(is.error());
    auto prefix_bytes = in.read_uint();
    if (!prefix_bytes) return std::unexpected(prefix_bytes.error());
    if (auto is = expect_key(in, map, "t"); !is) return std::unexpected(is.error());
    auto right = read_subtree(in);
    if (!right) return std::unexpected(right.error());
    if (auto is = expect_key(in, map, "v"); !is) return std::unexpected(is.error());
    auto value = in.read_link();
    if (!value) return std::unexpected(value.error());
    if (auto is = expect_end(in, map); !is) return std::unexpected(is.error());
    auto key = whole_key(previous, *prefix_bytes, *suffix);
    if (!key) return std::unexpected(key.error());
    return MstEntry{*std::move(key), *value, *right};
}

Result<void> read_entries(CborReader& in, MstNode& node) {
    auto array = in.read_array();
    if (!array) return std::unexpected(array.error());
    if (array->left > max_mst_entries) return fail(Errc::too_large, "mst: entries of a node");
    node.entries.reserve(array->left);
    for (;;) {
        auto more = in.next(*array);
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
        auto entry = read_entry(in, node.entries.empty() ? "" : node.entries.back().key);
        if (!entry) return std::unexpected(entry.error());
        node.entries.push_back(*std::move(entry));
    }
}

Result<void> check_layers(MstNode& node, HashFunction sha256) {
    for (const MstEntry& entry : node.entries) {
        unsigned layer = mst_layer(entry.key, sha256);
        if (node.layer && *node.layer != layer) {
            return fail(Errc::malformed, "mst: keys of two layers in a node");
        }
        node.layer = layer;
    }
    bool has_subtree = node.left || std::ranges::any_of(node.entries, [](const MstEntry& entry) {
                           return entry.right.has_value();
                       });
    if (node.layer == 0u && has_subtree) {
        return fail(Errc::malformed, "mst: a subtree below layer 0");
    }
    return {};
}

void write_subtree(CborWriter& out, const std::optional<Cid>& cid) {
    if (cid) {
        out.write_cid(*cid);
    } else {
        out.write_null();
    }
}

}  // namespace

unsigned mst_layer(std::string_view key, HashFunction sha256) {
    auto digest = sha256({reinterpret_cast<const std::uint8_t*>(key.data()), key.size()});
    unsigned zero_bits = 0;
    for (std::uint8_t byte : digest) {
        zero_bits += static_cast<unsigned>(std::countl_zero(byte));
        if (byte != 0) break;
    }
    return zero_bits / 2;
}

std::size_t common_prefix_bytes(std::string_view a, std::string_view b) {
    return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

Result<MstNode> parse_mst_node(Bytes block, HashFunction sha256) {
    CborReader in(block);
    MstNode node;
    CborReader::Map map;
    if (auto is = expect_map(in, map); !is) return std::unexpected(is.error());
    if (auto is = expect_key(in, map, "e"); !is) return std::unexpected(is.error());
    if (auto read = read_entries(in, node); !read) return std::unexpected(read.error());
    if (auto is = expect_key(in, map, "l"); !is) return std::unexpected(is.error());
    auto left = read_subtree(in);
    if (!left) return std::unexpected(left.error());
    node.left = *left;
    if (auto is = expect_end(in, map); !is) return std::unexpected(is.error());
    if (!in.at_end()) return fail(Errc::malformed, "mst: bytes after a node");
    if (auto right = check_layers(node, sha256); !right) return std::unexpected(right.error());
    return node;
}

Buffer encode_mst_node(const MstNode& node) {
    Buffer bytes;
    bytes.reserve(64 + node.entries.size() * 160);
    CborWriter out(bytes);
    auto map = out.write_map(2);
    out.write_key(map, "e");
    out.write_array(node.entries.size());
    std::string_view previous;
    for (const MstEntry& entry : node.entries) {
        RINGLAY_ASSERT(entry.key > previous);
        std::size_t prefix_bytes = common_prefix_bytes(previous, entry.key);
        std::string_view suffix = std::string_view(entry.key).substr(prefix_bytes);
        auto fields = out.write_map(4);
        out.write_key(fields, "k");
        out.write_bytes({reinterpret_cast<const std::uint8_t*>(suffix.data()), suffix.size()});
        out.write_key(fields, "p");
        out.write_uint(prefix_bytes);
        out.write_key(fields, "t");
        write_subtree(out, entry.right);
        out.write_key(fields, "v");
        out.write_link(entry.value);
        previous = entry.key;
    }
    out.write_key(map, "l");
    write_subtree(out, node.left);
    return bytes;
}

}  // namespace ringlay::proto
