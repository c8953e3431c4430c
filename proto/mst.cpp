#include "proto/mst.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "proto/base/assert.hpp"

namespace ringlay::proto {

struct MstTreeNode {
    struct Entry {
        std::string key;
        Cid value;
        Mst::NodePtr right;
    };

    // Child i lies before entry i; the last one after the last entry.
    const Mst::NodePtr& child(std::size_t i) const { return i == 0 ? left : entries[i - 1].right; }
    Mst::NodePtr& child(std::size_t i) { return i == 0 ? left : entries[i - 1].right; }
    const Mst::NodePtr& last_child() const { return child(entries.size()); }

    // Of the first entry whose key is not below.
    std::size_t lower_bound(std::string_view key) const {
        auto at = std::ranges::lower_bound(entries, key, {}, &Entry::key);
        return static_cast<std::size_t>(at - entries.begin());
    }
    bool has(std::size_t i, std::string_view key) const {
        return i < entries.size() && entries[i].key == key;
    }

    unsigned layer = 0;
    Mst::NodePtr left;
    std::vector<Entry> entries;
    Cid cid;  // set by sealed(); a node that can be reached does not change any more
};

namespace {

using Node = MstTreeNode;
using NodePtr = Mst::NodePtr;
using Path = std::unordered_set<Cid, CidHash>;

std::optional<Cid> link_to(const NodePtr& node) {
    return node ? std::optional(node->cid) : std::nullopt;
}

Buffer encode(const Node& node) {
    MstNode fields;
    fields.left = link_to(node.left);
    fields.entries.reserve(node.entries.size());
    for (const Node::Entry& entry : node.entries) {
        fields.entries.push_back({entry.key, entry.value.bytes(), link_to(entry.right)});
    }
    return encode_mst_node(fields);
}

// The changes of a tree, each giving new nodes for old ones.
class Editor {
  public:
    explicit Editor(HashFunction sha256) : sha256_(sha256) {}

    // All keys are of layer `layer` or below.
    NodePtr build(std::span<const MstItem> items, std::span<const unsigned> layers,
                  unsigned layer) const {
        Node node;
        node.layer = layer;
        std::size_t done = 0;
        auto build_until = [&](std::size_t end) {
            if (end == done) return NodePtr();
            return build(items.subspan(done, end - done), layers.subspan(done, end - done),
                         layer - 1);
        };
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (layers[i] != layer) continue;
            node.child(node.entries.size()) = build_until(i);
            node.entries.push_back({items[i].key, items[i].value, nullptr});
            done = i + 1;
        }
        node.child(node.entries.size()) = build_until(items.size());
        return sealed(std::move(node));
    }

    // `node` may be null: a tree without keys.
    NodePtr put(const NodePtr& node, const Node::Entry& entry, unsigned layer) const {
        if (!node) return alone(entry, layer);
        if (node->layer < layer) {
            auto [left, right] = split(node, entry.key);
            Node top;
            top.layer = layer;
            top.left = raised(left, layer);
            top.entries.push_back({entry.key, entry.value, raised(right, layer)});
            return sealed(std::move(top));
        }
        Node changed = *node;
        std::size_t i = node->lower_bound(entry.key);
        if (node->layer > layer) {
            NodePtr below = put(node->child(i), entry, layer);
            changed.child(i) = raised(below, node->layer);
        } else if (node->has(i, entry.key)) {
            changed.entries[i].value = entry.value;
        } else {
            auto [left, right] = split(node->child(i), entry.key);
            changed.child(i) = left;
            auto at = changed.entries.begin() + static_cast<std::ptrdiff_t>(i);
            changed.entries.insert(at, {entry.key, entry.value, right});
        }
        return sealed(std::move(changed));
    }

    // The key is there. Null when nothing is left.
    NodePtr erase(const NodePtr& node, std::string_view key) const {
        RINGLAY_ASSERT(node != nullptr);
        Node changed = *node;
        std::size_t i = node->lower_bound(key);
        if (node->has(i, key)) {
            NodePtr merged = merge(node->child(i), node->child(i + 1));
            changed.entries.erase(changed.entries.begin() + static_cast<std::ptrdiff_t>(i));
            changed.child(i) = merged;
        } else {
            changed.child(i) = erase(node->child(i), key);
        }
        return sealed(std::move(changed));
    }

  private:
    // Null if there is nothing in it.
    NodePtr sealed(Node&& node) const {
        if (node.entries.empty() && !node.left) return nullptr;
        node.cid = Cid::of_digest(sha256_(encode(node)));
        return std::make_shared<const Node>(std::move(node));
    }

    NodePtr alone(const Node::Entry& entry, unsigned layer) const {
        Node node;
        node.layer = layer;
        node.entries.push_back({entry.key, entry.value, nullptr});
        return sealed(std::move(node));
    }

    // As a child for a node of layer `parent_layer`: pointer-only nodes fill the layers between.
    NodePtr raised(NodePtr node, unsigned parent_layer) const {
        while (node && node->layer + 1 < parent_layer) {
            Node above;
            above.layer = node->layer + 1;
            above.left = std::move(node);
            node = sealed(std::move(above));
        }
        return node;
    }

    // What is below and what is above a key that is not in it.
    std::pair<NodePtr, NodePtr> split(const NodePtr& node, std::string_view key) const {
        if (!node) return {};
        std::size_t i = node->lower_bound(key);
        auto [below, above] = split(node->child(i), key);
        Node left = *node, right;
        right.layer = node->layer;
        right.left = above;
        auto cut = static_cast<std::ptrdiff_t>(i);
        right.entries.assign(node->entries.begin() + cut, node->entries.end());
        left.entries.erase(left.entries.begin() + cut, left.entries.end());
        left.child(i) = below;
        return {sealed(std::move(left)), sealed(std::move(right))};
    }

    // Two neighbours of one layer, all keys of `left` below all of `right`.
    NodePtr merge(const NodePtr& left, const NodePtr& right) const {
        if (!left || !right) return left ? left : right;
        Node both = *left;
        both.child(both.entries.size()) = merge(left->last_child(), right->left);
        both.entries.insert(both.entries.end(), right->entries.begin(), right->entries.end());
        return sealed(std::move(both));
    }

    HashFunction sha256_;
};

void append_items(const NodePtr& node, std::vector<MstItem>& out) {
    if (!node) return;
    append_items(node->left, out);
    for (const Node::Entry& entry : node->entries) {
        out.push_back({entry.key, entry.value});
        append_items(entry.right, out);
    }
}

void append_way_to_edge(const Node* node, bool last, Path& path) {
    while (node) {
        path.insert(node->cid);
        node = (last ? node->last_child() : node->left).get();
    }
}

// Where the key is absent, its neighbours are on the way to the gap where it would be. Where it is
// there, they may be below it: at the end of the subtree before it, and at the beginning of the one
// after it.
void append_covering_path(const Node* node, std::string_view key, Path& path) {
    while (node) {
        path.insert(node->cid);
        std::size_t i = node->lower_bound(key);
        if (node->has(i, key)) {
            append_way_to_edge(node->child(i).get(), true, path);
            append_way_to_edge(node->child(i + 1).get(), false, path);
            return;
        }
        node = node->child(i).get();
    }
}

// A node lies on the way to each of its keys: it is in a tree if it is what one finds there.
bool contains(const Node* root, const Node& wanted) {
    const Node* with_key = &wanted;
    while (with_key->entries.empty()) with_key = with_key->left.get();
    std::string_view key = with_key->entries.front().key;
    const Node* node = root;
    while (node && node->layer > wanted.layer) node = node->child(node->lower_bound(key)).get();
    return node && node->cid == wanted.cid;
}

void append_proof(const NodePtr& node, const Node* before, const Path& path,
                  std::vector<MstBlock>& out) {
    if (!node) return;
    // Below a node that is old and on no path, all are old and on no path.
    if (!path.contains(node->cid) && contains(before, *node)) return;
    out.push_back({node->cid, encode(*node)});
    append_proof(node->left, before, path, out);
    for (const Node::Entry& entry : node->entries) append_proof(entry.right, before, path, out);
}

MstBlock empty_tree_block() {
    return {empty_tree_cid, encode_mst_node({})};
}

}  // namespace

Mst Mst::build(std::span<const MstItem> items, HashFunction sha256) {
    Mst tree(sha256);
    if (items.empty()) return tree;
    std::vector<unsigned> layers;
    layers.reserve(items.size());
    std::string_view previous;
    for (const MstItem& item : items) {
        RINGLAY_ASSERT(item.key > previous);
        previous = item.key;
        layers.push_back(mst_layer(item.key, sha256));
    }
    tree.root_ = Editor(sha256).build(items, layers, *std::ranges::max_element(layers));
    return tree;
}

Cid Mst::root() const {
    return root_ ? root_->cid : empty_tree_cid;
}

std::optional<Cid> Mst::find(std::string_view key) const {
    for (const Node* node = root_.get(); node;) {
        std::size_t i = node->lower_bound(key);
        if (node->has(i, key)) return node->entries[i].value;
        node = node->child(i).get();
    }
    return std::nullopt;
}

std::vector<MstItem> Mst::items() const {
    std::vector<MstItem> out;
    append_items(root_, out);
    return out;
}

void Mst::put(std::string_view key, const Cid& value) {
    RINGLAY_ASSERT(!key.empty());
    Node::Entry entry{std::string(key), value, nullptr};
    root_ = Editor(sha256_).put(root_, entry, mst_layer(key, sha256_));
}

bool Mst::erase(std::string_view key) {
    if (!find(key)) return false;
    root_ = Editor(sha256_).erase(root_, key);
    while (root_ && root_->entries.empty()) root_ = root_->left;
    return true;
}

std::vector<MstBlock> Mst::blocks() const {
    if (!root_) return {empty_tree_block()};
    return proof_blocks(Mst(sha256_), {});
}

std::vector<MstBlock> Mst::proof_blocks(const Mst& before,
                                        std::span<const std::string_view> keys) const {
    if (!root_) {
        bool wanted = before.root_ || !keys.empty();
        return wanted ? std::vector{empty_tree_block()} : std::vector<MstBlock>();
    }
    Path path;
    for (std::string_view key : keys) append_covering_path(root_.get(), key, path);
    std::vector<MstBlock> out;
    append_proof(root_, before.root_.get(), path, out);
    return out;
}

}  // namespace ringlay::proto
