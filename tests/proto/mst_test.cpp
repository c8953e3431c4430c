#include "proto/mst.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

#include "crypto/sha256.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

using Model = std::map<std::string, Cid>;
using Blocks = std::map<Cid, Buffer>;

const Cid leaf =
    Cid::from_text("bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454").value();

Cid cid_of(Bytes bytes) {
    return Cid::of_digest(crypto::sha256(bytes));
}

Cid numbered(std::uint64_t n) {
    Buffer bytes;
    append_le(bytes, n);
    return cid_of(bytes);
}

Mst build(const Model& model) {
    std::vector<MstItem> items;
    for (const auto& [key, value] : model) items.push_back({key, value});
    return Mst::build(items, crypto::sha256);
}

// Blocks by CID; each is there once and hashes to its CID.
Blocks by_cid(const std::vector<MstBlock>& blocks) {
    Blocks out;
    for (const MstBlock& block : blocks) {
        REQUIRE(cid_of(block.data) == block.cid);
        REQUIRE(out.emplace(block.cid, block.data).second);
    }
    return out;
}

struct Walk {
    const Blocks& blocks;
    std::vector<MstItem> items;
    std::set<Cid> visited;
};

// Checks what one node cannot show; `layer` is the one the node must have, if it is known.
void walk(Walk& to, const Cid& cid, std::optional<unsigned> layer) {
    REQUIRE(to.blocks.contains(cid));
    to.visited.insert(cid);
    MstNode node = parse_mst_node(to.blocks.at(cid), crypto::sha256).value();
    bool is_root = to.visited.size() == 1;
    if (is_root) {
        REQUIRE((!node.entries.empty() || to.blocks.size() == 1));
    } else {
        REQUIRE((!node.entries.empty() || node.left));
    }
    if (layer && node.layer) REQUIRE(*layer == *node.layer);
    if (!layer) layer = node.layer;
    auto below = [&](const std::optional<Cid>& child) {
        if (!child) return;
        REQUIRE((layer && *layer > 0));
        walk(to, *child, *layer - 1);
    };
    below(node.left);
    for (const MstEntry& entry : node.entries) {
        REQUIRE((to.items.empty() || to.items.back().key < entry.key));
        to.items.push_back({entry.key, Cid::parse(entry.value).value()});
        below(entry.right);
    }
}

void add_way_to(const Blocks& blocks, const Cid& cid, std::string_view key, std::set<Cid>& way) {
    way.insert(cid);
    MstNode node = parse_mst_node(blocks.at(cid), crypto::sha256).value();
    std::optional<Cid> next = node.left;
    for (const MstEntry& entry : node.entries) {
        if (entry.key == key) return;
        if (entry.key < key) next = entry.right;
    }
    if (next) add_way_to(blocks, *next, key, way);
}

// The covering proof as it is defined: the ways to the key and to its neighbours, and what is new.
std::set<Cid> expected_proof(const Mst& before, const Mst& after, const Model& model,
                             const std::vector<std::string>& keys) {
    Blocks old_blocks = by_cid(before.blocks()), blocks = by_cid(after.blocks());
    std::set<Cid> out;
    for (const auto& [cid, data] : blocks) {
        if (!old_blocks.contains(cid)) out.insert(cid);
    }
    for (const std::string& key : keys) {
        add_way_to(blocks, after.root(), key, out);
        auto right = model.upper_bound(key), left = model.lower_bound(key);
        if (right != model.end()) add_way_to(blocks, after.root(), right->first, out);
        if (left != model.begin()) add_way_to(blocks, after.root(), std::prev(left)->first, out);
    }
    return out;
}

std::set<Cid> cids_of(const std::vector<MstBlock>& blocks) {
    std::set<Cid> out;
    for (const auto& [cid, data] : by_cid(blocks)) out.insert(cid);
    return out;
}

std::string key_of(std::uint64_t n) {
    const char* collections[] = {"app.bsky.feed.post", "app.bsky.feed.like", "a.b.c", "a.b.c-d.e"};
    return std::string(collections[n % 4]) + "/" + std::to_string(n);
}

Model known(std::string_view ids) {
    Model model;
    for (std::size_t at = 0; at < ids.size(); at += 4) {
        model["com.example.record/3jqfcqzm" + std::string(ids.substr(at, 3)) + "2j"] = leaf;
    }
    return model;
}

}  // namespace

TEST_CASE("known keys have the known root") {
    // protocol, Appendix C
    const struct {
        std::string_view ids, root;
    } answers[] = {
        {"", "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"},
        {"3fo", "bafyreibj4lsc3aqnrvphp5xmrnfoorvru4wynt6lwidqbm2623a6tatzdu"},
        {"3fx", "bafyreih7wfei65pxzhauoibu3ls7jgmkju4bspy4t2ha2qdjnzqvoy33ai"},
        {"3fp 3fr 3fs 3ft 4fc", "bafyreicmahysq4n6wfuxo522m6dpiy7z7qzym3dzs756t5n7nfdgccwq7m"},
        {"3fn 3fo 3fp 3fs 3ft 3fu", "bafyreifnqrwbk6ffmyaz5qtujqrzf5qmxf7cbxvgzktl4e3gabuxbtatv4"},
        {"3fn 3fo 3fp 3ft 3fu", "bafyreie4kjuxbwkhzg2i5dljaswcroeih4dgiqq6pazcmunwt2byd725vi"},
        {"3fo 3fp 3fr 3fs 3ft 3fz 4fc 4fd 4ff 4fg 4fh",
         "bafyreiettyludka6fpgp33stwxfuwhkzlur6chs4d2v4nkmq2j3ogpdjem"},
        {"3fo 3fp 3fr 3fs 3ft 3fx 3fz 4fc 4fd 4ff 4fg 4fh",
         "bafyreid2x5eqs4w4qxvc5jiwda4cien3gw2q6cshofxwnvv7iucrmfohpm"},
        {"3ft 3fz", "bafyreidfcktqnfmykz2ps3dbul35pepleq7kvv526g47xahuz3rqtptmky"},
        {"3ft 3fx 3fz", "bafyreiavxaxdz7o7rbvr3zg2liox2yww46t7g6hkehx4i4h3lwudly7dhy"},
        {"3ft 3fx 3fz 4fd", "bafyreig4jv3vuajbsybhyvb7gggvpwh2zszwfyttjrj6qwvcsp24h6popu"},
    };
    for (const auto& answer : answers) {
        CAPTURE(answer.ids);
        Model model = known(answer.ids);
        CHECK(build(model).root().to_text() == answer.root);
        Mst grown(crypto::sha256);
        for (const auto& [key, value] : model) grown.put(key, value);
        CHECK(grown.root().to_text() == answer.root);
    }
}

TEST_CASE("taking away the only key of the top layer makes the tree lower") {
    Model model = known("3fn 3fo 3fp 3fs 3ft 3fu");
    Mst tree = build(model);
    CHECK(tree.erase("com.example.record/3jqfcqzm3fs2j"));
    CHECK(tree.root() == build(known("3fn 3fo 3fp 3ft 3fu")).root());
    tree = build(known("3ft 3fx 3fz"));
    CHECK(tree.erase("com.example.record/3jqfcqzm3fx2j"));
    CHECK(tree.root() == build(known("3ft 3fz")).root());
}

TEST_CASE("a tree without keys is the empty tree, from the start and again at the end") {
    Mst tree(crypto::sha256);
    CHECK(tree.root() == empty_tree_cid);
    CHECK(tree.items().empty());
    CHECK(tree.blocks().size() == 1);
    CHECK_FALSE(tree.find("a/b"));
    CHECK_FALSE(tree.erase("a/b"));
    tree.put("a/b", leaf);
    Mst before = tree;
    CHECK(tree.erase("a/b"));
    CHECK_FALSE(tree.erase("a/b"));
    CHECK(tree.root() == empty_tree_cid);
    std::string_view key = "a/b";
    auto proof = tree.proof_blocks(before, std::span(&key, 1));
    REQUIRE(proof.size() == 1);
    CHECK(proof[0].cid == empty_tree_cid);
    CHECK(cid_of(proof[0].data) == empty_tree_cid);
}

TEST_CASE("whatever the order of changes, the tree is the one its content has") {
    auto seed = GENERATE(range(1u, 40u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::uint64_t variety = 1 + random() % 300;
    Mst tree(crypto::sha256);
    Model model;
    for (int step = 0; step < 150; ++step) {
        std::string key = key_of(random() % variety);
        Mst before = tree;
        Cid root_before = tree.root();
        auto items_before = tree.items();
        if (random() % 3 == 0) {
            REQUIRE(tree.erase(key) == (model.erase(key) == 1));
        } else {
            Cid value = numbered(random() % 5);
            tree.put(key, value);
            model[key] = value;
        }
        REQUIRE(tree.root() == build(model).root());
        REQUIRE(before.root() == root_before);
        REQUIRE(before.items() == items_before);
        auto found = tree.find(key);
        REQUIRE(found.has_value() == model.contains(key));
        if (found) REQUIRE(*found == model.at(key));
    }
}

TEST_CASE("the blocks are a sound tree of just these keys") {
    auto size = GENERATE(0u, 1u, 2u, 3u, 10u, 100u, 1000u, 5000u);
    CAPTURE(size);
    Model model;
    for (std::uint64_t i = 0; i < size; ++i) model[key_of(i)] = numbered(i);
    Mst tree = build(model);
    Blocks blocks = by_cid(tree.blocks());
    Walk result{blocks, {}, {}};
    walk(result, tree.root(), std::nullopt);
    CHECK(result.visited.size() == blocks.size());  // nothing that is not part of it
    std::vector<MstItem> items;
    for (const auto& [key, value] : model) items.push_back({key, value});
    CHECK((result.items == items));
    CHECK((tree.items() == items));
    CHECK(tree.blocks().front().cid == tree.root());
}

TEST_CASE("a commit's proof holds the new nodes and the ways to its keys and their neighbours") {
    auto seed = GENERATE(range(1u, 60u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::uint64_t variety = 2 + random() % (seed < 40 ? 30 : 2000);
    Model model;
    for (std::uint64_t i = 0; i < variety; ++i) {
        if (random() % 3 != 0) model[key_of(i)] = numbered(i);
    }
    Mst tree = build(model);
    for (int commit = 0; commit < 20; ++commit) {
        Mst before = tree;
        std::vector<std::string> keys;
        for (std::size_t ops = 1 + random() % 4; ops > 0; --ops) {
            std::string key = key_of(random() % variety);
            keys.push_back(key);
            if (model.contains(key) && random() % 2 == 0) {
                model.erase(key);
                tree.erase(key);
            } else {
                model[key] = numbered(random());
                tree.put(key, model[key]);
            }
        }
        std::vector<std::string_view> views(keys.begin(), keys.end());
        auto proof = tree.proof_blocks(before, views);
        REQUIRE((cids_of(proof) == expected_proof(before, tree, model, keys)));
        REQUIRE(
            (cids_of(tree.proof_blocks(before, {})) == expected_proof(before, tree, model, {})));
        REQUIRE(proof.front().cid == tree.root());
    }
}

TEST_CASE("a tree proves what it holds, without any change") {
    Model model;
    for (std::uint64_t i = 0; i < 500; ++i) model[key_of(i)] = numbered(i);
    Mst tree = build(model);
    CHECK(tree.proof_blocks(tree, {}).empty());
    for (const char* key : {"a.b.c/2", "a.b.c/absent", "!", "~"}) {
        CAPTURE(key);
        std::string_view view = key;
        CHECK((cids_of(tree.proof_blocks(tree, std::span(&view, 1))) ==
               expected_proof(tree, tree, model, {key})));
    }
}
