// Which worker serves the next consumer. Consumers are packed: a publish wakes every worker that
// has one waiting, so few full workers cost less than many with one each. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/base/assert.hpp"

namespace ringlay::firehose {

// The first room with fewer than `pack` consumers; when all have that many, the emptiest.
inline std::size_t place_consumer(std::span<const std::uint32_t> counts, std::uint32_t pack) {
    RINGLAY_ASSERT(!counts.empty());
    auto open = std::ranges::find_if(counts, [&](std::uint32_t count) { return count < pack; });
    if (open == counts.end()) open = std::ranges::min_element(counts);
    return static_cast<std::size_t>(open - counts.begin());
}

}  // namespace ringlay::firehose
