#include "relay/hosts/foreign_text.hpp"

#include <catch2/catch.hpp>

using ringlay::hosts::foreign_text;

TEST_CASE("what a host says is kept up to its bound") {
    CHECK(foreign_text("", 4).empty());
    CHECK(foreign_text("abcd", 4) == "abcd");
    CHECK(foreign_text("abcde", 4) == "abcd");
    CHECK(foreign_text(std::string(4'000'000, 'x'), 300).size() == 300);
}

TEST_CASE("what is not printable, or was cut, is shown as question marks") {
    CHECK(foreign_text(" ~\x1f\x7f\n\xff", 9) == " ~????");
    CHECK(foreign_text("gr\xc3\xbc\xc3\x9f", 5) == "gr???");  // cut inside a letter
    CHECK(foreign_text(std::string_view("a\0b", 3), 9) == "a?b");
}
