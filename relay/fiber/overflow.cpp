#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "relay/fiber/scheduler.hpp"

namespace ringlay::fiber {
namespace {

constexpr std::size_t signal_stack_bytes = 64 * 1024;

std::atomic<bool> is_installed{false};
struct sigaction previous_action;

// Only what is safe in a signal handler: no allocation, no lock, write(2).
void say(std::string_view text) {
    [[maybe_unused]] auto written = write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

struct OverflowReport {
    static void on_fault(int number, siginfo_t* info, void*) {
        Worker* worker = current_worker();
        if (worker != nullptr) {
            const std::uint8_t* bottom = worker->stacks_->stack_of_guard(info->si_addr);
            Fiber* fiber = worker->running_;
            if (bottom != nullptr && fiber != nullptr && fiber->stack.bottom == bottom) {
                say("ringlay: stack overflow in fiber ");
                say(fiber->name);
                say(" of worker ");
                say(worker->name());
                say("\n");
            }
        }
        // Whoever was there before decides how to die; returning runs into the fault again.
        sigaction(number, &previous_action, nullptr);
    }
};

void install_overflow_handler() {
    if (is_installed.exchange(true)) return;
    struct sigaction action{};
    action.sa_sigaction = &OverflowReport::on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    RINGLAY_ASSERT(sigaction(SIGSEGV, &action, &previous_action) == 0);
}

SignalStack::SignalStack()
    : memory_(mmap(nullptr, signal_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0)) {
    RINGLAY_ASSERT(memory_ != MAP_FAILED);
    stack_t stack{};
    stack.ss_sp = memory_;
    stack.ss_size = signal_stack_bytes;
    RINGLAY_ASSERT(sigaltstack(&stack, nullptr) == 0);
}

SignalStack::~SignalStack() {
    stack_t stack{};
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
    munmap(memory_, signal_stack_bytes);
}

}  // namespace ringlay::fiber
