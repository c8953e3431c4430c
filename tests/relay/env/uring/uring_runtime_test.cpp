#include "relay/env/uring/uring_runtime.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <thread>

#include "relay/fiber/fiber.hpp"
#include "relay/fiber/mailbox.hpp"

using ringlay::Deadline;
using ringlay::Nanos;
using ringlay::env::UringGauges;
using ringlay::env::UringKernel;
using ringlay::env::UringRuntime;
using ringlay::env::UringRuntimeOptions;
namespace fiber = ringlay::fiber;
using namespace std::chrono_literals;

namespace {

fiber::WorkerOptions named(std::string name) {
    fiber::WorkerOptions options;
    options.name = std::move(name);
    return options;
}

std::ptrdiff_t count_of(std::string_view directory) {
    return std::distance(std::filesystem::directory_iterator(directory),
                         std::filesystem::directory_iterator());
}

}  // namespace

TEST_CASE("this machine can make a ring") {
    CHECK(UringKernel::probe() == "");
}

TEST_CASE("each worker is a thread of its own, by its name, and deaf to signals") {
    UringRuntime runtime;
    std::string name;
    std::thread::id id;
    bool is_deaf = false;
    runtime.start_worker(named("worker-with-a-long-name"), [&] {
        char text[16];
        pthread_getname_np(pthread_self(), text, sizeof text);
        name = text;
        id = std::this_thread::get_id();
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        is_deaf = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGSEGV) == 0;
    });
    runtime.join();
    CHECK(name == "worker-with-a-l");
    CHECK(id != std::this_thread::get_id());
    CHECK(is_deaf);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    CHECK(sigismember(&mask, SIGTERM) == 0);
}

TEST_CASE("47 workers start, talk to each other and end, and leave no thread or descriptor") {
    auto threads = count_of("/proc/self/task"), handles = count_of("/proc/self/fd");
    for (int round = 0; round < 3; ++round) {
        UringRuntime runtime;
        std::atomic<int> ran = 0;
        std::vector<fiber::Worker*> workers;
        std::vector<std::unique_ptr<fiber::Event>> ends;
        for (int i = 0; i < 46; ++i) ends.push_back(std::make_unique<fiber::Event>());
        for (int i = 0; i < 46; ++i) {
            workers.push_back(&runtime.start_worker(
                named("w" + std::to_string(i)), [end = ends[static_cast<std::size_t>(i)].get()] {
                    static_cast<void>(end->wait());
                }));
        }
        runtime.start_worker(named("asks"), [&] {
            for (std::size_t i = 0; i < workers.size(); ++i) {
                fiber::call_on(*workers[i], "ask",
                               [&] { fiber::blocking([&](ringlay::MayBlock) { ++ran; }); });
            }
            for (std::size_t i = 0; i < workers.size(); ++i) {
                fiber::call_on(*workers[i], "end", [&] { ends[i]->set(); });
            }
        });
        runtime.join();
        CHECK(ran == 46);
        std::size_t seen = 0;
        runtime.for_each_worker([&](const fiber::Worker&, const UringGauges& gauges) {
            ++seen;
            CHECK(gauges.open_operations == 0);
        });
        CHECK(seen == 47);
    }
    CHECK(count_of("/proc/self/fd") == handles);
    // The kernel's own threads of a ring go a little after it.
    for (int i = 0; i < 1000 && count_of("/proc/self/task") > threads; ++i) {
        std::this_thread::sleep_for(10ms);
    }
    CHECK(count_of("/proc/self/task") <= threads);
}

TEST_CASE("a wake that comes before the worker's thread has begun is not lost") {
    for (int i = 0; i < 50; ++i) {
        UringRuntime runtime;
        fiber::Event end;
        bool was_called = false;
        auto& second =
            runtime.start_worker(named("second"), [&] { static_cast<void>(end.wait()); });
        runtime.start_worker(named("first"), [&] {
            fiber::call_on(second, "end", [&] {
                was_called = true;
                end.set();
            });
        });
        runtime.join();
        CHECK(was_called);
    }
}

TEST_CASE("an idle worker sleeps") {
    UringRuntime runtime;
    std::uint64_t sleeps = 0;
    auto& worker =
        runtime.start_worker(named("idle"), [] { static_cast<void>(fiber::sleep_for(200ms)); });
    std::uint64_t calls = 0;
    runtime.join();
    runtime.for_each_worker(
        [&](const fiber::Worker&, const UringGauges& gauges) { calls = gauges.system_calls; });
    sleeps = worker.gauges().sleeps;
    CHECK(sleeps >= 1);
    CHECK(sleeps < 10);
    CHECK(calls < 20);
}

TEST_CASE("the watchdog names a worker whose thread is kept, once for each time") {
    std::mutex mutex;
    std::vector<std::string> reports;
    UringRuntimeOptions options;
    options.watch_every = 5ms;
    options.stall_after = 50ms;
    options.on_stall = [&](std::string_view worker, Nanos since) {
        std::lock_guard lock(mutex);
        reports.push_back(std::string(worker));
        if (since < 50ms) reports.push_back("too early");
    };
    {
        UringRuntime runtime(options);
        runtime.start_worker(named("good"), [] {
            for (int i = 0; i < 100; ++i) static_cast<void>(fiber::sleep_for(3ms));
        });
        runtime.start_worker(named("waits"), [] {
            fiber::blocking([](ringlay::MayBlock) { std::this_thread::sleep_for(150ms); });
        });
        runtime.start_worker(named("bad"), [] {
            for (int i = 0; i < 2; ++i) {
                std::this_thread::sleep_for(150ms);
                static_cast<void>(fiber::sleep_for(10ms));
            }
        });
    }
    CHECK(reports == std::vector<std::string>{"bad", "bad"});
}

TEST_CASE("timers of the same instant fire in the order of their arrival") {
    UringRuntime runtime;
    std::vector<int> order, wanted;
    runtime.start_worker(named("sleeps"), [&] {
        Deadline all{fiber::now() + 5ms};
        fiber::TaskGroup sleepers;
        for (int i = 0; i < 100; ++i) {
            wanted.push_back(i);
            sleepers.spawn("sleep", [&, i] {
                static_cast<void>(fiber::sleep_until(all));
                order.push_back(i);
            });
        }
        while (sleepers.size() > 0) static_cast<void>(fiber::sleep_for(1ms));
    });
    runtime.join();
    CHECK(order == wanted);
}
