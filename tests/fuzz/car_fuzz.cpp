// Any bytes: an archive that is read whole has its blocks end to end, and written again in the
// plain form it is read alike.
#include "proto/car.hpp"

#include <vector>

#include "proto/base/assert.hpp"
#include "proto/varint.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

bool read_all(Bytes archive, Buffer& root, std::vector<CarBlock>& blocks) {
    auto reader = CarReader::open(archive);
    if (!reader) return false;
    RINGLAY_ASSERT(reader->root_count() > 0);
    root.assign(reader->root().begin(), reader->root().end());
    for (;;) {
        auto block = reader->next();
        if (!block) return false;
        if (!*block) return true;
        blocks.push_back(**block);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes archive(data, size);
    Buffer root;
    std::vector<CarBlock> blocks;
    if (!read_all(archive, root, blocks)) return 0;
    RINGLAY_ASSERT(check_cid(root).has_value());
    Buffer sections;
    for (const CarBlock& block : blocks) {
        RINGLAY_ASSERT(check_cid(block.cid).has_value());
        append_car_block(sections, block.cid, block.data);
    }
    // The shortest form is the only one, so the blocks are the archive's own last bytes.
    RINGLAY_ASSERT(sections.size() < archive.size());
    RINGLAY_ASSERT(std::ranges::equal(sections, archive.last(sections.size())));

    Buffer again;
    append_car_header(again, {&empty_tree_cid, 1});
    again.insert(again.end(), sections.begin(), sections.end());
    Buffer new_root;
    std::vector<CarBlock> new_blocks;
    RINGLAY_ASSERT(read_all(again, new_root, new_blocks));
    RINGLAY_ASSERT(std::ranges::equal(new_root, empty_tree_cid.bytes()));
    RINGLAY_ASSERT(new_blocks.size() == blocks.size());
    return 0;
}
