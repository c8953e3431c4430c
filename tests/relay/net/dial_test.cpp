#include "relay/net/dial.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "relay/env/sim/world.hpp"
#include "relay/net/connect_race.hpp"
#include "relay/net/http_client.hpp"
#include "tests/support/worlds.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::net;
using env::Machine;
using env::World;

namespace {

Address ip(std::string_view literal, std::uint16_t port = 80) {
    return Address::parse(literal, port).value();
}

// A machine that dials, and others that count who comes; latencies are 1 ms.
class Town {
  public:
    explicit Town(Nanos latency = 1ms) : world_(options(latency)), own_(world_.machine("own")) {}

    // Takes connections on every port of `ports`, keeps them until they end, answers with `text`.
    Machine& add(const std::string& name, std::vector<std::string> addresses,
                 std::vector<std::uint16_t> ports = {80}, std::string text = "") {
        Machine& machine = world_.machine(name);
        for (const std::string& one : addresses) world_.net().add_address(machine, ip(one));
        for (std::uint16_t port : ports) {
            machine.start_worker({.name = name},
                                 [this, name, port, text] { serve(name, port, text); });
        }
        others_.push_back(&machine);
        return machine;
    }
    // Nothing that is sent to it arrives.
    void add_hole(const std::string& name, std::vector<std::string> addresses) {
        world_.net().partition(own_, add(name, std::move(addresses)));
    }

    void run(std::function<void()> body) {
        own_.start_worker({.name = "own"}, [this, body = std::move(body)] {
            REQUIRE(fiber::sleep_for(10ms).has_value());  // all listen
            body();
            world_.net().heal_all();
            for (Machine* machine : others_) machine->stop();
        });
        auto stuck = world_.run();
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        REQUIRE(world_.net().open_sockets() == 0);
    }

    World& world() { return world_; }
    env::Env env;
    std::map<std::string, int> accepted;
    std::map<std::string, int> open;

  private:
    static env::WorldOptions options(Nanos latency) {
        env::WorldOptions options;
        options.net.latency = {latency, latency};
        return options;
    }

    void serve(const std::string& name, std::uint16_t port, const std::string& text) {
        auto listener = env.net.listen(Address{{}, port});
        REQUIRE(listener.has_value());
        fiber::TaskGroup visits;
        for (;;) {
            auto socket = listener->accept();
            if (!socket) return;
            ++accepted[name];
            ++open[name];
            visits.spawn("visit", [&, visitor = std::move(*socket)]() mutable {
                if (!text.empty()) {
                    static_cast<void>(visitor.receive(Deadline::never()));
                    static_cast<void>(visitor.send(bytes_of(text), Deadline::never()));
                } else {
                    while (!visitor.receive(Deadline::never()).value_or(env::Chunk()).empty()) {
                    }
                }
                --open[name];
            });
        }
    }

    World world_;
    Machine& own_;
    std::vector<Machine*> others_;
};

std::string redirect_to(std::string_view url) {
    return "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + std::string(url) + "\r\n\r\n";
}

constexpr std::string_view six = "2606:4700::1", four = "93.184.216.34";

}  // namespace

TEST_CASE("addresses are raced IPv6 first, then in turn, four at most and of both families") {
    using List = std::vector<Address>;
    const Address a = ip("::a"), b = ip("::b"), c = ip("::c"), d = ip("::d"), e = ip("::e");
    const Address v = ip("1.1.1.1"), w = ip("2.2.2.2"), x = ip("3.3.3.3");
    CHECK(racing_order({v}) == List{v});
    CHECK(racing_order({v, a}) == List{a, v});
    CHECK(racing_order({v, w, a, b}) == List{a, v, b, w});
    CHECK(racing_order({a, b, c, d, e, v}) == List{a, v, b, c});
    CHECK(racing_order({v, w, x, a, b, c}) == List{a, v, b, w});
    CHECK(racing_order({v, w, x}) == List{v, w, x});
    CHECK(racing_order({a, b, c, d, e}) == List{a, b, c, d});
}

TEST_CASE("IPv6 that answers within its head start is alone") {
    Town town(100ms);
    town.add("six", {std::string(six)});
    town.add("four", {std::string(four)});
    town.run([&] {
        auto socket = connect_race(town.env, {ip(six), ip(four)}, Deadline::in(10s));
        REQUIRE(socket.has_value());
        CHECK(socket->peer() == ip(six));
        CHECK(fiber::sleep_for(1s).has_value());
        CHECK(town.accepted["four"] == 0);
    });
}

TEST_CASE("IPv6 that does not answer costs a quarter of a second") {
    Town town;
    town.add_hole("six", {std::string(six)});
    town.add("four", {std::string(four)});
    town.run([&] {
        Nanos began = town.env.clock.now();
        auto socket = connect_race(town.env, {ip(six), ip(four)}, Deadline::in(10s));
        Nanos took = town.env.clock.now() - began;
        REQUIRE(socket.has_value());
        CHECK(socket->peer() == ip(four));
        CHECK(took >= 250ms);
        CHECK(took < 260ms);
    });
}

TEST_CASE("an address that refuses costs nothing; the next one is tried at once") {
    Town town;
    town.add("shut", {std::string(six), "2606:4700::2", "93.184.216.35"}, {});
    town.add("four", {std::string(four)});
    town.run([&] {
        Nanos began = town.env.clock.now();
        auto socket =
            connect_race(town.env, {ip(six), ip("93.184.216.35"), ip("2606:4700::2"), ip(four)},
                         Deadline::in(10s));
        REQUIRE(socket.has_value());
        CHECK(socket->peer() == ip(four));
        CHECK(town.env.clock.now() - began < 20ms);
    });
}

TEST_CASE("who comes second is hung up on") {
    Town town(400ms);  // there and back: more than the head start
    town.add("six", {std::string(six)});
    town.add("four", {std::string(four)});
    town.run([&] {
        auto socket = connect_race(town.env, {ip(six), ip(four)}, Deadline::in(10s));
        REQUIRE(socket.has_value());
        CHECK(socket->peer() == ip(six));
        CHECK(fiber::sleep_for(4s).has_value());
        CHECK(town.accepted["four"] == 1);
        CHECK(town.open["four"] == 0);
        CHECK(town.open["six"] == 1);
    });
}

TEST_CASE("when nobody answers, the race ends at its deadline") {
    Town town;
    town.add_hole("holes", {std::string(six), std::string(four), "93.184.216.35"});
    town.run([&] {
        for (Nanos patience : {Nanos(100ms), Nanos(3s)}) {
            Nanos began = town.env.clock.now();
            auto socket = connect_race(town.env, {ip(six), ip(four), ip("93.184.216.35")},
                                       Deadline::in(patience));
            REQUIRE_FALSE(socket.has_value());
            CHECK(socket.error().error.code == Errc::timed_out);
            CHECK(town.env.clock.now() - began >= patience);
            CHECK(town.env.clock.now() - began < patience + 800ms);
        }
    });
}

TEST_CASE("when all refuse, the failure names the last one") {
    Town town;
    town.add("shut", {std::string(six), std::string(four)}, {});
    town.run([&] {
        auto socket = connect_race(town.env, {ip(six), ip(four)}, Deadline::in(10s));
        REQUIRE_FALSE(socket.has_value());
        CHECK(socket.error().error.code == Errc::unreachable);
        CHECK_THAT(socket.error().reason,
                   Catch::StartsWith("cannot connect to 93.184.216.34:80: "));
    });
}

TEST_CASE("a race that is called off at any instant leaves no connection behind") {
    for (auto after : {0ms, 1ms, 100ms, 200ms, 251ms, 299ms, 300ms, 301ms, 350ms, 600ms}) {
        CAPTURE(after.count());
        Town town(150ms);
        town.add("six", {std::string(six)});
        town.add("four", {std::string(four)});
        town.run([&] {
            bool has_won = false;
            std::optional<Errc> code;
            auto dialling = fiber::spawn("dials", [&] {
                auto socket = connect_race(town.env, {ip(six), ip(four)}, Deadline::never());
                has_won = socket.has_value();
                if (!socket) code = socket.error().error.code;
            });
            REQUIRE(fiber::sleep_for(after).has_value());
            dialling.cancel_and_join();
            CHECK(has_won != (code == Errc::cancelled));
            CHECK(fiber::sleep_for(2s).has_value());
            CHECK(town.open["six"] == 0);
            CHECK(town.open["four"] == 0);
        });
    }
}

TEST_CASE("a dial goes to what the name means, and not to what the guard objects to") {
    Town town;
    town.add("good", {std::string(four), std::string(six)});
    town.add("inner", {"169.254.169.254", "10.9.9.9", "fd00::1"});
    town.world().net().set_name("good.example", {ip(four)});
    town.world().net().set_name("evil.example", {ip("169.254.169.254")});
    town.world().net().set_name("mixed.example",
                                {ip("10.9.9.9"), ip("fd00::1"), ip(four), ip("169.254.169.254")});
    town.run([&] {
        // Networks that make plain text possible: this test has no TLS.
        Outbound outbound(nullptr, base::PrivateHosts::parse("93.184.216.0/24").value());
        auto reached = [&](std::string_view url) {
            auto stream =
                dial(town.env, proto::parse_url(url).value(), Deadline::in(10s), &outbound);
            if (stream) return std::string(stream->peer().ip_text());
            CHECK(stream.error().error.code == Errc::no_permission);
            CHECK(stream.error().is_guarded);
            return stream.error().reason;
        };
        CHECK(reached("http://good.example") == four);
        CHECK(outbound.refused == 0);
        CHECK_THAT(reached("http://evil.example"), Catch::StartsWith("evil.example: "));
        CHECK(outbound.refused == 1);
        CHECK(reached("http://mixed.example") == four);
        CHECK(outbound.refused == 1);
        for (const char* url : {"http://169.254.169.254", "http://[fd00::1]", "ws://10.9.9.9",
                                "http://[::ffff:10.9.9.9]", "http://[::]", "http://127.0.0.1"}) {
            CAPTURE(url);
            CHECK_THAT(reached(url), Catch::Contains("RELAY_ALLOW_PRIVATE_HOSTS"));
        }
        CHECK(outbound.refused == 7);

        auto without_tls = dial(town.env, proto::parse_url("https://good.example").value(),
                                Deadline::in(10s), &outbound);
        CHECK(without_tls.error().error.code == Errc::unsupported);
        CHECK_FALSE(without_tls.error().is_guarded);
        CHECK(outbound.refused == 7);

        // A name that has changed its mind since the last time is judged anew.
        town.world().net().set_name("good.example", {ip("10.9.9.9")});
        CHECK_THAT(reached("http://good.example"), Catch::StartsWith("good.example: "));
        CHECK(town.accepted["inner"] == 0);
        CHECK(town.accepted["good"] == 2);
    });
}

TEST_CASE("a host that is named as private is dialled wherever it is; its neighbours are not") {
    Town town;
    town.add("inner", {"10.9.9.9"}, {80, 2583});
    town.world().net().set_name("pds.lan", {ip("10.9.9.9")});
    town.world().net().set_name("slow.example", {ip("10.9.9.9")});
    town.world().net().set_name_delay("slow.example", 5s);
    town.world().net().set_name("evil.example", {ip("10.9.9.9")});
    town.run([&] {
        base::PrivateHosts allowed;
        allowed.add_host("pds.lan", 2583);
        Outbound outbound(nullptr, allowed);
        auto may_dial = [&](std::string_view url) {
            return dial(town.env, proto::parse_url(url).value(), Deadline::in(10s), &outbound)
                .has_value();
        };
        CHECK(may_dial("http://pds.lan:2583"));
        CHECK_FALSE(may_dial("http://pds.lan"));
        CHECK_FALSE(may_dial("http://evil.example:2583"));
        CHECK_FALSE(may_dial("http://10.9.9.9:2583"));
        CHECK(outbound.refused == 3);
        // What can be refused before its name is looked up is.
        Nanos began = town.env.clock.now();
        CHECK_FALSE(may_dial("http://slow.example"));
        CHECK(town.env.clock.now() - began < 1s);
        CHECK(outbound.refused == 4);
    });
}

TEST_CASE("each hop of a redirect passes the guard") {
    Town town;
    town.add("inner", {"169.254.169.254"}, {80},
             "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret");
    town.world().net().set_name("inner.example", {ip("169.254.169.254")});
    town.add("good", {std::string(four)}, {80, 81}, redirect_to("http://good.example:82/"));
    town.add("better", {"93.184.216.35"}, {80}, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    town.world().net().set_name("better.example", {ip("93.184.216.35")});
    for (const auto& [name, number] : std::map<std::string, int>{{"a", 40}, {"b", 41}, {"c", 42}}) {
        std::string address = "93.184.216." + std::to_string(number);
        std::string to = name == "a"   ? "http://169.254.169.254/latest"
                         : name == "b" ? "http://inner.example/"
                                       : "http://better.example/";
        town.add(name, {address}, {80}, redirect_to(to));
        town.world().net().set_name(name + ".example", {ip(address)});
    }
    town.run([&] {
        Outbound outbound(nullptr, base::PrivateHosts::parse("93.184.216.0/24").value());
        FetchOptions options;
        options.redirects = 3;
        options.outbound = &outbound;
        auto fetched = [&](std::string_view url) {
            options.deadline = Deadline::in(10s);
            return fetch(town.env, proto::parse_url(url).value(), options);
        };
        CHECK(fetched("http://c.example/").value().body == "ok");
        for (const char* url : {"http://a.example/", "http://b.example/"}) {
            CAPTURE(url);
            auto answer = fetched(url);
            REQUIRE_FALSE(answer.has_value());
            CHECK(answer.error().error.code == Errc::no_permission);
        }
        CHECK(outbound.refused == 2);
        CHECK(town.accepted["inner"] == 0);
    });
}

TEST_CASE("a name that no resolver answers for holds the dial up to its deadline, and no longer") {
    Town town;
    town.world().net().set_name("slow.example", {ip(four)});
    town.world().net().set_name_delay("slow.example", 30s);
    town.run([&] {
        Nanos began = town.env.clock.now();
        auto url = proto::parse_url("http://slow.example").value();
        auto stream = dial(town.env, url, Deadline::in(2s));
        REQUIRE_FALSE(stream.has_value());
        CHECK(stream.error().error.code == Errc::timed_out);
        CHECK(town.env.clock.now() - began < 3s);
    });
}

TEST_CASE("localhost is dialled in whichever family somebody listens") {
    support::on_rings({}, {1}, [](support::TestWorld& world) {
        auto listener = world.env().net.listen(Address::loopback(0)).value();
        std::string port = std::to_string(listener.local().port);
        for (std::string name : {"localhost", "127.0.0.1", "[::ffff:127.0.0.1]"}) {
            CAPTURE(name);
            std::string text = "http://" + name + ":" + port;
            auto stream = dial(world.env(), proto::parse_url(text).value(), Deadline::in(20s));
            REQUIRE(stream.has_value());
            CHECK(stream->peer() == listener.local());
        }
    });
}

TEST_CASE("so many connections lead to one address; a name's other addresses are tried then") {
    Town town;
    town.add("shared", {std::string(four), std::string(six), "2606:4700::2", "10.9.9.9"});
    town.world().net().set_name("one.example", {ip(four)});
    town.world().net().set_name("two.example", {ip(six), ip(four)});
    town.world().net().set_name("three.example", {ip("2606:4700::2")});  // of the same /64 as six
    town.world().net().set_name("own.example", {ip("10.9.9.9")});
    town.run([&] {
        Outbound outbound(nullptr, base::PrivateHosts::parse("all").value());
        AddressPlaces places(2, 100, 7);
        std::vector<Stream> held;
        auto reached = [&](std::string_view host) {
            const std::string url = "http://" + std::string(host);
            auto stream = dial(town.env, proto::parse_url(url).value(), Deadline::in(10s),
                               &outbound, &places);
            if (!stream) return stream.error().reason;
            std::string peer = stream->peer().ip_text();
            held.push_back(std::move(*stream));
            return peer;
        };
        CHECK(reached("one.example") == four);
        CHECK(reached("two.example") == six);
        CHECK(reached("three.example") == "2606:4700::2");
        CHECK(reached("three.example") == "2 other hosts are connected at 2606:4700::2 already");
        CHECK(reached("two.example") == four);
        CHECK(reached("two.example") == "2 other hosts are connected at 93.184.216.34 already");
        CHECK(places.refused == 2);
        CHECK(town.accepted["shared"] == 4);
        held.erase(held.begin());  // one.example hangs up
        CHECK(reached("one.example") == four);
        for (int i = 0; i < 5; ++i) CHECK(reached("own.example") == "10.9.9.9");
        held.clear();
        CHECK(reached("two.example") == six);
        CHECK(reached("two.example") == six);
        held.clear();
    });
}

TEST_CASE("a dial that fails gives its places back") {
    Town town;
    town.add_hole("hole", {std::string(six), std::string(four)});
    town.world().net().set_name("hole.example", {ip(six), ip(four)});
    town.run([&] {
        Outbound outbound(nullptr, base::PrivateHosts::parse("all").value());
        AddressPlaces places(1, 100, 7);
        for (int i = 0; i < 3; ++i) {
            auto stream = dial(town.env, proto::parse_url("http://hole.example").value(),
                               Deadline::in(2s), &outbound, &places);
            REQUIRE_FALSE(stream.has_value());
            CHECK(stream.error().error.code != Errc::busy);
        }
        auto place = places.take(ip(four));
        CHECK(place.has_value());
        CHECK_FALSE(places.take(ip(four)).has_value());
    });
}

TEST_CASE("places of thousands of addresses are counted apart, and are free again afterwards") {
    AddressPlaces places(3, 20'000, 0x1234567812345678);
    for (int round = 0; round < 2; ++round) {
        std::vector<AddressPlaces::Place> held;
        for (std::uint32_t i = 0; i < 6000; ++i) {
            const Address address = Address::v4(203, static_cast<std::uint8_t>(i >> 16),
                                                static_cast<std::uint8_t>(i >> 8 & 0xff),
                                                static_cast<std::uint8_t>(i & 0xff), 443);
            for (int n = 0; n < 3; ++n) {
                auto place = places.take(address);
                REQUIRE(place.has_value());
                held.push_back(std::move(*place));
            }
            REQUIRE_FALSE(places.take(address).has_value());
        }
    }
}
