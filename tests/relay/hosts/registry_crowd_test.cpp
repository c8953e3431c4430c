// How many hosts the table takes, and of whom.
#include "proto/base/json_writer.hpp"
#include "relay/hosts/discovery.hpp"
#include "tests/relay/hosts/registry_rig.hpp"
#include "tests/support/fake_hosts.hpp"

using namespace ringlay;
using namespace ringlay::hosts;
using namespace std::chrono_literals;

TEST_ON_BOTH_KERNELS("whoever has a domain or a network may have so many hosts in the table") {
    RegistryOptions options = options_with();
    options.max_hosts_of_holder = 2;
    options.private_hosts = base::PrivateHosts::parse("*.mine.com,10.0.0.0/8").value();
    {
        Life life(world, options);
        auto offer = [&](std::string_view name, HostSource source = HostSource::upstream) {
            return why(life.offer(name, source));
        };
        CHECK(offer("a.evil.com") == "added");
        CHECK(offer("b.x.evil.com", HostSource::crawl) == "added");
        CHECK(offer("c.evil.com") == "domain");
        CHECK(offer("d.evil.com", HostSource::crawl) == "domain");
        CHECK(offer("e.evil.com", HostSource::admin) == "added");
        CHECK(offer("a.good.com") == "added");
        for (std::string_view name : {"https://8.8.8.8", "https://8.8.8.9", "https://8.8.9.9",
                                      "https://[2600::1]", "https://[2600::2]"}) {
            CHECK(offer(name) == "added");
        }
        CHECK(offer("https://8.8.8.10") == "domain");
        CHECK(offer("https://[2600::3]") == "domain");
        CHECK(offer("https://[2600:0:0:1::3]") == "added");
        for (int i = 0; i < 3; ++i) {
            const std::string number = std::to_string(i);
            CHECK(offer("h" + number + ".trusted.example") == "added");
            CHECK(offer("h" + number + ".mine.com") == "added");
            CHECK(offer("https://10.0.0." + number) == "added");
        }
        CHECK(life.metrics.expose().contains("relay_new_host_refusals_total{why=\"domain\"} 4\n"));
    }
    // After a restart, too; and what is removed makes room.
    Life life(world, options);
    CHECK(why(life.offer("c.evil.com", HostSource::upstream)) == "domain");
    CHECK(life.registry->remove("a.evil.com"));
    CHECK(why(life.offer("c.evil.com", HostSource::upstream)) == "added");
    CHECK(why(life.offer("d.evil.com", HostSource::upstream)) == "domain");
}

TEST_ON_BOTH_KERNELS("one domain in a list of another relay does not fill the table") {
    RegistryOptions options = options_with();
    options.max_hosts = 100;
    options.max_hosts_of_holder = 10;
    Life life(world, options);
    JsonWriter json;
    json.begin_object().key("hosts").begin_array();
    for (int i = 0; i < 500; ++i) {
        json.begin_object()
            .key("hostname")
            .text("h" + std::to_string(i) + ".evil.com")
            .end_object();
    }
    json.begin_object().key("hostname").text("pds.good.com").end_object();
    json.end_array().end_object();
    support::FakeServers servers;
    servers.otherwise = {.body = json.take(), .server = "", .failure = ""};
    Discovery discovery(world.env(), life.logger, life.metrics, book_of(*life.registry),
                        servers.fetch(), {.upstreams = {"https://up.example"}});
    discovery.start();
    while (discovery.status().front().last_success.count() == 0) {
        static_cast<void>(fiber::sleep_for(1ms));
    }
    CHECK(discovery.status().front().added == 11);
    CHECK(discovery.status().front().rejected == 490);
    CHECK(life.fleet.running.size() == 11);
    CHECK(life.fleet.running.contains("pds.good.com"));
    discovery.stop();
}

TEST_ON_BOTH_KERNELS("many hosts are offered together, and answered in their order") {
    auto offer = [](Life& life, const std::vector<std::string>& names) {
        std::vector<base::HostAddress> addresses;
        for (const auto& name : names) {
            addresses.push_back(Registry::parse_hostname(name).value());
        }
        std::vector<std::string> words;
        for (const auto& answer : life.registry->offer_all(addresses, HostSource::upstream)) {
            words.push_back(why(answer));
        }
        return words;
    };
    using Words = std::vector<std::string>;
    {
        Life life(world, options_with());
        CHECK(life.offer("known.example", HostSource::upstream).has_value());
        CHECK(life.registry->ban("bad.example", "").has_value());
        CHECK(offer(life, {"a.example", "known.example", "bad.example", "http://b.example",
                           "c.example", "a.example"}) ==
              Words{"added", "known", "banned", "private", "added", "known"});
        CHECK(life.fleet.names() == Names{"a.example", "c.example", "known.example"});
        CHECK(life.registry->view("c.example")->row.source == HostSource::upstream);
        CHECK(life.registry->totals().hosts == 3);
    }
    RegistryOptions few = options_with();
    few.max_hosts = 4;
    Life life(world, few);
    CHECK(life.fleet.names() == Names{"a.example", "c.example", "known.example"});
    CHECK(offer(life, {"d.example", "e.example", "f.example"}) == Words{"added", "full"});
    CHECK(life.fleet.names() == Names{"a.example", "c.example", "d.example", "known.example"});
}

TEST_ON_BOTH_KERNELS(
    "a host that is removed is gone after a restart, too; not one of the settings") {
    const base::HostAddress settings{"localhost", 2583, false};
    {
        Life life(world, options_with({settings}));
        CHECK(life.offer("a.example", HostSource::admin).has_value());
        CHECK(life.offer("b.example", HostSource::crawl).has_value());
        CHECK(life.registry->remove("a.example"));
        CHECK(life.fleet.names() == Names{"b.example", "localhost:2583"});
        CHECK_FALSE(life.registry->view("a.example"));
        CHECK(life.registry->totals().hosts == 2);
        auto again = life.registry->remove("a.example");
        REQUIRE_FALSE(again);
        CHECK(again.error().why == Refusal::Why::unknown);
        auto of_settings = life.registry->remove("localhost:2583");
        REQUIRE_FALSE(of_settings);
        CHECK(of_settings.error().why == Refusal::Why::invalid);
        CHECK(of_settings.error().words.contains("RELAY_HOSTS"));
        CHECK(life.metrics.expose().contains("relay_hosts_forgotten_total{why=\"admin\"} 1\n"));
    }
    Life life(world, options_with({settings}));
    CHECK(life.fleet.names() == Names{"b.example", "localhost:2583"});
    CHECK(why(life.offer("a.example", HostSource::crawl)) == "added");
}

// Hours instead of days.
RegistryOptions forgetful(std::vector<base::HostAddress> settings = {}) {
    RegistryOptions options = options_with(std::move(settings));
    CHECK(options.forgotten_after == 30 * 24h);
    CHECK(options.tried_for == 1h);
    options.forgotten_after = 2h;
    options.tried_for = 30min;
    options.poll_interval = 5min;
    return options;
}

TEST_IN_SIMULATION("a candidate that was never reached is forgotten after a while") {
    Life life(world, forgetful({{"settings.example", 443, true}}));
    for (auto [name, source] : {std::pair{"crawl.example", HostSource::crawl},
                                {"listed.example", HostSource::upstream},
                                {"reached.example", HostSource::upstream},
                                {"banned.example", HostSource::crawl},
                                {"admin.example", HostSource::admin}}) {
        CHECK(life.offer(name, source).has_value());
    }
    CHECK(life.registry->ban("banned.example", "spam").has_value());
    const Names all = life.fleet.names();
    // Nobody at all is reached: that says nothing about these.
    static_cast<void>(fiber::sleep_for(150min));
    CHECK(life.fleet.names() == all);
    life.fleet.reports = {{"reached.example", connected("reached.example")}};
    static_cast<void>(fiber::sleep_for(20min));
    life.fleet.reports.clear();
    static_cast<void>(fiber::sleep_for(20min));
    CHECK(life.fleet.names() == Names{"admin.example", "reached.example", "settings.example"});
    CHECK(life.registry->view("banned.example")->row.state == HostState::banned);
    CHECK(life.metrics.expose().contains("relay_hosts_forgotten_total{why=\"unreached\"} 2\n"));
    CHECK(why(life.offer("crawl.example", HostSource::crawl)) == "added");
}

TEST_IN_SIMULATION("whom the operator names later is his, and is not forgotten") {
    {
        Life life(world, forgetful());
        for (std::string_view name : {"a.example", "b.example", "c.example"}) {
            CHECK(life.offer(name, HostSource::crawl).has_value());
        }
        CHECK_FALSE(life.fleet.running.at("a.example").is_operators);
        CHECK(why(life.offer("a.example", HostSource::admin)) == "known");
        CHECK(life.fleet.running.at("a.example").is_operators);
        CHECK_FALSE(life.fleet.running.at("a.example").is_strangers);
    }
    Life life(world, forgetful({{"b.example", 443, true}}));
    CHECK(life.registry->view("a.example")->row.source == HostSource::admin);
    CHECK(life.fleet.running.at("b.example").is_operators);
    CHECK(life.offer("reached.example", HostSource::upstream).has_value());
    life.fleet.reports = {{"reached.example", connected("reached.example")}};
    static_cast<void>(fiber::sleep_for(180min));
    CHECK(life.fleet.names() == Names{"a.example", "b.example", "reached.example"});
}

TEST_IN_SIMULATION("what was named lately, or not yet tried again after a long pause, is kept") {
    RegistryOptions options = forgetful();
    {
        Life life(world, options);
        CHECK(life.offer("old.example", HostSource::crawl).has_value());
        CHECK(life.offer("reached.example", HostSource::crawl).has_value());
        life.fleet.reports = {{"reached.example", connected("reached.example")}};
        static_cast<void>(fiber::sleep_for(110min));
        CHECK(life.fleet.names() == Names{"old.example", "reached.example"});
    }
    static_cast<void>(fiber::sleep_for(20min));
    Life life(world, options);
    life.fleet.reports = {{"reached.example", connected("reached.example")}};
    static_cast<void>(fiber::sleep_for(25min));
    CHECK(life.fleet.names() == Names{"old.example", "reached.example"});
    static_cast<void>(fiber::sleep_for(20min));
    CHECK(life.fleet.names() == Names{"reached.example"});
}

TEST_ON_BOTH_KERNELS("what strangers add is counted by domain and by who asks") {
    RegistryOptions options = options_with();
    options.new_hosts_per_domain_per_day = 2;
    options.new_hosts_per_address_per_day = 3;
    Life life(world, options);
    const Address one = Address::v4(198, 51, 100, 7, 40000);
    const Address other = Address::v4(198, 51, 100, 8, 40000);
    auto words = [&](std::string_view name, const Address& from) {
        auto offered = life.offer(name, HostSource::crawl, from);
        return offered ? "" : offered.error().words;
    };
    CHECK(words("a.evil.com", one) == "");
    CHECK(words("b.evil.com", other) == "");
    CHECK(words("c.evil.com", other) == "too many new hosts of evil.com today");
    CHECK(words("a.one.com", one) == "");
    CHECK(words("a.two.com", one) == "");
    CHECK(words("a.three.com", one) == "too many new hosts from your address today");
    CHECK(words("a.three.com", other) == "");
    CHECK(life.registry->view("a.three.com")->row.added_from == "198.51.100.8");
    CHECK(life.metrics.expose().contains("relay_new_host_refusals_total{why=\"quota\"} 2\n"));
}

TEST_IN_SIMULATION("what a full disk does not take has not happened") {
    RegistryOptions options = options_with();
    options.max_hosts_of_holder = 2;
    Life life(world, options);
    CHECK(why(life.offer("a.evil.com", HostSource::upstream)) == "added");
    auto& disk = dynamic_cast<env::World&>(world.runtime()).machine("local").disk();
    disk.set_capacity(0);
    std::vector<base::HostAddress> addresses;
    for (std::string_view name : {"b.evil.com", "a.evil.com", "c.evil.com"}) {
        addresses.push_back(Registry::parse_hostname(name).value());
    }
    std::vector<std::string> words;
    for (const auto& answer : life.registry->offer_all(addresses, HostSource::upstream)) {
        words.push_back(why(answer));
    }
    CHECK(words == std::vector<std::string>{"disk", "known", "domain"});
    auto removed = life.registry->remove("a.evil.com");
    REQUIRE_FALSE(removed);
    CHECK(removed.error().why == Refusal::Why::disk);
    CHECK(life.fleet.names() == Names{"a.evil.com"});
    CHECK(life.registry->view("a.evil.com"));
    CHECK_FALSE(life.registry->view("b.evil.com"));

    disk.set_capacity(1 << 30);
    CHECK(why(life.offer("b.evil.com", HostSource::upstream)) == "added");
    CHECK(why(life.offer("c.evil.com", HostSource::upstream)) == "domain");
}
