// How much of one host may be on its way into the log.
#pragma once

#include <cstddef>

namespace ringlay::hosts {

struct WindowLimits {
    std::size_t max_events = 256;
    std::size_t max_bytes = 1 << 20;
};

}  // namespace ringlay::hosts
