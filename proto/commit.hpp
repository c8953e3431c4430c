// The signed commit block, version 3: what ties an account, its revision and the root of its tree
// together (protocol 3.1).
//
// Signed is the block without its `sig` entry. unsigned_parts gives that form as three pieces of
// the block itself, so that it is hashed where it lies:
//
//     sha256(head, before_sig, after_sig)
//
// Owner    views of the block's bytes.
// Errors   malformed; unsupported: another version than 3.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "proto/cid.hpp"

namespace ringlay::proto {

struct UnsignedParts {
    std::uint8_t head;  // of the map, with one entry less
    Bytes before_sig;
    Bytes after_sig;
};

struct CommitBlock {
    static constexpr std::size_t sig_bytes = 64;

    std::string_view did;  // DID syntax
    std::string_view rev;  // TID syntax
    Cid data;
    std::optional<Cid> prev;
    Bytes sig;  // 64 bytes
    UnsignedParts unsigned_parts;

    // Keys beyond the six. They are covered by the signature over these bytes; whoever re-encodes
    // the six loses them, and then the signature fails.
    bool extra_keys = false;
};

// Strict: canonical CBOR, all six keys, nothing after the map.
Result<CommitBlock> parse_commit_block(Bytes block);

struct CommitFields {
    std::string_view did;
    std::string_view rev;
    Cid data;
    std::optional<Cid> prev;
};

Buffer encode_unsigned_commit(const CommitFields& fields);
Buffer encode_signed_commit(const CommitFields& fields,
                            std::span<const std::uint8_t, CommitBlock::sig_bytes> sig);

}  // namespace ringlay::proto
