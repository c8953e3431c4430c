// WebSocket framing, pure: headers, masks, control frames, and a decoder that turns received bytes
// into messages and control events for either end of a connection.
//
// No extension and no subprotocol exists here, so every reserved bit is refused. A message that
// lies unfragmented in the bytes given is handed out where it lies (unmasked in place); only others
// are put together, in a buffer that grows with what has really come, never with what a header
// claims.
//
// Owner    one connection's reader.
// Bound    max_message_bytes, twice that for a moment while the buffer grows. A buffer above 16 KiB
//          is given back once its message is dealt with.
// Errors   malformed, too_large; violation_code() is the close code for the peer. No recovery.
// Source   RFC 6455 sections 5 and 7.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::net {

enum class Opcode : std::uint8_t {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10,
};

constexpr bool is_control(Opcode opcode) {
    return static_cast<std::uint8_t>(opcode) >= 8;
}

// RFC 6455 section 7.4 and the IANA registry.
namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported_data = 1003;
inline constexpr std::uint16_t none_received = 1005;  // never on the wire
inline constexpr std::uint16_t invalid_data = 1007;
inline constexpr std::uint16_t policy = 1008;
inline constexpr std::uint16_t too_big = 1009;
inline constexpr std::uint16_t internal_error = 1011;
inline constexpr std::uint16_t try_again_later = 1013;
}  // namespace close_code

// Whether an end may put this code into a close frame.
bool is_valid_close_code(std::uint16_t code);

bool is_utf8(Bytes bytes);

using MaskKey = std::array<std::uint8_t, 4>;

// XORs the key onto the bytes; `phase` is the position of the first byte in its frame. The same
// call masks and unmasks.
void apply_mask(std::span<std::uint8_t> bytes, const MaskKey& key, std::uint64_t phase = 0);

struct FrameHeader {
    bool is_final = true;
    Opcode opcode = Opcode::binary;
    std::optional<MaskKey> mask;
    std::uint64_t payload_bytes = 0;
};

// The bytes of a frame header.
struct EncodedHeader {
    std::array<std::uint8_t, 14> storage;
    std::uint8_t size;
    Bytes bytes() const { return Bytes(storage).first(size); }
};
EncodedHeader encode_header(const FrameHeader& header);

// A whole control frame.
struct ControlFrame {
    std::array<std::uint8_t, 131> storage;
    std::uint8_t size;
    Bytes bytes() const { return Bytes(storage).first(size); }
};
inline constexpr std::size_t max_control_bytes = 125;
// `mask` is what tells a client's frame. A payload above 125 bytes is an error of ours.
ControlFrame encode_control(Opcode opcode, Bytes payload, const std::optional<MaskKey>& mask = {});
// A reason that is too long is cut at a character.
ControlFrame encode_close(std::uint16_t code, std::string_view reason,
                          const std::optional<MaskKey>& mask = {});

class WebSocketDecoder {
  public:
    enum class Role : std::uint8_t { client, server };  // which end this is
    enum class Data : std::uint8_t { deliver, discard };

    struct Options {
        Role role = Role::client;
        // A server that ignores what clients say: frames are checked, their payload is skipped and
        // counted, no memory is used.
        Data data = Data::deliver;
        std::uint64_t max_message_bytes = 5'000'000;
    };
    // Parts of one message. Whoever cuts the longest at TCP segments stays below; without a limit
    // empty parts would cost time for ever and never make a message.
    static constexpr std::uint32_t max_fragments = 4096;

    struct Event {
        enum class Kind : std::uint8_t { message, ping, pong, close };
        Kind kind = Kind::message;
        bool is_text = false;
        // Where in the input the payload lies; false: in the decoder, until the next call.
        bool is_in_input = false;
        Bytes payload;  // of a close: the reason
        std::uint16_t close_code = close_code::none_received;
    };

    explicit WebSocketDecoder(const Options& options) : options_(options) {}

    // Takes bytes from the front of `input` until an event is complete. No event: all was taken.
    // After a close, whatever follows is dropped.
    Result<std::optional<Event>> next(std::span<std::uint8_t>& input);

    // Moves the message of the last event out, if it was put together here.
    Buffer take_message();

    // Nothing has come since the last complete frame, and no message is half there.
    bool is_between_messages() const;
    // Of the message that is coming: what its frames have announced, 0 if none is coming; and
    // whether that is all of it, or more frames follow.
    std::uint64_t announced_bytes() const;
    bool has_announced_all() const;
    bool has_closed() const { return has_closed_; }
    std::uint64_t discarded_bytes() const { return discarded_bytes_; }
    std::size_t buffered_bytes() const { return message_.capacity(); }

    // 1002, 1007, 1008 or 1009, after an error.
    std::uint16_t violation_code() const { return violation_code_; }

  private:
    static constexpr std::size_t kept_buffer_bytes = 16 * 1024;

    std::unexpected<Error> violation(std::uint16_t code, std::string_view what);
    Result<bool> take_header(std::span<std::uint8_t>& input);
    Result<void> check_header(const FrameHeader& header);
    Result<std::optional<Event>> take_control(std::span<std::uint8_t>& input);
    Result<std::optional<Event>> take_data(std::span<std::uint8_t>& input);
    Result<std::optional<Event>> close_event(Event event);
    Result<std::optional<Event>> message_event(Bytes payload, bool is_in_input);
    void assemble(std::span<std::uint8_t> bytes);
    void release_message();

    const Options options_;
    std::array<std::uint8_t, 14> header_bytes_{};
    std::size_t header_size_ = 0;  // of the frame whose header is coming
    std::optional<FrameHeader> frame_;
    std::uint64_t frame_taken_ = 0;  // of its payload
    std::array<std::uint8_t, max_control_bytes> control_{};
    Buffer message_;                   // what has come of a message that is put together
    std::uint32_t fragments_ = 0;      // of the present message
    std::uint64_t message_bytes_ = 0;  // of all frames of the present message, as their headers say
    std::optional<Opcode> message_opcode_;  // of a message whose last frame has not come
    bool message_is_due_ = false;           // message_ was handed out
    bool has_closed_ = false;
    std::uint64_t discarded_bytes_ = 0;
    std::uint16_t violation_code_ = close_code::protocol_error;
};

}  // namespace ringlay::net
