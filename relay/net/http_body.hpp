// The body of one HTTP/1.x message: where it ends, and its content without the chunk lines. A
// machine that looks at each byte once, so that nothing depends on how the bytes were cut.
//
// Owner    the parser of one message.
// Bound    the content, each chunk line, all extensions together, all trailers together.
// Errors   malformed, too_large.
// Source   RFC 9112 section 7.1; extensions and trailers are checked for form and dropped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/result.hpp"

namespace ringlay::net {

bool is_http_token_char(char c);

class HttpBodyReader {
  public:
    static constexpr std::size_t max_size_digits = 16;
    static constexpr std::size_t max_extension_bytes = 16 * 1024;
    static constexpr std::size_t max_trailer_bytes = 4096;

    static HttpBodyReader none();
    static HttpBodyReader with_length(std::uint64_t length_bytes);
    static HttpBodyReader chunked(std::uint64_t max_bytes);
    static HttpBodyReader until_end(std::uint64_t max_bytes);

    // Appends content to `body`; returns how many bytes of the input belong to the message.
    Result<std::size_t> feed(std::string_view input, std::string& body);
    // The peer has finished sending. Whether the body is complete now.
    bool finish();

    bool is_complete() const { return state_ == State::complete; }

  private:
    enum class State : std::uint8_t {
        length,
        until_end,
        size_first,  // of a chunk
        size,
        extension,
        size_feed,  // the line feed of the size line
        data,
        data_return,
        data_feed,
        trailer_start,
        trailer_name,
        trailer_value,
        trailer_feed,
        last_feed,
        complete,
    };

    HttpBodyReader(State state, std::uint64_t left_bytes, std::uint64_t max_bytes)
        : state_(state), left_bytes_(left_bytes), max_bytes_(max_bytes) {}

    Result<void> take_line_byte(char c);
    Result<void> take_size_digit(char c);
    Result<void> take_size_end(char c);
    Result<void> take_trailer_byte(char c);

    State state_;
    std::uint64_t left_bytes_;  // of the content or the chunk
    std::uint64_t max_bytes_;   // that may still come
    std::size_t size_digits_ = 0;
    std::size_t extension_bytes_ = 0;
    std::size_t trailer_bytes_ = 0;
};

}  // namespace ringlay::net
