#include "relay/net/http_body.hpp"

#include <algorithm>
#include <cstring>

namespace ringlay::net {
namespace {

bool is_field_char(char c) {
    auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

bool is_http_token_char(char c) {
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
    return c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
}

HttpBodyReader HttpBodyReader::none() {
    return {State::complete, 0, 0};
}

HttpBodyReader HttpBodyReader::with_length(std::uint64_t length_bytes) {
    return {length_bytes == 0 ? State::complete : State::length, length_bytes, length_bytes};
}

HttpBodyReader HttpBodyReader::chunked(std::uint64_t max_bytes) {
    return {State::size_first, 0, max_bytes};
}

HttpBodyReader HttpBodyReader::until_end(std::uint64_t max_bytes) {
    return {State::until_end, 0, max_bytes};
}

bool HttpBodyReader::finish() {
    if (state_ == State::until_end) state_ = State::complete;
    return is_complete();
}

Result<std::size_t> HttpBodyReader::feed(std::string_view input, std::string& body) {
    std::size_t taken = 0;
    while (taken < input.size() && state_ != State::complete) {
        if (state_ == State::until_end) {
            std::size_t count = input.size() - taken;
            if (count > max_bytes_) return fail(Errc::too_large, "http: body too large");
            body.append(input, taken, count);
            max_bytes_ -= count;
            return input.size();
        }
        if (state_ == State::length || state_ == State::data) {
            std::uint64_t count = std::min<std::uint64_t>(left_bytes_, input.size() - taken);
            body.append(input, taken, count);
            taken += count;
            left_bytes_ -= count;
            if (left_bytes_ == 0) {
                state_ = state_ == State::length ? State::complete : State::data_return;
            }
            continue;
        }
        auto line = take_line_byte(input[taken++]);
        if (!line) return std::unexpected(line.error());
    }
    return taken;
}

Result<void> HttpBodyReader::take_line_byte(char c) {
    switch (state_) {
        case State::size_first:
        case State::size:
            return take_size_digit(c);
        case State::extension:
        case State::size_feed:
            return take_size_end(c);
        case State::data_return:
            if (c != '\r') return fail(Errc::malformed, "http: chunk longer than its size");
            state_ = State::data_feed;
            return {};
        case State::data_feed:
            if (c != '\n') return fail(Errc::malformed, "http: chunk longer than its size");
            state_ = State::size_first;
            return {};
        default:
            return take_trailer_byte(c);
    }
}

Result<void> HttpBodyReader::take_size_digit(char c) {
    int digit = hex_digit(c);
    if (digit >= 0) {
        if (state_ == State::size_first) {
            state_ = State::size;
            size_digits_ = 0;
            left_bytes_ = 0;
        }
        // Sixteen digits fill 64 bits exactly: no overflow, and no endless row of zeros.
        if (++size_digits_ > max_size_digits) return fail(Errc::malformed, "http: chunk size");
        left_bytes_ = left_bytes_ * 16 + static_cast<std::uint64_t>(digit);
        return {};
    }
    if (state_ == State::size_first) return fail(Errc::malformed, "http: chunk size");
    if (left_bytes_ > max_bytes_) return fail(Errc::too_large, "http: body too large");
    if (c == '\r') {
        state_ = State::size_feed;
        return {};
    }
    if (c != ';' && c != ' ' && c != '\t') return fail(Errc::malformed, "http: chunk size");
    state_ = State::extension;
    return take_size_end(c);
}

Result<void> HttpBodyReader::take_size_end(char c) {
    if (state_ == State::extension) {
        if (c == '\r') {
            state_ = State::size_feed;
            return {};
        }
        if (!is_field_char(c)) return fail(Errc::malformed, "http: chunk extension");
        if (++extension_bytes_ > max_extension_bytes) {
            return fail(Errc::malformed, "http: chunk extensions too long");
        }
        return {};
    }
    if (c != '\n') return fail(Errc::malformed, "http: chunk line");
    max_bytes_ -= left_bytes_;
    state_ = left_bytes_ == 0 ? State::trailer_start : State::data;
    return {};
}

Result<void> HttpBodyReader::take_trailer_byte(char c) {
    if (++trailer_bytes_ > max_trailer_bytes) {
        return fail(Errc::malformed, "http: trailers too long");
    }
    bool is_right = true;
    switch (state_) {
        case State::trailer_start:
            is_right = c == '\r' || is_http_token_char(c);
            state_ = c == '\r' ? State::last_feed : State::trailer_name;
            break;
        case State::trailer_name:
            is_right = c == ':' || is_http_token_char(c);
            if (c == ':') state_ = State::trailer_value;
            break;
        case State::trailer_value:
            is_right = c == '\r' || is_field_char(c);
            if (c == '\r') state_ = State::trailer_feed;
            break;
        case State::trailer_feed:
            is_right = c == '\n';
            state_ = State::trailer_start;
            break;
        default:
            is_right = c == '\n';
            state_ = State::complete;
            break;
    }
    if (!is_right) return fail(Errc::malformed, "http: trailer");
    return {};
}

}  // namespace ringlay::net
