// What happens to a simulated network, by a seed: accounts write, move, change keys, come and go;
// hosts break off, fall silent, lose data, lie; the directory is slow, wrong or down; the relay is
// killed at any step.
//
// Thread   outside of the world's fibers.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/truth_world.hpp"

namespace ringlay::support {

struct TruthProfile {
    std::size_t actions = 100;
    bool has_moves = true;  // of accounts to other hosts, and new keys
    bool has_liars = true;
    bool has_restores = true;
    bool has_bad_directory = true;
    bool has_bad_lines = true;  // hang-ups, silence, partitions
    std::optional<env::CrashMode> crashes;
};

TruthSetup setup_of_seed(std::uint64_t seed);
TruthProfile profile_of_seed(std::uint64_t seed);

// Until everything is quiet and settled. `diary`, if there is one, gets a line for each action.
void play(TruthWorld& world, const TruthProfile& profile,
          std::vector<std::string>* diary = nullptr);

}  // namespace ringlay::support
