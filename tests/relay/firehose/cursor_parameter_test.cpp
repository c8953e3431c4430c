#include "relay/firehose/cursor_parameter.hpp"

#include <catch2/catch.hpp>

using ringlay::firehose::parse_cursor;

TEST_CASE("a cursor is a decimal number; absent or empty means live") {
    CHECK(parse_cursor(std::nullopt).value() == std::nullopt);
    CHECK(parse_cursor("").value() == std::nullopt);
    CHECK(parse_cursor("0").value() == 0u);
    CHECK(parse_cursor("007").value() == 7u);
    CHECK(parse_cursor("9007199254740993").value() == 9007199254740993u);
    CHECK(parse_cursor("9223372036854775807").value() == 9223372036854775807u);
}

TEST_CASE("anything else is refused with the reason") {
    CHECK(parse_cursor("-1").error().what == "cursor must be >= 0");
    for (const char* bad : {"x", "1x", " 1", "1 ", "+1", "1.0", "1e3", "/", ":"}) {
        CAPTURE(bad);
        CHECK(parse_cursor(bad).error().what == "cursor must be an integer");
    }
    for (const char* bad : {"9223372036854775808", "9999999999999999999", "10000000000000000000",
                            "00000000000000000000"}) {
        CAPTURE(bad);
        CHECK(parse_cursor(bad).error().what == "cursor must be an integer of at most 63 bits");
    }
}
