// Any bytes: a commit block that is read with its six keys alone is what the fields and the
// signature encode to, and its parts without the signature are what the fields encode to.
#include "proto/commit.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"
#include "proto/cbor.hpp"

using namespace ringlay;
using namespace ringlay::proto;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes block(data, size);
    auto commit = parse_commit_block(block);
    if (!commit) return 0;
    const UnsignedParts& parts = commit->unsigned_parts;
    Buffer body{parts.head};
    body.insert(body.end(), parts.before_sig.begin(), parts.before_sig.end());
    body.insert(body.end(), parts.after_sig.begin(), parts.after_sig.end());
    RINGLAY_ASSERT(body.size() + 4 + 2 + CommitBlock::sig_bytes == size);
    CborReader in(body);
    RINGLAY_ASSERT(in.skip().has_value() && in.at_end());
    if (commit->extra_keys) return 0;
    CommitFields fields{commit->did, commit->rev, commit->data, commit->prev};
    RINGLAY_ASSERT(encode_unsigned_commit(fields) == body);
    Buffer again = encode_signed_commit(fields, commit->sig.first<CommitBlock::sig_bytes>());
    RINGLAY_ASSERT(std::ranges::equal(again, block));
    return 0;
}
