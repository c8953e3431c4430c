#include "relay/api/json_fields.hpp"

#include <simdjson.h>

namespace ringlay::api {
namespace {

constexpr std::size_t max_depth = 16;

JsonValue value_of(simdjson::dom::element element) {
    bool truth = false;
    std::uint64_t number = 0;
    std::string_view text;
    if (element.is_null()) return JsonNull{};
    if (element.get(truth) == simdjson::SUCCESS) return truth;
    if (element.get(number) == simdjson::SUCCESS) return number;
    if (element.get(text) == simdjson::SUCCESS) return std::string(text);
    return JsonOther{};
}

}  // namespace

Result<JsonFields> JsonFields::parse(std::string_view json) {
    if (json.empty()) return fail(Errc::malformed, "the body is empty, a JSON object is needed");
    if (json.size() > max_bytes) return fail(Errc::malformed, "the body is too large");
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    simdjson::dom::object object;
    if (parser.allocate(json.size(), max_depth) != simdjson::SUCCESS ||
        parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS) {
        return fail(Errc::malformed, "the body is not JSON");
    }
    if (root.get(object) != simdjson::SUCCESS) {
        return fail(Errc::malformed, "the body is not a JSON object");
    }
    JsonFields out;
    for (auto [name, element] : object) {
        if (out.fields_.size() == max_fields) return fail(Errc::malformed, "too many fields");
        if (!out.fields_.emplace(name, value_of(element)).second) {
            return fail(Errc::malformed, "a field is there twice");
        }
    }
    return out;
}

const JsonValue* JsonFields::find(std::string_view name) const {
    auto found = fields_.find(name);
    return found == fields_.end() ? nullptr : &found->second;
}

std::optional<std::string> JsonFields::text(std::string_view name) const {
    const JsonValue* value = find(name);
    const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
    return text == nullptr ? std::nullopt : std::optional(*text);
}

bool JsonFields::is_true(std::string_view name) const {
    const JsonValue* value = find(name);
    const bool* truth = value == nullptr ? nullptr : std::get_if<bool>(value);
    return truth != nullptr && *truth;
}

}  // namespace ringlay::api
