#include "proto/mst_node.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "crypto/sha256.hpp"
#include "proto/base/hex.hpp"
#include "proto/cbor.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

const Cid leaf =
    Cid::from_text("bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454").value();

struct RawEntry {
    std::string suffix;
    std::uint64_t prefix_bytes = 0;
    bool has_right = false;
    std::string value_key = "v";
};

// A node as a stranger may write it: nothing is checked.
Buffer raw_node(std::span<const RawEntry> entries, bool has_left = false) {
    Buffer bytes;
    CborWriter out(bytes);
    auto subtree = [&](bool there) { there ? out.write_cid(leaf) : out.write_null(); };
    auto map = out.write_map(2);
    out.write_key(map, "e");
    out.write_array(entries.size());
    for (const RawEntry& entry : entries) {
        auto fields = out.write_map(4);
        out.write_key(fields, "k");
        Buffer suffix(entry.suffix.begin(), entry.suffix.end());
        out.write_bytes(suffix);
        out.write_key(fields, "p");
        out.write_uint(entry.prefix_bytes);
        out.write_key(fields, "t");
        subtree(entry.has_right);
        out.write_key(fields, entry.value_key);
        out.write_cid(leaf);
    }
    out.write_key(map, "l");
    subtree(has_left);
    return bytes;
}

Buffer raw_node(std::initializer_list<RawEntry> entries, bool has_left = false) {
    return raw_node(std::span(entries.begin(), entries.size()), has_left);
}

std::string_view refusal(Bytes block) {
    auto node = parse_mst_node(block, crypto::sha256);
    return node ? "not refused" : node.error().what;
}

// The first n keys of this layer among k0, k1, k2 ..., ascending.
std::vector<std::string> keys_of_layer(unsigned layer, std::size_t n) {
    std::vector<std::string> keys;
    for (int i = 0; keys.size() < n; ++i) {
        std::string key = "k" + std::to_string(i);
        if (mst_layer(key, crypto::sha256) == layer) keys.push_back(key);
    }
    std::ranges::sort(keys);
    return keys;
}

}  // namespace

TEST_CASE("a key's layer is known by its hash") {
    const struct {
        const char* key;
        unsigned layer;
    } answers[] = {
        {"2653ae71", 0}, {"blue", 1}, {"app.bsky.feed.post/454397e440ec", 4},
        {"key1", 0},     {"key7", 1}, {"app.bsky.feed.post/9adeb165882c", 8},
        {"key515", 4},   {"asdf", 0}, {"88bfafc7", 2},
        {"2a92d355", 4}, {"", 0},
    };
    for (const auto& answer : answers) {
        CAPTURE(answer.key);
        CHECK(mst_layer(answer.key, crypto::sha256) == answer.layer);
    }
    auto zeros = [](Bytes) { return std::array<std::uint8_t, 32>{}; };
    CHECK(mst_layer("x", zeros) == 128);
    auto eight_zero_bits = [](Bytes) { return std::array<std::uint8_t, 32>{0, 0xff}; };
    CHECK(mst_layer("x", eight_zero_bits) == 4);
    auto fifteen_zero_bits = [](Bytes) { return std::array<std::uint8_t, 32>{0, 1}; };
    CHECK(mst_layer("x", fifteen_zero_bits) == 7);
}

TEST_CASE("the shared prefix of two keys is counted in bytes") {
    CHECK(common_prefix_bytes("", "") == 0);
    CHECK(common_prefix_bytes("abc", "abc") == 3);
    CHECK(common_prefix_bytes("ab", "abc") == 2);
    CHECK(common_prefix_bytes("abc", "ab") == 2);
    CHECK(common_prefix_bytes("abcde", "abc1") == 3);
    CHECK(common_prefix_bytes("xabc", "abc") == 0);
    CHECK(common_prefix_bytes("\xc3\xa9x", "\xc3\xaax") == 1);
}

TEST_CASE("the node of a sample commit is read, and written as it was") {
    // protocol, Appendix B
    Buffer block =
        from_hex(
            "a2616581a4616b581b6170702e62736b792e6163746f722e70726f66696c652f73656c66617000"
            "6174f66176d82a58250001711220aae3ba7205f32b90cbe11a35727bb7452bf9bb1d26352a33ac37"
            "1083978f4209616cf6")
            .value();
    MstNode node = parse_mst_node(block, crypto::sha256).value();
    REQUIRE(node.entries.size() == 1);
    CHECK(node.entries[0].key == "app.bsky.actor.profile/self");
    CHECK(cid_text(node.entries[0].value) ==
          "bafyreifk4o5hebptfoimxyi2gvzhxn2ffp43whjgguvdhlbxccbzpd2cbe");
    CHECK_FALSE(node.entries[0].right);
    CHECK_FALSE(node.left);
    CHECK(node.layer == mst_layer("app.bsky.actor.profile/self", crypto::sha256));
    CHECK(encode_mst_node(node) == block);
    CHECK(Cid::of_digest(crypto::sha256(block)).to_text() ==
          "bafyreie7k2icerbscnmrfl4eppoi2slkctutwcdzvmurujnjczk723kaly");
}

TEST_CASE("the empty tree and a pointer-only node are nodes without a layer") {
    Buffer empty = from_hex("a2616580616cf6").value();
    MstNode node = parse_mst_node(empty, crypto::sha256).value();
    CHECK(node.entries.empty());
    CHECK_FALSE(node.left);
    CHECK_FALSE(node.layer);
    CHECK(encode_mst_node(node) == empty);
    CHECK(Cid::of_digest(crypto::sha256(empty)) == empty_tree_cid);

    node = parse_mst_node(raw_node({}, true), crypto::sha256).value();
    CHECK(node.left == leaf);
    CHECK_FALSE(node.layer);
    CHECK(encode_mst_node(node) == raw_node({}, true));
}

TEST_CASE("keys, prefixes and subtrees read back as they were written") {
    auto keys = keys_of_layer(1, 40);
    std::mt19937_64 random(1);
    MstNode node;
    node.left = leaf;
    for (const std::string& key : keys) {
        node.entries.push_back({key, leaf.bytes(), std::nullopt});
        if (random() % 2 == 0) node.entries.back().right = leaf;
    }
    Buffer block = encode_mst_node(node);
    MstNode again = parse_mst_node(block, crypto::sha256).value();
    CHECK(again.layer == 1u);
    CHECK(again.left == node.left);
    REQUIRE(again.entries.size() == keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        CHECK(again.entries[i].key == keys[i]);
        CHECK(again.entries[i].right == node.entries[i].right);
        CHECK(std::ranges::equal(again.entries[i].value, leaf.bytes()));
    }
}

TEST_CASE("a node that breaks a rule of the tree is refused by name") {
    // Layer 0: 2653ae71, asdf, key1. Layer 1: blue, key7.
    CHECK(refusal(raw_node({{"asdf"}, {"key1"}})) == "not refused");
    CHECK(refusal(raw_node({{"key1"}, {"asdf"}})) == "mst: keys do not ascend");
    CHECK(refusal(raw_node({{"key1"}, {"key1"}})) == "mst: keys do not ascend");
    CHECK(refusal(raw_node({{"key1"}, {"", 4}})) == "mst: keys do not ascend");
    CHECK(refusal(raw_node({{"key1"}, {"", 2}})) == "mst: keys do not ascend");
    CHECK(refusal(raw_node({{""}})) == "mst: keys do not ascend");
    CHECK(refusal(raw_node({{"key1", 1}})) == "mst: prefix longer than the key before");
    CHECK(refusal(raw_node({{"key1"}, {"x", 5}})) == "mst: prefix longer than the key before");
    CHECK(refusal(raw_node({{"key1"}, {"x", INT64_MAX}})) ==
          "mst: prefix longer than the key before");

    auto keys = keys_of_layer(0, 2);  // "k..." both
    std::string rest = keys[1].substr(1);
    CHECK(refusal(raw_node({{keys[0]}, {rest, 1}})) == "not refused");
    CHECK(refusal(raw_node({{keys[0]}, {"k" + rest}})) == "mst: prefix shorter than it could be");

    CHECK(refusal(raw_node({{"asdf"}, {"blue"}})) == "mst: keys of two layers in a node");
    CHECK(refusal(raw_node({{"blue", 0, true}})) == "not refused");
    CHECK(refusal(raw_node({{"blue"}}, true)) == "not refused");
    CHECK(refusal(raw_node({{"asdf", 0, true}})) == "mst: a subtree below layer 0");
    CHECK(refusal(raw_node({{"asdf"}, {"key1", 0, true}})) == "mst: a subtree below layer 0");
    CHECK(refusal(raw_node({{"asdf"}}, true)) == "mst: a subtree below layer 0");
}

TEST_CASE("a key has up to 1024 bytes, and a node up to 1024 entries") {
    auto same_layer = [](Bytes) { return std::array<std::uint8_t, 32>{0xff}; };
    auto parses = [&](Bytes block) { return parse_mst_node(block, same_layer).has_value(); };
    CHECK(parses(raw_node({{std::string(1024, 'x')}})));
    CHECK_FALSE(parses(raw_node({{std::string(1025, 'x')}})));
    CHECK(parses(raw_node({{"x"}, {std::string(1023, 'y'), 1}})));
    CHECK_FALSE(parses(raw_node({{"x"}, {std::string(1024, 'y'), 1}})));

    std::vector<RawEntry> entries;
    for (int i = 0; i < 1024; ++i) {
        std::string key = std::to_string(10'000 + i);
        std::size_t shared =
            entries.empty() ? 0 : common_prefix_bytes(std::to_string(9'999 + i), key);
        entries.push_back({key.substr(shared), shared});
    }
    CHECK(parses(raw_node(entries)));
    entries.push_back({"z"});
    CHECK(parse_mst_node(raw_node(entries), same_layer).error().code == Errc::too_large);
}

TEST_CASE("a node has exactly the known keys, each with its kind of value") {
    Buffer link_bytes;
    leaf.append_link(link_bytes);
    const std::string link = to_hex(link_bytes);
    auto of = [](const std::string& hex) { return from_hex(hex).value(); };
    auto code = [&](const std::string& hex) {
        auto node = parse_mst_node(of(hex), crypto::sha256);
        return node ? std::string("not refused")
                    : std::string(node.error().code == Errc::malformed ? "malformed" : "other");
    };
    const std::string entry = "a4616b44626c75656170006174f66176" + link;
    REQUIRE(code("a2616581" + entry + "616cf6") == "not refused");
    const std::string bad[] = {
        "",
        "80",
        "a0",
        "a1616580",
        "a1616cf6",
        "a3616580616cf6616df6",
        "a2616580616df6",
        "a2616680616cf6",
        "a2616cf6616580",
        "a2616580616c00",
        "a26165a0616cf6",
        "a2616580616cf600",
        "a2616580616c",
        "a2616581a0616cf6",
        "a2616581a3616b44626c75656170006174f6616cf6",
        "a2616581a5616b44626c75656170006174f66176" + link + "6177f6616cf6",
        "a2616581a4616b64626c75656170006174f66176" + link + "616cf6",
        "a2616581a4616b44626c75656170206174f66176" + link + "616cf6",
        "a2616581a4616b44626c7565617018006174f66176" + link + "616cf6",
        "a2616581a4616b44626c75656170006174406176" + link + "616cf6",
        "a2616581a4616b44626c75656170006174f66176f6616cf6",
        "a2616581a4616a44626c75656170006174f66176" + link + "616cf6",
        "a2616581a4616b44626c75656170006173f66176" + link + "616cf6",
        "a2616581a4616b44626c75656170006174f66177" + link + "616cf6",
        "a2616581a5616b44626c75656170006174f66176" + link + "6177616cf6",
    };
    for (const std::string& hex : bad) {
        CAPTURE(hex);
        CHECK(code(hex) == "malformed");
    }
    // A subtree is dag-cbor by SHA-256; a record may be linked by any CID (here: raw).
    std::string raw_link = link;
    raw_link.replace(raw_link.find("0171"), 4, "0155");
    CHECK(code("a2616581a4616b44626c75656170006174f66176" + raw_link + "616cf6") == "not refused");
    CHECK(code("a2616581a4616b44626c75656170006174" + raw_link + "6176" + link + "616cf6") ==
          "other");
    CHECK(code("a2616581" + entry + "616c" + raw_link) == "other");
}

TEST_CASE("a node cut anywhere is refused, and no changed byte does worse") {
    auto keys = keys_of_layer(1, 5);
    MstNode node;
    for (const std::string& key : keys) node.entries.push_back({key, leaf.bytes(), leaf});
    Buffer block = encode_mst_node(node);
    for (std::size_t size = 0; size < block.size(); ++size) {
        CHECK_FALSE(parse_mst_node(Bytes(block).first(size), crypto::sha256).has_value());
    }
    for (std::size_t at = 0; at < block.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            Buffer changed = block;
            changed[at] = static_cast<std::uint8_t>(changed[at] ^ (1u << bit));
            auto parsed = parse_mst_node(changed, crypto::sha256);
            if (parsed) CHECK(encode_mst_node(*parsed) == changed);  // one form for each content
        }
    }
}
