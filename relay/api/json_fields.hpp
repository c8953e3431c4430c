// The fields of a small JSON object that somebody has sent. Pure.
//
// Bound    max_bytes of text, max_fields.
// Errors   malformed, in words for whoever sent it: no JSON, no object, a name twice, too much.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "proto/base/result.hpp"

namespace ringlay::api {

struct JsonNull {};
struct JsonOther {};  // an array, an object, a number that is no natural one
using JsonValue = std::variant<JsonNull, JsonOther, bool, std::uint64_t, std::string>;

class JsonFields {
  public:
    static constexpr std::size_t max_bytes = 4096;
    static constexpr std::size_t max_fields = 32;

    static Result<JsonFields> parse(std::string_view json);

    const JsonValue* find(std::string_view name) const;  // nullptr: it is not there
    // Nothing: it is not there, or something else.
    std::optional<std::string> text(std::string_view name) const;
    bool is_true(std::string_view name) const;

  private:
    std::map<std::string, JsonValue, std::less<>> fields_;
};

}  // namespace ringlay::api
