// DIDs as keys: short, and in the same order as the DIDs themselves.
//
// A did:plc takes 16 bytes in place of 32. Keys compare bytewise exactly as the texts they were
// made from, whatever these are: a did:plc among others of its kind, an odd one (upper-case, too
// short, too long) between two of them, a did:web behind them. Thus a page of a listing may begin
// after any text, and what is listed is in the order that everyone can compute.
//
// On disk  keys of the families `account` and `identity` (database.hpp). The form is final: another
//          one is another format of the database.
// Errors   corrupt: not a key that pack_did() makes.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::index {

// Of any text, also one that is no DID.
std::string pack_did(std::string_view did);
Result<std::string> unpack_did(std::string_view key);

}  // namespace ringlay::index
