// Writes one log line into a buffer of fixed size: key=value, or a JSON object. Private to
// relay/base.
//
// Whatever the values hold, the line is one line, valid UTF-8, free of control characters, and in
// JSON a valid object: peers choose many of the values. What does not fit is left out, and
// `truncated` says so; room for that and for the end is kept.
#pragma once

#include <span>
#include <string_view>

#include "relay/base/logger.hpp"

namespace ringlay::base {

class LogLine {
  public:
    LogLine(std::span<char> buffer, LogFormat format, std::size_t max_value_bytes);

    void begin(LogLevel level, std::uint64_t unix_ms, std::string_view event);
    void field(const LogField& field);
    std::size_t end();  // the size of the whole line, newline included

  private:
    bool put(std::string_view text);
    bool put_escaped(std::string_view text, bool in_quotes);
    bool put_value(const LogValue& value);
    bool put_text_value(std::string_view text);

    std::span<char> buffer_;
    const bool is_json_;
    const std::size_t max_value_bytes_;
    std::size_t size_ = 0;
    bool is_truncated_ = false;
};

}  // namespace ringlay::base
