// The parts of the ring kernel that need no ring.

#include <sys/socket.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <string>
#include <vector>

#include "relay/env/uring/ring_probe.hpp"
#include "relay/env/uring/socket_address.hpp"
#include "relay/env/uring/thread_pool.hpp"

using Catch::Matchers::Contains;
using ringlay::Address;
using ringlay::env::explain_ring_failure;
using ringlay::env::get_address;
using ringlay::env::put_address;
using ringlay::env::SocketAddress;
using ringlay::env::ThreadPool;

namespace {

struct Count final : ThreadPool::Job {
    std::atomic<int>* count = nullptr;
    std::atomic<bool>* gate = nullptr;
    void run() override {
        while (gate != nullptr && !*gate) std::this_thread::yield();
        ++*count;
    }
};

}  // namespace

TEST_CASE("a ring that cannot be made is explained by its cause and its cure") {
    const struct {
        int error_number;
        int disabled;
        std::string_view cause;
        std::string_view cure;
    } cases[] = {
        {EPERM, 0, "seccomp", "--security-opt seccomp=unconfined"},
        {EPERM, -1, "seccomp", "io_uring_setup"},
        {EPERM, 1, "kernel.io_uring_disabled = 1", "sysctl -w kernel.io_uring_disabled=0"},
        {EPERM, 2, "kernel.io_uring_disabled = 2", "sysctl -w kernel.io_uring_disabled=0"},
        {EACCES, 0, "seccomp", "seccomp=unconfined"},
        {ENOSYS, -1, "has no io_uring", "Linux 6.1"},
        {EINVAL, -1, "too old", "this is 5.15.0-91-generic"},
        {ENOMEM, 0, "memory", "ulimit -l"},
        {EMFILE, 0, "descriptor", "ulimit -n"},
        {EIO, 0, "Input/output error", "5.15.0-91-generic"},
    };
    for (const auto& each : cases) {
        CAPTURE(each.error_number, each.disabled);
        std::string text =
            explain_ring_failure(each.error_number, {"5.15.0-91-generic", each.disabled});
        CHECK_THAT(text, Contains(std::string(each.cause)));
        CHECK_THAT(text, Contains(std::string(each.cure)));
        CHECK(text.find('\n') == std::string::npos);
    }
    // A switch that is on is not blamed.
    CHECK_THAT(explain_ring_failure(EPERM, {"6.8", 0}), !Contains("sysctl"));
}

TEST_CASE("an address goes to the system and back unchanged") {
    for (std::string_view text : {"127.0.0.1", "203.0.113.255", "::1", "2001:db8::17", "0.0.0.0"}) {
        CAPTURE(text);
        Address address = Address::parse(text, 54321).value();
        SocketAddress raw;
        socklen_t length = put_address(address, raw);
        CHECK(raw.any.sa_family == (address.is_v4() ? AF_INET : AF_INET6));
        CHECK(length == (address.is_v4() ? sizeof raw.v4 : sizeof raw.v6));
        CHECK(get_address(raw) == address);
    }
}

TEST_CASE("a pool makes threads as jobs find none idle, up to its bound, and runs every job") {
    std::atomic<int> count = 0;
    std::atomic<bool> gate = false;
    std::vector<Count> jobs(20);
    {
        ThreadPool pool("test", 3);
        CHECK(pool.threads() == 0);
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            jobs[i].count = &count;
            jobs[i].gate = &gate;
            pool.submit(jobs[i]);
            CHECK(pool.threads() == std::min<std::size_t>(i + 1, 3));
        }
        gate = true;
    }
    CHECK(count == 20);
}

TEST_CASE("a pool with an idle thread makes no other") {
    std::atomic<int> count = 0;
    ThreadPool pool("test", 8);
    for (int i = 1; i <= 20; ++i) {
        Count job;
        job.count = &count;
        pool.submit(job);
        while (count < i) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(pool.threads() <= 2);
}

TEST_CASE("a job that is withdrawn does not run; one that runs cannot be withdrawn") {
    std::atomic<int> count = 0, withdrawn = 0;
    std::atomic<bool> gate = false;
    std::vector<Count> jobs(10);
    {
        ThreadPool pool("test", 1);
        for (Count& job : jobs) {
            job.count = &count;
            job.gate = &gate;
            pool.submit(job);
        }
        while (pool.queued() == jobs.size()) std::this_thread::yield();
        CHECK_FALSE(pool.withdraw(jobs[0]));
        for (std::size_t i : {9u, 1u, 5u}) withdrawn += pool.withdraw(jobs[i]);
        CHECK_FALSE(pool.withdraw(jobs[5]));
        CHECK(withdrawn == 3);
        CHECK(pool.queued() == 6);
        gate = true;
    }
    CHECK(count == 7);
}
