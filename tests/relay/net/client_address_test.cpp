#include "relay/net/client_address.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using namespace ringlay::net;

namespace {

Address ip(std::string_view text, std::uint16_t port = 0) {
    return Address::parse(text, port).value();
}

std::vector<Network> networks(std::initializer_list<std::string_view> texts) {
    std::vector<Network> all;
    for (std::string_view text : texts) all.push_back(Network::parse(text).value());
    return all;
}

std::string seen(std::string_view peer, std::initializer_list<std::string_view> forwarded,
                 const std::vector<Network>& trusted) {
    HttpRequest request;
    request.headers.add("Host", "a");
    for (std::string_view value : forwarded) request.headers.add("x-forwarded-for", value);
    request.headers.add("X-Real-IP", "203.0.113.99");
    request.headers.add("Forwarded", "for=203.0.113.99");
    Client client = client_of(request, ip(peer, 4711), trusted);
    CHECK(client.is_proxied == (client.address.port == 0));
    return client.address.ip_text();
}

}  // namespace

TEST_CASE("without a trusted proxy the client is whoever is connected, whatever the headers say") {
    CHECK(seen("198.51.100.1", {}, {}) == "198.51.100.1");
    CHECK(seen("198.51.100.1", {"203.0.113.5"}, {}) == "198.51.100.1");
    CHECK(seen("198.51.100.1", {"203.0.113.5"}, networks({"10.0.0.0/8"})) == "198.51.100.1");
}

TEST_CASE("a trusted proxy is believed, and of what it passes on only what trusted proxies said") {
    const auto trusted = networks({"10.0.0.0/8", "::1"});
    CHECK(seen("10.0.0.1", {"203.0.113.5"}, trusted) == "203.0.113.5");
    CHECK(seen("::1", {"203.0.113.5"}, trusted) == "203.0.113.5");
    // The client has sent such a header itself.
    CHECK(seen("10.0.0.1", {"127.0.0.1, 10.9.9.9, 203.0.113.5"}, trusted) == "203.0.113.5");
    // Two proxies of ours, in one field or in two.
    CHECK(seen("10.0.0.1", {"192.0.2.7, 203.0.113.5, 10.0.0.2"}, trusted) == "203.0.113.5");
    CHECK(seen("10.0.0.1", {"192.0.2.7, 203.0.113.5", "10.0.0.2"}, trusted) == "203.0.113.5");
    // All are ours: the first of them asks.
    CHECK(seen("10.0.0.1", {"10.0.0.3,10.0.0.2"}, trusted) == "10.0.0.3");
    CHECK(seen("10.0.0.1", {}, trusted) == "10.0.0.1");
}

TEST_CASE("an entry may have a port; what is no address leaves the proxy as the client") {
    const auto trusted = networks({"10.0.0.0/8"});
    CHECK(seen("10.0.0.1", {"\t203.0.113.5:80 "}, trusted) == "203.0.113.5");
    CHECK(seen("10.0.0.1", {"2001:db8::5"}, trusted) == "2001:db8::5");
    CHECK(seen("10.0.0.1", {"[2001:db8::5]"}, trusted) == "2001:db8::5");
    CHECK(seen("10.0.0.1", {"[2001:db8::5]:443"}, trusted) == "2001:db8::5");
    for (std::string_view bad : {"unknown", "203.0.113.5, ", "203.0.113.5, unknown", "[", "_x", ""})
        CHECK(seen("10.0.0.1", {bad}, trusted) == "10.0.0.1");
}

TEST_CASE("a party is an IPv4 address, or the /64 of an IPv6 one") {
    CHECK(party_of(ip("203.0.113.5", 80)) == ip("203.0.113.5"));
    CHECK(party_of(ip("203.0.113.5")) != party_of(ip("203.0.113.6")));
    CHECK(party_of(ip("2001:db8:1:2:3:4:5:6", 1)) == ip("2001:db8:1:2::"));
    CHECK(party_of(ip("2001:db8:1:2:ff::")) == party_of(ip("2001:db8:1:2::1")));
    CHECK(party_of(ip("2001:db8:1:3::")) != party_of(ip("2001:db8:1:2::")));
}
