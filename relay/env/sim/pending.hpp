// An operation on its way through a simulated kernel, and a name for it that outlives it.
#pragma once

#include <cstdint>

#include "relay/fiber/kernel.hpp"

namespace ringlay::env {

class SimKernel;

struct Pending {
    fiber::Op* op = nullptr;  // nothing: the place is free
    std::uint32_t use = 0;    // goes up with each operation in this place
    std::uint32_t stage = 0;  // of a connect
    int connection = -1;      // of a connect
    std::uint64_t mark = 0;   // of a sync: what it covers
    bool is_cancelled = false;
};

// Finds nothing once the operation has completed.
struct OpRef {
    SimKernel* kernel = nullptr;
    std::uint32_t place = 0;
    std::uint32_t use = 0;

    bool operator==(const OpRef&) const = default;
};

}  // namespace ringlay::env
