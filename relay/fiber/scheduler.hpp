// The inside of fiber/: the record of one fiber, and parking and waking. Included only by the .cpp
// files of this room.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "relay/fiber/context.hpp"
#include "relay/fiber/fiber.hpp"
#include "relay/fiber/stack_pool.hpp"
#include "relay/fiber/timer_queue.hpp"
#include "relay/fiber/worker.hpp"

namespace ringlay::fiber {

enum class Wake : std::uint8_t { ready, timed_out, cancelled };

// The C++ runtime keeps the exceptions that are being handled per thread, in these 16 bytes
// (Itanium C++ ABI 2.2.2). Without a copy per fiber, `throw;` after a switch rethrows what another
// fiber has caught.
struct ExceptionState {
    void* caught = nullptr;
    std::uintptr_t uncaught_count = 0;
};

class Fiber {
  public:
    enum class State : std::uint8_t { ready, running, parked, done };

    Fiber(Worker& worker, std::uint64_t id, std::string_view name,
          std::move_only_function<void()> body);
    ~Fiber();

    Worker& worker;
    const std::uint64_t id;
    const std::string_view name;
    std::move_only_function<void()> body;

    State state = State::ready;
    Wake wake = Wake::ready;     // why it was made ready
    std::string_view waits_for;  // a literal, for dumps
    Nanos since{};               // of this state
    bool is_cancelled = false;
    bool is_detached = false;  // nobody will join it
    bool park_is_cancellable = false;
    int cancel_blockers = 0;
    WaitList joiners;
    Timer timer;
    WaitList* wait_list = nullptr;  // that holds wait_node now
    WaitNode wait_node;

    Fiber* next_ready = nullptr;
    Fiber* next_of_all = nullptr;
    Fiber* previous_of_all = nullptr;

    Stack stack;
    Context context = nullptr;
    ExceptionState exceptions;
    void* fake_stack = nullptr;    // ASan
    void* thread_state = nullptr;  // TSan
    void (*after_switch)(void*) = nullptr;
    void* after_switch_argument = nullptr;
};

struct Scheduler {
    static Fiber& running();

    // Suspends the running fiber; then, when it is off its stack, runs `arm` (which may already
    // wake it again: no wake-up can fall between looking and sleeping). Returns why it was woken.
    // A fiber that is cancelled, or whose deadline has passed, is not suspended and `arm` not run.
    template <class Arm>
    static Wake park(std::string_view what, Deadline deadline, Arm arm) {
        Fiber& fiber = running();
        fiber.after_switch = [](void* argument) { (*static_cast<Arm*>(argument))(); };
        fiber.after_switch_argument = &arm;
        return park_prepared(fiber, what, deadline, true);
    }
    // The same, for what must be waited for whatever happens.
    static void park_until_woken(std::string_view what);

    static void wake(Fiber& fiber, Wake reason);  // on its worker; ignored unless it is parked
    static void cancel(Fiber& fiber);
    static void release(Fiber& fiber);  // done and joined
    static void spawn_detached(std::string_view name, std::move_only_function<void()> body);
    static Fiber& add(Worker& worker, std::string_view name, std::move_only_function<void()> body);

    static void push_ready(Fiber& fiber);
    static Fiber& take_ready(Worker& worker, std::size_t index);
    static void run(Fiber& fiber);
    static void enter(boost::context::detail::transfer_t transfer) noexcept;
    static void switch_out(Fiber& fiber, bool ends);

  private:
    static Wake park_prepared(Fiber& fiber, std::string_view what, Deadline deadline,
                              bool is_cancellable);
};

// The worker that runs on this thread, for the signal handler as well.
Worker* current_worker();
void set_current_worker(Worker* worker);

// Says which fiber has run into its guard page, before the process dies of it. Once per process.
void install_overflow_handler();
// An own stack for signal handlers, without which an overflow cannot be reported.
class SignalStack {
  public:
    SignalStack();
    ~SignalStack();
    SignalStack(const SignalStack&) = delete;
    SignalStack& operator=(const SignalStack&) = delete;

  private:
    void* memory_;
};

}  // namespace ringlay::fiber
