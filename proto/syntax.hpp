// Which texts are identifiers of the AT Protocol (protocol 7). Syntax alone: whether a DID's method
// is one that can be resolved, or a handle's name one that can exist, is asked elsewhere.
//
// All compare bytes; nothing is normalised. For TIDs see tid.hpp, for CIDs cid.hpp.
#pragma once

#include <optional>
#include <string_view>

namespace ringlay::proto {

bool is_did(std::string_view text);
bool is_did_plc(std::string_view text);
bool is_handle(std::string_view text);
bool is_nsid(std::string_view text);
bool is_record_key(std::string_view text);

struct RepoPath {
    std::string_view collection;  // an NSID
    std::string_view record_key;
};

// collection/rkey; nothing if it is not both.
std::optional<RepoPath> split_repo_path(std::string_view text);
inline bool is_repo_path(std::string_view text) {
    return split_repo_path(text).has_value();
}

// The restricted form: at:// DID or handle [/ NSID [/ record key]].
bool is_at_uri(std::string_view text);

// RFC 3339 and ISO 8601 at once, of a moment that exists: real month, day, hour; a zone; not before
// the year 0.
bool is_datetime(std::string_view text);

}  // namespace ringlay::proto
