// What the real world costs here: waking another worker, a message over loopback, a write to a
// file on the pool, in the ring and inline, and the memory of idle workers. Ratios say more than
// figures: the machine is shared.

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "relay/env/uring/uring_runtime.hpp"
#include "relay/fiber/mailbox.hpp"

namespace {

using namespace ringlay;
using namespace std::chrono_literals;

fiber::WorkerOptions named(std::string name) {
    fiber::WorkerOptions options;
    options.name = std::move(name);
    return options;
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Of the whole process, user and system.
double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double resident_mb() {
    std::FILE* file = std::fopen("/proc/self/statm", "re");
    long size = 0, resident = 0;
    if (std::fscanf(file, "%ld %ld", &size, &resident) != 2) resident = 0;
    std::fclose(file);
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

double microseconds(Nanos time) {
    return static_cast<double>(time.count()) / 1e3;
}

void wake_ping_pong() {
    env::UringRuntime runtime;
    constexpr int rounds = 50'000;
    fiber::Doorbell* there = nullptr;
    fiber::Event end;
    auto& second = runtime.start_worker(named("second"), [&] { static_cast<void>(end.wait()); });
    runtime.start_worker(named("first"), [&] {
        fiber::Doorbell here;
        fiber::call_on(second, "make", [&] { there = new fiber::Doorbell; });
        fiber::Task answering = fiber::spawn("answer", [&] {
            fiber::call_on(second, "answer", [&] {
                for (int i = 0; i < rounds && there->wait("ping"); ++i) here.ring();
            });
        });
        double cpu = cpu_seconds();
        Nanos began = fiber::now();
        for (int i = 0; i < rounds; ++i) {
            there->ring();
            static_cast<void>(here.wait("pong"));
        }
        double each = microseconds(fiber::now() - began) / rounds;
        std::printf("wake round trip between two workers   %8.2f us, %.2f us of CPU\n", each,
                    (cpu_seconds() - cpu) * 1e6 / rounds);
        answering.join();
        fiber::call_on(second, "end", [&] {
            delete there;
            end.set();
        });
    });
    runtime.join();
}

// Clients and servers on one worker: each message is sent, received, sent back and received.
void echo(std::size_t connections, std::size_t bytes, std::size_t messages) {
    env::UringRuntime runtime;
    runtime.start_worker(named("echo"), [&] {
        env::Env env;
        auto listener = env.net.listen(Address::loopback(0)).value();
        fiber::TaskGroup servers;
        std::vector<env::Socket> clients;
        for (std::size_t i = 0; i < connections; ++i) {
            fiber::Task connecting = fiber::spawn("connect", [&] {
                clients.push_back(env.net.connect(listener.local(), Deadline::never()).value());
            });
            auto socket = listener.accept().value();
            connecting.join();
            servers.spawn("server", [socket = std::move(socket)]() mutable {
                for (;;) {
                    auto chunk = socket.receive(Deadline::never());
                    if (!chunk || chunk->empty()) return;
                    if (!socket.send(chunk->bytes(), Deadline::never())) return;
                }
            });
        }
        const Buffer message(bytes, 7);
        double cpu = cpu_seconds();
        Nanos began = fiber::now();
        {
            std::vector<fiber::Task> asking;
            for (env::Socket& client : clients) {
                asking.push_back(fiber::spawn("client", [&] {
                    for (std::size_t i = 0; i < messages; ++i) {
                        static_cast<void>(client.send(message, Deadline::never()));
                        for (std::size_t got = 0; got < bytes;) {
                            auto chunk = client.receive(Deadline::never());
                            if (!chunk || chunk->empty()) return;
                            got += chunk->bytes().size();
                        }
                    }
                }));
            }
            for (auto& each : asking) each.join();
        }
        auto total = static_cast<double>(connections * messages * 2);
        std::printf("%4zu connections, %5zu B: one message  %8.2f us, %.2f us of CPU\n",
                    connections, bytes, microseconds(fiber::now() - began) / total,
                    (cpu_seconds() - cpu) * 1e6 / total);
        for (env::Socket& client : clients) client.shutdown();
    });
    runtime.join();
}

void file_writes(bool is_inline, const std::string& path) {
    env::UringRuntimeOptions options;
    options.kernel.files_inline = is_inline;
    env::UringRuntime runtime(options);
    runtime.start_worker(named("file"), [&] {
        env::Env env;
        auto directory = env.disk.open_directory(path).value();
        auto file = directory.open("bench", env::OpenMode::write_or_create).value();
        const Buffer block(16 * 1024, 7);
        constexpr std::uint64_t writes = 5000;
        double cpu = cpu_seconds();
        Nanos began = fiber::now();
        for (std::uint64_t i = 0; i < writes; ++i) {
            if (!file.write_at(i % 500 * block.size(), block)) return;
        }
        std::printf("write of 16 KiB, %-22s %7.2f us, %.2f us of CPU\n",
                    is_inline ? "on the worker's thread" : "by the ring",
                    microseconds(fiber::now() - began) / writes,
                    (cpu_seconds() - cpu) * 1e6 / writes);
        static_cast<void>(directory.remove("bench"));
    });
    runtime.join();
}

void pool_jobs() {
    env::UringRuntime runtime;
    runtime.start_worker(named("pool"), [] {
        constexpr int jobs = 20'000;
        Nanos began = fiber::now();
        double cpu = cpu_seconds();
        for (int i = 0; i < jobs; ++i) fiber::blocking([](MayBlock) {});
        std::printf("empty job on the pool                 %8.2f us, %.2f us of CPU\n",
                    microseconds(fiber::now() - began) / jobs, (cpu_seconds() - cpu) * 1e6 / jobs);
    });
    runtime.join();
}

void idle_workers(std::size_t count) {
    double before = resident_mb();
    env::UringRuntime runtime;
    for (std::size_t i = 0; i < count; ++i) {
        runtime.start_worker(named("idle"), [] { static_cast<void>(fiber::sleep_for(1500ms)); });
    }
    usleep(500'000);
    double cpu = cpu_seconds();
    usleep(500'000);
    double after = resident_mb();
    std::printf(
        "%zu idle workers                        %8.2f MB resident (%.0f KiB each), "
        "%.3f %% of a core\n",
        count, after - before, (after - before) * 1e6 / 1024 / static_cast<double>(count),
        (cpu_seconds() - cpu) / 0.5 * 100);
    runtime.join();
}

}  // namespace

int main() {
    if (std::string why = env::UringKernel::probe(); !why.empty()) {
        std::fprintf(stderr, "%s\n", why.c_str());
        return 1;
    }
    idle_workers(47);
    wake_ping_pong();
    pool_jobs();
    echo(1, 600, 20'000);
    echo(64, 600, 2'000);
    echo(1000, 600, 100);
    echo(64, 16 * 1024, 1'000);
    std::string directory = std::filesystem::temp_directory_path() / "ringlay-env-bench";
    file_writes(true, directory);
    file_writes(false, directory);
    std::filesystem::remove_all(directory);
    return 0;
}
