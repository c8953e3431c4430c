// Any bytes in the files of an event log, also under right checksums, which chance would not find:
// a facts record that is accepted is written again alike, as are headers, seals and reservations.
#include <algorithm>

#include "proto/base/assert.hpp"
#include "proto/base/crc32c.hpp"
#include "relay/event_log/facts.hpp"
#include "relay/event_log/frame_walk.hpp"
#include "relay/event_log/segment_header.hpp"
#include "relay/event_log/seq_reservation.hpp"

using namespace ringlay;
using namespace ringlay::event_log;

namespace {

template <class T>
void put(Buffer& bytes, std::size_t at, T value) {
    if (bytes.size() >= at + sizeof value) std::memcpy(&bytes[at], &value, sizeof value);
}

void put_crc(Buffer& bytes, std::size_t at, std::size_t begin, std::size_t end) {
    if (bytes.size() >= end && bytes.size() >= at + 4) {
        put(bytes, at, crc32c(Bytes(bytes).subspan(begin, end - begin)));
    }
}

void read_facts(Buffer bytes) {
    static_cast<void>(decode_facts(bytes).has_value());
    put(bytes, 4, static_cast<std::uint32_t>(bytes.size()));
    put_crc(bytes, 0, 4, std::max<std::size_t>(bytes.size(), 4));
    auto decoded = decode_facts(bytes);
    if (!decoded) return;
    RINGLAY_ASSERT(decoded->size_bytes == bytes.size());
    Buffer again;
    append_facts(again, decoded->facts);
    RINGLAY_ASSERT(again == bytes);
}

void read_header_and_seal(Buffer bytes) {
    static_cast<void>(decode_seal(bytes).has_value());
    put_crc(bytes, 60, 0, 60);
    put_crc(bytes, 120, 64, 120);
    if (bytes.size() > 128) put_crc(bytes, bytes.size() - 4, 124, bytes.size() - 4);
    auto header = decode_segment_header(bytes);
    if (header) RINGLAY_ASSERT(decode_segment_header(encode_segment_header(*header)) == *header);
    auto seal = decode_seal(bytes);
    if (!seal) return;
    auto again = decode_seal(encode_seal(*seal));
    RINGLAY_ASSERT(again && again->extent == seal->extent && again->base == seal->base);
}

void read_reservation_files(Buffer bytes) {
    if (bytes.size() >= 4) put_crc(bytes, bytes.size() - 4, 0, bytes.size() - 4);
    auto slot = decode_reservation_slot(bytes);
    if (slot) RINGLAY_ASSERT(decode_reservation_slot(encode_reservation_slot(*slot)) == *slot);
    auto marker = decode_clean_marker(bytes);
    if (marker) RINGLAY_ASSERT(decode_clean_marker(encode_clean_marker(*marker)) == *marker);
}

void walk_frames(Bytes bytes) {
    FrameWalk at_once;
    FrameWalk bytewise;
    at_once.advance(bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytewise.advance(bytes.subspan(i, 1));
    RINGLAY_ASSERT(at_once.count() == bytewise.count());
    RINGLAY_ASSERT(at_once.at_boundary() == bytewise.at_boundary());
    static_cast<void>(parse_ws_frame(bytes).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Buffer bytes(data + 1, data + size);
    switch (data[0] % 4) {
        case 0:
            read_facts(bytes);
            break;
        case 1:
            read_header_and_seal(bytes);
            break;
        case 2:
            read_reservation_files(bytes);
            break;
        default:
            walk_frames(bytes);
    }
    return 0;
}
