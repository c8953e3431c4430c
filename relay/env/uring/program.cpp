#include "relay/env/uring/program.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace ringlay::env {
namespace {

// The last one is our own: it ends the wait when the first fiber has returned.
sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) sigaddset(&set, number);
    // The terminal is closed, unless nohup has said that this means nothing.
    struct sigaction action{};
    if (sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) {
        sigaddset(&set, SIGHUP);
    }
    return set;
}

}  // namespace

void write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        ssize_t written = write(descriptor, text.data(), text.size());
        if (written < 0 && errno != EINTR) return;
        if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::uint64_t raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlim_t soft = std::exchange(limit.rlim_cur, limit.rlim_max);
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : soft;
}

// The system's resolver reads it, and by itself waits twice 5 s for each server that is silent.
void hurry_the_resolver() {
    constexpr int unless_set = 0;
    setenv("RES_OPTIONS", "timeout:2 attempts:2", unless_set);
}

// Signals are blocked before any thread is started, so that all of them inherit it.
Program::Program(UringRuntimeOptions options)
    : signals_(handled_signals()), main_thread_(pthread_self()) {
    hurry_the_resolver();
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    runtime_ = std::make_unique<UringRuntime>(std::move(options));
}

void Program::run(std::move_only_function<void()> first,
                  const std::function<void(int)>& on_signal) {
    runtime_->start_worker({.name = "main", .index = 0}, [this, body = std::move(first)]() mutable {
        body();
        has_ended_.store(true);
        pthread_kill(main_thread_, SIGUSR2);
    });
    while (!has_ended_.load()) {
        int number = 0;
        if (sigwait(&signals_, &number) == 0 && number != SIGUSR2) on_signal(number);
    }
    runtime_->join();
}

}  // namespace ringlay::env
