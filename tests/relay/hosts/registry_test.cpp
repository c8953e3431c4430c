#include "relay/hosts/registry.hpp"

#include <algorithm>
#include <set>

#include "proto/base/json_writer.hpp"
#include "relay/env/sim/world.hpp"
#include "relay/hosts/discovery.hpp"
#include "tests/support/fake_hosts.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::hosts;
using namespace std::chrono_literals;

namespace {

// Subscriptions that only note what they are told.
struct FakeFleet {
    std::map<std::string, HostOrders> running;
    std::vector<std::string> said;
    std::map<std::string, HostStatus> reports;
    std::function<void()> on_start;  // while it waits for that
    std::function<void()> on_stop;

    HostFleet functions() {
        return {
            .start =
                [this](const base::HostAddress& address, const HostOrders& orders) {
                    running.insert_or_assign(host_name(address), orders);
                    said.push_back("start " + host_name(address));
                    if (on_start) on_start();
                },
            .stop =
                [this](const std::vector<std::string>& names) {
                    if (on_stop) on_stop();
                    for (const std::string& name : names) {
                        running.erase(name);
                        said.push_back("stop " + name);
                    }
                },
            .change =
                [this](std::string_view name, const HostOrders& orders) {
                    running.insert_or_assign(std::string(name), orders);
                    said.push_back("change " + std::string(name));
                },
            .wake =
                [this](std::string_view name, Waker waker) {
                    const bool is_operator = waker == Waker::its_operator;
                    said.push_back((is_operator ? "operator wakes " : "wake ") + std::string(name));
                },
            .set_accounts =
                [this](std::string_view name, std::uint64_t count) {
                    said.push_back(std::string(name) + " has " + std::to_string(count));
                },
            .reset_cursor =
                [this](std::string_view name, std::optional<std::uint64_t> cursor) {
                    said.push_back(std::string(name) + " from " +
                                   (cursor ? std::to_string(*cursor) : "now"));
                },
            .statuses =
                [this] {
                    std::vector<HostStatus> all;
                    for (const auto& [name, report] : reports) all.push_back(report);
                    return all;
                }};
    }
    std::set<std::string> names() const {
        std::set<std::string> all;
        for (const auto& [name, orders] : running) all.insert(name);
        return all;
    }
};

// One life of a registry over a directory that stays.
struct Life {
    Life(support::TestWorld& world, RegistryOptions options)
        : metrics(world.worker_count()), logger(base::LogLevel::error, base::LogFormat::text) {
        options.data_dir = world.directory().path();
        // The tests look themselves.
        if (options.poll_interval == RegistryOptions().poll_interval) options.poll_interval = 1h;
        registry.emplace(world.env(), logger, metrics, fleet.functions(), std::move(options));
        auto opened = registry->open();
        REQUIRE(opened);
        registry->start();
    }
    ~Life() { registry->stop(); }

    std::expected<bool, Refusal> offer(std::string_view name, HostSource source,
                                       std::optional<Address> from = std::nullopt) {
        auto address = Registry::parse_hostname(name);
        REQUIRE(address);
        return registry->offer(*address, source, from);
    }

    FakeFleet fleet;
    base::Metrics metrics;
    base::Logger logger;
    std::optional<Registry> registry;
};

RegistryOptions options_with(std::vector<base::HostAddress> settings = {}) {
    RegistryOptions options;
    options.settings = std::move(settings);
    options.trusted_domains = {"*.trusted.example"};
    return options;
}

using Names = std::set<std::string>;

#define TEST_IN_SIMULATION(name)                       \
    RINGLAY_TEST_ON(INTERNAL_CATCH_UNIQUE_NAME(body_), \
                    ([](auto body) { support::in_simulation({1}, body); }), name)

// In words, why something was refused.
std::string why(const std::expected<bool, Refusal>& answer) {
    if (answer) return *answer ? "known" : "added";
    constexpr std::string_view words[] = {"invalid", "private", "banned",  "quota",
                                          "domain",  "full",    "unknown", "disk"};
    return std::string(words[static_cast<std::size_t>(answer.error().why)]);
}

HostStatus connected(std::string name) {
    HostStatus status;
    status.name = std::move(name);
    status.phase = HostPhase::connected;
    return status;
}

}  // namespace

TEST_ON_BOTH_KERNELS("hosts, bans and limits are there again after a restart, under their ids") {
    std::uint64_t id = 0;
    {
        Life life(world, options_with());
        CHECK(life.offer("a.example", HostSource::crawl).value() == false);
        CHECK(life.offer("b.example", HostSource::upstream).value() == false);
        CHECK(life.offer("c.bad.example", HostSource::admin).value() == false);
        CHECK(life.registry->ban("*.bad.example", "spam").value() == 1);
        CHECK(life.registry->change_limits(
            "a.example",
            {.events_per_second = 5, .bytes_per_second = {}, .new_accounts_per_hour = {}}));
        id = life.registry->view("b.example")->id;
    }
    Life life(world, options_with());
    CHECK(life.fleet.names() == Names{"a.example", "b.example"});
    CHECK(life.fleet.running["a.example"].limits.events_per_second == 5);
    CHECK_FALSE(life.fleet.running["a.example"].is_operators);
    CHECK_FALSE(life.fleet.running["b.example"].is_operators);
    CHECK(life.fleet.running["b.example"].begins_live);
    CHECK_FALSE(life.fleet.running["a.example"].begins_live);
    CHECK(life.registry->view("b.example")->id == id);
    CHECK(life.registry->view("c.bad.example")->row.state == HostState::banned);
    CHECK(life.registry->view("c.bad.example")->row.ban_reason == "spam");
    auto late = life.offer("d.bad.example", HostSource::crawl);
    REQUIRE_FALSE(late);
    CHECK(late.error().why == Refusal::Why::banned);
    CHECK(late.error().words.contains("spam"));
}

TEST_ON_BOTH_KERNELS("hosts of the settings come and go with them; others stay") {
    const base::HostAddress local{"localhost", 2583, false};
    {
        Life life(world, options_with({local}));
        CHECK(life.fleet.names() == Names{"localhost:2583"});
        CHECK(life.offer("a.example", HostSource::crawl).has_value());
    }
    const base::HostAddress moved{"localhost", 2583, true};
    {
        Life life(world, options_with({moved}));
        CHECK(life.fleet.names() == Names{"a.example", "localhost:2583"});
        CHECK(life.registry->view("localhost:2583")->row.address.is_tls);
    }
    Life life(world, options_with());
    CHECK(life.fleet.names() == Names{"a.example"});
}

TEST_ON_BOTH_KERNELS("a host that is known is dialled soon, and stays as it is") {
    Life life(world, options_with());
    CHECK(life.offer("a.example", HostSource::upstream).value() == false);
    CHECK(life.offer("a.example", HostSource::crawl).value() == true);
    CHECK(life.offer("a.example", HostSource::admin).value() == true);
    CHECK(life.fleet.said == std::vector<std::string>{"start a.example", "wake a.example",
                                                      "operator wakes a.example"});
    CHECK(life.registry->view("a.example")->row.source == HostSource::upstream);
}

TEST_ON_BOTH_KERNELS("private hosts come from the operator alone") {
    RegistryOptions options = options_with();
    options.private_hosts = base::PrivateHosts::parse("localhost:*,10.0.0.0/8").value();
    Life life(world, options);
    auto why = [&](std::string_view name, HostSource source) {
        auto offered = life.offer(name, source);
        return offered                                           ? std::string("taken")
               : offered.error().why == Refusal::Why::is_private ? std::string("private")
                                                                 : offered.error().words;
    };
    CHECK(why("localhost:2583", HostSource::crawl) == "private");
    CHECK(why("10.1.2.3:80", HostSource::crawl) == "private");
    CHECK(why("http://pds.example", HostSource::crawl) == "private");
    CHECK(why("https://10.1.2.3", HostSource::crawl) == "private");
    CHECK(why("https://pds", HostSource::crawl) == "private");
    CHECK(why("localhost:2583", HostSource::upstream) == "taken");
    CHECK(why("10.1.2.3:80", HostSource::admin) == "taken");
    CHECK(why("http://192.168.1.1", HostSource::admin) == "private");
    CHECK(why("8.8.8.8:80", HostSource::upstream) == "private");  // plain text over the internet
    CHECK(why("https://8.8.8.8", HostSource::upstream) == "taken");

    RegistryOptions all = options_with();
    all.private_hosts = base::PrivateHosts::parse("all").value();
    Life open(world, all);
    CHECK(open.offer("localhost:2600", HostSource::crawl).has_value());
}

TEST_ON_BOTH_KERNELS("what strangers add is counted; a full registry takes nothing") {
    RegistryOptions options = options_with();
    options.new_hosts_per_day = 2;
    options.max_hosts = 4;
    Life life(world, options);
    CHECK(life.offer("a.one.com", HostSource::crawl).has_value());
    CHECK(life.offer("a.two.com", HostSource::crawl).has_value());
    auto third = life.offer("a.three.com", HostSource::crawl);
    REQUIRE_FALSE(third);
    CHECK(third.error().why == Refusal::Why::quota);
    CHECK(life.offer("a.three.com", HostSource::upstream).has_value());
    CHECK(life.offer("a.four.com", HostSource::admin).has_value());
    auto fifth = life.offer("a.five.com", HostSource::admin);
    REQUIRE_FALSE(fifth);
    CHECK(fifth.error().why == Refusal::Why::full);
    CHECK(life.fleet.running.size() == 4);
}

TEST_ON_BOTH_KERNELS("a ban stops what is there, and what is lifted begins again") {
    Life life(world, options_with());
    for (std::string_view name : {"a.evil.com", "b.evil.com", "evil.com", "notevil.com"}) {
        CHECK(life.offer(name, HostSource::admin).has_value());
    }
    CHECK(life.registry->ban("*.evil.com", "spam").value() == 2);
    CHECK(life.fleet.names() == Names{"evil.com", "notevil.com"});
    CHECK(life.registry->ban("evil.com", "too").value() == 1);
    CHECK(life.registry->ban_of("evil.com") == "too");
    CHECK(life.registry->ban_of("x.y.evil.com") == "spam");
    CHECK(life.registry->ban_of("x.evil.com:8443") == "spam");
    CHECK_FALSE(life.registry->ban_of("notevil.com"));
    CHECK(life.registry->unban("*.evil.com").value() == 2);
    CHECK(life.fleet.names() == Names{"a.evil.com", "b.evil.com", "notevil.com"});
    CHECK(life.registry->view("a.evil.com")->row.state == HostState::pending);
    auto again = life.registry->unban("*.evil.com");
    REQUIRE_FALSE(again);
    CHECK(again.error().why == Refusal::Why::unknown);
}

TEST_ON_BOTH_KERNELS("orders reach the host; of one that is not known they are refused") {
    Life life(world, options_with());
    CHECK(life.offer("a.trusted.example", HostSource::crawl).has_value());
    CHECK(life.offer("a.example", HostSource::crawl).has_value());
    CHECK(life.fleet.running["a.trusted.example"].is_trusted);
    CHECK_FALSE(life.fleet.running["a.example"].is_trusted);
    HostLimits limits;
    limits.bytes_per_second = 77;
    CHECK(life.registry->change_limits("a.example", limits));
    CHECK(life.fleet.running["a.example"].limits == limits);
    CHECK(life.registry->reset_cursor("a.example", 12));
    CHECK(life.registry->reset_cursor("a.example", std::nullopt));
    life.registry->set_accounts({{"a.example", 3}, {"nobody.example", 9}});
    const std::vector<std::string> last(life.fleet.said.end() - 3, life.fleet.said.end());
    CHECK(last ==
          std::vector<std::string>{"a.example from 12", "a.example from now", "a.example has 3"});
    CHECK_FALSE(life.registry->change_limits("nobody.example", limits));
    CHECK_FALSE(life.registry->reset_cursor("nobody.example", 1));
    CHECK(life.registry->ban("a.example", "spam"));
    const auto refused = life.registry->reset_cursor("a.example", 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().why == Refusal::Why::banned);
}

TEST_ON_BOTH_KERNELS("what a stranger announced stays out of private networks, also later") {
    RegistryOptions options = options_with();
    auto allowed = base::PrivateHosts::parse("10.0.0.0/8,mine.example:*");
    REQUIRE(allowed);
    options.private_hosts = *allowed;
    Life life(world, options);
    CHECK(life.offer("a.example", HostSource::crawl).has_value());
    CHECK(life.offer("mine.example", HostSource::crawl).has_value());
    CHECK(life.offer("b.example", HostSource::admin).has_value());
    CHECK(life.offer("c.example", HostSource::upstream).has_value());
    CHECK(life.fleet.running["a.example"].is_strangers);
    CHECK(life.fleet.running["b.example"].is_operators);
    CHECK_FALSE(life.fleet.running["mine.example"].is_strangers);
    CHECK_FALSE(life.fleet.running["b.example"].is_strangers);
    CHECK_FALSE(life.fleet.running["c.example"].is_strangers);
}

TEST_ON_BOTH_KERNELS("what is shown of all hosts is made once, and anew after any change") {
    Life life(world, options_with());
    CHECK(life.offer("a.example", HostSource::admin).has_value());
    CHECK(life.registry->totals().hosts == 1);
    CHECK(life.registry->totals().pending == 1);
    const auto first = life.registry->views();
    CHECK(life.registry->views() == first);
    CHECK(life.offer("b.example", HostSource::admin).has_value());
    const auto second = life.registry->views();
    CHECK(first->size() == 1);
    REQUIRE(second->size() == 2);
    HostLimits limits;
    limits.events_per_second = 7;
    CHECK(life.registry->change_limits("b.example", limits));
    CHECK(life.registry->views()->at(1).row.limits == limits);
    CHECK(life.registry->ban("b.example", "spam"));
    CHECK(life.registry->views()->at(1).row.state == HostState::banned);
    CHECK(life.registry->bans().at("b.example") == "spam");
    CHECK(life.registry->unban("b.example"));
    CHECK(life.registry->views()->at(1).row.state == HostState::pending);
    CHECK(life.registry->bans().empty());
}

TEST_ON_BOTH_KERNELS("states follow what the subscriptions report") {
    Life life(world, options_with());
    for (std::string_view name : {"a.example", "b.example", "c.example"}) {
        CHECK(life.offer(name, HostSource::upstream).has_value());
    }
    HostStatus up;
    up.name = "a.example";
    up.phase = HostPhase::connected;
    up.connected_since = up.last_event = world.env().clock.wall();
    HostStatus bad = up;
    bad.name = "b.example";
    bad.is_quarantined = true;
    HostStatus down;
    down.name = "c.example";
    down.phase = HostPhase::waiting;
    down.failure = "connect: refused";
    life.fleet.reports = {{"a", up}, {"b", bad}, {"c", down}};
    static_cast<void>(fiber::sleep_for(1100ms));
    const auto views = life.registry->views();
    REQUIRE(views->size() == 3);
    CHECK(std::ranges::is_sorted(*views, {}, &HostView::id));
    CHECK(views->at(0).row.state == HostState::active);
    CHECK(views->at(1).row.state == HostState::quarantined);
    CHECK(views->at(2).row.state == HostState::pending);
    CHECK(views->at(2).row.failure == "connect: refused");
    const Registry::Totals totals = life.registry->totals();
    CHECK(totals.hosts == 3);
    CHECK(totals.connected == 2);
    CHECK(totals.quarantined == 1);
    CHECK(totals.pending == 1);
    life.fleet.reports["a"].phase = HostPhase::waiting;
    static_cast<void>(fiber::sleep_for(1100ms));
    CHECK(life.registry->view("a.example")->row.state == HostState::offline);
}

TEST_ON_BOTH_KERNELS(
    "at most max_hosts are dialled: the operator's own first, then those reached last") {
    const base::HostAddress settings{"settings.example", 443, true};
    {
        Life life(world, options_with({settings}));
        for (std::string_view name : {"never.example", "long-ago.example", "lately.example"}) {
            CHECK(life.offer(name, HostSource::upstream).has_value());
        }
        CHECK(life.offer("admin.example", HostSource::admin).has_value());
        for (std::string name : {"long-ago.example", "lately.example"}) {
            life.fleet.reports = {{name, connected(name)}};
            static_cast<void>(fiber::sleep_for(1100ms));
            life.registry->views();
        }
    }
    RegistryOptions options = options_with({settings});
    options.max_hosts = 3;
    options.poll_interval = 5ms;
    Life life(world, options);
    CHECK(life.fleet.names() == Names{"settings.example", "admin.example", "lately.example"});
    const HostView out = life.registry->view("long-ago.example").value();
    CHECK(out.row.failure == "not dialled: max_hosts");
    CHECK(out.row.state == HostState::offline);
    CHECK(life.registry->view("never.example")->row.state == HostState::pending);
    auto offered = life.offer("long-ago.example", HostSource::crawl);
    REQUIRE_FALSE(offered);
    CHECK(offered.error().why == Refusal::Why::full);
    CHECK(offered.error().words.contains("dials no more hosts"));

    // A ban makes room; so does not what is lifted while there is none.
    CHECK(life.registry->ban("lately.example", "spam").value() == 1);
    for (int i = 0; i < 1000 && life.fleet.running.size() < 3; ++i) {
        static_cast<void>(fiber::sleep_for(5ms));
    }
    CHECK(life.fleet.names() == Names{"settings.example", "admin.example", "long-ago.example"});
    CHECK(life.registry->unban("lately.example").value() == 1);
    CHECK(life.fleet.running.size() == 3);
    CHECK(life.registry->view("lately.example")->row.failure == "not dialled: max_hosts");
}

TEST_ON_BOTH_KERNELS("a host that was blocked comes back with the accounts it had") {
    Life life(world, options_with());
    CHECK(life.offer("a.example", HostSource::crawl).has_value());
    CHECK(life.offer("b.example", HostSource::crawl).has_value());
    life.registry->set_accounts({{"a.example", 1000}, {"b.example", 2000}});
    HostStatus more;
    more.name = "a.example";
    more.accounts = 1200;
    life.fleet.reports = {{"a.example", more}};
    static_cast<void>(fiber::sleep_for(1100ms));
    life.registry->views();
    for (std::string_view name : {"a.example", "b.example"}) {
        CHECK(life.registry->ban(name, "").value() == 1);
        life.fleet.said.clear();
        CHECK(life.registry->unban(name).value() == 1);
        REQUIRE(life.fleet.said.size() == 2);
        CHECK(life.fleet.said[0] == "start " + std::string(name));
        CHECK(life.fleet.said[1] ==
              std::string(name) + (name == "a.example" ? " has 1200" : " has 2000"));
    }
}

TEST_ON_BOTH_KERNELS("bans that overlap leave running exactly what no ban hits") {
    const Names all{"a.evil.com", "b.evil.com", "c.evil.com"};
    Life life(world, options_with());
    for (const std::string& name : all) CHECK(life.offer(name, HostSource::admin).has_value());
    // Another request that comes while the fleet is waited for.
    fiber::TaskGroup others;
    auto meanwhile = [&](std::function<void()>& hook, std::function<void()> request) {
        hook = [&others, request, is_first = true]() mutable {
            if (!std::exchange(is_first, false)) return;
            others.spawn("asks meanwhile", request);
            static_cast<void>(fiber::sleep_for(20ms));
        };
    };
    auto finish = [&] {
        while (others.size() > 0) static_cast<void>(fiber::sleep_for(1ms));
    };
    Registry& registry = *life.registry;
    meanwhile(life.fleet.on_stop, [&] { CHECK(registry.unban("*.evil.com").value() == 3); });
    CHECK(registry.ban("*.evil.com", "spam").value() == 3);
    finish();
    CHECK(life.fleet.names() == all);
    for (const std::string& name : all) {
        CHECK(registry.view(name)->row.state == HostState::pending);
        CHECK(registry.view(name)->row.ban_reason == "");
    }

    CHECK(registry.ban("*.evil.com", "spam").value() == 3);
    meanwhile(life.fleet.on_start, [&] { CHECK(registry.ban("b.evil.com", "").value() == 1); });
    CHECK(registry.unban("*.evil.com").value() == 3);
    finish();
    CHECK(life.fleet.names() == Names{"a.evil.com", "c.evil.com"});

    meanwhile(life.fleet.on_stop, [&] { CHECK(registry.unban("b.evil.com").value() == 0); });
    CHECK(registry.ban("*.evil.com", "again").value() == 2);
    finish();
    CHECK(life.fleet.names().empty());
    CHECK(registry.view("b.evil.com")->row.state == HostState::banned);
}

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

TEST_ON_BOTH_KERNELS("the administration may say that a known host is reached otherwise") {
    RegistryOptions options = options_with({{"localhost", 2583, false}});
    options.private_hosts = base::PrivateHosts::parse("localhost:*,pds.lan:*").value();
    {
        Life life(world, options);
        CHECK(why(life.offer("http://pds.lan:2600", HostSource::admin)) == "added");
        life.fleet.said.clear();
        CHECK(why(life.offer("https://pds.lan:2600", HostSource::crawl)) == "known");
        CHECK_FALSE(life.registry->view("pds.lan:2600")->row.address.is_tls);
        CHECK(life.fleet.said == std::vector<std::string>{"wake pds.lan:2600"});
        CHECK(why(life.offer("https://pds.lan:2600", HostSource::admin)) == "known");
        CHECK(life.registry->view("pds.lan:2600")->row.address.is_tls);
        CHECK(life.fleet.said == std::vector<std::string>{"wake pds.lan:2600", "stop pds.lan:2600",
                                                          "start pds.lan:2600",
                                                          "operator wakes pds.lan:2600"});
        auto of_settings = life.offer("https://localhost:2583", HostSource::admin);
        REQUIRE_FALSE(of_settings);
        CHECK(of_settings.error().words.contains("RELAY_HOSTS"));
        CHECK(why(life.offer("https://public.example:2600", HostSource::admin)) == "added");
        CHECK(why(life.offer("http://public.example:2600", HostSource::admin)) == "private");
        CHECK(life.registry->view("public.example:2600")->row.address.is_tls);
    }
    Life life(world, options);
    CHECK(life.registry->view("pds.lan:2600")->row.address.is_tls);
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
