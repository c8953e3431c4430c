// The one source of chance of a simulated world: xoshiro256** (Blackman and Vigna, 2018), seeded by
// splitmix64. Not the library's engines and distributions: those of two libraries differ, and a
// seed that was found with one compiler must mean the same with the other.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "proto/base/assert.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::env {

// Both ends belong to it.
struct NanosRange {
    Nanos low;
    Nanos high;
};

class Prng {
  public:
    explicit Prng(std::uint64_t seed) {
        for (std::uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15;
            std::uint64_t mixed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
            mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
            word = mixed ^ mixed >> 31;
        }
    }

    std::uint64_t next() {
        std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
        std::uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }

    // 0 .. bound-1. Even enough for a simulation: the bias is below bound / 2^32.
    std::uint64_t below(std::uint64_t bound) {
        RINGLAY_ASSERT(bound > 0);
        if (bound <= UINT32_MAX) return (next() >> 32) * bound >> 32;
        return next() % bound;
    }

    bool chance(std::uint32_t per_mille) { return per_mille > 0 && below(1000) < per_mille; }
    bool coin() { return next() >> 63 != 0; }

    Nanos between(NanosRange range) {
        RINGLAY_ASSERT(range.low <= range.high);
        auto width = static_cast<std::uint64_t>((range.high - range.low).count());
        return range.low + Nanos(static_cast<std::int64_t>(below(width + 1)));
    }

  private:
    std::array<std::uint64_t, 4> state_;
};

}  // namespace ringlay::env
