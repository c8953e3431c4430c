// Settings that say where the relay is reached, whom it reaches, and who may do what.
#include "tests/relay/base/config_rig.hpp"

using namespace ringlay::base;
using namespace ringlay::support;
using Catch::Contains;

TEST_CASE("any IP address may be served at, in one form") {
    const std::pair<std::string_view, std::string_view> forms[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"10.0.0.1", "10.0.0.1"},
        {"::", "::"},
        {"[::]", "::"},
        {"[::1]", "::1"},
        {"0:0::1", "::1"},
        {"2001:DB8::1", "2001:db8::1"},
        {"localhost", "127.0.0.1"},
        {"*", "::"},
        {"::ffff:127.0.0.1", "127.0.0.1"},
    };
    for (const auto& [given, address] : forms) {
        CAPTURE(given);
        CHECK(parsed({"--bind", given}, {}).config.bind == address);
        CHECK(parsed({"--http-bind", given}, {}).config.http_bind == address);
    }
    for (std::string_view wrong :
         {"127.0.0", "127.0.0.1.1", "127.0.0.256", "127.0.0.01", "127.0.0.1 ", "127.0.0.1:80",
          "127.", "relay.example", "[::1", "[127.0.0.1]", "fe80::1%lo", "10.0.0.0/8", "**"}) {
        CAPTURE(wrong);
        for (std::string_view flag : {"--bind", "--http-bind"}) {
            CHECK_THAT(refusal({flag, wrong}, {}), Contains("an IP address, localhost, or *"));
        }
    }
}

TEST_CASE("hosts are a comma list of names, URLs, and names with a port") {
    using Hosts = std::vector<HostAddress>;
    auto hosts = [](std::string_view text) { return parsed({"--hosts", text}, {}).config.hosts; };
    CHECK(hosts("A.Example") == Hosts{{"a.example", 443, true}});
    CHECK(hosts("a.example:443") == Hosts{{"a.example", 443, true}});
    CHECK(hosts("a.example:2583") == Hosts{{"a.example", 2583, false}});
    CHECK(hosts("https://a.example") == Hosts{{"a.example", 443, true}});
    CHECK(hosts("HTTPS://a.example:8443/") == Hosts{{"a.example", 8443, true}});
    CHECK(hosts("wss://a.example:8443") == Hosts{{"a.example", 8443, true}});
    CHECK(hosts("http://A.Example:2583") == Hosts{{"a.example", 2583, false}});
    CHECK(hosts("ws://a.example:2583/") == Hosts{{"a.example", 2583, false}});
    CHECK(hosts("http://a.example") == Hosts{{"a.example", 80, false}});
    CHECK(hosts("http://a.example:443") == Hosts{{"a.example", 443, false}});
    CHECK(hosts("a-b.example:1, 127.0.0.1:2 ,[::1]:3,") ==
          Hosts{{"a-b.example", 1}, {"127.0.0.1", 2}, {"::1", 3}});
    CHECK(hosts("http://[0:0::1],[::2]") == Hosts{{"::1", 80}, {"::2", 443, true}});
    CHECK(hosts("localhost:65535") == Hosts{{"localhost", 65535}});
    CHECK(hosts(" , ").empty());
    CHECK(hosts("a:1,a:2,a").size() == 3);
}

TEST_CASE("a host that cannot be meant is refused by name") {
    const std::pair<std::string_view, std::string_view> refused[] = {
        {"ftp://a.example:1", "scheme"},
        {"://a.example:1", "scheme"},
        {"https:a.example", "no sound port"},
        {"a.example:", "no sound port"},
        {"a.example:0", "no sound port"},
        {"a.example:65536", "no sound port"},
        {"a.example:1x", "no sound port"},
        {"http://a.example:1/path", "no sound port"},
        {"http://a.example/path", "no sound host name"},
        {"http://u:p@a.example:1", "no sound port"},
        {"u@a.example:1", "no sound host name"},
        {":80", "no sound host name"},
        {"http://", "no sound host name"},
        {"-a.example:1", "no sound host name"},
        {"a-.example:1", "no sound host name"},
        {"a.example-:1", "no sound host name"},
        {"a..example:1", "no sound host name"},
        {".a:1", "no sound host name"},
        {"a.:1", "no sound host name"},
        {"a_b:1", "no sound host name"},
        {"1.2.3:1", "no sound host name"},
        {"1.2.3.256:1", "no sound host name"},
        {"[::1:1", "lacks a `]`"},
        {"[::1]x1", "no sound port"},
        {"[]:1", "no sound host name"},
        {"[::g]:1", "no sound host name"},
        {"[abcd]:1", "no sound host name"},
        {"[::1%lo]:1", "no sound host name"},
        {"[127.0.0.1]:1", "no sound host name"},
        {"2130706433", "no sound host name"},
        {"a.example:1,b.example:2,A.example:1", "twice"},
        {"a.example,https://a.example", "twice"},
        {"http://a.example:443,a.example", "twice"},  // a port has one protocol
    };
    for (const auto& [text, reason] : refused) {
        CAPTURE(text);
        std::string message = refusal({"--hosts", text}, {});
        CHECK_THAT(message, Contains(std::string(reason)) && Contains("(flag --hosts)"));
    }
    CHECK_THAT(refusal({"--hosts", std::string(254, 'a') + ":1"}, {}), Contains("no sound host"));
    CHECK(parsed({"--hosts", std::string(253, 'a') + ":1"}, {}).config.hosts.size() == 1);
    std::string many;
    for (int port = 1; port <= 5000; ++port) many += "a:" + std::to_string(port) + ",";
    CHECK(parsed({"--hosts", many}, {}).config.hosts.size() == 5000);
    CHECK_THAT(refusal({"--hosts", many + "a:5001"}, {}), Contains("at most 5000"));
}

TEST_CASE("upstream relays are names and URLs; a name alone is https") {
    using Relays = std::vector<std::string>;
    auto relays = [](std::string_view text) {
        return parsed({"--upstream", text}, {}).config.upstream;
    };
    CHECK(relays("bsky.network") == Relays{"https://bsky.network"});
    CHECK(relays("Relay1.Example, https://b.example/,http://localhost:2470") ==
          Relays{"https://relay1.example", "https://b.example", "http://localhost:2470"});
    const std::pair<std::string_view, std::string_view> refused[] = {
        {"localhost:2470", "has a port but no scheme"},
        {"wss://bsky.network", "no sound address"},
        {"https://bsky.network/xrpc", "no sound address"},
        {"https://", "no sound address"},
        {"a b", "no sound name"},
        {"none,bsky.network:1", "has a port"},
        {"a.example,https://A.example", "twice"},
    };
    for (const auto& [text, why] : refused) {
        CAPTURE(text);
        CHECK_THAT(refusal({"--upstream", text}, {}), Contains(std::string(why)));
    }
    std::string many;
    for (int n = 0; n < 101; ++n) many += "a" + std::to_string(n) + ",";
    CHECK_THAT(refusal({"--upstream", many}, {}), Contains("at most 100"));
    CHECK(relays(many.substr(0, many.size() - 5)).size() == 100);
}

TEST_CASE("no upstream: by the word, by an empty value, and for whoever names hosts") {
    auto upstream = [](const Arguments& arguments, const Environment& environment) {
        return parsed(arguments, environment).config.upstream;
    };
    CHECK(upstream({"--upstream", "none"}, {}).empty());
    CHECK(upstream({"--upstream", "NONE"}, {}).empty());
    CHECK(upstream({"--upstream="}, {}).empty());
    CHECK(upstream({}, {{"RELAY_UPSTREAM", ""}}).empty());
    CHECK(upstream({}, {{"RELAY_UPSTREAM", "none"}}).empty());
    CHECK(upstream({"--upstream", "a.example"}, {{"RELAY_UPSTREAM", ""}}).size() == 1);
    CHECK(upstream({"--hosts", "a:1"}, {}).empty());
    CHECK(upstream({}, {{"RELAY_HOSTS", "a:1"}}).empty());
    CHECK(upstream({}, {{"RELAY_HOSTS", ""}}).size() == 1);
    CHECK(upstream({"--hosts="}, {}).size() == 1);
    CHECK(upstream({"--hosts", "a:1"}, {{"RELAY_UPSTREAM", "b.example"}}).size() == 1);
    CHECK(upstream({"--hosts", "a:1", "--upstream", "b.example"}, {}).size() == 1);
}

TEST_CASE("trusted domains and proxies are lists, each item checked") {
    CHECK(parsed({"--trusted-domains", "*.A.example, b.example"}, {}).config.trusted_domains ==
          std::vector<std::string>{"*.a.example", "b.example"});
    CHECK(parsed({"--trusted-domains", "none"}, {}).config.trusted_domains.empty());
    CHECK(parsed({"--trusted-domains="}, {}).config.trusted_domains.empty());
    for (std::string_view wrong : {"*", "*.", "a.*", "*a.example", "https://a", "a:1", "a..b"}) {
        CAPTURE(wrong);
        CHECK_THAT(refusal({"--trusted-domains", wrong}, {}), Contains("is no sound name"));
    }
    auto proxies = parsed({"--trusted-proxies", "10.0.0.0/8,::1"}, {}).config.trusted_proxies;
    REQUIRE(proxies.size() == 2);
    CHECK(proxies[0].text() == "10.0.0.0/8");
    CHECK(proxies[1].text() == "::1");
    CHECK_THAT(refusal({"--trusted-proxies", "10.0.0.1/8"}, {}),
               Contains("\"10.0.0.1/8\" is none"));
    CHECK_THAT(refusal({"--trusted-proxies", "proxy.example"}, {}), Contains("is none"));
    CHECK_THAT(refusal({"--allow-private-hosts", "http://pds.lan"}, {}), Contains("is no network"));
    std::string many;
    for (int n = 0; n < 5001; ++n) many += "::1,";
    CHECK_THAT(refusal({"--trusted-proxies", many}, {}), Contains("at most 5000"));
    many = "";
    for (int n = 0; n < 5001; ++n) many += "a,";
    CHECK_THAT(refusal({"--trusted-domains", many}, {}), Contains("at most 5000"));
}

TEST_CASE("what other relays say of crawls, private hosts and listeners is understood") {
    auto config = [](std::string_view name, std::string_view value) {
        return parsed({}, {{std::string(name), std::string(value)}}).config;
    };
    for (std::string_view yes : {"true", "1", "YES", "on"}) {
        CHECK(config("RELAY_DISABLE_REQUEST_CRAWL", yes).request_crawl == RequestCrawl::off);
        CHECK(config("RELAY_ALLOW_INSECURE_HOSTS", yes).allow_private_hosts.allows_all());
        CHECK(config("RELAY_REQUEST_CRAWL", yes).request_crawl == RequestCrawl::on);
    }
    for (std::string_view no : {"false", "0", "no", "Off"}) {
        CHECK(config("RELAY_DISABLE_REQUEST_CRAWL", no).request_crawl == RequestCrawl::on);
        CHECK(config("RELAY_ALLOW_INSECURE_HOSTS", no).allow_private_hosts.empty());
        CHECK(config("RELAY_REQUEST_CRAWL", no).request_crawl == RequestCrawl::off);
    }
    CHECK(config("RELAY_DISABLE_REQUEST_CRAWL", "").request_crawl == RequestCrawl::on);
    CHECK_THAT(refusal({}, {{"RELAY_DISABLE_REQUEST_CRAWL", "maybe"}}),
               Contains("RELAY_DISABLE_REQUEST_CRAWL") && Contains("must be true or false"));
    CHECK_THAT(refusal({"--request-crawl", "maybe"}, {}), Contains("must be on or off"));

    CHECK(config("RELAY_API_BIND", ":2470").port == 2470);
    CHECK(config("RELAY_API_BIND", ":2470").bind == "::");
    CHECK(config("RELAY_API_BIND", "10.0.0.1:2470").bind == "10.0.0.1");
    CHECK(config("RELAY_METRICS_LISTEN", "[::1]:2471").http_bind == "::1");
    CHECK(config("RELAY_METRICS_LISTEN", "localhost:2471").http_port == 2471);
    CHECK_THAT(refusal({}, {{"RELAY_API_BIND", "2470"}}), Contains("address:port or :port"));
    CHECK_THAT(refusal({}, {{"RELAY_API_BIND", "relay.example:1"}}),
               Contains("bind") && Contains("(RELAY_API_BIND)"));
    CHECK_THAT(refusal({}, {{"RELAY_API_BIND", ":x"}}), Contains("(RELAY_API_BIND)"));
    CHECK_THAT(refusal({}, {{"RELAY_API_BINDS", ":1"}}), Contains("RELAY_API_BIND?"));
}

TEST_CASE("our own names win over the words of others, and say so when they differ") {
    Invocation invocation = parsed({}, {{"RELAY_DISABLE_REQUEST_CRAWL", "true"},
                                        {"RELAY_REQUEST_CRAWL", "on"},
                                        {"RELAY_API_BIND", "127.0.0.1:9"},
                                        {"RELAY_PORT", "8"},
                                        {"RELAY_BIND", "127.0.0.1"}});
    CHECK(invocation.config.request_crawl == RequestCrawl::on);
    CHECK(invocation.config.port == 8);
    REQUIRE(invocation.warnings.size() == 2);
    CHECK_THAT(invocation.warnings[0], Contains("RELAY_DISABLE_REQUEST_CRAWL is ignored"));
    CHECK_THAT(invocation.warnings[1], Contains("RELAY_API_BIND is ignored"));
    CHECK(parsed({"--port", "7"}, {{"RELAY_API_BIND", ":9"}}).config.port == 7);
}

TEST_CASE("a password is never shown, and never a flag") {
    auto passwords = [](std::string_view text) {
        return parsed({}, {{"RELAY_ADMIN_PASSWORD", std::string(text)}}).config.admin_passwords;
    };
    CHECK(passwords("one, two,") == std::vector<std::string>{"one", "two"});
    CHECK(passwords("a:b=c d") == std::vector<std::string>{"a:b=c d"});
    CHECK(parsed({}, {{"RELAY_ADMIN_KEY", "x"}}).config.admin_passwords.size() == 1);
    for (std::string_view wrong : {"hidden\x01", "hidden\x7f,x"}) {
        std::string text = refusal({}, {{"RELAY_ADMIN_PASSWORD", std::string(wrong)}});
        CHECK_THAT(text, Contains("admin_password: the value (RELAY_ADMIN_PASSWORD)") &&
                             Contains("control characters") && !Contains("hidden"));
    }
    CHECK_THAT(refusal({}, {{"RELAY_ADMIN_PASSWORD", ","}}), Contains("a password, or several"));
    std::string many;
    for (int n = 0; n < 101; ++n) many += "hidden" + std::to_string(n) + ",";
    CHECK_THAT(refusal({}, {{"RELAY_ADMIN_PASSWORD", many}}),
               Contains("at most 100") && !Contains("hidden"));
    CHECK(passwords(many.substr(0, many.size() - 10)).size() == 100);
    Invocation differ =
        parsed({}, {{"RELAY_ADMIN_PASSWORD", "hidden1"}, {"RELAY_ADMIN_KEY", "hidden2"}});
    CHECK(differ.config.admin_passwords == std::vector<std::string>{"hidden1"});
    REQUIRE(differ.warnings.size() == 1);
    CHECK_THAT(differ.warnings[0], !Contains("hidden"));

    for (const Arguments& arguments :
         {Arguments{"--admin-password", "hidden"}, Arguments{"--admin-password=hidden"}}) {
        CHECK_THAT(refusal(arguments, {}), Contains("admin_password has no flag") &&
                                               Contains("RELAY_ADMIN_PASSWORD") &&
                                               !Contains("hidden"));
    }
    CHECK_THAT(refusal({"--=x"}, {}), Contains("is not known"));
    CHECK_THAT(refusal({"=x"}, {}), Contains("unexpected argument"));
}
