// One node of the Merkle search tree that maps an account's record paths to their CIDs
// (protocol 3.3), as a block: strictly parsed, canonically encoded.
//
// A node carries keys of one layer and links to the subtrees between them. Which layer a key
// belongs to is decided by its SHA-256; this room knows no hash function, so it is handed in.
//
// Owner    a node owns its keys; `value` is a view of the block it was parsed from.
// Bound    max_mst_entries keys of max_mst_key_bytes.
// Errors   malformed, too_large; unsupported: a subtree linked by another kind of CID.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "proto/cid.hpp"

namespace ringlay::proto {

using HashFunction = std::array<std::uint8_t, 32> (*)(Bytes);

// Chance does not reach either; mined keys might.
inline constexpr std::size_t max_mst_entries = 1024;
inline constexpr std::size_t max_mst_key_bytes = 1024;

// Two zero bits in front of the key's SHA-256 for each layer: 0 ... 128.
unsigned mst_layer(std::string_view key, HashFunction sha256);

std::size_t common_prefix_bytes(std::string_view a, std::string_view b);

struct MstEntry {
    std::string key;           // whole
    Bytes value;               // any CID, its exact bytes
    std::optional<Cid> right;  // subtree between this key and the next
};

struct MstNode {
    std::optional<Cid> left;  // subtree before the first key
    std::vector<MstEntry> entries;
    std::optional<unsigned> layer;  // of its keys; nothing where there are none
};

// Checks all that can be seen in one node: canonical CBOR, exactly the known keys, keys that
// ascend with prefixes as long as possible, all of one layer, no subtrees in layer 0.
//
// For whoever walks the tree remains: hashes of blocks, order and layers between nodes, that a node
// without keys (pointer-only: it has `left` alone) is not the root, and that one without anything
// is the whole tree.
Result<MstNode> parse_mst_node(Bytes block, HashFunction sha256);

// `layer` is not looked at. Entries must ascend by key.
Buffer encode_mst_node(const MstNode& node);

}  // namespace ringlay::proto
