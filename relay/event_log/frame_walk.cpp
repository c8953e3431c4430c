#include "relay/event_log/frame_walk.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"

namespace ringlay::event_log {
namespace {

// RFC 6455, 5.2: final, opcode 2 | length 0-125, or 126 and u16, or 127 and u64, big-endian; a
// server's frame has no mask.
constexpr std::uint8_t final_binary = 0x82;
constexpr std::uint8_t length_is_u16 = 126;
constexpr std::uint8_t length_is_u64 = 127;

std::size_t header_bytes_for(std::uint8_t length_byte) {
    if (length_byte == length_is_u16) return 4;
    return length_byte == length_is_u64 ? 10 : 2;
}

std::uint64_t message_bytes_of(Bytes header) {
    if (header[1] < length_is_u16) return header[1];
    std::uint64_t length = 0;
    for (std::uint8_t byte : header.subspan(2)) length = length << 8 | byte;
    return length;
}

}  // namespace

WsHeader ws_header_for(std::uint64_t message_bytes) {
    WsHeader header;
    header.bytes[0] = final_binary;
    std::size_t length_bytes = 0;
    if (message_bytes < length_is_u16) {
        header.bytes[1] = static_cast<std::uint8_t>(message_bytes);
    } else if (message_bytes <= UINT16_MAX) {
        header.bytes[1] = length_is_u16;
        length_bytes = 2;
    } else {
        header.bytes[1] = length_is_u64;
        length_bytes = 8;
    }
    for (std::size_t i = 0; i < length_bytes; ++i) {
        header.bytes[2 + i] =
            static_cast<std::uint8_t>(message_bytes >> 8 * (length_bytes - 1 - i));
    }
    header.size = 2 + length_bytes;
    return header;
}

Result<WsFrame> parse_ws_frame(Bytes frame) {
    if (frame.size() < 2 || frame.size() < header_bytes_for(frame[1])) {
        return fail(Errc::malformed, "frame: too short");
    }
    std::size_t header_bytes = header_bytes_for(frame[1]);
    Bytes message = frame.subspan(header_bytes);
    if (!std::ranges::equal(ws_header_for(message.size()).view(), frame.first(header_bytes))) {
        return fail(Errc::malformed, "frame: header");
    }
    return WsFrame{header_bytes, message};
}

void FrameWalk::advance(Bytes bytes) {
    while (!bytes.empty()) {
        if (left_ > 0) {
            auto step = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
            left_ -= step;
            bytes = bytes.subspan(step);
            if (left_ == 0) ++count_;
            continue;
        }
        header_[header_have_++] = bytes.front();
        bytes = bytes.subspan(1);
        if (header_have_ < 2 || header_have_ < header_bytes_for(header_[1])) continue;
        left_ = message_bytes_of(Bytes(header_).first(header_have_));
        header_have_ = 0;
        if (left_ == 0) ++count_;
    }
}

}  // namespace ringlay::event_log
