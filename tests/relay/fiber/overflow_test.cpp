#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "manual_kernel.hpp"
#include "relay/fiber/sanitizer.hpp"
#include "relay/fiber/stack_pool.hpp"

using namespace ringlay;
using namespace ringlay::fiber;

namespace {

[[gnu::noinline]] int use_stack(volatile char* above, int depth) {
    volatile char frame[1024];
    frame[0] = above == nullptr ? 'x' : above[0];
    return depth == 0 ? frame[0] : use_stack(frame, depth - 1) + frame[0];
}

// Runs a function in a child process, under Worker::run as a real thread has it, and returns what
// it wrote to standard error and the signal that ended it.
std::pair<std::string, int> dying_words(void (*body)()) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        testing::ManualKernel kernel;
        Worker worker(kernel, {.name = "w3"});
        worker.run(body);
        _exit(0);
    }
    close(ends[1]);
    std::string words;
    char part[512];
    for (ssize_t n = 0; (n = read(ends[0], part, sizeof part)) > 0;) {
        words.append(part, static_cast<std::size_t>(n));
    }
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return {words, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
}

}  // namespace

TEST_CASE("a stack overflow names the fiber before the process dies of it") {
    if (sanitizer::widens_frames) return;  // the sanitizer reports the fault in its own way
    auto [words, signal] = dying_words([] {
        Task task = spawn("deep diver", [] { use_stack(nullptr, 1000); });
        task.join();
    });
    CHECK(words.find("stack overflow in fiber deep diver of worker w3") != words.npos);
    CHECK(signal == SIGSEGV);
}

TEST_CASE("an exception that leaves a fiber ends the process") {
    if (sanitizer::widens_frames) return;
    auto [words, signal] = dying_words([] {
        Task task = spawn("thrower", [] { throw 1; });
        task.join();
    });
    CHECK(words.find("terminate") != words.npos);
    CHECK(signal == SIGABRT);
}

TEST_CASE("a pool that the system gives no more memory says so, and goes on with what it has") {
    if (sanitizer::widens_frames) return;  // their own memory counts, too
    auto [words, signal] = dying_words([] {
        StackPool pool(64 * 1024);
        const rlimit little{512 << 20, 512 << 20};
        RINGLAY_ASSERT(setrlimit(RLIMIT_AS, &little) == 0);
        std::size_t count = 0;
        Stack last;
        for (; pool.has_room(); ++count) last = pool.take();
        RINGLAY_ASSERT(count > 1000 && count < 10'000);
        pool.give_back(last);
        RINGLAY_ASSERT(pool.has_room());
        std::fprintf(stderr, "went on");
    });
    CHECK(words == "went on");
    CHECK(signal == 0);
}

TEST_CASE("every stack has its guard page right below, and the pool knows whose it is") {
    StackPool pool(64 * 1024);
    Stack a = pool.take(), b = pool.take();
    CHECK(pool.stack_of_guard(a.bottom - 1) == a.bottom);
    CHECK(pool.stack_of_guard(b.bottom - 4096) == b.bottom);
    CHECK(pool.stack_of_guard(a.bottom) == nullptr);
    CHECK(pool.stack_of_guard(&pool) == nullptr);
    static_cast<std::uint8_t*>(a.top())[-1] = 1;
    a.bottom[0] = 1;
    pool.give_back(a);
    CHECK(pool.take().bottom == a.bottom);
    pool.give_back(b);
}
