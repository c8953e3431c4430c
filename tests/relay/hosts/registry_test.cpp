#include "relay/hosts/registry.hpp"

#include "tests/relay/hosts/registry_rig.hpp"

using namespace ringlay;
using namespace ringlay::hosts;
using namespace std::chrono_literals;

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

TEST_ON_BOTH_KERNELS(
    "a host that is known is dialled soon; whom the operator names is his from then on") {
    Life life(world, options_with());
    CHECK(life.offer("a.example", HostSource::upstream).value() == false);
    CHECK(life.offer("a.example", HostSource::crawl).value() == true);
    CHECK(life.registry->view("a.example")->row.source == HostSource::upstream);
    CHECK(life.offer("a.example", HostSource::admin).value() == true);
    CHECK(life.fleet.said == std::vector<std::string>{"start a.example", "wake a.example",
                                                      "change a.example",
                                                      "operator wakes a.example"});
    CHECK(life.registry->view("a.example")->row.source == HostSource::admin);
    CHECK(life.offer("a.example", HostSource::crawl).value() == true);
    CHECK(life.registry->view("a.example")->row.source == HostSource::admin);
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
        CHECK(life.fleet.said == std::vector<std::string>{
                                     "wake pds.lan:2600", "stop pds.lan:2600", "start pds.lan:2600",
                                     "change pds.lan:2600", "operator wakes pds.lan:2600"});
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
