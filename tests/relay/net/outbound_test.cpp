#include "relay/net/outbound.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using net::Outbound;

namespace {

// The guard does not look at the trust, only whether there is one.
const char nothing = 0;
const auto* const some_tls = reinterpret_cast<const crypto::TlsClientContext*>(&nothing);

base::PrivateHosts allowed(std::string_view text) {
    return base::PrivateHosts::parse(text).value();
}

bool may_dial(const Outbound& outbound, std::string_view url, std::string_view address) {
    auto parsed = proto::parse_url(url).value();
    return !outbound.objection(parsed, Address::parse(address, parsed.port).value());
}

bool may_ask(const Outbound& outbound, std::string_view url) {
    return !outbound.objection(proto::parse_url(url).value());
}

}  // namespace

TEST_CASE("without a list, TLS goes to the public internet and plain text goes nowhere") {
    Outbound outbound(some_tls);
    const struct {
        const char *url, *address;
        bool is_allowed;
    } cases[] = {
        {"https://pds.example", "93.184.216.34", true},
        {"https://pds.example:8443/x", "2606:4700::1111", true},
        {"wss://pds.example", "8.8.8.8", true},
        {"http://pds.example", "93.184.216.34", false},
        {"ws://pds.example", "2606:4700::1111", false},
        {"https://pds.example", "169.254.169.254", false},
        {"https://pds.example", "127.0.0.1", false},
        {"https://pds.example", "::1", false},
        {"https://pds.example", "::", false},
        {"https://pds.example", "0.0.0.0", false},
        {"https://pds.example", "10.0.0.1", false},
        {"https://pds.example", "::ffff:10.0.0.1", false},
        {"https://pds.example", "64:ff9b::10.0.0.1", false},
        {"https://pds.example", "2002:a00:1::1", false},
        {"https://pds.example", "fd00::1", false},
        {"https://pds.example", "fe80::1", false},
        {"https://localhost", "127.0.0.1", false},
        {"wss://metadata.google.internal", "169.254.169.254", false},
        // Numbers that the system's resolver takes for an address: what it resolves to decides.
        {"https://0x7f.1", "127.0.0.1", false},
        {"https://2130706433", "127.0.0.1", false},
        {"https://0177.0.0.1", "127.0.0.1", false},
        {"https://134744072", "8.8.8.8", true},
    };
    for (const auto& each : cases) {
        CAPTURE(each.url, each.address);
        CHECK(may_dial(outbound, each.url, each.address) == each.is_allowed);
    }
}

TEST_CASE("a host pattern allows that name and port whatever it means, with TLS and without") {
    Outbound outbound(some_tls, allowed("pds.lan:2583,*.test,10.0.0.1:80"));
    const struct {
        const char *url, *address;
        bool is_allowed;
    } cases[] = {
        {"http://pds.lan:2583", "10.0.0.7", true},
        {"https://pds.lan:2583", "::1", true},
        {"ws://PDS.lan:2583", "93.184.216.34", true},
        {"http://pds.lan:2584", "10.0.0.7", false},
        {"http://pds.lan", "10.0.0.7", false},
        {"http://a.test", "127.0.0.1", true},
        {"http://10.0.0.1", "10.0.0.1", true},
        {"http://[::ffff:10.0.0.1]", "10.0.0.1", true},
        // Another name does not profit from it.
        {"http://evil.example", "10.0.0.1", false},
        {"https://evil.example", "10.0.0.1", false},
        {"https://10.0.0.1", "10.0.0.1", false},
        {"https://good.example", "8.8.8.8", true},
    };
    for (const auto& each : cases) {
        CAPTURE(each.url, each.address);
        CHECK(may_dial(outbound, each.url, each.address) == each.is_allowed);
    }
}

TEST_CASE("a network allows what is dialled in it, whatever the name") {
    Outbound outbound(some_tls, allowed("10.0.0.0/8,::1"));
    CHECK(may_dial(outbound, "http://pds.example", "10.1.2.3"));
    CHECK(may_dial(outbound, "https://pds.example", "10.1.2.3"));
    CHECK(may_dial(outbound, "ws://localhost:1", "::1"));
    CHECK_FALSE(may_dial(outbound, "http://pds.example", "11.0.0.1"));
    CHECK_FALSE(may_dial(outbound, "http://pds.example", "127.0.0.1"));
    CHECK_FALSE(may_dial(outbound, "https://pds.example", "127.0.0.1"));
}

TEST_CASE("all allows everything") {
    Outbound outbound(some_tls, allowed("all"));
    for (const char* url : {"http://anything.example", "wss://[::1]:9", "https://2130706433"}) {
        CHECK(may_ask(outbound, url));
        CHECK(may_dial(outbound, url, "169.254.169.254"));
        CHECK(may_dial(outbound, url, "8.8.8.8"));
    }
}

TEST_CASE("what can be said before the name is resolved is said") {
    const struct {
        const char *list, *url;
        bool may_ask;
    } cases[] = {
        {"", "https://pds.example", true},
        {"", "http://pds.example", false},
        {"", "ws://pds.example:2583", false},
        {"", "https://169.254.169.254/latest", false},
        {"", "https://[::1]", false},
        {"", "https://[::]:443", false},
        {"", "https://[::ffff:10.0.0.1]", false},
        {"", "https://8.8.8.8", true},
        {"", "http://8.8.8.8", false},
        {"pds.lan:80", "http://pds.lan", true},
        {"pds.lan:80", "http://pds.lan:81", false},
        {"pds.lan:80", "http://other.lan", false},
        {"10.0.0.0/8", "http://pds.example", true},  // it may resolve to one of those
        {"10.0.0.0/8", "http://10.0.0.1", true},
        {"10.0.0.0/8", "http://11.0.0.1", false},
        {"10.0.0.0/8", "https://127.0.0.1", false},
    };
    for (const auto& each : cases) {
        CAPTURE(each.list, each.url);
        CHECK(may_ask(Outbound(some_tls, allowed(each.list)), each.url) == each.may_ask);
    }
}

TEST_CASE("without certificate authorities nothing is asked over TLS") {
    Outbound outbound(nullptr, allowed("all"));
    CHECK_FALSE(may_ask(outbound, "https://pds.example"));
    CHECK_FALSE(may_ask(outbound, "wss://pds.example"));
    CHECK(may_ask(outbound, "http://pds.example"));
}

TEST_CASE("an objection names the address, or the scheme, and the remedy") {
    Outbound outbound(some_tls);
    auto url = proto::parse_url("https://pds.example").value();
    CHECK_THAT(outbound.objection(url, Address::parse("10.0.0.1", 443).value()).value(),
               Catch::StartsWith("10.0.0.1 ") && Catch::Contains("RELAY_ALLOW_PRIVATE_HOSTS"));
    auto plain = proto::parse_url("ws://pds.example").value();
    CHECK_THAT(outbound.objection(plain).value(),
               Catch::StartsWith("ws ") && Catch::Contains("RELAY_ALLOW_PRIVATE_HOSTS"));
}
