#include "relay/hosts/host_check.hpp"

#include <algorithm>
#include <ranges>

#include "tests/support/fake_hosts.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::hosts;
using namespace std::chrono_literals;
using Kind = HostCheckAnswer::Kind;

#define TEST_IN_SIMULATION(name)                       \
    RINGLAY_TEST_ON(INTERNAL_CATCH_UNIQUE_NAME(body_), \
                    ([](auto body) { support::in_simulation({1}, body); }), name)

namespace {

base::HostAddress host(std::string name, std::uint16_t port = 443, bool is_tls = true) {
    return {.name = std::move(name), .port = port, .is_tls = is_tls};
}

std::string url_of(std::string_view authority) {
    return "https://" + std::string(authority) + "/xrpc/com.atproto.server.describeServer";
}

struct Rig {
    explicit Rig(env::Env& env, HostCheckOptions options = {}) {
        options.user_agent = "ringlay/test (atproto-relay)";
        check.emplace(env, metrics, servers.fetch(), std::move(options));
    }
    void answer(std::string_view authority, std::string body, std::uint16_t status = 200,
                std::string server = "") {
        servers.answers[url_of(authority)] = {
            .status = status, .body = std::move(body), .server = std::move(server), .failure = ""};
    }
    HostCheckAnswer ask(std::string name) { return check->check(host(std::move(name)), {}); }

    support::FakeServers servers;
    base::Metrics metrics{1};
    std::optional<HostCheck> check;
};

}  // namespace

TEST_IN_SIMULATION("a server that describes itself by any JSON object is a PDS") {
    for (std::string body : {R"({"did":"did:web:a.example","availableUserDomains":[".a.example"]})",
                             R"({"availableUserDomains":[]})", "{}", " {\"x\":[1]} "}) {
        CAPTURE(body);
        Rig rig(world.env());
        rig.answer("a.example", body);
        HostCheckAnswer answer = rig.ask("a.example");
        CHECK(answer.kind == Kind::pds);
        CHECK(answer.words == "");
        REQUIRE(rig.servers.asked.size() == 1);
        const net::FetchOptions& options = rig.servers.options[0];
        CHECK(options.headers.find("User-Agent") == "ringlay/test (atproto-relay)");
        CHECK(options.max_body_bytes == 64 * 1024);
        CHECK(options.redirects == 0);
        CHECK(options.deadline.at <= fiber::now() + 5s);
        CHECK(rig.metrics.expose().find("relay_host_checks_total 1\n") != std::string::npos);
    }
}

TEST_IN_SIMULATION("what answers otherwise, or not at all, is none, and the words say why") {
    Rig rig(world.env());
    int number = 0;
    auto words_of = [&](std::string body, std::uint16_t status) {
        std::string name = "h" + std::to_string(++number) + ".example";
        rig.answer(name, std::move(body), status);
        HostCheckAnswer answer = rig.ask(name);
        CHECK(answer.kind == Kind::unreachable);
        return answer.words;
    };
    const std::string no_object = "describeServer answers with something else than a JSON object";
    for (std::string body : {"", "<html>", "[]", "7", "null", "{", "{}{}"}) {
        CAPTURE(body);
        CHECK(words_of(body, 200) == no_object);
    }
    const std::string whole = R"({"did":"did:web:a.example","availableUserDomains":[]})";
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CHECK(words_of(whole.substr(0, size), 200) == no_object);
    }
    CHECK(words_of("{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}", 200) ==
          no_object);
    CHECK(words_of("{}", 404) == "describeServer answers with status 404");
    CHECK(words_of("{}", 302) == "describeServer answers with status 302");
    CHECK(words_of("{}", 201) == "describeServer answers with status 201");
    rig.servers.answers[url_of("gone.example")] = {
        .body = "",
        .server = "",
        .failure = "gone.example: 10.3.4.5 is not on the public internet"};
    // Not whether the name has an address, nor which.
    HostCheckAnswer gone = rig.ask("gone.example");
    CHECK(gone.kind == Kind::unreachable);
    CHECK(gone.words ==
          "no answer to describeServer; look at its name, its certificate and port 443");
    CHECK(gone.detail == "gone.example: 10.3.4.5 is not on the public internet");
}

TEST_IN_SIMULATION("a server that calls itself a relay is refused as one, whatever it answers") {
    for (std::string server :
         {"indigo-relay/1 (atproto-relay)", "atproto-relay", "x ATProto-Relay y"}) {
        CAPTURE(server);
        CHECK(names_a_relay(server));
        for (std::uint16_t status : {std::uint16_t{200}, std::uint16_t{501}}) {
            Rig rig(world.env());
            rig.answer("a.example", "{}", status, server);
            HostCheckAnswer answer = rig.ask("a.example");
            CHECK(answer.kind == Kind::relay);
            CHECK(answer.words == "its Server header says that it is a relay");
        }
    }
    for (std::string_view server : {"", "nginx", "atproto_relay", "atproto-rela"}) {
        CHECK_FALSE(names_a_relay(server));
    }
}

TEST_IN_SIMULATION("the server is asked under the host's own name, port and scheme") {
    Rig rig(world.env());
    rig.check->check(host("a.example", 8443), {});
    rig.check->check(host("localhost", 2583, false), {});
    rig.check->check(host("2001:db8::1", 443), {});
    const std::string path = "/xrpc/com.atproto.server.describeServer";
    CHECK(rig.servers.asked == std::vector<std::string>{"https://a.example:8443" + path,
                                                        "http://localhost:2583" + path,
                                                        "https://[2001:db8::1]" + path});
}

TEST_IN_SIMULATION("a PDS is asked once in ten minutes, and so is a relay") {
    Rig rig(world.env());
    rig.answer("a.example", "{}");
    rig.answer("b.example", "{}", 200, "atproto-relay");
    CHECK(rig.ask("a.example").kind == Kind::pds);
    CHECK(rig.ask("b.example").kind == Kind::relay);
    rig.answer("a.example", "{}", 500);
    rig.answer("b.example", "{}");
    static_cast<void>(fiber::sleep_for(10min - 1ms));
    CHECK(rig.ask("a.example").kind == Kind::pds);
    CHECK(rig.ask("b.example").kind == Kind::relay);
    CHECK(rig.servers.asked.size() == 2);
    static_cast<void>(fiber::sleep_for(1ms));
    CHECK(rig.ask("a.example").kind == Kind::unreachable);
    CHECK(rig.ask("b.example").kind == Kind::pds);
    CHECK(rig.servers.asked.size() == 4);
}

TEST_IN_SIMULATION("a host that did not answer is asked again after half a minute") {
    Rig rig(world.env());
    rig.answer("early.example", "{}");
    CHECK(rig.ask("early.example").kind == Kind::pds);
    CHECK(rig.ask("a.example").kind == Kind::unreachable);
    rig.answer("a.example", "{}");
    static_cast<void>(fiber::sleep_for(30s - 1ms));
    CHECK(rig.ask("a.example").kind == Kind::unreachable);
    CHECK(rig.servers.asked.size() == 2);
    static_cast<void>(fiber::sleep_for(1ms));
    CHECK(rig.ask("a.example").kind == Kind::pds);
    CHECK(rig.ask("early.example").kind == Kind::pds);
    CHECK(rig.servers.asked.size() == 3);
}

TEST_IN_SIMULATION("of too many answers of a kind the oldest is forgotten") {
    for (bool is_there : {true, false}) {
        CAPTURE(is_there);
        Rig rig(world.env(), {.max_remembered = 3});
        rig.servers.otherwise.status = is_there ? 200 : 500;
        for (std::string name : {"a", "b", "c", "d"}) rig.ask(name + ".example");
        CHECK(rig.servers.asked.size() == 4);
        for (std::string name : {"b", "c", "d"}) rig.ask(name + ".example");
        CHECK(rig.servers.asked.size() == 4);
        rig.ask("a.example");
        CHECK(rig.servers.asked.size() == 5);
        rig.ask("b.example");
        CHECK(rig.servers.asked.size() == 6);
        // What was forgotten for its number is not forgotten again for its age.
        static_cast<void>(fiber::sleep_for(1h));
        for (std::string name : {"a", "b", "c", "d"}) rig.ask(name + ".example");
        CHECK(rig.servers.asked.size() == 10);
    }
}

TEST_IN_SIMULATION("callers at the same time share one question") {
    Rig rig(world.env());
    rig.answer("a.example", "{}");
    rig.servers.answers[url_of("a.example")].delay = 1s;
    std::vector<fiber::Task> tasks;
    std::size_t answered = 0;
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(fiber::spawn("asks", [&] {
            if (rig.ask("a.example").kind == Kind::pds) ++answered;
        }));
    }
    for (auto& task : tasks) task.join();
    CHECK(answered == 100);
    CHECK(rig.servers.asked.size() == 1);
}

TEST_IN_SIMULATION(
    "16 hosts are asked at once, 64 more wait, and the others are told to come later") {
    Rig rig(world.env());
    rig.servers.otherwise = {.body = "{}", .server = "", .failure = "", .delay = 500ms};
    std::map<Kind, std::size_t> kinds;
    std::vector<fiber::Task> tasks;
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(fiber::spawn("asks", [&, i] {
            HostCheckAnswer answer = rig.ask("h" + std::to_string(i) + ".example");
            ++kinds[answer.kind];
            if (answer.kind == Kind::busy) CHECK(answer.words == "too many hosts are announced");
        }));
    }
    static_cast<void>(fiber::sleep_for(1ms));
    CHECK(rig.metrics.expose().find("relay_queue_depth{queue=\"host_checks\"} 64\n") !=
          std::string::npos);
    for (auto& task : tasks) task.join();
    CHECK(rig.servers.most_at_once == 16);
    CHECK(kinds[Kind::pds] == 80);
    CHECK(kinds[Kind::busy] == 20);
    CHECK(rig.metrics.expose().find("relay_queue_depth{queue=\"host_checks\"} 0\n") !=
          std::string::npos);
    // Whoever was told so was not asked, and may be asked now.
    CHECK(rig.servers.asked.size() == 80);
    CHECK(rig.ask("h99.example").kind == Kind::pds);
}

TEST_IN_SIMULATION("nobody waits longer for a place than for an answer") {
    Rig rig(world.env(), {.max_at_once = 1});
    rig.servers.otherwise = {.body = "{}", .server = "", .failure = "", .delay = 6s};
    fiber::Task first = fiber::spawn("asks", [&] { rig.ask("a.example"); });
    static_cast<void>(fiber::sleep_for(1ms));
    Nanos before = fiber::now();
    CHECK(rig.ask("b.example").kind == Kind::busy);
    CHECK(fiber::now() - before >= 5s);
    CHECK(fiber::now() - before < 6s);
    first.join();
    CHECK(rig.ask("b.example").kind == Kind::pds);
}

TEST_IN_SIMULATION("a caller that leaves takes nothing with it") {
    Rig rig(world.env());
    rig.servers.otherwise = {.body = "{}", .server = "", .failure = "", .delay = 1s};
    HostCheckAnswer told;
    fiber::Task leaves = fiber::spawn("leaves", [&] { told = rig.ask("a.example"); });
    static_cast<void>(fiber::sleep_for(100ms));
    leaves.cancel_and_join();
    CHECK(told.kind == Kind::busy);
    // The next one asks for itself.
    CHECK(rig.ask("a.example").kind == Kind::pds);
    CHECK(rig.servers.asked.size() == 2);
}

TEST_IN_SIMULATION("an address has four hosts asked at once; others have their turn meanwhile") {
    Rig rig(world.env());
    rig.servers.otherwise = {.body = "{}", .server = "", .failure = "", .delay = 1s};
    const Address one = Address::v4(198, 51, 100, 7, 1);
    const Address other = Address::v4(198, 51, 100, 8, 1);
    std::map<std::string, Kind> kinds;
    fiber::TaskGroup askers;
    auto ask = [&](std::string name, std::optional<Address> from) {
        askers.spawn("asks", [&rig, &kinds, name, from] {
            kinds[name] = rig.check->check(host(name + ".example"), from).kind;
        });
    };
    auto refused = [&] { return std::ranges::count(kinds | std::views::values, Kind::too_many); };
    auto finish = [&] {
        while (askers.size() > 0) static_cast<void>(fiber::sleep_for(1ms));
    };
    for (int i = 0; i < 6; ++i) ask("one" + std::to_string(i), one);
    ask("other", other);
    ask("nobody", std::nullopt);
    static_cast<void>(fiber::sleep_for(500ms));
    CHECK(kinds.size() == 2);
    CHECK(refused() == 2);
    // Whoever wants to know what is being asked waits for the same answer.
    for (int i = 0; i < 6; ++i) {
        const std::string name = "one" + std::to_string(i);
        if (!kinds.contains(name)) ask(name, one);
    }
    finish();
    CHECK(kinds.size() == 8);
    CHECK(refused() == 2);
    for (int i = 0; i < 6; ++i) {
        CHECK(rig.check->check(host("one" + std::to_string(i) + ".example"), one).kind ==
              Kind::pds);
    }
    // Of IPv6 it is the whole /64 that has them.
    kinds.clear();
    for (int i = 1; i <= 5; ++i) {
        ask("six" + std::to_string(i), Address::parse("2600::" + std::to_string(i), 1).value());
    }
    finish();
    CHECK(kinds.size() == 5);
    CHECK(refused() == 1);
}
