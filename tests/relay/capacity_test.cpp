#include "relay/capacity.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;

namespace {

constexpr Places defaults{.hosts = 20'000, .consumers = 1000, .connections = 4096};

std::uint64_t all_of(const Places& places) {
    return places.hosts + places.consumers + 2 * places.connections;
}

}  // namespace

TEST_CASE("a machine with room for all that the settings may need limits nothing") {
    const Capacity capacity = capacity_of({.descriptors = 524'288}, defaults, 5);
    CHECK(capacity.places == defaults);
    CHECK(capacity.sockets == 524'288 - 1024);
    CHECK(capacity.names == 256);
    CHECK(capacity.shortages.empty());
    CHECK(capacity_of({}, defaults, 5).places == defaults);
    CHECK(capacity_of({}, defaults, 5).sockets == 0);
}

TEST_CASE("a hard limit below what the settings may need is said, and divided") {
    const Capacity capacity = capacity_of({.descriptors = 4096}, defaults, 5);
    CHECK(capacity.places == Places{.hosts = 2660, .consumers = 334, .connections = 167});
    CHECK(capacity.sockets == 4096 - 512);
    REQUIRE(capacity.shortages.size() == 1);
    CHECK(capacity.shortages[0] ==
          "descriptors: the hard limit is 4096 and the settings may need 30472; there is room for "
          "2660 hosts, 334 consumers and 167 connections to a port");
}

TEST_CASE(
    "it is tight where the network as it is has no room, or fewer than were wanted below that") {
    auto is_tight = [](std::uint64_t descriptors, const Places& wanted) {
        return capacity_of({.descriptors = descriptors}, wanted, 5).is_tight;
    };
    CHECK_FALSE(is_tight(524'288, defaults));
    CHECK_FALSE(is_tight(8192, defaults));
    CHECK(is_tight(4096, defaults));
    const Places few{.hosts = 100, .consumers = 20, .connections = 4096};
    CHECK_FALSE(is_tight(1024, few));
    CHECK(is_tight(128, few));
}

TEST_CASE("few hosts leave their places to consumers and connections") {
    const Places wanted{.hosts = 100, .consumers = 1000, .connections = 4096};
    const Places places = capacity_of({.descriptors = 4096}, wanted, 5).places;
    CHECK(places == Places{.hosts = 100, .consumers = 1000, .connections = 1114});
}

TEST_CASE("whatever the limit, files keep 256 descriptors or half, and connections fit below") {
    for (std::uint64_t descriptors = 64; descriptors < 40'000; descriptors += 37) {
        CAPTURE(descriptors);
        const Capacity capacity = capacity_of({.descriptors = descriptors}, defaults, 5);
        REQUIRE(capacity.sockets < descriptors);
        const std::uint64_t kept = descriptors - capacity.sockets;
        REQUIRE(kept >= std::min<std::uint64_t>(256, descriptors / 2));
        REQUIRE(all_of(capacity.places) <= capacity.sockets);
        REQUIRE(capacity.names > 0);
        REQUIRE(4 * capacity.names <= kept);
        REQUIRE(capacity.places.hosts > 0);
        REQUIRE(capacity.places.consumers > 0);
        REQUIRE(capacity.places.connections > 0);
        REQUIRE(capacity.shortages.empty() == (capacity.places == defaults));
    }
}

TEST_CASE("where guards cost mappings the default of Linux bears the default settings") {
    const Capacity capacity =
        capacity_of({.descriptors = 524'288, .mappings = 65'530}, defaults, 5);
    CHECK(capacity.places.hosts == 20'000);
    CHECK(capacity.places.consumers == 1000);
    CHECK(capacity.places.connections > 1000);
    CHECK(capacity.shortages.empty());
    const Places& places = capacity.places;
    CHECK(2 * (places.hosts + 2 * places.consumers + 4 * places.connections) < 65'530 - 8000);
}

TEST_CASE("mappings that do not bear the hosts of the settings are said") {
    const Places wanted{.hosts = 100'000, .consumers = 1000, .connections = 4096};
    const Capacity capacity = capacity_of({.mappings = 65'530}, wanted, 8);
    CHECK(capacity.places.hosts == 22'932);
    REQUIRE(capacity.shortages.size() == 1);
    CHECK(capacity.shortages[0].starts_with("mappings: vm.max_map_count is 65530 and"));
}

TEST_CASE("consumers get the fibers that hosts leave on the workers") {
    const Places wanted{.hosts = 20'000, .consumers = 100'000, .connections = 4096};
    const Capacity capacity = capacity_of({}, wanted, 2);
    CHECK(capacity.places == Places{.hosts = 20'000, .consumers = 20'000, .connections = 4096});
    CHECK(capacity.shortages ==
          std::vector<std::string>{"workers: 2 have room for 20000 hosts and 20000 consumers"});
    CHECK(capacity_of({}, defaults, 1).shortages.empty());
}
