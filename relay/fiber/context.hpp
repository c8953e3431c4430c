// Switching stacks: the only file that includes Boost.Context, of which we use the three assembly
// functions and nothing else. What a switch must carry besides registers (exception state,
// sanitizer bookkeeping) is done by the scheduler (scheduler.hpp).
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdint>

namespace ringlay::fiber {

using Context = boost::context::detail::fcontext_t;

struct Switched {
    Context from;
    void* value;
};

inline Switched switch_to(Context to, void* value) {
    auto transfer = boost::context::detail::jump_fcontext(to, value);
    return {transfer.fctx, transfer.data};
}

// `entry` must never return.
inline Context make_context(void* stack_top, std::size_t stack_bytes,
                            void (*entry)(boost::context::detail::transfer_t)) {
    return boost::context::detail::make_fcontext(stack_top, stack_bytes, entry);
}

// Where a suspended context will go on, for dumps: the words that the switch has put on its stack.
struct SuspendedAt {
    std::uintptr_t frame_pointer;
    std::uintptr_t instruction;
};

inline SuspendedAt suspended_at([[maybe_unused]] Context context) {
#if defined(__x86_64__)
    const auto* words = static_cast<const std::uintptr_t*>(context);
    return {words[6], words[7]};
#else
    return {0, 0};
#endif
}

}  // namespace ringlay::fiber
