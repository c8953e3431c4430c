// Any bytes: an event that a peek accepts is repaired into one that needs no repair and says the
// same; one that needs none is spliced into the very frame that repair makes.
#include "proto/frame.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"
#include "proto/cbor.hpp"

using namespace ringlay;
using namespace ringlay::proto;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes message(data, size);
    auto frame = peek(message);
    if (!frame) return 0;
    RINGLAY_ASSERT(std::size_t{frame->header_bytes} + frame->payload_bytes <= size);
    RINGLAY_ASSERT(frame->has_trailing ==
                   (std::size_t{frame->header_bytes} + frame->payload_bytes < size));
    if (frame->has_seq) {
        CborReader seq(message.subspan(frame->seq_offset, frame->seq_bytes), CborMode::lenient);
        RINGLAY_ASSERT(seq.read_uint() == frame->seq && seq.at_end());
    }
    if (!is_event(frame->kind) || frame->fault != FrameFault::none) return 0;
    RINGLAY_ASSERT(frame->has_seq && !frame->did.empty());

    for (std::uint64_t new_seq :
         {std::uint64_t{1}, std::uint64_t{256}, (std::uint64_t{1} << 53) - 1}) {
        auto repaired = repair(message, *frame, new_seq);
        RINGLAY_ASSERT(repaired.has_value());
        RINGLAY_ASSERT(repaired->size() <= size + max_growth_bytes);
        if (repaired->size() > 5'000'000) return 0;
        auto after = peek(*repaired);
        RINGLAY_ASSERT(after.has_value());
        RINGLAY_ASSERT(after->envelope_canonical && !after->needs_repair && !after->has_trailing);
        RINGLAY_ASSERT(after->kind == frame->kind && after->seq == new_seq);
        RINGLAY_ASSERT(after->did == frame->did);
        Buffer spliced(splice_size_bytes(*repaired, *after, frame->seq));
        splice_into(spliced, *repaired, *after, frame->seq);
        if (frame->needs_repair) continue;
        RINGLAY_ASSERT(std::ranges::equal(spliced, message));
        Buffer direct(splice_size_bytes(message, *frame, new_seq));
        splice_into(direct, message, *frame, new_seq);
        RINGLAY_ASSERT(direct == *repaired);
    }
    return 0;
}
