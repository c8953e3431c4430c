#include "relay/firehose/placement.hpp"

#include <catch2/catch.hpp>
#include <vector>

using ringlay::firehose::place_consumer;

TEST_CASE("consumers are packed on the first workers, and spread only when these are full") {
    std::vector<std::uint32_t> counts(3, 0);
    std::vector<std::size_t> placed;
    for (int i = 0; i < 9; ++i) {
        placed.push_back(place_consumer(counts, 2));
        ++counts[placed.back()];
    }
    CHECK(placed == std::vector<std::size_t>{0, 0, 1, 1, 2, 2, 0, 1, 2});
}

TEST_CASE("a place that becomes free is taken before a new worker is woken") {
    std::vector<std::uint32_t> counts{1, 2, 0};
    CHECK(place_consumer(counts, 2) == 0);
    counts = {2, 1, 0};
    CHECK(place_consumer(counts, 2) == 1);
}
