// An invariant of ours, checked in release builds too. A broken one ends the process: the log on
// disk is sound, and a restart is cheaper than going on from a state that nobody has thought about.
// Never for what a peer, a file or an operator can cause: that is a Result (result.hpp).
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace ringlay {

[[noreturn, gnu::cold, gnu::noinline]] inline void assertion_failed(
    const char* condition, std::source_location at = std::source_location::current()) {
    std::fprintf(stderr, "ringlay: %s:%u: %s: broken invariant: %s\n", at.file_name(), at.line(),
                 at.function_name(), condition);
    std::abort();
}

}  // namespace ringlay

#define RINGLAY_ASSERT(condition) \
    (static_cast<bool>(condition) ? void() : ::ringlay::assertion_failed(#condition))
