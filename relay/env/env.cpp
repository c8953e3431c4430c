#include "relay/env/env.hpp"

#include <algorithm>
#include <cstring>

#include "proto/base/assert.hpp"

namespace ringlay::env {

std::uint64_t Random::next() {
    return fiber::Worker::current().kernel().random();
}

// The top of the range is cut off where it would make the first remainders more likely.
std::uint64_t Random::below(std::uint64_t bound) {
    RINGLAY_ASSERT(bound > 0);
    std::uint64_t uneven = (UINT64_MAX % bound + 1) % bound;  // 2^64 mod bound
    for (;;) {
        std::uint64_t number = next();
        if (number <= UINT64_MAX - uneven) return number % bound;
    }
}

void Random::fill(std::span<std::uint8_t> bytes) {
    while (!bytes.empty()) {
        std::uint64_t number = next();
        std::size_t size = std::min(bytes.size(), sizeof number);
        std::memcpy(bytes.data(), &number, size);
        bytes = bytes.subspan(size);
    }
}

}  // namespace ringlay::env
