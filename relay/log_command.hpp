// `ringlay log check|verify DIR`: the report on an event log, for people.
#pragma once

#include <string>
#include <string_view>

#include "relay/env/env.hpp"

namespace ringlay {

struct LogCommandResult {
    bool is_sound = false;
    std::string text;
};

// In a fiber. `compares_frames`: verify, which also recomputes the facts from the frames.
LogCommandResult log_command(env::Env& env, std::string_view directory, bool compares_frames);

}  // namespace ringlay
