#include "relay/base/log_line.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>

#include "proto/base/assert.hpp"

namespace ringlay::base {
namespace {

constexpr std::string_view json_tail = ",\"truncated\":true}\n";
constexpr std::string_view text_tail = " truncated=true\n";
constexpr std::size_t reserved_bytes = json_tail.size();
constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

constexpr std::string_view level_names[] = {"debug", "info", "warn", "error"};

struct NumberText {
    char digits[40];
    std::size_t size = 0;
    std::string_view view() const { return {digits, size}; }
};

template <class T>
NumberText number_text(T number) {
    NumberText text;
    auto [end, error] = std::to_chars(text.digits, text.digits + sizeof text.digits, number);
    RINGLAY_ASSERT(error == std::errc{});
    text.size = static_cast<std::size_t>(end - text.digits);
    return text;
}

// 2025-01-31T23:59:59.123Z
struct TimeText {
    char text[24];
};

TimeText time_text(std::uint64_t unix_ms) {
    using namespace std::chrono;
    constexpr std::uint64_t year_10000_ms = 253'402'300'800'000;
    unix_ms = std::min(unix_ms, year_10000_ms - 1);
    sys_time<milliseconds> time{milliseconds(unix_ms)};
    auto day = floor<days>(time);
    year_month_day date{day};
    hh_mm_ss clock{time - day};
    TimeText out;
    std::memcpy(out.text, "0000-00-00T00:00:00.000Z", sizeof out.text);
    auto place = [&](std::size_t last, std::int64_t value) {
        for (; value > 0; value /= 10, --last) {
            out.text[last] = static_cast<char>('0' + value % 10);
        }
    };
    place(3, static_cast<int>(date.year()));
    place(6, static_cast<unsigned>(date.month()));
    place(9, static_cast<unsigned>(date.day()));
    place(12, clock.hours().count());
    place(15, clock.minutes().count());
    place(18, clock.seconds().count());
    place(22, clock.subseconds().count());
    return out;
}

// The length of the UTF-8 character at the front, or 0 if there is none (RFC 3629: no overlong
// form, no surrogate, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view text) {
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned char lead = byte(0);
    if (lead < 0x80) return 1;
    std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    if (lead == 0xe0 && byte(1) < 0xa0) return 0;
    if (lead == 0xed && byte(1) > 0x9f) return 0;
    if (lead == 0xf0 && byte(1) < 0x90) return 0;
    if (lead == 0xf4 && byte(1) > 0x8f) return 0;
    return length;
}

bool needs_quotes(std::string_view text) {
    if (text.empty()) return true;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7f || c == '"' || c == '=' || c == '\\') return true;
    }
    return false;
}

}  // namespace

LogLine::LogLine(std::span<char> buffer, LogFormat format, std::size_t max_value_bytes)
    : buffer_(buffer), is_json_(format == LogFormat::json), max_value_bytes_(max_value_bytes) {
    RINGLAY_ASSERT(buffer.size() >= 128);
}

void LogLine::begin(LogLevel level, std::uint64_t unix_ms, std::string_view event) {
    TimeText time = time_text(unix_ms);
    std::string_view name = level_names[static_cast<std::size_t>(level)];
    std::string_view when(time.text, sizeof time.text);
    if (is_json_) {
        put("{\"time\":\"");
        put(when);
        put("\",\"level\":\"");
        put(name);
        put("\",\"event\":\"");
        put_escaped(event, true);
        put("\"");
        return;
    }
    put(when);
    put(" ");
    put(name);
    put(name.size() == 4 ? "  " : " ");
    put_escaped(event, false);
}

void LogLine::field(const LogField& field) {
    std::size_t before = size_;
    bool fits = put(is_json_ ? ",\"" : " ") && put(field.key) && put(is_json_ ? "\":" : "=") &&
                put_value(field.value);
    if (fits) return;
    size_ = before;
    is_truncated_ = true;
}

std::size_t LogLine::end() {
    std::string_view tail = is_json_ ? json_tail : text_tail;
    if (!is_truncated_) tail = is_json_ ? "}\n" : "\n";
    RINGLAY_ASSERT(size_ + tail.size() <= buffer_.size());
    std::memcpy(buffer_.data() + size_, tail.data(), tail.size());
    return size_ + tail.size();
}

bool LogLine::put(std::string_view text) {
    if (text.size() > buffer_.size() - reserved_bytes - size_) return false;
    std::memcpy(buffer_.data() + size_, text.data(), text.size());
    size_ += text.size();
    return true;
}

// Cut at max_value_bytes_ of input, at a character's edge.
bool LogLine::put_escaped(std::string_view text, bool in_quotes) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t length = utf8_length(text.substr(at));
        std::size_t step = length == 0 ? 1 : length;
        if (at + step > max_value_bytes_) return put("...");
        std::string_view character = text.substr(at, step);
        auto byte = static_cast<unsigned char>(character.front());
        // C0, DEL and C1 would steer a terminal; C1 is two bytes in UTF-8.
        bool is_c1 = length == 2 && byte == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
        bool fits;
        if (length == 0) {
            fits = put(replacement);
        } else if (byte < 0x20 || byte == 0x7f || is_c1) {
            auto code = static_cast<unsigned char>(is_c1 ? character[1] : character[0]);
            char escape[] = {'\\', 'u', '0', '0', hex[code >> 4], hex[code & 15]};
            fits = put({escape, sizeof escape});
        } else if (in_quotes && (byte == '"' || byte == '\\')) {
            fits = put("\\") && put(character);
        } else {
            fits = put(character);
        }
        if (!fits) return false;
        at += step;
    }
    return true;
}

bool LogLine::put_value(const LogValue& value) {
    return std::visit(
        [&](auto held) -> bool {
            using T = decltype(held);
            if constexpr (std::is_same_v<T, std::string_view>) {
                return put_text_value(held);
            } else if constexpr (std::is_same_v<T, bool>) {
                return put(held ? "true" : "false");
            } else if constexpr (std::is_same_v<T, double>) {
                // JSON has no word for these.
                if (!std::isfinite(held)) return put(is_json_ ? "null" : "none");
                return put(number_text(held).view());
            } else {
                return put(number_text(held).view());
            }
        },
        value.get());
}

bool LogLine::put_text_value(std::string_view text) {
    bool in_quotes = is_json_ || needs_quotes(text);
    if (!in_quotes) return put_escaped(text, false);
    return put("\"") && put_escaped(text, true) && put("\"");
}

}  // namespace ringlay::base
