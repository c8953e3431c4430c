#include "relay/api/admin_gate.hpp"

#include <catch2/catch.hpp>

#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::api;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view secret = "correct horse";
constexpr std::string_view basic_secret = "Basic YWRtaW46Y29ycmVjdCBob3JzZQ==";  // admin:

Caller from(std::string_view address) {
    const Address client = Address::parse(address, 0).value();
    return {.address = client, .peer = client};
}

net::HttpRequest with(std::initializer_list<net::HttpHeaders::Field> fields) {
    net::HttpRequest request;
    request.target = "/admin/hosts";
    request.headers.add("Host", "relay.example:3001");
    for (const auto& field : fields) request.headers.add(field.name, field.value);
    return request;
}

net::HttpRequest bearer(std::string_view password) {
    const std::string value = "Bearer " + std::string(password);
    return with({{"Authorization", value}});
}

struct Rig {
    explicit Rig(env::Env& env, std::vector<std::string> passwords = {std::string(secret), "b"},
                 AdminGateOptions options = {})
        : gate(env, logger, metrics, passwords, options) {}

    // 0: let in.
    int status(const net::HttpRequest& request, std::string_view address = "203.0.113.5") {
        answer = gate.check(request, from(address));
        return answer ? answer->status : 0;
    }
    std::string header(std::string_view name) {
        return std::string(answer->headers.find(name).value_or(""));
    }
    bool has_counted(std::string_view line) {
        return metrics.expose().find(std::string(line) + "\n") != std::string::npos;
    }
    std::string log() {
        std::string text;
        logger.flush([&](std::string_view line) { text += line; });
        return text;
    }

    base::Logger logger{base::LogLevel::debug, base::LogFormat::text, 64};
    base::Metrics metrics{1};
    AdminGate gate;
    std::optional<net::HttpResponse> answer;
};

}  // namespace

TEST_ON_BOTH_KERNELS("any password of the list lets in, as Bearer or as Basic of the user admin") {
    Rig rig(world.env());
    CHECK(rig.status(bearer(secret)) == 0);
    CHECK(rig.status(bearer("b")) == 0);
    CHECK(rig.status(with({{"authorization", "bearer  b"}})) == 0);
    CHECK(rig.status(with({{"Authorization", basic_secret}})) == 0);
    CHECK(rig.status(with({{"Authorization", "basic YWRtaW46Yg"}})) == 0);  // without padding
    CHECK(rig.has_counted("relay_admin_requests_total 5"));
    for (std::string_view wrong :
         {"Bearer", "Bearer ", "Bearer correct hors", "Bearer correct horses", "Bearer ,b", "b",
          "Basic YWRtaXM6Yg==" /* admis:b */, "Basic Og==" /* : */, "Basic YWRtaW4=" /* admin */,
          "Basic !!!!", "Basic YWRtaW46", "Digest b"}) {
        CAPTURE(wrong);
        Rig fresh(world.env());
        CHECK(fresh.status(with({{"Authorization", wrong}})) == 401);
        CHECK(fresh.has_counted("relay_admin_refused_total{reason=\"wrong_password\"} 1"));
    }
    CHECK(rig.status(with({{"Authorization", "Bearer b"}, {"Authorization", "Bearer x"}})) == 401);
}

TEST_ON_BOTH_KERNELS("nobody without a password is let in; browsers are asked for one") {
    Rig rig(world.env());
    for (int i = 0; i < 20; ++i) CHECK(rig.status(with({})) == 401);  // that is no failure
    CHECK(rig.header("WWW-Authenticate") == R"(Basic realm="ringlay", charset="UTF-8")");
    CHECK(rig.has_counted("relay_admin_refused_total{reason=\"no_password\"} 20"));
    CHECK(rig.status(bearer(secret)) == 0);
}

TEST_ON_BOTH_KERNELS("without passwords, or with empty ones, nobody administers, and it says how") {
    for (const std::vector<std::string>& none :
         {std::vector<std::string>(), std::vector<std::string>{""}}) {
        Rig rig(world.env(), none);
        for (std::string_view password : {"", "b"}) {
            CHECK(rig.status(bearer(password)) == 403);
            CHECK(rig.answer->body.find("RELAY_ADMIN_PASSWORD") != std::string::npos);
        }
        CHECK(rig.has_counted("relay_admin_refused_total{reason=\"disabled\"} 2"));
    }
}

TEST_ON_BOTH_KERNELS("wrong passwords make an address wait, ever longer, and nobody else") {
    if (!world.is_simulated()) return;  // it takes minutes
    Rig rig(world.env());
    for (int i = 0; i < 5; ++i) CHECK(rig.status(bearer("guess")) == 401);
    CHECK(rig.status(bearer(secret)) == 429);
    CHECK(rig.header("Retry-After") == "1");
    CHECK(rig.status(bearer(secret), "203.0.113.6") == 0);
    static_cast<void>(fiber::sleep_for(999ms));
    CHECK(rig.status(bearer("guess")) == 429);  // which makes nothing worse
    static_cast<void>(fiber::sleep_for(1ms));
    CHECK(rig.status(bearer("guess")) == 401);
    CHECK(rig.status(bearer("guess")) == 429);
    CHECK(rig.header("Retry-After") == "2");
    CHECK(rig.has_counted("relay_admin_refused_total{reason=\"delayed\"} 3"));
    for (int i = 0; i < 40; ++i) {
        static_cast<void>(fiber::sleep_for(5min));
        CHECK(rig.status(bearer("guess")) == 401);
    }
    CHECK(rig.status(bearer("guess")) == 429);
    CHECK(rig.header("Retry-After") == "300");
    static_cast<void>(fiber::sleep_for(5min));
    CHECK(rig.status(bearer(secret)) == 0);
    for (int i = 0; i < 5; ++i) CHECK(rig.status(bearer("guess")) == 401);  // begins anew
}

TEST_ON_BOTH_KERNELS("failures of long ago are forgotten") {
    if (!world.is_simulated()) return;
    Rig rig(world.env());
    for (int i = 0; i < 4; ++i) CHECK(rig.status(bearer("guess")) == 401);
    static_cast<void>(fiber::sleep_for(61min));
    for (int i = 0; i < 5; ++i) CHECK(rig.status(bearer("guess")) == 401);
    CHECK(rig.status(bearer("guess")) == 429);
}

TEST_ON_BOTH_KERNELS("a /64 of IPv6 is one guesser, and so many guessers are remembered") {
    Rig rig(world.env(), {"b"}, {.max_addresses = 2});
    for (std::string_view address :
         {"2001:db8::1", "2001:db8::2", "2001:db8::3:4", "2001:db8::5", "2001:db8:0:0:ffff::"}) {
        CHECK(rig.status(bearer("guess"), address) == 401);
    }
    CHECK(rig.status(bearer("b"), "2001:db8::9") == 429);
    CHECK(rig.status(bearer("b"), "2001:db8:0:1::") == 0);
    CHECK(rig.status(bearer("guess"), "203.0.113.1") == 401);
    CHECK(rig.has_counted("relay_queue_depth{queue=\"admin_failures\"} 2"));
    CHECK(rig.status(bearer("guess"), "203.0.113.2") == 401);
    CHECK(rig.has_counted("relay_queue_depth{queue=\"admin_failures\"} 2"));
    CHECK(rig.status(bearer("b"), "2001:db8::9") == 0);  // forgotten: it was the oldest
    CHECK(rig.status(bearer("b"), "203.0.113.2") == 0);
    CHECK(rig.has_counted("relay_queue_depth{queue=\"admin_failures\"} 1"));
}

TEST_ON_BOTH_KERNELS(
    "guesses of all addresses have a limit; who was right before is always heard") {
    if (!world.is_simulated()) return;
    Rig rig(world.env());
    CHECK(rig.status(bearer(secret), "198.51.100.1") == 0);
    auto guess_from = [&](int network) {
        return rig.status(bearer("guess"), "2001:db8:0:" + std::to_string(network) + "::1");
    };
    for (int i = 0; i < 30; ++i) CHECK(guess_from(i) == 401);
    CHECK(guess_from(30) == 429);
    CHECK(rig.header("Retry-After") == "1");
    CHECK(rig.status(bearer(secret), "198.51.100.2") == 429);
    CHECK(rig.status(with({}), "198.51.100.2") == 401);  // that is no guess
    CHECK(rig.status(bearer(secret), "198.51.100.1") == 0);
    CHECK(rig.status(bearer("slip"), "198.51.100.1") == 401);
    CHECK(rig.status(bearer(secret), "198.51.100.1") == 0);
    CHECK(rig.has_counted("relay_admin_refused_total{reason=\"all_delayed\"} 2"));
    static_cast<void>(fiber::sleep_for(1s));
    CHECK(rig.status(bearer(secret), "198.51.100.2") == 0);
    CHECK(guess_from(31) == 401);
    CHECK(guess_from(32) == 429);
    CHECK(rig.status(bearer(secret), "198.51.100.2") == 0);
}

TEST_ON_BOTH_KERNELS("so many that were right are remembered, the latest of them") {
    Rig rig(world.env(), {"b"}, {.all_at_once = 1, .all_per_second = 0.001, .max_proven = 2});
    for (std::string_view address : {"203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.3"}) {
        CHECK(rig.status(bearer("b"), address) == 0);
    }
    CHECK(rig.status(bearer("guess"), "198.51.100.1") == 401);
    CHECK(rig.status(bearer("b"), "203.0.113.1") == 0);
    CHECK(rig.status(bearer("b"), "203.0.113.2") == 429);
    CHECK(rig.status(bearer("b"), "203.0.113.3") == 0);
}

TEST_ON_BOTH_KERNELS("what a page of another site makes a browser send is refused") {
    Rig rig(world.env());
    auto status = [&](std::initializer_list<net::HttpHeaders::Field> fields) {
        net::HttpRequest request = with(fields);
        request.headers.add("Authorization", basic_secret);
        return rig.status(request);
    };
    CHECK(status({{"Sec-Fetch-Site", "cross-site"}}) == 403);
    CHECK(status({{"Sec-Fetch-Site", "same-site"}}) == 403);
    CHECK(status({{"Sec-Fetch-Site", "same-origin"}}) == 0);
    CHECK(status({{"Sec-Fetch-Site", "none"}}) == 0);
    CHECK(status({{"Origin", "https://evil.example"}}) == 403);
    CHECK(status({{"Origin", "http://relay.example"}}) == 403);  // another port
    CHECK(status({{"Origin", "null"}}) == 403);
    CHECK(status({{"Origin", "http://RELAY.example:3001"}}) == 0);
    CHECK(status({{"Origin", "https://a"}, {"Sec-Fetch-Site", "same-origin"}}) == 0);
    CHECK(rig.has_counted("relay_admin_refused_total{reason=\"cross_site\"} 5"));
}

TEST_ON_BOTH_KERNELS("the log names who was refused and what was changed, and never a password") {
    Rig rig(world.env());
    for (int i = 0; i < 9; ++i) static_cast<void>(rig.status(bearer("almost right")));
    std::string log = rig.log();
    CHECK(log.find("admin refused") != log.npos);
    CHECK(log.find("203.0.113.5") != log.npos);
    CHECK(log.find("almost") == log.npos);

    net::HttpRequest request = bearer(secret);
    request.target = "/admin/hosts/block?x=private";
    rig.gate.note(request, from("203.0.113.5"), 200);
    CHECK(rig.log().empty());  // a look
    request.method = net::HttpMethod::post;
    rig.gate.note(request, from("203.0.113.5"), 200);
    log = rig.log();
    CAPTURE(log);
    CHECK(log.find("POST") != log.npos);
    CHECK(log.find("/admin/hosts/block") != log.npos);
    CHECK(log.find("200") != log.npos);
    CHECK(log.find("203.0.113.5") != log.npos);
    CHECK(log.find("horse") == log.npos);
    CHECK(log.find("private") == log.npos);
}

TEST_ON_BOTH_KERNELS("who guesses again is remembered longer than who guessed once") {
    Rig rig(world.env(), {"b"}, {.free_failures = 2, .max_addresses = 2});
    for (std::string_view address : {"203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.3"}) {
        CHECK(rig.status(bearer("guess"), address) == 401);
    }
    CHECK(rig.status(bearer("b"), "203.0.113.1") == 429);
}
