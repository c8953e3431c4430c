// A DID in sixteen bytes. A did:plc is 24 letters of base32, which are 15 bytes: it is packed
// exactly. Of any other DID this is a stand-in that the table of accounts completes with the text.
//
// Thread   pure values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/base/bytes.hpp"

namespace ringlay::accounts {

// The first byte says which kind: 1 did:plc (15 bytes follow), 2 another DID (0, 0, 0, the place of
// its text as u32, its hash as u64), 0 none.
using CompactDid = std::array<std::uint8_t, 16>;

// Nothing: not a did:plc of the usual form. One text for each packed form, and the reverse.
std::optional<CompactDid> pack_plc(std::string_view did);

CompactDid pack_other(std::uint32_t place, std::uint64_t hash);
bool is_other(const CompactDid& did);
std::uint32_t place_of_other(const CompactDid& did);
std::uint64_t hash_of_other(const CompactDid& did);

// SipHash-1-3: who does not know the key cannot choose names that collide.
struct HashKey {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
};
std::uint64_t keyed_hash(HashKey key, Bytes bytes);

}  // namespace ringlay::accounts
