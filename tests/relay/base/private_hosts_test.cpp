#include "relay/base/private_hosts.hpp"

#include <catch2/catch.hpp>

using ringlay::Address;
using ringlay::base::PrivateHosts;

namespace {

PrivateHosts hosts(std::string_view text) {
    return PrivateHosts::parse(text).value();
}

Address at(std::string_view literal) {
    return Address::parse(literal, 1).value();
}

}  // namespace

TEST_CASE("an empty list allows nothing") {
    for (const char* text : {"", " ", ",", " , ,\n"}) {
        CAPTURE(text);
        CHECK(hosts(text).empty());
        CHECK_FALSE(hosts(text).allows_all());
        CHECK_FALSE(hosts(text).allows_host("localhost", 2583));
        CHECK_FALSE(hosts(text).allows_address(at("127.0.0.1")));
    }
    CHECK(PrivateHosts().empty());
}

TEST_CASE("all allows everything, alone and among others") {
    for (const char* text : {"all", "ALL", " all ", "pds.lan:1,all"}) {
        CAPTURE(text);
        CHECK_FALSE(hosts(text).empty());
        CHECK(hosts(text).allows_all());
        CHECK(hosts(text).allows_host("anything.example", 7));
        CHECK(hosts(text).allows_address(at("169.254.169.254")));
        CHECK(hosts(text).allows_address(at("::1")));
    }
}

TEST_CASE("a host pattern speaks of one name, and of one port or of any") {
    const struct {
        const char* pattern;
        const char* name;
        std::uint16_t port;
        bool is_allowed;
    } cases[] = {
        {"pds.lan:2583", "pds.lan", 2583, true},
        {"pds.lan:2583", "PDS.Lan", 2583, true},
        {"PDS.LAN:2583", "pds.lan", 2583, true},
        {"pds.lan:2583", "pds.lan", 2584, false},
        {"pds.lan:2583", "a.pds.lan", 2583, false},
        {"pds.lan:2583", "xpds.lan", 2583, false},
        {"pds.lan:2583", "pds.lan.example", 2583, false},
        {"pds.lan:2583", "", 2583, false},
        {"localhost:*", "localhost", 1, true},
        {"localhost:*", "localhost", 65535, true},
        {"localhost", "localhost", 80, true},
        {"localhost", "localhost.example", 80, false},
        {"*.lan", "pds.lan", 80, true},
        {"*.lan", "a.b.lan", 443, true},
        {"*.lan", "lan", 443, false},
        {"*.lan", ".lan", 443, false},
        {"*.lan", "xlan", 443, false},
        {"*.lan:2583", "pds.lan", 2583, true},
        {"*.lan:2583", "pds.lan", 443, false},
        {"10.0.0.1:2583", "10.0.0.1", 2583, true},
        {"10.0.0.1:2583", "10.0.0.1", 2584, false},
        {"10.0.0.1:2583", "10.0.0.10", 2583, false},
        {"10.0.0.1:2583", "::ffff:10.0.0.1", 2583, true},
        {"[::1]:2583", "::1", 2583, true},
        {"[0:0::1]:*", "::1", 2583, true},
        {"[::1]:2583", "0::1", 2583, true},
        {"[::1]:2583", "::2", 2583, false},
        {"a:1, b:2,c:3", "b", 2, true},
        {"a:1, b:2,c:3", "c", 3, true},
        {"a:1, b:2,c:3", "a", 3, false},
        {"10.0.0.0/8", "pds.lan", 80, false},  // networks speak of addresses
        {"10.0.0.1", "10.0.0.1", 80, false},
    };
    for (const auto& each : cases) {
        CAPTURE(each.pattern, each.name, each.port);
        CHECK(hosts(each.pattern).allows_host(each.name, each.port) == each.is_allowed);
    }
}

TEST_CASE("a network and a single address speak of the address that is dialled") {
    PrivateHosts some = hosts("10.0.0.0/8, fd00::/8,192.168.1.7,[::1],localhost:*");
    CHECK_FALSE(some.empty());
    for (const char* text : {"10.0.0.0", "10.255.255.255", "fd00::1", "192.168.1.7", "::1"}) {
        CAPTURE(text);
        CHECK(some.allows_address(at(text)));
    }
    for (const char* text : {"11.0.0.0", "fc00::1", "192.168.1.8", "::2", "127.0.0.1"}) {
        CAPTURE(text);
        CHECK_FALSE(some.allows_address(at(text)));
    }
}

TEST_CASE("an added host is that name and that port") {
    PrivateHosts some;
    some.add_host("PDS.lan", 2583);
    some.add_host("::1", 2584);
    CHECK_FALSE(some.empty());
    CHECK(some.allows_host("pds.lan", 2583));
    CHECK_FALSE(some.allows_host("pds.lan", 443));
    CHECK(some.allows_host("0:0::1", 2584));
    CHECK_FALSE(some.allows_address(at("::1")));
    PrivateHosts twice = some;
    twice.add_host("pds.lan", 2583);
    CHECK(twice == some);
}

TEST_CASE("what is no pattern is refused, with the item and the form") {
    const struct {
        const char* text;
        const char* why;
    } cases[] = {
        {"http://pds.lan:2583", "no network"},
        {"pds.lan:2583/", "no network"},
        {"10.0.0.1/8", "no network"},
        {"10.0.0.0/33", "no network"},
        {"pds.lan:0", "port"},
        {"pds.lan:65536", "port"},
        {"pds.lan:x", "port"},
        {"pds.lan:", "port"},
        {"*", "name"},
        {"*:2583", "name"},
        {"*.", "name"},
        {"pds.*", "name"},
        {"*.*.lan", "name"},
        {"*.10.0.0.1", "name"},
        {"*lan", "name"},
        {"a b:1", "name"},
        {".lan", "name"},
        {":2583", "name"},
        {"[::1", "name"},
        {"[::1]2583", "name"},
        {"[pds]:1", "name"},
        {"2130706433", "name"},
        {"10.0.1:80", "name"},
        {"ok:1,-bad:2", "\"-bad:2\""},
    };
    for (const auto& each : cases) {
        CAPTURE(each.text);
        auto parsed = PrivateHosts::parse(each.text);
        REQUIRE_FALSE(parsed.has_value());
        CHECK_THAT(parsed.error(), Catch::Contains(each.why));
        CHECK_THAT(parsed.error(), Catch::StartsWith("all, or a comma list of host:port"));
    }
}

TEST_CASE("a list is bounded") {
    std::string text;
    for (int i = 0; i < 10'001; ++i) text += "a:1,";
    CHECK_FALSE(PrivateHosts::parse(text).has_value());
    text.resize(text.size() - 4);
    CHECK(PrivateHosts::parse(text).has_value());
}
