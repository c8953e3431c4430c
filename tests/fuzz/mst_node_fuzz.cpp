// Tree nodes as strangers send them: what is accepted is in its one canonical form.
#include <algorithm>
#include <cstdint>

#include "crypto/sha256.hpp"
#include "proto/base/assert.hpp"
#include "proto/mst_node.hpp"

using namespace ringlay;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes block(data, size);
    if (auto node = proto::parse_mst_node(block, crypto::sha256)) {
        RINGLAY_ASSERT(std::ranges::equal(proto::encode_mst_node(*node), block));
    }
    return 0;
}
