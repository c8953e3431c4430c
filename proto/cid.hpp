// Content identifiers: what a repository's blocks are named and linked by.
//
// Two kinds of looking at one. `Cid` is the form that commits and tree nodes must have: version 1,
// dag-cbor, SHA-256, 36 bytes (protocol 2.4). A leaf of the tree may point to something else; such
// a CID is only checked for its syntax and kept as a view of its exact bytes.
//
// This file knows no hash function: whoever has bytes to name computes their SHA-256 and calls
// Cid::of_digest().
//
// Owner    values and views; a view lives as long as the bytes it was made from.
// Errors   malformed: not a CID. unsupported: a CID, but of another codec or hash.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::proto {

class Cid {
  public:
    static constexpr std::size_t size_bytes = 36;
    static constexpr std::size_t digest_bytes = 32;
    static constexpr std::size_t text_bytes = 59;
    static constexpr std::size_t link_bytes = 41;  // as CBOR: tag 42, head, 00, the CID

    using Digest = std::span<const std::uint8_t, digest_bytes>;

    // A digest of zeros: names nothing that exists.
    constexpr Cid() : bytes_{0x01, 0x71, 0x12, 0x20} {}

    static constexpr Cid of_digest(Digest digest) {
        Cid cid;
        std::ranges::copy(digest, cid.bytes_.begin() + size_bytes - digest_bytes);
        return cid;
    }

    // Exactly 36 bytes, dag-cbor, SHA-256.
    static Result<Cid> parse(Bytes bytes);
    // `b` and base32 of such 36 bytes.
    static Result<Cid> from_text(std::string_view text);

    Bytes bytes() const { return bytes_; }
    Digest digest() const { return Digest(bytes_.data() + 4, digest_bytes); }
    std::string to_text() const;

    // Appends the 41 bytes of a link to this CID.
    void append_link(Buffer& out) const;

    friend auto operator<=>(const Cid&, const Cid&) = default;

  private:
    std::array<std::uint8_t, size_bytes> bytes_;
};

// The root of a repository without records.
extern const Cid empty_tree_cid;

// The CID that `bytes` begin with, whatever follows it: version 1, any codec and hash, at most
// max_cid_bytes, numbers in their shortest form.
Result<Bytes> cid_prefix(Bytes bytes);

// The same where nothing may follow.
Result<Bytes> check_cid(Bytes bytes);

// `b` and base32 of any CID.
std::string cid_text(Bytes cid);

// For hash tables: a digest is as good as random already.
struct CidHash {
    std::size_t operator()(const Cid& cid) const { return load_le<std::uint64_t>(cid.bytes(), 4); }
};

}  // namespace ringlay::proto
