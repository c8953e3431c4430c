#include "relay/env/uring/program.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "relay/fiber/fiber.hpp"
#include "relay/fiber/sanitizer.hpp"

using namespace ringlay;
using namespace std::chrono_literals;

namespace {

// TSan lets no child make threads whose parent had several, as other tests' may still be there.
#if defined(RINGLAY_TSAN)
constexpr bool is_thread_sanitized = true;
#else
constexpr bool is_thread_sanitized = false;
#endif

// A program of its own that is sent SIGHUP and then, a moment later, SIGTERM. Returns which of them
// it was told of first, or the signal that ended it.
int first_signal_of_child(void (*before)(int)) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGHUP, before);
        std::atomic<int> seen = 0;
        env::Program program({});
        program.run(
            [&] {
                kill(getpid(), SIGHUP);
                for (int i = 0; i < 20 && seen == 0; ++i) static_cast<void>(fiber::sleep_for(10ms));
                kill(getpid(), SIGTERM);
                while (seen == 0) static_cast<void>(fiber::sleep_for(1ms));
            },
            [&](int number) {
                int none = 0;
                seen.compare_exchange_strong(none, number);
            });
        _exit(seen);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("a program is told that its terminal was closed, and does not die of it") {
    if (is_thread_sanitized) return;
    CHECK(first_signal_of_child(SIG_DFL) == SIGHUP);
}

TEST_CASE("a closed terminal means nothing to a program under nohup") {
    if (is_thread_sanitized) return;
    CHECK(first_signal_of_child(SIG_IGN) == SIGTERM);
}

TEST_CASE("the limit of descriptors is raised to the hard one, and that is what is said") {
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit low = before;
    low.rlim_cur = 64;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    CHECK(env::raise_descriptor_limit() == before.rlim_max);
    rlimit after{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &after) == 0);
    CHECK(after.rlim_cur == before.rlim_max);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
}
