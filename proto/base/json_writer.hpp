// Writes JSON text, one value behind the other; commas, quotes and escapes are its business. Text
// that is not UTF-8 leaves with U+FFFD in the place of what is not, so the output is always valid.
//
//     JsonWriter json;
//     json.begin_object().key("hosts").begin_array();
//     for (...) json.text(name);
//     json.end_array().end_object();
//
// Thread   a value.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringlay {

class JsonWriter {
  public:
    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }

    JsonWriter& key(std::string_view name);
    JsonWriter& text(std::string_view value);
    JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
    JsonWriter& null() { return raw("null"); }
    template <std::integral T>
    JsonWriter& number(T value) {
        return raw(std::to_string(value));
    }

    const std::string& str() const { return out_; }
    std::string take() { return std::move(out_); }

  private:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    JsonWriter& raw(std::string_view value);
    void separate();
    void append_quoted(std::string_view value);

    std::string out_;
    bool needs_comma_ = false;
};

}  // namespace ringlay
