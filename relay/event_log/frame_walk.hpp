// Follows the WebSocket frames of the wire stream (RFC 6455 server frames, one message each), byte
// by byte if need be: where a frame ends, and how many have ended. Control frames of a connection
// may go between frames only.
//
// The other direction is here too: the header of a frame as the log stores it.
//
// Thread   one owner.
#pragma once

#include <array>
#include <cstdint>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::event_log {

inline constexpr std::size_t max_ws_header_bytes = 10;

// Final binary frame, not masked, shortest length.
struct WsHeader {
    std::array<std::uint8_t, max_ws_header_bytes> bytes{};
    std::size_t size = 0;
    Bytes view() const { return Bytes(bytes).first(size); }
};
WsHeader ws_header_for(std::uint64_t message_bytes);

// The header at the start of a whole frame. Errors: malformed (not as ws_header_for() writes it, or
// another length than the frame's).
struct WsFrame {
    std::size_t header_bytes;
    Bytes message;
};
Result<WsFrame> parse_ws_frame(Bytes frame);

class FrameWalk {
  public:
    // The bytes that come next in the stream. They are ours: written by this log.
    void advance(Bytes bytes);
    bool at_boundary() const { return left_ == 0 && header_have_ == 0; }
    std::uint64_t count() const { return count_; }
    // So many bytes can be taken without passing the next boundary; 0 at one. One, while the header
    // that would tell is cut.
    std::uint64_t bytes_to_boundary() const { return header_have_ > 0 ? 1 : left_; }

  private:
    std::uint64_t left_ = 0;  // bytes of the present frame's message
    std::array<std::uint8_t, max_ws_header_bytes> header_{};
    std::size_t header_have_ = 0;  // of a header that is cut by the end of what was seen
    std::uint64_t count_ = 0;
};

}  // namespace ringlay::event_log
