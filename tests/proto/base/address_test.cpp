#include "proto/base/address.hpp"

#include <catch2/catch.hpp>

using ringlay::Address;

TEST_CASE("an address literal reads back as its own text") {
    for (const char* text :
         {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "::", "2001:db8::8:800:200c:417a"}) {
        CAPTURE(text);
        CHECK(Address::parse(text, 80).value().ip_text() == text);
    }
    CHECK(Address::parse("[::1]", 3000).value().text() == "[::1]:3000");
    CHECK(Address::parse("10.1.2.3", 3000).value().text() == "10.1.2.3:3000");
    CHECK(Address::parse("::ffff:10.1.2.3", 1) == Address::v4(10, 1, 2, 3, 1));
}

TEST_CASE("what is not an address literal is refused") {
    using namespace std::string_view_literals;
    for (auto bad : {""sv, "localhost"sv, "1.2.3"sv, "1.2.3.4.5"sv, "256.0.0.1"sv, "[127.0.0.1]"sv,
                     "[::1"sv, "::1]"sv, "1.2.3.4\0"sv, ":::"sv, "fe80::1%lo"sv, " ::1"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(Address::parse(bad, 1).has_value());
    }
}

TEST_CASE("loopback is 127.0.0.0/8 and ::1, mapped or not") {
    for (const char* text : {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"}) {
        CHECK(Address::parse(text, 1).value().is_loopback());
    }
    for (const char* text : {"126.0.0.1", "128.0.0.1", "::2", "::", "1::1", "::ffff:126.0.0.1"}) {
        CHECK_FALSE(Address::parse(text, 1).value().is_loopback());
    }
    CHECK(Address::loopback(7) == Address::v4(127, 0, 0, 1, 7));
}
