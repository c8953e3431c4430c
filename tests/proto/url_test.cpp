#include "proto/url.hpp"

#include <catch2/catch.hpp>

using namespace ringlay::proto;

TEST_CASE("a URL is taken apart into scheme, host, port, path and query") {
    const struct {
        std::string_view text;
        Scheme scheme;
        std::string_view host;
        std::uint16_t port;
        bool has_port;
        std::string_view path, query;
    } urls[] = {
        {"https://pds.example.com", Scheme::https, "pds.example.com", 443, false, "", ""},
        {"http://localhost:2583/", Scheme::http, "localhost", 2583, true, "/", ""},
        {"wss://a.example/xrpc/x?cursor=1&b=?", Scheme::wss, "a.example", 443, false, "/xrpc/x",
         "cursor=1&b=?"},
        {"ws://10.0.0.1:1?q", Scheme::ws, "10.0.0.1", 1, true, "", "q"},
        {"ws://x", Scheme::ws, "x", 80, false, "", ""},
        {"http://x", Scheme::http, "x", 80, false, "", ""},
        {"https://a_b-c.example:65535/%2F", Scheme::https, "a_b-c.example", 65535, true, "/%2F",
         ""},
        {"https://h/a/?", Scheme::https, "h", 443, false, "/a/", ""},
        {"https://[::1]", Scheme::https, "::1", 443, false, "", ""},
        {"https://[2001:db8::1]:8443/p", Scheme::https, "2001:db8::1", 8443, true, "/p", ""},
    };
    for (const auto& expected : urls) {
        CAPTURE(expected.text);
        auto url = parse_url(expected.text);
        REQUIRE(url.has_value());
        CHECK(url->scheme == expected.scheme);
        CHECK(url->host == expected.host);
        CHECK(url->is_ipv6 == (expected.host.find(':') != expected.host.npos));
        CHECK(url->port == expected.port);
        CHECK(url->has_port == expected.has_port);
        CHECK(url->path == expected.path);
        CHECK(url->query == expected.query);
        CHECK(expected.text.starts_with(scheme_name(url->scheme)));
    }
    CHECK(is_tls(Scheme::https));
    CHECK(is_tls(Scheme::wss));
    CHECK_FALSE(is_tls(Scheme::http));
    CHECK_FALSE(is_tls(Scheme::ws));
    CHECK(scheme_name(Scheme::wss) == "wss");
}

TEST_CASE("what is not exactly such a URL is refused by name") {
    const struct {
        std::string_view text, refused_as;
    } bad[] = {
        {"", "url: no scheme"},
        {"example.com", "url: no scheme"},
        {"https:example.com", "url: no scheme"},
        {"https:/example.com", "url: no scheme"},
        {"://example.com", "url: scheme"},
        {"ftp://example.com", "url: scheme"},
        {"HTTPS://example.com", "url: scheme"},
        {" https://example.com", "url: scheme"},
        {"https://", "url: host"},
        {"https:///path", "url: host"},
        {"https://:443", "url: host"},
        {"https://user@example.com", "url: host"},
        {"https://user:pass@example.com", "url: port"},
        {"https://exa mple.com", "url: host"},
        {"https://ex\u00e4mple.com", "url: host"},
        {"https://a..b", "url: host"},
        {"https://.a", "url: host"},
        {"https://a.", "url: host"},
        {"https://a%41", "url: host"},
        {"https://a\\b", "url: host"},
        {"https://a#b", "url: host"},
        {"https://a:", "url: port"},
        {"https://a:0", "url: port"},
        {"https://a:65536", "url: port"},
        {"https://a:99999", "url: port"},
        {"https://a:000443", "url: port"},
        {"https://a:+1", "url: port"},
        {"https://a:1:2", "url: port"},
        {"https://[::1", "url: bracket"},
        {"https://[::1]x", "url: bytes after the bracket"},
        {"https://[::1]:", "url: port"},
        {"https://[]", "url: IPv6 address"},
        {"https://[example.com]", "url: IPv6 address"},
        {"https://[fe80::1%25eth0]", "url: IPv6 address"},
        {"https://::1", "url: host"},
        {"https://a/b c", "url: character"},
        {"https://a/b\n", "url: character"},
        {"https://a/\x7f", "url: character"},
        {"https://a/\u00e4", "url: character"},
        {"https://a/#f", "url: character"},
        {"https://a/?q#f", "url: character"},
        {"https://a/%", "url: character"},
        {"https://a/%4", "url: character"},
        {"https://a/%4g", "url: character"},
        {"https://a/%g4", "url: character"},
    };
    for (const auto& [text, refused_as] : bad) {
        CAPTURE(text);
        auto url = parse_url(text);
        REQUIRE_FALSE(url.has_value());
        CHECK(url.error().what == refused_as);
    }
    std::string longest(253, 'a');
    CHECK(parse_url("https://" + longest).has_value());
    CHECK_FALSE(parse_url("https://" + longest + "a").has_value());
}

TEST_CASE("an IPv6 address has eight groups, or fewer around one gap") {
    const struct {
        std::string_view host;
        bool is_valid;
    } hosts[] = {
        {"1:2:3:4:5:6:7:8", true},
        {"1:2:3:4:5:6:7", false},
        {"1:2:3:4:5:6:7:8:9", false},
        {"::", true},
        {"1::", true},
        {"::8", true},
        {"1::8", true},
        {"1:2:3::5:6:7:8", true},
        {"1:2:3:4::5:6:7:8", false},
        {"1::3::5", false},
        {":::", false},
        {":1:2:3:4:5:6:7", false},
        {"1:2:3:4:5:6:7:", false},
        {"12345::", false},
        {"abcd:EF01::", true},
        {"g::", false},
        {"::ffff:192.0.2.1", true},
        {"1:2:3:4:5:6:192.0.2.1", true},
        {"1:2:3:4:5:6:7:192.0.2.1", false},
        {"192.0.2.1::", false},
        {"::192.0.2", false},
        {"::192.0.2.256", false},
        {"::192.0.2.01", false},
        {"::192.0.2.1.1", false},
        {"::192.0.2.", false},
        {"::1192.0.2.1", false},
    };
    for (const auto& [host, is_valid] : hosts) {
        CAPTURE(host);
        CHECK(parse_url("http://[" + std::string(host) + "]").has_value() == is_valid);
    }
}

TEST_CASE("a request target is a path and perhaps a query") {
    Target target = parse_target("/xrpc/com.atproto.sync.subscribeRepos?cursor=5?").value();
    CHECK(target.path == "/xrpc/com.atproto.sync.subscribeRepos");
    CHECK(target.query == "cursor=5?");
    CHECK(parse_target("/").value().path == "/");
    CHECK(parse_target("/?").value().query.empty());
    CHECK(parse_target("").error().what == "url: target without a path");
    CHECK(parse_target("*").error().what == "url: target without a path");
    CHECK(parse_target("http://a/").error().what == "url: target without a path");
    CHECK(parse_target("/a b").error().what == "url: character");
    CHECK(parse_target("/a#b").error().what == "url: character");
    CHECK(parse_target("/%zz").error().what == "url: character");
}

TEST_CASE("escapes are decoded, and a plus is a space in queries only") {
    CHECK(percent_decode("a%2Fb%2f+%00").value() == std::string("a/b/+\0", 6));
    CHECK(percent_decode("").value().empty());
    CHECK(percent_decode("%41").value() == "A");
    for (std::string_view text : {"%", "%4", "%4z", "%z4", "a%"}) {
        CAPTURE(text);
        CHECK(percent_decode(text).error().what == "url: percent");
    }
    CHECK(query_parameter("q=a+b%2B", "q").value() == "a b+");
}

TEST_CASE("a query parameter is found by its decoded name, the first of several") {
    std::string_view query = "a=1&cursor=42&b&cursor=43&did=did%3Aplc%3Ax&&=e&%63=c&x=y=z";
    CHECK(query_parameter(query, "cursor").value() == "42");
    CHECK(query_parameter(query, "a").value() == "1");
    CHECK(query_parameter(query, "b").value() == "");
    CHECK(query_parameter(query, "did").value() == "did:plc:x");
    CHECK(query_parameter(query, "c").value() == "c");
    CHECK(query_parameter(query, "x").value() == "y=z");
    CHECK(query_parameter(query, "").value() == "");
    CHECK_FALSE(query_parameter(query, "curso").value());
    CHECK_FALSE(query_parameter(query, "cursor4").value());
    CHECK_FALSE(query_parameter("", "cursor").value());
    CHECK(query_parameter("cursor=%4", "cursor").error().what == "url: percent");
    CHECK(query_parameter("%=1&cursor=1", "cursor").error().what == "url: percent");
}
