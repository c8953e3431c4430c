// The sizes that the protocol allows, in one place. Where sources differ the value is the one that
// is written in the Lexicon or the specification (protocol 1.6, 2.3, 7).
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringlay::proto {

// One WebSocket message of the event stream, header and payload together.
inline constexpr std::size_t max_message_bytes = 5'000'000;

inline constexpr std::size_t max_commit_blocks_bytes = 2'000'000;
inline constexpr std::size_t max_sync_blocks_bytes = 10'000;
inline constexpr std::size_t max_commit_ops = 200;

// The specification says 1,000,000; its guide and the running relays say 1 MiB. The higher one, so
// that nothing is refused which others pass on.
inline constexpr std::size_t max_record_bytes = 1'048'576;

// Exclusive: a seq is 1 ... 2^53 - 1, what a JavaScript number holds exactly.
inline constexpr std::uint64_t seq_limit = std::uint64_t{1} << 53;

inline constexpr std::size_t max_did_bytes = 2048;
inline constexpr std::size_t max_handle_bytes = 253;
inline constexpr std::size_t max_nsid_bytes = 317;
inline constexpr std::size_t max_record_key_bytes = 512;
inline constexpr std::size_t max_repo_path_bytes = 830;  // an NSID, a slash, a record key
inline constexpr std::size_t max_at_uri_bytes = 8192;
inline constexpr std::size_t max_datetime_bytes = 64;

inline constexpr std::size_t max_cid_bytes = 100;

inline constexpr std::size_t max_cbor_depth = 32;
inline constexpr std::size_t max_cbor_items = 131'072;  // in one array or map
inline constexpr std::size_t max_cbor_key_bytes = 8192;

}  // namespace ringlay::proto
