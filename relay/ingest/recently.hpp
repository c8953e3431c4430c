// Pairs of a DID and a number that are remembered for a fixed time: that a host may not speak for
// an account, that an identity was just looked up in vain.
//
// Owner    Shard::Core.
// Thread   its worker.
// Bound    max_pairs; then the oldest is forgotten.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "relay/fiber/time.hpp"

namespace ringlay::ingest {

class Recently {
  public:
    Recently(Nanos lifetime, std::size_t max_pairs) : lifetime_(lifetime), max_pairs_(max_pairs) {}

    void add(std::string_view did, std::uint32_t number, Nanos now);
    bool contains(std::string_view did, std::uint32_t number, Nanos now) const;
    void forget(std::string_view did);  // with whatever number

    std::size_t size() const { return until_.size(); }

  private:
    struct Pair {
        std::string did;
        std::uint32_t number;
    };
    struct PairView {
        std::string_view did;
        std::uint32_t number;
    };
    struct Less {
        using is_transparent = void;
        bool operator()(const auto& a, const auto& b) const {
            int order = std::string_view(a.did).compare(b.did);
            return order != 0 ? order < 0 : a.number < b.number;
        }
    };
    struct Aging {
        Nanos until;
        Pair pair;
    };

    void forget_oldest();

    const Nanos lifetime_;
    const std::size_t max_pairs_;
    std::map<Pair, Nanos, Less> until_;
    std::deque<Aging> by_age_;  // also of pairs that were forgotten or added anew since
};

}  // namespace ringlay::ingest
