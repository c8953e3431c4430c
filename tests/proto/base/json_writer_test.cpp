#include "proto/base/json_writer.hpp"

#include <catch2/catch.hpp>

using ringlay::JsonWriter;

namespace {

std::string quoted(std::string_view text) {
    return JsonWriter().text(text).take();
}

}  // namespace

TEST_CASE("JSON is written with its commas, however deep") {
    JsonWriter json;
    json.begin_object().key("a").begin_array().number(1).text("two").boolean(true).null();
    json.begin_object().end_object().begin_object().key("x").number(-3).end_object().end_array();
    json.key("b").number(UINT64_MAX).key("c").begin_array().end_array().end_object();
    CHECK(json.str() == R"({"a":[1,"two",true,null,{},{"x":-3}],"b":18446744073709551615,"c":[]})");
}

TEST_CASE("JSON text is escaped, and what is not UTF-8 is replaced byte by byte") {
    CHECK(quoted("plain") == "\"plain\"");
    CHECK(quoted("a\"b\\c\nd\te\x7f") == R"("a\"b\\c\nd\u0009e\u007f")");
    CHECK(quoted("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80") ==
          "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
    CHECK(quoted("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf") ==
          "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"");
    for (const char* bad : {"\x80", "\xc1", "\xc3", "\xf5", "\xff"}) {
        CAPTURE(bad);
        CHECK(quoted(bad) == R"("\ufffd")");
    }
    CHECK(quoted("\xc0\xaf") == R"("\ufffd\ufffd")");            // overlong
    CHECK(quoted("\xe0\x9f\xbf") == R"("\ufffd\ufffd\ufffd")");  // overlong
    CHECK(quoted("\xed\xa0\x80") == R"("\ufffd\ufffd\ufffd")");  // surrogate
    CHECK(quoted("\xe2\x82") == R"("\ufffd\ufffd")");            // cut
    CHECK(quoted("\xf0\x8f\xbf\xbf") == R"("\ufffd\ufffd\ufffd\ufffd")");
    CHECK(quoted("\xf4\x90\x80\x80") == R"("\ufffd\ufffd\ufffd\ufffd")");
    CHECK(quoted(std::string_view("\0x", 2)) == R"("\u0000x")");
}
