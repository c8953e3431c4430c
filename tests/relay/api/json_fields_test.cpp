#include "relay/api/json_fields.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using namespace ringlay::api;

TEST_CASE("the fields of an object are there with their kinds") {
    auto fields = JsonFields::parse(
        R"({"text":"a\u00e9","number":18446744073709551615,"true":true,"false":false,)"
        R"("null":null,"less":-1,"part":1.5,"list":[1],"object":{"a":1},"":"empty"})");
    REQUIRE(fields.has_value());
    CHECK(fields->text("text") == "a\u00e9");
    CHECK(std::get<std::uint64_t>(*fields->find("number")) == UINT64_MAX);
    CHECK(fields->is_true("true"));
    CHECK_FALSE(fields->is_true("false"));
    CHECK(std::get<bool>(*fields->find("false")) == false);
    CHECK(std::holds_alternative<JsonNull>(*fields->find("null")));
    for (std::string_view other : {"less", "part", "list", "object"}) {
        CAPTURE(other);
        CHECK(std::holds_alternative<JsonOther>(*fields->find(other)));
        CHECK_FALSE(fields->text(other));
        CHECK_FALSE(fields->is_true(other));
    }
    CHECK(fields->text("") == "empty");
    CHECK(fields->find("absent") == nullptr);
    CHECK_FALSE(fields->text("absent"));
    CHECK_FALSE(fields->is_true("absent"));
    CHECK_FALSE(fields->text("number"));
    CHECK_FALSE(fields->is_true("text"));
}

TEST_CASE("an object cut anywhere is none") {
    const std::string whole = R"({"hostname":"pds.example","confirm":true,"n":12,"x":null})";
    REQUIRE(JsonFields::parse(whole).has_value());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        auto fields = JsonFields::parse(whole.substr(0, size));
        REQUIRE_FALSE(fields.has_value());
        CHECK(fields.error().code == Errc::malformed);
    }
}

TEST_CASE("what is no small object is refused by name") {
    auto why = [](const std::string& text) {
        auto fields = JsonFields::parse(text);
        REQUIRE_FALSE(fields.has_value());
        return std::string(fields.error().what);
    };
    CHECK(why("") == "the body is empty, a JSON object is needed");
    CHECK(why("hostname=a.example") == "the body is not JSON");
    CHECK(why("[]") == "the body is not a JSON object");
    CHECK(why("7") == "the body is not a JSON object");
    CHECK(why(R"({"a":1,"b":2,"a":3})") == "a field is there twice");
    CHECK(why("{\"a\":\"" + std::string(JsonFields::max_bytes, 'x') + "\"}") ==
          "the body is too large");
    CHECK(why("{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}") ==
          "the body is not JSON");
    std::string many;
    for (std::size_t i = 0; i < JsonFields::max_fields; ++i) {
        many += (many.empty() ? "{\"" : ",\"") + std::to_string(i) + "\":0";
    }
    CHECK(JsonFields::parse(many + "}").has_value());
    CHECK(why(many + ",\"more\":0}") == "too many fields");
    const std::string text(JsonFields::max_bytes - 8, 'x');
    CHECK(JsonFields::parse("{\"a\":\"" + text + "\"}").has_value());
}
