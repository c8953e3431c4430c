#include "relay/net/websocket_frame.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proto/base/assert.hpp"

namespace ringlay::net {
namespace {

// FIN 1 bit, RSV 3 bits, opcode 4 bits | MASK 1 bit, length 7 bits
// | length u16 or u64, big-endian, if the 7 bits say 126 or 127 | mask key 4 bytes if MASK
constexpr std::uint8_t final_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t opcode_bits = 0x0f;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t length_bits = 0x7f;
constexpr std::uint8_t length_is_u16 = 126;
constexpr std::uint8_t length_is_u64 = 127;

std::size_t header_size_of(std::uint8_t second) {
    std::uint8_t length = second & length_bits;
    std::size_t extra = length == length_is_u16 ? 2 : length == length_is_u64 ? 8 : 0;
    return 2 + extra + ((second & mask_bit) != 0 ? 4 : 0);
}

std::uint64_t load_be(Bytes bytes) {
    std::uint64_t value = 0;
    for (std::uint8_t byte : bytes) value = value << 8 | byte;
    return value;
}

bool is_known(std::uint8_t opcode) {
    return opcode <= 2 || (opcode >= 8 && opcode <= 10);
}

// The length of the UTF-8 character at the front, 0 if it is none.
std::size_t utf8_character_bytes(Bytes bytes) {
    std::uint8_t first = bytes[0];
    if (first < 0x80) return 1;
    std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes.size() < size) return 0;
    // The second byte alone tells overlong forms, surrogates and what is above U+10FFFF.
    std::uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    std::uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high) return 0;
    for (std::size_t i = 2; i < size; ++i) {
        if ((bytes[i] & 0xc0) != 0x80) return 0;
    }
    return size;
}

}  // namespace

bool is_valid_close_code(std::uint16_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

bool is_utf8(Bytes bytes) {
    while (!bytes.empty()) {
        // Eight ASCII bytes at a time: most text is.
        if (bytes.size() >= 8 && (load_le<std::uint64_t>(bytes, 0) & 0x8080808080808080) == 0) {
            bytes = bytes.subspan(8);
            continue;
        }
        std::size_t size = utf8_character_bytes(bytes);
        if (size == 0) return false;
        bytes = bytes.subspan(size);
    }
    return true;
}

void apply_mask(std::span<std::uint8_t> bytes, const MaskKey& key, std::uint64_t phase) {
    MaskKey turned;
    for (std::size_t i = 0; i < 4; ++i) turned[i] = key[(phase + i) % 4];
    std::uint32_t four;
    std::memcpy(&four, turned.data(), 4);
    std::uint64_t eight = std::uint64_t{four} << 32 | four;
    std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        word ^= eight;
        std::memcpy(at, &word, 8);
    }
    for (std::size_t i = 0; i < left; ++i) at[i] ^= turned[i % 4];
}

EncodedHeader encode_header(const FrameHeader& header) {
    EncodedHeader out{};
    auto put = [&](std::uint64_t byte) {
        out.storage.at(out.size++) = static_cast<std::uint8_t>(byte);
    };
    put((header.is_final ? final_bit : 0) | static_cast<std::uint8_t>(header.opcode));
    std::uint8_t mask = header.mask ? mask_bit : 0;
    std::uint64_t length = header.payload_bytes;
    if (length < length_is_u16) {
        put(mask | length);
    } else if (length <= 0xffff) {
        put(mask | length_is_u16);
        put(length >> 8);
        put(length & 0xff);
    } else {
        put(mask | length_is_u64);
        for (int shift = 56; shift >= 0; shift -= 8) put(length >> shift & 0xff);
    }
    if (header.mask) {
        for (std::uint8_t byte : *header.mask) put(byte);
    }
    return out;
}

ControlFrame encode_control(Opcode opcode, Bytes payload, const std::optional<MaskKey>& mask) {
    RINGLAY_ASSERT(is_control(opcode) && payload.size() <= max_control_bytes);
    EncodedHeader header = encode_header({true, opcode, mask, payload.size()});
    ControlFrame frame{};
    std::ranges::copy(header.bytes(), frame.storage.begin());
    std::span<std::uint8_t> at = std::span(frame.storage).subspan(header.size, payload.size());
    std::ranges::copy(payload, at.begin());
    if (mask) apply_mask(at, *mask);
    frame.size = static_cast<std::uint8_t>(header.size + payload.size());
    return frame;
}

ControlFrame encode_close(std::uint16_t code, std::string_view reason,
                          const std::optional<MaskKey>& mask) {
    RINGLAY_ASSERT(is_valid_close_code(code));
    std::size_t size = std::min(reason.size(), max_control_bytes - 2);
    auto is_inside_character = [&](std::size_t at) {
        return at < reason.size() && (static_cast<std::uint8_t>(reason[at]) & 0xc0) == 0x80;
    };
    while (size > 0 && is_inside_character(size)) --size;
    std::array<std::uint8_t, max_control_bytes> payload;
    payload[0] = static_cast<std::uint8_t>(code >> 8);
    payload[1] = static_cast<std::uint8_t>(code & 0xff);
    std::copy_n(reason.begin(), size, payload.begin() + 2);
    return encode_control(Opcode::close, Bytes(payload).first(2 + size), mask);
}

Result<std::optional<WebSocketDecoder::Event>> WebSocketDecoder::next(
    std::span<std::uint8_t>& input) {
    if (message_is_due_) release_message();
    for (;;) {
        if (has_closed_) {
            input = {};
            return std::nullopt;
        }
        if (!frame_) {
            auto has_header = take_header(input);
            if (!has_header) return std::unexpected(has_header.error());
            if (!*has_header) return std::nullopt;
        }
        auto event = is_control(frame_->opcode) ? take_control(input) : take_data(input);
        // No event although there is input left: a frame of a message that goes on, or discarded.
        if (!event || *event || input.empty()) return event;
    }
}

Buffer WebSocketDecoder::take_message() {
    RINGLAY_ASSERT(message_is_due_);
    message_is_due_ = false;
    return std::exchange(message_, {});
}

bool WebSocketDecoder::is_between_messages() const {
    return header_size_ == 0 && !frame_ && !message_opcode_;
}

std::uint64_t WebSocketDecoder::announced_bytes() const {
    const bool is_coming = message_opcode_ || (frame_ && !is_control(frame_->opcode));
    return is_coming ? message_bytes_ : 0;
}

bool WebSocketDecoder::has_announced_all() const {
    return frame_ && !is_control(frame_->opcode) && frame_->is_final;
}

std::unexpected<Error> WebSocketDecoder::violation(std::uint16_t code, std::string_view what) {
    violation_code_ = code;
    return fail(code == close_code::too_big ? Errc::too_large : Errc::malformed, what);
}

// True once a whole header has been taken and found right; then frame_ holds it.
Result<bool> WebSocketDecoder::take_header(std::span<std::uint8_t>& input) {
    for (;;) {
        std::size_t wanted = header_size_ < 2 ? 2 : header_size_of(header_bytes_[1]);
        if (header_size_ >= 2 && header_size_ == wanted) break;
        if (input.empty()) return false;
        std::size_t count = std::min(wanted - header_size_, input.size());
        std::copy_n(input.begin(), count, header_bytes_.begin() + static_cast<long>(header_size_));
        header_size_ += count;
        input = input.subspan(count);
    }
    std::uint8_t first = header_bytes_[0], second = header_bytes_[1];
    if ((first & reserved_bits) != 0) {
        return violation(close_code::protocol_error, "websocket: reserved bit");
    }
    if (!is_known(first & opcode_bits)) {
        return violation(close_code::protocol_error, "websocket: reserved opcode");
    }
    FrameHeader header;
    header.is_final = (first & final_bit) != 0;
    header.opcode = static_cast<Opcode>(first & opcode_bits);
    bool is_masked = (second & mask_bit) != 0;
    std::size_t length_end = header_size_ - (is_masked ? 4 : 0);
    std::uint8_t length = second & length_bits;
    header.payload_bytes =
        length < length_is_u16 ? length : load_be(Bytes(header_bytes_).subspan(2, length_end - 2));
    bool is_minimal =
        length < length_is_u16 || header.payload_bytes > (length == length_is_u16 ? 125u : 0xffffu);
    if (!is_minimal || header.payload_bytes >> 63 != 0) {
        return violation(close_code::protocol_error, "websocket: length not in its shortest form");
    }
    if (is_masked) {
        header.mask.emplace();
        std::copy_n(header_bytes_.begin() + static_cast<long>(length_end), 4, header.mask->begin());
    }
    auto checked = check_header(header);
    if (!checked) return std::unexpected(checked.error());
    frame_ = header;
    frame_taken_ = 0;
    header_size_ = 0;
    return true;
}

Result<void> WebSocketDecoder::check_header(const FrameHeader& header) {
    if (header.mask.has_value() != (options_.role == Role::server)) {
        return violation(close_code::protocol_error, options_.role == Role::server
                                                         ? "websocket: client frame without mask"
                                                         : "websocket: server frame with mask");
    }
    if (is_control(header.opcode)) {
        if (!header.is_final) {
            return violation(close_code::protocol_error, "websocket: fragmented control frame");
        }
        if (header.payload_bytes > max_control_bytes) {
            return violation(close_code::protocol_error, "websocket: control frame too long");
        }
        return {};
    }
    bool goes_on = header.opcode == Opcode::continuation;
    if (goes_on != message_opcode_.has_value()) {
        return violation(close_code::protocol_error,
                         goes_on ? "websocket: continuation of nothing"
                                 : "websocket: new message inside a fragmented one");
    }
    if (!goes_on) message_bytes_ = fragments_ = 0;
    if (++fragments_ > max_fragments) {
        return violation(close_code::policy, "websocket: message in too many parts");
    }
    if (header.payload_bytes > options_.max_message_bytes - message_bytes_) {
        return violation(close_code::too_big, "websocket: message too large");
    }
    message_bytes_ += header.payload_bytes;
    return {};
}

Result<std::optional<WebSocketDecoder::Event>> WebSocketDecoder::take_control(
    std::span<std::uint8_t>& input) {
    std::size_t size = frame_->payload_bytes;
    std::size_t count = std::min<std::size_t>(size - frame_taken_, input.size());
    std::copy_n(input.begin(), count, control_.begin() + static_cast<long>(frame_taken_));
    input = input.subspan(count);
    frame_taken_ += count;
    if (frame_taken_ < size) return std::nullopt;

    std::span<std::uint8_t> payload = std::span(control_).first(size);
    if (frame_->mask) apply_mask(payload, *frame_->mask);
    Event event;
    event.payload = payload;
    Opcode opcode = frame_->opcode;
    frame_.reset();
    if (opcode == Opcode::close) return close_event(event);
    event.kind = opcode == Opcode::ping ? Event::Kind::ping : Event::Kind::pong;
    return event;
}

Result<std::optional<WebSocketDecoder::Event>> WebSocketDecoder::close_event(Event event) {
    event.kind = Event::Kind::close;
    if (event.payload.size() == 1) {
        return violation(close_code::protocol_error, "websocket: close code cut");
    }
    if (!event.payload.empty()) {
        event.close_code = static_cast<std::uint16_t>(load_be(event.payload.first(2)));
        event.payload = event.payload.subspan(2);
        if (!is_valid_close_code(event.close_code)) {
            return violation(close_code::protocol_error, "websocket: close code");
        }
        if (!is_utf8(event.payload)) {
            return violation(close_code::invalid_data, "websocket: close reason is not UTF-8");
        }
    }
    has_closed_ = true;
    release_message();
    return event;
}

Result<std::optional<WebSocketDecoder::Event>> WebSocketDecoder::take_data(
    std::span<std::uint8_t>& input) {
    std::uint64_t left = frame_->payload_bytes - frame_taken_;
    std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(left, input.size()));
    std::span<std::uint8_t> bytes = input.first(count);
    input = input.subspan(count);
    bool is_discarded = options_.data == Data::discard;
    if (is_discarded) {
        discarded_bytes_ += count;
    } else if (frame_->mask) {
        apply_mask(bytes, *frame_->mask, frame_taken_);
    }
    bool is_whole_message = frame_taken_ == 0 && count == frame_->payload_bytes &&
                            frame_->is_final && frame_->opcode != Opcode::continuation;
    frame_taken_ += count;
    if (frame_->opcode != Opcode::continuation) message_opcode_ = frame_->opcode;
    if (is_whole_message && !is_discarded) {
        frame_.reset();
        return message_event(bytes, true);
    }
    if (!is_discarded) assemble(bytes);
    if (frame_taken_ < frame_->payload_bytes) return std::nullopt;

    bool is_last = frame_->is_final;
    frame_.reset();
    if (!is_last) return std::nullopt;
    if (!is_discarded) return message_event(message_, false);
    message_opcode_.reset();
    return std::nullopt;
}

Result<std::optional<WebSocketDecoder::Event>> WebSocketDecoder::message_event(Bytes payload,
                                                                               bool is_in_input) {
    Event event;
    event.is_text = message_opcode_ == Opcode::text;
    event.is_in_input = is_in_input;
    event.payload = payload;
    message_opcode_.reset();
    message_is_due_ = !is_in_input;
    if (event.is_text && !is_utf8(payload)) {
        return violation(close_code::invalid_data, "websocket: text is not UTF-8");
    }
    return event;
}

// Room for what the frames announce is taken in steps: what a header claims costs little, what has
// come is copied once more at most.
void WebSocketDecoder::assemble(std::span<std::uint8_t> bytes) {
    std::size_t needed = message_.size() + bytes.size();
    if (needed > message_.capacity()) {
        std::size_t step = std::max({needed, message_.capacity() * 2, kept_buffer_bytes});
        std::size_t room = std::min<std::size_t>(step, message_bytes_);
        message_.reserve(std::max(room, needed));
    }
    message_.insert(message_.end(), bytes.begin(), bytes.end());
}

void WebSocketDecoder::release_message() {
    message_is_due_ = false;
    message_.clear();
    if (message_.capacity() > kept_buffer_bytes) Buffer().swap(message_);
}

}  // namespace ringlay::net
