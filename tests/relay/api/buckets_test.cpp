#include "relay/api/buckets.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using namespace ringlay::api;
using namespace std::chrono_literals;

TEST_CASE("a burst is given at once, then one in each interval; the wait is said") {
    Buckets buckets(3, 10s, 100);
    Nanos now = 1000s;
    for (int i = 0; i < 3; ++i) CHECK_FALSE(buckets.take("a", now));
    CHECK(buckets.take("a", now) == 10s);
    CHECK(buckets.take("a", now + 4s) == 6s);
    CHECK(buckets.take("a", now + 10s - 1ns) == 1ns);
    CHECK_FALSE(buckets.take("a", now + 10s));
    CHECK(buckets.take("a", now + 10s) == 10s);
    CHECK_FALSE(buckets.take("b", now + 10s));
    // After a long while there is a burst again, and no more than that.
    for (int i = 0; i < 3; ++i) CHECK_FALSE(buckets.take("a", now + 1h));
    CHECK(buckets.take("a", now + 1h) == 10s);
}

TEST_CASE("asking in vain does not make the wait longer") {
    Buckets buckets(1, 10s, 100);
    CHECK_FALSE(buckets.take("a", 0s));
    for (int i = 0; i < 50; ++i) CHECK(buckets.take("a", 1s) == 9s);
    CHECK_FALSE(buckets.take("a", 10s));
}

TEST_CASE("of too many keys the one that was used longest ago is forgotten") {
    Buckets buckets(1, 1h, 2);
    CHECK_FALSE(buckets.take("a", 0s));
    CHECK_FALSE(buckets.take("b", 0s));
    CHECK(buckets.take("a", 1s));
    CHECK_FALSE(buckets.take("c", 1s));  // b goes
    CHECK(buckets.size() == 2);
    CHECK(buckets.take("a", 1s));
    CHECK(buckets.take("c", 1s));
    CHECK_FALSE(buckets.take("b", 1s));
    CHECK(buckets.size() == 2);
}

TEST_CASE("an IPv4 address is a client of its own, an IPv6 address one with its /64") {
    auto key = [](std::string_view ip, std::uint16_t port = 1) {
        return client_key(Address::parse(ip, port).value());
    };
    CHECK(key("192.0.2.1") == key("192.0.2.1", 2));
    CHECK(key("192.0.2.1") != key("192.0.2.2"));
    CHECK(key("2001:db8:1:2::1") == key("2001:db8:1:2:ffff::9"));
    CHECK(key("2001:db8:1:2::1") != key("2001:db8:1:3::1"));
}
