// What a relay reads of a DID document: the signing key and the PDS (protocol 6.3).
//
// "First valid counts": elements of unknown types or forms are skipped, never an error. Directories
// write full and relative ids, Multikey and two legacy key types; all are read. The key is left as
// text here: crypto parses it.
//
// Owner    values.
// Bound    memory of some times the text, while it is read; max_keys.
// Errors   malformed: not JSON, not an object, nested beyond reason, or `id` is not the DID that
//          was asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/result.hpp"

namespace ringlay::proto {

enum class KeyForm : std::uint8_t { multikey, legacy_k256, legacy_p256 };

struct DidDocument {
    struct Key {
        KeyForm form;
        std::string multibase;
    };
    static constexpr std::size_t max_keys = 8;  // what follows them is not looked at

    // Every candidate in the order of the document: the first one that parses is the key.
    std::vector<Key> keys;
    // host_of_endpoint() of the first #atproto_pds service; nothing: none, or not a usable URL.
    std::optional<std::string> pds_host;
};

Result<DidDocument> parse_did_document(std::string_view json, std::string_view did);

// How hosts are called everywhere: the lower-case name, and `:port` unless it is https on 443.
// `https://PDS.example/` is `pds.example`; `http://localhost:2600` is `localhost:2600`;
// `http://pds.example` is `pds.example:80`; an IPv6 address keeps its brackets. Nothing: no http(s)
// URL, or one with user-info, a query or a path other than `/`.
std::optional<std::string> host_of_endpoint(std::string_view url);

}  // namespace ringlay::proto
