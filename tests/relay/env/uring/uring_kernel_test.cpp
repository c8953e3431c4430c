// What is particular to rings: small queues, few buffers, the pool, the end.

#include "relay/env/uring/uring_kernel.hpp"

#include <arpa/inet.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <optional>
#include <random>
#include <thread>

#include "relay/env/uring/uring_runtime.hpp"
#include "relay/fiber/mailbox.hpp"
#include "tests/support/worlds.hpp"

using ringlay::Address;
using ringlay::Buffer;
using ringlay::Bytes;
using ringlay::Deadline;
using ringlay::Errc;
using ringlay::Nanos;
using ringlay::env::Chunk;
using ringlay::env::Directory;
using ringlay::env::Env;
using ringlay::env::File;
using ringlay::env::OpenMode;
using ringlay::env::Socket;
using ringlay::env::UringGauges;
using ringlay::env::UringOptions;
using ringlay::env::UringRuntime;
using ringlay::env::UringRuntimeOptions;
using ringlay::fiber::Op;
using ringlay::support::connect_pair;
using ringlay::support::Connection;
using ringlay::support::on_rings;
using ringlay::support::TestBody;
using ringlay::support::TestWorld;
namespace fiber = ringlay::fiber;
using namespace std::chrono_literals;

namespace {

// Too small for everything: each queue is full all the time.
UringRuntimeOptions tiny(bool refuse_early_submits = false) {
    UringRuntimeOptions options;
    options.kernel.refuse_early_submits = refuse_early_submits;
    options.kernel.submission_entries = 4;
    options.kernel.completion_entries = 8;
    options.kernel.receive_buffers = 4;
    options.kernel.receive_buffer_bytes = 512;
    options.pool_threads = 2;
    return options;
}

struct Numbers {
    std::uint64_t open_operations = 0;
    std::uint64_t submissions_queued = 0;
    std::uint64_t buffers_missing = 0;
};

Numbers numbers(TestWorld& world) {
    Numbers sum;
    auto& runtime = dynamic_cast<UringRuntime&>(world.runtime());
    runtime.for_each_worker([&](const fiber::Worker&, const UringGauges& gauges) {
        sum.open_operations += gauges.open_operations.load();
        sum.submissions_queued += gauges.submissions_queued.load();
        sum.buffers_missing += gauges.buffers_missing.load();
    });
    return sum;
}

std::vector<Connection> connect_pairs(TestWorld& world, std::size_t count) {
    std::vector<Connection> pairs;
    for (std::size_t i = 0; i < count; ++i) pairs.push_back(connect_pair(world));
    return pairs;
}

template <class Condition>
void wait_until(Condition condition) {
    Deadline deadline = Deadline::in(20s);
    while (!condition()) {
        REQUIRE(fiber::now() < deadline.at);
        REQUIRE(fiber::sleep_for(100us).has_value());
    }
}

}  // namespace

TEST_CASE("10,000 receives that time out on a tiny ring lose no byte and leave nothing open") {
    bool has_to_queue = GENERATE(false, true);
    on_rings(tiny(has_to_queue), {1}, [&](TestWorld& world) {
        std::vector<Connection> pairs = connect_pairs(world, 20);
        std::uint64_t sent = 0, received = 0, timed_out = 0, other = 0;
        bool is_over = false;
        fiber::Task sending = fiber::spawn("send", [&] {
            std::mt19937_64 random(1);
            while (!is_over) {
                Connection& pair = pairs[random() % pairs.size()];
                if (pair.client.send(Buffer(1), Deadline::never())) ++sent;
                static_cast<void>(fiber::sleep_for(Nanos(random() % 100'000)));
            }
        });
        {
            fiber::TaskGroup readers;
            for (std::size_t r = 0; r < 100; ++r) {
                readers.spawn("receive", [&, r] {
                    std::mt19937_64 random(r);
                    for (int i = 0; i < 100; ++i) {
                        Socket& socket = pairs[random() % pairs.size()].server;
                        auto chunk = socket.receive(Deadline::in(Nanos(random() % 300'000)));
                        if (chunk)
                            received += chunk->bytes().size();
                        else
                            ++(chunk.error().code == Errc::timed_out ? timed_out : other);
                    }
                });
            }
            while (readers.size() > 0) REQUIRE(fiber::sleep_for(1ms).has_value());
        }
        is_over = true;
        sending.join();
        CHECK(numbers(world).open_operations == 0);
        for (Connection& pair : pairs) {
            pair.client.shutdown();
            while (true) {
                Chunk rest = pair.server.receive(Deadline::in(10s)).value();
                if (rest.empty()) break;
                received += rest.bytes().size();
            }
        }
        CHECK(received == sent);
        CHECK(timed_out > 5'000);
        CHECK(other == 0);
        if (has_to_queue) CHECK(numbers(world).submissions_queued > 100);
    });
}

TEST_CASE("an operation that is still queued behind a full ring is cancelled there, once") {
    // Few: the cancels too find the ring full. Many: the worker looks outside in between.
    const int count = GENERATE(10, 200);
    on_rings(tiny(GENERATE(false, true)), {1}, [&](TestWorld& world) {
        Connection pair = connect_pair(world);
        int cancelled = 0;
        std::vector<fiber::Task> receivers;
        for (int i = 0; i < count; ++i) {
            receivers.push_back(fiber::spawn("receive", [&] {
                auto chunk = pair.server.receive(Deadline::never());
                cancelled += !chunk && chunk.error().code == Errc::cancelled;
            }));
        }
        fiber::yield();  // all have been submitted, most of them to the queue
        for (auto& receiver : receivers) receiver.cancel();
        receivers.clear();
        CHECK(cancelled == count);
    });
}

TEST_CASE("everything queued behind a full ring is done in the end, connections too") {
    on_rings(tiny(true), {1}, [](TestWorld& world) {
        auto listener = world.env().net.listen(Address::loopback(0)).value();
        std::size_t accepted = 0, connected = 0, cancelled = 0;
        fiber::TaskGroup both;
        for (int i = 0; i < 50; ++i) {
            both.spawn("accept",
                       [&] { accepted += listener.accept(Deadline::in(20s)).has_value(); });
            both.spawn("connect", [&] {
                connected +=
                    world.env().net.connect(listener.local(), Deadline::in(20s)).has_value();
            });
        }
        while (both.size() > 0) REQUIRE(fiber::sleep_for(1ms).has_value());
        CHECK(accepted == 50);
        CHECK(connected == 50);

        std::vector<fiber::Task> given_up;
        for (int i = 0; i < 50; ++i) {
            given_up.push_back(fiber::spawn("connect", [&] {
                auto socket = world.env().net.connect(listener.local(), Deadline::never());
                cancelled += !socket && socket.error().code == Errc::cancelled;
            }));
        }
        fiber::yield();
        for (auto& each : given_up) each.cancel();
        given_up.clear();
        CHECK(cancelled > 0);
    });
}

TEST_CASE("an operation is not left before its completion, though it was cancelled long ago") {
    on_rings({}, {1}, [](TestWorld&) {
        std::atomic<bool> is_running = false, has_ended = false;
        bool had_ended_at_return = false, has_result = false;
        fiber::Task waiting = fiber::spawn("wait", [&] {
            std::move_only_function<void()> job = [&] {
                is_running = true;
                std::this_thread::sleep_for(30ms);
                has_ended = true;
            };
            Op op;
            op.kind = Op::Kind::blocking;
            op.job = &job;
            has_result = fiber::perform(op, Deadline::never()).has_value();
            had_ended_at_return = has_ended;
        });
        wait_until([&] { return is_running.load(); });
        waiting.cancel_and_join();
        CHECK(had_ended_at_return);
        CHECK(has_result);  // what was achieved in spite of the cancel counts
    });
}

TEST_CASE("a job that has not begun is cancelled; those that run complete") {
    UringRuntimeOptions options;
    options.pool_threads = 1;
    on_rings(options, {1}, [](TestWorld&) {
        std::atomic<bool> is_running = false, may_end = false;
        int ran = 0;
        fiber::Task first = fiber::spawn("first", [&] {
            fiber::blocking([&](ringlay::MayBlock) {
                is_running = true;
                while (!may_end) std::this_thread::sleep_for(1ms);
            });
        });
        wait_until([&] { return is_running.load(); });
        std::move_only_function<void()> job = [&] { ++ran; };
        Op op;
        op.kind = Op::Kind::blocking;
        op.job = &job;
        auto result = fiber::perform(op, Deadline::in(1ms));
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == Errc::timed_out);
        may_end = true;
        first.join();
        fiber::blocking([](ringlay::MayBlock) {});  // the thread has looked at its queue again
        CHECK(ran == 0);
    });
}

TEST_CASE("an idle connection holds no buffer: few buffers serve many waiting receives") {
    on_rings(tiny(), {1}, [](TestWorld& world) {
        std::vector<Connection> pairs = connect_pairs(world, 100);
        std::size_t received = 0;
        fiber::TaskGroup readers;
        for (Connection& pair : pairs) {
            readers.spawn("receive", [&] {
                auto chunk = pair.server.receive(Deadline::in(20s));
                received += chunk ? chunk->bytes().size() : 0;
            });
        }
        fiber::yield();
        for (std::size_t i = pairs.size(); i > 0; --i) {
            REQUIRE(pairs[i - 1].client.send(Buffer(1), Deadline::never()).has_value());
        }
        while (readers.size() > 0) REQUIRE(fiber::sleep_for(100us).has_value());
        CHECK(received == 100);
    });
}

TEST_CASE("receives without a buffer wait for one, are cancelled there, and go on in turn") {
    on_rings(tiny(), {1}, [](TestWorld& world) {
        std::vector<Connection> pairs = connect_pairs(world, 8);
        for (Connection& pair : pairs) {
            REQUIRE(pair.client.send(Buffer(1), Deadline::never()).has_value());
        }
        std::vector<Chunk> held;
        for (std::size_t i = 0; i < 4; ++i) {
            held.push_back(pairs[i].server.receive(Deadline::in(10s)).value());
        }
        auto starved = pairs[4].server.receive(Deadline::in(20ms));
        REQUIRE_FALSE(starved.has_value());
        CHECK(starved.error().code == Errc::timed_out);
        CHECK(numbers(world).buffers_missing > 0);

        // A socket that is shut meanwhile does not wait for a buffer to learn of it.
        fiber::Task shut = fiber::spawn("shut", [&] {
            auto chunk = pairs[5].server.receive(Deadline::never());
            CHECK((!chunk || chunk->empty()));
        });
        REQUIRE(fiber::sleep_for(5ms).has_value());
        pairs[5].server.shutdown();
        shut.join();

        std::size_t received = 0;
        fiber::TaskGroup readers;
        for (std::size_t i : {4u, 6u, 7u}) {
            readers.spawn("receive", [&, i] {
                auto chunk = pairs[i].server.receive(Deadline::in(20s));
                received += chunk ? chunk->bytes().size() : 0;
            });
        }
        REQUIRE(fiber::sleep_for(5ms).has_value());
        CHECK(received == 0);
        held.pop_back();
        wait_until([&] { return received == 3; });  // one buffer is enough for all, in turn
    });
}

TEST_CASE("a receive without data does not stand in the way of one that needs a buffer") {
    on_rings(tiny(), {1}, [](TestWorld& world) {
        std::vector<Connection> pairs = connect_pairs(world, 6);
        std::vector<Chunk> held;
        for (std::size_t i = 0; i < 4; ++i) {
            REQUIRE(pairs[i].client.send(Buffer(1), Deadline::never()).has_value());
            held.push_back(pairs[i].server.receive(Deadline::in(10s)).value());
        }
        fiber::Task idle = fiber::spawn(
            "idle", [&] { static_cast<void>(pairs[4].server.receive(Deadline::never())); });
        REQUIRE(fiber::sleep_for(2ms).has_value());
        bool has_received = false;
        REQUIRE(pairs[5].client.send(Buffer(1), Deadline::never()).has_value());
        fiber::Task receiving = fiber::spawn("receive", [&] {
            has_received = pairs[5].server.receive(Deadline::never()).has_value();
        });
        REQUIRE(fiber::sleep_for(2ms).has_value());
        held.pop_back();
        wait_until([&] { return has_received; });
    });
}

TEST_CASE("a receive that is cancelled while there is no buffer is cancelled, no other error") {
    on_rings(tiny(), {1}, [](TestWorld& world) {
        std::vector<Connection> pairs = connect_pairs(world, 5);
        std::vector<Chunk> held;
        for (std::size_t i = 0; i < 5; ++i) {
            REQUIRE(pairs[i].client.send(Buffer(1), Deadline::never()).has_value());
            if (i < 4) held.push_back(pairs[i].server.receive(Deadline::in(10s)).value());
        }
        for (int i = 0; i < 100; ++i) {
            std::optional<Errc> error;
            fiber::Task receiving = fiber::spawn("receive", [&] {
                auto chunk = pairs[4].server.receive(Deadline::never());
                if (!chunk) error = chunk.error().code;
            });
            // Submitted and cancelled between two looks, or a look later, or two.
            for (int looks = 0; looks < i % 4; ++looks) static_cast<void>(fiber::sleep_for(1us));
            fiber::yield();
            receiving.cancel_and_join();
            REQUIRE(error == Errc::cancelled);
        }
    });
}

TEST_CASE("a burst finds all buffers, though few of them circulate at first") {
    on_rings({}, {1}, [](TestWorld& world) {
        std::vector<Connection> pairs = connect_pairs(world, 60);
        for (Connection& pair : pairs) {
            REQUIRE(pair.client.send(Buffer(1), Deadline::never()).has_value());
        }
        std::vector<Chunk> held;  // none is given back before all have come
        fiber::TaskGroup readers;
        for (Connection& pair : pairs) {
            readers.spawn("receive", [&] {
                auto chunk = pair.server.receive(Deadline::in(20s));
                if (chunk) held.push_back(std::move(*chunk));
            });
        }
        wait_until([&] { return held.size() == 60; });
    });
}

TEST_CASE("connections get no descriptor that is kept for files, in or out") {
    const int lowest = dup(STDOUT_FILENO);
    close(lowest);
    UringRuntimeOptions options;
    options.kernel.socket_descriptors = static_cast<std::uint64_t>(lowest) + 20;
    on_rings(options, {1}, [&](TestWorld& world) {
        auto listener = world.env().net.listen(Address::loopback(0)).value();
        std::vector<Socket> sockets;
        ringlay::Result<Socket> refused_out = ringlay::fail(Errc::closed, "");
        for (;;) {  // the kernel takes them into the backlog
            auto socket = world.env().net.connect(listener.local(), Deadline::in(20s));
            if (!socket) {
                refused_out = std::move(socket);
                break;
            }
            REQUIRE(sockets.size() < 20);
            sockets.push_back(std::move(*socket));
        }
        CHECK(refused_out.error().code == Errc::busy);
        const int next = dup(STDOUT_FILENO);
        close(next);
        CHECK(next == lowest + 20);
        auto refused_in = listener.accept();
        REQUIRE_FALSE(refused_in.has_value());
        CHECK(refused_in.error().code == Errc::busy);
        File file = world.directory().open("file", OpenMode::create).value();
        CHECK(file.write_at(0, Bytes(Buffer(10))).has_value());
        sockets.pop_back();
        CHECK(listener.accept().has_value());
        auto& runtime = dynamic_cast<UringRuntime&>(world.runtime());
        runtime.for_each_worker([&](const fiber::Worker&, const UringGauges& gauges) {
            CHECK(gauges.sockets_refused.load() == 2);
        });
    });
}

TEST_CASE("bytes larger than a buffer arrive in several chunks, in order") {
    on_rings(tiny(), {1}, [](TestWorld& world) {
        Connection pair = connect_pair(world);
        Buffer bytes(100'000);
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i >> 3);
        fiber::Task sending = fiber::spawn(
            "send", [&] { CHECK(pair.client.send(bytes, Deadline::in(20s)).has_value()); });
        Buffer all;
        while (all.size() < bytes.size()) {
            Chunk chunk = pair.server.receive(Deadline::in(20s)).value();
            REQUIRE(chunk.bytes().size() <= 512);
            all.insert(all.end(), chunk.bytes().begin(), chunk.bytes().end());
        }
        sending.join();
        CHECK((all == bytes));
    });
}

TEST_CASE("a peer may finish sending and still be answered") {
    on_rings({}, {1}, [](TestWorld& world) {
        auto listener = world.env().net.listen(Address::loopback(0)).value();
        std::string answer;
        std::thread peer([&answer, port = listener.local().port] {
            int handle = ::socket(AF_INET, SOCK_STREAM, 0);
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(port);
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            if (::connect(handle, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0 &&
                ::send(handle, "ask", 3, 0) == 3 && ::shutdown(handle, SHUT_WR) == 0) {
                char bytes[16];
                for (ssize_t size = 0; (size = ::recv(handle, bytes, sizeof bytes, 0)) > 0;) {
                    answer.append(bytes, static_cast<std::size_t>(size));
                }
            }
            ::close(handle);
        });
        Socket socket = listener.accept(Deadline::in(10s)).value();
        std::size_t asked = 0;
        while (true) {
            Chunk chunk = socket.receive(Deadline::in(10s)).value();
            if (chunk.empty()) break;
            asked += chunk.bytes().size();
        }
        CHECK(asked == 3);
        CHECK(socket.receive(Deadline::in(10s)).value().empty());  // and so it stays
        CHECK(socket.send(Buffer{'y', 'e', 's'}, Deadline::in(10s)).has_value());
        socket.close();
        peer.join();
        CHECK(answer == "yes");
    });
}

TEST_CASE("IPv6 connects to IPv6, and a listener on all addresses takes IPv4 too") {
    on_rings({}, {1}, [](TestWorld& world) {
        auto any = world.env().net.listen(Address::parse("::", 0).value());
        if (!any) return;  // no IPv6 on this machine
        for (std::string_view to : {"::1", "127.0.0.1"}) {
            CAPTURE(to);
            auto address = Address::parse(to, any->local().port).value();
            Socket client = world.env().net.connect(address, Deadline::in(10s)).value();
            Socket server = any->accept(Deadline::in(10s)).value();
            CHECK(server.peer().ip_text() == to);
            CHECK(server.peer().is_loopback());
        }
    });
}

TEST_CASE("localhost resolves to this machine; a name that cannot exist does not resolve") {
    on_rings({}, {1}, [](TestWorld& world) {
        auto& net = world.env().net;
        auto addresses = net.resolve("localhost", 3000, Deadline::in(20s)).value();
        CHECK(addresses.front().is_loopback());
        CHECK(addresses.front().port == 3000);
        auto none = net.resolve("no-such-name.invalid", 1, Deadline::in(20s));
        CHECK_FALSE(none.has_value());
    });
}

TEST_CASE("a name look-up is given up at its deadline, however long the resolver takes") {
    // Behind the test's back: threads that were left behind must not touch its stack.
    auto is_over = std::make_shared<std::atomic<bool>>(false);
    UringRuntimeOptions options;
    options.names.look_up = [is_over](const std::string&, std::uint16_t, std::vector<Address>&) {
        while (!*is_over) std::this_thread::sleep_for(1ms);
        return std::int64_t{-EHOSTUNREACH};
    };
    on_rings(options, {1}, [](TestWorld& world) {
        fiber::TaskGroup asking;
        int timed_out = 0;
        for (int i = 0; i < 100; ++i) {
            asking.spawn("resolve", [&, i] {
                std::string name = "n" + std::to_string(i) + ".invalid";
                auto none = world.env().net.resolve(name, 1, Deadline::in(Nanos(i * 1000)));
                timed_out += !none && none.error().code == Errc::timed_out;
            });
        }
        while (asking.size() > 0) REQUIRE(fiber::sleep_for(100us).has_value());
        CHECK(timed_out == 100);
    });
    *is_over = true;
}

TEST_CASE("a file worker writes and reads on its own thread, with the same promises") {
    UringRuntimeOptions options;
    options.files_inline_workers = {"w0"};
    on_rings(options, {1}, [](TestWorld& world) {
        Directory directory = world.directory();
        File file = directory.open("a", OpenMode::create).value();
        auto& runtime = dynamic_cast<UringRuntime&>(world.runtime());
        std::size_t threads = runtime.pool().threads();
        Buffer bytes(1000, 7);
        for (std::uint64_t i = 0; i < 1000; ++i)
            REQUIRE(file.write_at(i * 1000, bytes).has_value());
        REQUIRE(file.sync().has_value());
        Buffer back(1'000'000);
        CHECK(file.read_at(0, back).value() == 1'000'000);
        CHECK(std::ranges::count(back, 7) == 1'000'000);
        CHECK(runtime.pool().threads() == threads);
        File only_read = directory.open("a", OpenMode::read).value();
        CHECK_FALSE(only_read.write_at(0, bytes).has_value());
    });
}

TEST_CASE("a full volume is said to be full, and what was written before stays") {
    if (::geteuid() != 0) return;  // only root may mount one
    for (bool is_inline : {false, true}) {
        UringRuntimeOptions options;
        options.kernel.files_inline = is_inline;
        on_rings(options, {1}, [](TestWorld& world) {
            Directory volume = world.directory().make_directory("small").value();
            if (::mount("none", volume.path().c_str(), "tmpfs", 0, "size=64k") != 0) return;
            {
                File file = volume.open("a", OpenMode::create).value();
                REQUIRE(file.write_at(0, Buffer(40'000, 1)).has_value());
                auto full = file.write_at(40'000, Buffer(100'000, 2));
                REQUIRE_FALSE(full.has_value());
                CHECK(full.error().code == Errc::no_space);
                Buffer back(40'000);
                CHECK(file.read_at(0, back).value() == 40'000);
                CHECK(std::ranges::count(back, 1) == 40'000);
            }
            CHECK(::umount(volume.path().c_str()) == 0);
        });
    }
}

TEST_CASE("wakes from threads that are no workers are never lost") {
    on_rings({}, {1}, [](TestWorld&) {
        for (int i = 0; i < 300; ++i) {
            std::vector<fiber::Task> jobs;
            int ended = 0;
            for (int j = 0; j < 4; ++j) {
                jobs.push_back(fiber::spawn("job", [&] {
                    fiber::blocking([](ringlay::MayBlock) {});
                    ++ended;
                }));
            }
            jobs.clear();  // cancels and joins: a lost wake would hang here
            REQUIRE(ended == 4);
        }
    });
}
