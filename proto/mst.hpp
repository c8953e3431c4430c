// A whole Merkle search tree in memory: what a host keeps for an account (protocol 3.3, 4.3).
//
// A relay holds no trees; this is for those who make commits (the fake fleet, tests) and for
// comparing what is computed in other ways. The shape of the tree, and so the CID of its root, is a
// function of its content alone, whatever the order of the changes that led there.
//
// Nodes never change: a change makes new ones along a path and shares the rest. So a copy costs
// nothing, keeps its content for ever, and is what new nodes are told by:
//
//     Mst before = tree;
//     tree.put("app.bsky.feed.post/3k2a...", cid);
//     blocks = tree.proof_blocks(before, keys);
//
// Owner    a value; nodes are shared between copies by counted reference.
// Thread   one tree is used by one thread at a time; copies are independent of each other.
// Bound    about 130 bytes a key. Keys are of our own making: their number, size and layers are not
//          limited here. Recursion is as deep as the tree, at most 129.
// Errors   none: what is not there is told by the returned value.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/bytes.hpp"
#include "proto/cid.hpp"
#include "proto/mst_node.hpp"

namespace ringlay::proto {

struct MstItem {
    std::string key;
    Cid value;

    bool operator==(const MstItem&) const = default;
};

struct MstBlock {
    Cid cid;
    Buffer data;
};

struct MstTreeNode;  // in mst.cpp

class Mst {
  public:
    using NodePtr = std::shared_ptr<const MstTreeNode>;  // null: nothing there

    explicit Mst(HashFunction sha256) : sha256_(sha256) {}

    // Keys must ascend, each non-empty and there once. Much cheaper than put() for each.
    static Mst build(std::span<const MstItem> items, HashFunction sha256);

    Cid root() const;
    std::optional<Cid> find(std::string_view key) const;
    std::vector<MstItem> items() const;

    // Inserts or replaces; the key must not be empty.
    void put(std::string_view key, const Cid& value);

    // False if it was not there.
    bool erase(std::string_view key);

    // The whole tree, each node before those below it.
    std::vector<MstBlock> blocks() const;

    // What a commit that led here from `before` by changing `keys` carries of the tree (the
    // covering proof of protocol 4.3): all nodes that are not in `before`, and for each key those
    // on the ways to it, or to where it would be, and to the keys left and right of it. Each node
    // once, before those below it.
    std::vector<MstBlock> proof_blocks(const Mst& before,
                                       std::span<const std::string_view> keys) const;

  private:
    HashFunction sha256_;
    NodePtr root_;
};

}  // namespace ringlay::proto
