#include "relay/hosts/listed_hosts.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using namespace ringlay::hosts;

namespace {

const std::string page = R"({"cursor":"1200","hosts":[)"
                         R"({"hostname":"a.example","seq":7,"accountCount":1,"status":"active"},)"
                         R"({"hostname":"b.example","status":"banned"},)"
                         R"({"hostname":"C.example:8443","status":"offline","more":[{}]},)"
                         R"({"hostname":"d.example","status":9}]})";

}  // namespace

TEST_CASE("a page of hosts is read: names as they were written, who is banned, and the cursor") {
    auto read = parse_listed_hosts(page);
    REQUIRE(read.has_value());
    REQUIRE(read->hosts.size() == 4);
    CHECK(read->hosts[0].hostname == "a.example");
    CHECK_FALSE(read->hosts[0].is_banned);
    CHECK(read->hosts[1].is_banned);
    CHECK(read->hosts[2].hostname == "C.example:8443");
    CHECK_FALSE(read->hosts[2].is_banned);
    CHECK_FALSE(read->hosts[3].is_banned);
    CHECK(read->unreadable == 0);
    CHECK(read->cursor == "1200");
}

TEST_CASE("a page cut anywhere is none") {
    for (std::size_t size = 0; size < page.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(parse_listed_hosts(page.substr(0, size)).has_value());
    }
}

TEST_CASE("what is no list of hosts is refused by name") {
    for (auto [text, what] : {
             std::pair("", "an empty answer"),
             std::pair("<html>", "not a JSON object"),
             std::pair("[]", "not a JSON object"),
             std::pair("{}", "no list of hosts in it"),
             std::pair(R"({"hosts":{}})", "no list of hosts in it"),
             std::pair(R"({"hosts":"a.example"})", "no list of hosts in it"),
             std::pair(R"({"repos":[]})", "no list of hosts in it"),
         }) {
        CAPTURE(text);
        auto read = parse_listed_hosts(text);
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().code == Errc::malformed);
        CHECK(read.error().what == what);
    }
    std::string deep =
        R"({"hosts":[],"x":)" + std::string(5000, '[') + std::string(5000, ']') + "}";
    CHECK_FALSE(parse_listed_hosts(deep).has_value());
}

TEST_CASE("entries without a usable name are counted, and cost no other host") {
    const std::string long_name(ListedHosts::max_name_bytes, 'a');
    auto read = parse_listed_hosts(
        R"({"hosts":[7,null,"a.example",[],{},{"hostname":""},{"hostname":7},)"
        R"({"hostname":")" +
        long_name + R"("},{"hostname":"a)" + long_name + R"("},{"hostname":"z.example"}]})");
    REQUIRE(read.has_value());
    REQUIRE(read->hosts.size() == 2);
    CHECK(read->hosts[0].hostname == long_name);
    CHECK(read->hosts[1].hostname == "z.example");
    CHECK(read->unreadable == 8);
    CHECK_FALSE(read->cursor);
}

TEST_CASE("a cursor is a text, or the number that some write; anything else is the end") {
    auto cursor = [](std::string_view value) {
        return parse_listed_hosts(R"({"hosts":[],"cursor":)" + std::string(value) + "}")
            .value()
            .cursor;
    };
    CHECK(cursor(R"("a&b=c")") == "a&b=c");
    CHECK(cursor("17") == "17");
    CHECK(cursor("18446744073709551615") == "18446744073709551615");
    for (std::string_view none : {"\"\"", "null", "-1", "1.5", "[]", "{}", "true"}) {
        CAPTURE(none);
        CHECK_FALSE(cursor(none));
    }
    const std::string longest(ListedHosts::max_cursor_bytes, 'c');
    CHECK(cursor('"' + longest + '"') == longest);
    CHECK_FALSE(cursor('"' + longest + "c\""));
}
