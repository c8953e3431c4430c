// What the frames of usual accounts are like, in figures: the ground of any measurement with them.
#pragma once

#include <cstdint>
#include <string>

namespace ringlay::bench {

// One line of JSON about some thousand events: bytes and blocks of commits.
std::string shape(std::uint64_t seed);

}  // namespace ringlay::bench
