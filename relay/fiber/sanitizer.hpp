// What ASan and TSan must be told about stacks that are switched. All of it is empty in a build
// without them.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RINGLAY_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define RINGLAY_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define RINGLAY_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define RINGLAY_TSAN 1
#endif

#if defined(RINGLAY_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(RINGLAY_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace ringlay::fiber::sanitizer {

#if defined(RINGLAY_ASAN) || defined(RINGLAY_TSAN)
inline constexpr bool widens_frames = true;
#else
inline constexpr bool widens_frames = false;
#endif

// Before a switch. `fake_stack`: where the stack that is left keeps its own, null if it ends.
inline void leave([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* to_bottom,
                  [[maybe_unused]] std::size_t to_bytes) {
#if defined(RINGLAY_ASAN)
    __sanitizer_start_switch_fiber(fake_stack, to_bottom, to_bytes);
#endif
}

// After a switch, on the stack that was entered.
inline void enter([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** from_bottom,
                  [[maybe_unused]] std::size_t* from_bytes) {
#if defined(RINGLAY_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, from_bottom, from_bytes);
#endif
}

inline void* make_thread_state() {
#if defined(RINGLAY_TSAN)
    return __tsan_create_fiber(0);
#else
    return nullptr;
#endif
}

inline void* current_thread_state() {
#if defined(RINGLAY_TSAN)
    return __tsan_get_current_fiber();
#else
    return nullptr;
#endif
}

inline void switch_thread_state([[maybe_unused]] void* to) {
#if defined(RINGLAY_TSAN)
    __tsan_switch_to_fiber(to, 0);
#endif
}

inline void destroy_thread_state([[maybe_unused]] void* state) {
#if defined(RINGLAY_TSAN)
    __tsan_destroy_fiber(state);
#endif
}

}  // namespace ringlay::fiber::sanitizer
