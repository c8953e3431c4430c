#include "proto/base/network.hpp"

#include <catch2/catch.hpp>

using ringlay::Address;
using ringlay::is_public;
using ringlay::Network;

namespace {

Address at(std::string_view literal) {
    return Address::parse(literal, 443).value();
}

}  // namespace

TEST_CASE("a network reads back as its own text") {
    for (const char* text :
         {"10.0.0.0/8", "0.0.0.0/0", "192.168.1.7", "128.0.0.0/1", "fc00::/7", "::/0", "::1",
          "2001:db8:8000::/33", "fe80::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"}) {
        CAPTURE(text);
        CHECK(Network::parse(text).value().text() == text);
    }
    CHECK(Network::parse("10.0.0.1/32").value().text() == "10.0.0.1");
    CHECK(Network::parse("::1/128").value().text() == "::1");
    CHECK(Network::parse("[::1]").value().text() == "::1");
    CHECK(Network::parse("::ffff:10.0.0.0/104") == Network::parse("10.0.0.0/8"));
    CHECK(Network::parse("10.0.0.0/8").value().bits == 104);
}

TEST_CASE("what is no network is refused") {
    for (const char* bad : {"",
                            "/8",
                            "10.0.0.0/",
                            "10.0.0.0/33",
                            "10.0.0.0/08",
                            "10.0.0.0/-1",
                            "10.0.0.0/ 8",
                            "10.0.0.0/8/8",
                            "10.0.0.0/8x",
                            "::/129",
                            "fc00::/999999999999",
                            "10.0.0.1/8",
                            "10.0.0.1/31",
                            "0.0.0.1/0",
                            "fc00::1/127",
                            "fe00::/6",
                            "example.com",
                            "10.0/16",
                            "fe80::1%lo/64",
                            "*"}) {
        CAPTURE(bad);
        CHECK_FALSE(Network::parse(bad));
    }
}

TEST_CASE("a network contains the addresses between its first and its last") {
    const struct {
        const char *network, *before, *first, *last, *behind;
    } ranges[] = {
        {"10.0.0.0/8", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
        {"172.16.0.0/12", "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
        {"10.0.0.7", "10.0.0.6", "10.0.0.7", "10.0.0.7", "10.0.0.8"},
        {"128.0.0.0/1", "127.255.255.255", "128.0.0.0", "255.255.255.255", "::"},
        {"fc00::/7", "fbff:ffff::", "fc00::", "fdff:ffff:ffff::ffff", "fe00::"},
        {"2001::/23", "2000:ffff::", "2001::", "2001:1ff:ffff::1", "2001:200::"},
    };
    for (const auto& range : ranges) {
        CAPTURE(range.network);
        Network network = Network::parse(range.network).value();
        CHECK_FALSE(network.contains(at(range.before)));
        CHECK(network.contains(at(range.first)));
        CHECK(network.contains(at(range.last)));
        CHECK_FALSE(network.contains(at(range.behind)));
    }
}

TEST_CASE("all of IPv4 and all of IPv6 are two networks") {
    Network four = Network::parse("0.0.0.0/0").value();
    Network six = Network::parse("::/0").value();
    for (const char* text : {"0.0.0.0", "8.8.8.8", "255.255.255.255", "::ffff:1.2.3.4"}) {
        CAPTURE(text);
        CHECK(four.contains(at(text)));
        CHECK_FALSE(six.contains(at(text)));
    }
    for (const char* text : {"::", "::1", "2606:4700::1111", "ffff::"}) {
        CAPTURE(text);
        CHECK(six.contains(at(text)));
        CHECK_FALSE(four.contains(at(text)));
    }
}

TEST_CASE("the port of an address is of no account") {
    CHECK(Network::parse("10.0.0.7").value().contains(Address::v4(10, 0, 0, 7, 99)));
    CHECK_FALSE(is_public(Address::v4(127, 0, 0, 1, 0)));
}

// Of each special range its first and its last address, and the neighbours outside.
TEST_CASE("addresses of special IPv4 networks are not public, their neighbours are") {
    for (const char* text :
         {"0.0.0.0",         "0.255.255.255",   "10.0.0.0",        "10.255.255.255",
          "100.64.0.0",      "100.127.255.255", "127.0.0.0",       "127.0.0.1",
          "127.255.255.255", "169.254.0.0",     "169.254.169.254", "169.254.255.255",
          "172.16.0.0",      "172.31.255.255",  "192.0.0.0",       "192.0.0.9",
          "192.0.0.255",     "192.0.2.0",       "192.0.2.255",     "192.31.196.0",
          "192.31.196.255",  "192.52.193.0",    "192.52.193.255",  "192.88.99.0",
          "192.88.99.255",   "192.168.0.0",     "192.168.255.255", "192.175.48.0",
          "192.175.48.255",  "198.18.0.0",      "198.19.255.255",  "198.51.100.0",
          "198.51.100.255",  "203.0.113.0",     "203.0.113.255",   "224.0.0.0",
          "239.255.255.255", "240.0.0.0",       "255.255.255.255"}) {
        CAPTURE(text);
        CHECK_FALSE(is_public(at(text)));
        CHECK_FALSE(is_public(at("::ffff:" + std::string(text))));
    }
    for (const char* text : {"1.0.0.0",      "9.255.255.255",   "11.0.0.0",     "100.63.255.255",
                             "100.128.0.0",  "126.255.255.255", "128.0.0.0",    "169.253.255.255",
                             "169.255.0.0",  "172.15.255.255",  "172.32.0.0",   "191.255.255.255",
                             "192.0.1.0",    "192.0.1.255",     "192.0.3.0",    "192.31.195.255",
                             "192.31.197.0", "192.52.192.255",  "192.52.194.0", "192.88.98.255",
                             "192.88.100.0", "192.167.255.255", "192.169.0.0",  "192.175.47.255",
                             "192.175.49.0", "198.17.255.255",  "198.20.0.0",   "198.51.99.255",
                             "198.51.101.0", "203.0.112.255",   "203.0.114.0",  "223.255.255.255",
                             "8.8.8.8"}) {
        CAPTURE(text);
        CHECK(is_public(at(text)));
        CHECK(is_public(at("::ffff:" + std::string(text))));
    }
}

TEST_CASE("of IPv6 only global unicast without its special networks is public") {
    for (const char* text : {"::",
                             "::1",
                             "::127.0.0.1",  // IPv4-compatible
                             "::8.8.8.8",
                             "::ffff:0:8.8.8.8",    // IPv4-translated
                             "64:ff9b:1::8.8.8.8",  // NAT64 of a network of one's own
                             "64:ff9b:0:0:0:1::",   // beside NAT64
                             "100::1",
                             "1fff:ffff::1",
                             "2001::",  // Teredo, without a server
                             "2001:1::1",
                             "2001:2::1",
                             "2001:4:112::1",
                             "2001:10::1",
                             "2001:20::1",
                             "2001:1ff:ffff::1",
                             "2001:db8::1",
                             "2001:db8:ffff:ffff::1",
                             "2620:4f:8000::1",
                             "3fff::1",
                             "3fff:fff:ffff::1",
                             "4000::1",
                             "5f00::1",
                             "fc00::1",
                             "fd12:3456::1",
                             "fe80::1",
                             "fec0::1",
                             "ff02::1",
                             "ffff:ffff::1"}) {
        CAPTURE(text);
        CHECK_FALSE(is_public(at(text)));
    }
    for (const char* text : {"2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1",
                             "2001:db9::1", "2606:4700::1111", "2620:4f:7fff::1", "2620:4f:8001::1",
                             "2a00::1", "3ffe:ffff::1", "3fff:1000::1"}) {
        CAPTURE(text);
        CHECK(is_public(at(text)));
    }
}

TEST_CASE("an IPv4 address inside an IPv6 one decides") {
    for (const char* text : {
             "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254",
             "2002:a00:1::1",                 // 6to4 of 10.0.0.1
             "2002:7f00:1::8.8.8.8",          // of 127.0.0.1
             "2001:0:a00:1:0:0:f7f7:f7f7",    // Teredo: server 10.0.0.1, client 8.8.8.8
             "2001:0:808:808:0:0:f5ff:fffe",  // server 8.8.8.8, client 10.0.0.1
             "2001:0:808:808:0:0:5601:5601",  // server 8.8.8.8, client 169.254.169.254
         }) {
        CAPTURE(text);
        CHECK_FALSE(is_public(at(text)));
    }
    // A byte beside it would be public.
    CHECK_FALSE(is_public(at("2002:ac10:808::1")));                  // 172.16.8.8
    CHECK_FALSE(is_public(at("2001:0:ac10:808:0:0:f7f7:f7f7")));     // server 172.16.8.8
    CHECK_FALSE(is_public(at("2001:0:808:808:808:808:53ef:f7f7")));  // client 172.16.8.8
    CHECK_FALSE(is_public(at("64:ff9b::1:808:808")));                // a bit beside the prefix
    CHECK_FALSE(is_public(at("64:ff9b:0:1::808:808")));
    CHECK(is_public(at("2003:a00:1::1")));
    CHECK(is_public(at("64:ff9b::8.8.8.8")));
    CHECK(is_public(at("2002:808:808::1")));
    CHECK(is_public(at("2002:808:808::127.0.0.1")));  // what is behind the prefix is not looked at
    CHECK(is_public(at("2001:0:808:808:0:0:f7f7:f7f7")));
}
