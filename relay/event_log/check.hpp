// Looks whether a log directory is sound, for `ringlay log check` and `ringlay log verify`. Reads
// only: it repairs nothing, and takes no lock, so that it can look at a copy or at the directory of
// a relay that is stopped. (Of a running one it may report the newest records as torn.)
//
// Thread   in a fiber of any worker.
// Bound    one segment's facts and a block of its frames in memory; max_findings kept, all counted.
// Errors   only if the directory itself cannot be read; everything else is a finding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/env/env.hpp"

namespace ringlay::event_log {

struct Finding {
    enum class Kind : std::uint8_t {
        damage,      // recovery would cut or drop this
        unfinished,  // a torn tail or a leftover file: normal after a crash
        difference,  // verify: facts and frame disagree
    };
    Kind kind;
    std::string file;
    std::uint64_t offset_bytes;
    std::uint64_t seq;  // 0: not about one event
    std::string what;
};

struct CheckReport {
    static constexpr std::size_t max_findings = 1000;

    std::uint64_t segments = 0;
    std::uint64_t facts_only_segments = 0;  // older, without frames; counted nowhere else
    std::uint64_t sealed_segments = 0;
    std::uint64_t events = 0;
    std::uint64_t facts_only = 0;
    std::uint64_t wire_bytes = 0;
    std::uint64_t facts_bytes = 0;
    std::uint64_t first_seq = 0;
    std::uint64_t last_seq = 0;
    std::uint64_t damages = 0;
    std::uint64_t unfinished = 0;
    std::uint64_t differences = 0;
    std::vector<Finding> findings;

    bool is_sound() const { return damages == 0 && differences == 0; }
};

// Structure: names, headers, order of positions and seqs, checksums of every record and every
// frame, seals and indexes against the facts.
Result<CheckReport> check_log(env::Env& env, std::string_view directory);

// Also recomputes from each frame what its facts say of it (kind, DID, seq), and lists differences.
Result<CheckReport> verify_log(env::Env& env, std::string_view directory);

}  // namespace ringlay::event_log
