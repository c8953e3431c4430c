#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "relay/env/sim/world.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using env::CrashMode;
using env::Listener;
using env::Machine;
using env::Socket;
using env::World;
using env::WorldOptions;

namespace {

Buffer numbered(std::size_t size) {
    Buffer bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
    return bytes;
}

// Machines "a" and "b", and a process on each: `serve` gets a listener on b, `call` runs on a.
class TwoMachines {
  public:
    explicit TwoMachines(std::uint64_t seed) : TwoMachines(options_of(seed)) {}
    explicit TwoMachines(WorldOptions options)
        : world(std::move(options)), a(world.machine("a")), b(world.machine("b")) {}

    static WorldOptions options_of(std::uint64_t seed) {
        WorldOptions options;
        options.seed = seed;
        return options;
    }

    void serve(std::function<void(Listener&)> body) {
        b.start_worker({.name = "server"}, [this, body = std::move(body)] {
            auto listener = env.net.listen(b.address(80));
            REQUIRE(listener.has_value());
            body(*listener);
        });
    }

    void call(std::function<void()> body) { a.start_worker({.name = "client"}, std::move(body)); }

    Socket connect() {
        for (;;) {
            auto socket = env.net.connect(b.address(80), Deadline::in(1h));
            if (socket) return std::move(*socket);
            REQUIRE(socket.error().code == Errc::unreachable);
            REQUIRE(fiber::sleep_for(1ms).has_value());
        }
    }

    void run() {
        auto stuck = world.run();
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        REQUIRE(world.net().open_sockets() == 0);
    }

    World world;
    Machine& a;
    Machine& b;
    env::Env env;
};

// All that comes, and how it ends.
struct Received {
    Buffer bytes;
    std::size_t pieces = 0;
    std::optional<Errc> error;
};

Received receive_all(Socket& socket, Deadline deadline = Deadline::never()) {
    Received all;
    for (;;) {
        auto chunk = socket.receive(deadline);
        if (!chunk) {
            all.error = chunk.error().code;
            return all;
        }
        if (chunk->empty()) return all;
        all.bytes.insert(all.bytes.end(), chunk->bytes().begin(), chunk->bytes().end());
        ++all.pieces;
    }
}

}  // namespace

TEST_CASE("bytes keep their order, however they are cut and delayed") {
    std::set<std::size_t> pieces;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        WorldOptions options = TwoMachines::options_of(seed);
        options.net.fragment_per_mille = static_cast<std::uint32_t>(seed * 10);
        options.net.socket_buffer_bytes = 1 + seed * 40;
        if (seed % 2 == 0) options.net.latency = {Nanos(0), Nanos(0)};  // all at one time
        TwoMachines two(options);
        const Buffer bytes = numbered(5000);
        two.serve([&](Listener& listener) {
            auto socket = listener.accept();
            REQUIRE(socket.has_value());
            Received all = receive_all(*socket);
            REQUIRE(all.bytes == bytes);
            REQUIRE_FALSE(all.error);
            pieces.insert(all.pieces);
        });
        two.call([&] {
            Socket socket = two.connect();
            REQUIRE(socket.send(bytes, Deadline::never()).has_value());
        });
        two.run();
    }
    CHECK(pieces.size() > 15);
    CHECK(*pieces.rbegin() > 100);
}

TEST_CASE("latency and bandwidth are as asked for") {
    WorldOptions options = TwoMachines::options_of(1);
    options.net.latency = {10ms, 10ms};
    options.net.bytes_per_s = 1'000'000;
    TwoMachines two(options);
    Nanos sent_at{}, received_at{};
    two.serve([&](Listener& listener) {
        auto socket = listener.accept();
        REQUIRE(socket.has_value());
        REQUIRE(receive_all(*socket).bytes.size() == 20'000);
        received_at = fiber::now();
    });
    two.call([&] {
        REQUIRE(fiber::sleep_for(1ms).has_value());
        Nanos began = fiber::now();
        Socket socket = two.connect();
        CHECK(fiber::now() - began >= 20ms);
        CHECK(fiber::now() - began < 21ms);
        sent_at = fiber::now();
        REQUIRE(socket.send(numbered(20'000), Deadline::never()).has_value());
    });
    two.run();
    CHECK(received_at - sent_at >= 30ms);
    CHECK(received_at - sent_at < 32ms);
}

TEST_CASE("a peer that does not read is sent no more than the buffer, until it reads") {
    TwoMachines two(2);
    std::size_t sent = 0;
    two.serve([&](Listener& listener) {
        auto socket = listener.accept();
        REQUIRE(socket.has_value());
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(sent == two.world.options().net.socket_buffer_bytes);
        REQUIRE(receive_all(*socket).bytes == numbered(200'000));
    });
    two.call([&] {
        Socket socket = two.connect();
        Buffer bytes = numbered(200'000);
        for (Bytes left = bytes; !left.empty();) {
            auto taken = socket.send_now(std::span(&left, 1));
            REQUIRE(taken.has_value());
            left = left.subspan(*taken);
            sent += *taken;
            if (*taken == 0) REQUIRE(socket.wait_writable(Deadline::never()).has_value());
        }
    });
    two.run();
}

TEST_CASE("nobody listens: refused; no such machine: unreachable; nobody answers: timed out") {
    TwoMachines two(3);
    two.call([&] {
        auto& net = two.env.net;
        CHECK(net.connect(two.b.address(81), Deadline::never()).error().code == Errc::unreachable);
        CHECK(net.connect(Address::v4(192, 0, 2, 1, 80), Deadline::never()).error().code ==
              Errc::unreachable);
        two.world.net().partition(two.b, two.a);
        CHECK(net.connect(two.b.address(80), Deadline::in(5s)).error().code == Errc::timed_out);
        Nanos began = fiber::now();
        CHECK(net.connect(two.b.address(80), Deadline::never()).error().code == Errc::timed_out);
        CHECK(fiber::now() - began > 2min);
        CHECK(fiber::now() - began < 3min);
        CHECK(net.listen(two.b.address(80)).error().code == Errc::unreachable);  // not ours
    });
    two.run();
}

TEST_CASE("connections fail as often as asked for") {
    WorldOptions options = TwoMachines::options_of(4);
    options.net.connect_failure_per_mille = 300;
    TwoMachines two(options);
    int connected = 0, refused = 0, lost = 0;
    two.serve([&](Listener& listener) {
        while (listener.accept(Deadline::in(1h))) {
        }
    });
    two.call([&] {
        REQUIRE(fiber::sleep_for(1s).has_value());
        for (int i = 0; i < 300; ++i) {
            auto socket = two.env.net.connect(two.b.address(80), Deadline::in(10s));
            connected += socket.has_value();
            if (!socket) ++(socket.error().code == Errc::timed_out ? lost : refused);
        }
    });
    two.run();
    CHECK(connected > 150);
    CHECK(refused > 20);
    CHECK(lost > 20);
}

TEST_CASE("more connections than a listener holds wait outside, and come in later") {
    WorldOptions options = TwoMachines::options_of(5);
    options.net.backlog = 3;
    TwoMachines two(options);
    int served = 0;
    two.serve([&](Listener& listener) {
        REQUIRE(fiber::sleep_for(10s).has_value());
        for (; served < 10; ++served) REQUIRE(listener.accept(Deadline::in(3min)).has_value());
    });
    two.call([&] {
        REQUIRE(fiber::sleep_for(1s).has_value());
        int connected = 0;
        fiber::TaskGroup clients;
        for (int i = 0; i < 10; ++i) {
            clients.spawn("client", [&] {
                auto socket = two.env.net.connect(two.b.address(80), Deadline::never());
                connected += socket.has_value();
            });
        }
        REQUIRE(fiber::sleep_for(5s).has_value());
        CHECK(connected == 3);
        while (clients.size() > 0) REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(connected == 10);
    });
    two.run();
}

TEST_CASE("what is sent while machines are parted arrives after the healing, in order") {
    TwoMachines two(6);
    std::size_t received = 0;
    Received all;
    two.serve([&](Listener& listener) {
        auto socket = listener.accept();
        REQUIRE(socket.has_value());
        for (;;) {
            auto chunk = socket->receive(Deadline::never());
            REQUIRE(chunk.has_value());
            if (chunk->empty()) return;
            all.bytes.insert(all.bytes.end(), chunk->bytes().begin(), chunk->bytes().end());
            received += chunk->bytes().size();
        }
    });
    two.call([&] {
        Socket socket = two.connect();
        const Buffer bytes = numbered(3000);
        REQUIRE(socket.send(Bytes(bytes).first(1000), Deadline::never()).has_value());
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(received == 1000);
        two.world.net().partition(two.a, two.b);
        REQUIRE(socket.send(Bytes(bytes).subspan(1000, 1000), Deadline::never()).has_value());
        REQUIRE(fiber::sleep_for(1min).has_value());
        CHECK(received == 1000);
        two.world.net().heal(two.b, two.a);
        REQUIRE(socket.send(Bytes(bytes).subspan(2000), Deadline::never()).has_value());
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(received == 3000);
        CHECK(all.bytes == bytes);
    });
    two.run();
}

TEST_CASE("data for a socket that was closed resets its sender") {
    TwoMachines two(7);
    two.serve([&](Listener& listener) {
        auto socket = listener.accept();
        REQUIRE(socket.has_value());
    });
    two.call([&] {
        Socket socket = two.connect();
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(socket.receive(Deadline::never()).value().empty());  // finished, as it seems
        const Buffer bytes = numbered(10);
        CHECK(socket.send(bytes, Deadline::never()).has_value());
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(socket.send(bytes, Deadline::never()).error().code == Errc::closed);
        CHECK(socket.receive(Deadline::never()).value().empty());
    });
    two.run();
}

TEST_CASE("bytes that arrived before a reset can be read, then it is told once") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        TwoMachines two(seed);
        two.serve([&](Listener& listener) {
            auto socket = listener.accept();
            REQUIRE(socket.has_value());
            REQUIRE(socket->send(numbered(100), Deadline::never()).has_value());
            REQUIRE(fiber::sleep_for(1s).has_value());
        });
        two.call([&] {
            Socket socket = two.connect();
            REQUIRE(socket.send(numbered(10), Deadline::never()).has_value());
            REQUIRE(fiber::sleep_for(2s).has_value());
            Received all = receive_all(socket);
            CHECK(all.bytes == numbered(100));
            CHECK(all.error == Errc::closed);
            CHECK(socket.receive(Deadline::never()).value().empty());
        });
        two.run();
    }
}

TEST_CASE("a process that is killed closes its sockets; one without power just falls silent") {
    for (CrashMode mode : {CrashMode::kill, CrashMode::power_loss}) {
        CAPTURE(mode == CrashMode::kill);
        TwoMachines two(8);
        bool is_connected = false, has_looked = false;
        std::optional<Errc> zombie_error;
        two.serve([&](Listener& listener) {
            auto socket = listener.accept();
            REQUIRE(socket.has_value());
            is_connected = true;
            auto chunk = socket->receive(Deadline::never());
            REQUIRE_FALSE(chunk.has_value());
            zombie_error = chunk.error().code;
            fiber::CancelBlocker blocker;
            CHECK(socket->send(numbered(1), Deadline::never()).error().code == Errc::closed);
            CHECK(listener.accept().error().code == Errc::unreachable);
            CHECK(two.env.net.connect(two.a.address(1), Deadline::never()).error().code ==
                  Errc::unreachable);
            CHECK(two.env.net.listen(two.b.address(0)).error().code == Errc::unreachable);
        });
        two.call([&] {
            Socket socket = two.connect();
            auto chunk = socket.receive(Deadline::in(1h));
            if (mode == CrashMode::kill) {
                CHECK((chunk.has_value() && chunk->empty()));
            } else {
                CHECK(chunk.error().code == Errc::timed_out);
                CHECK(two.env.net.connect(two.b.address(80), Deadline::in(1s)).error().code ==
                      Errc::timed_out);
            }
            has_looked = true;
            // The machine is back and knows nothing of this connection.
            REQUIRE(fiber::sleep_for(1h).has_value());
            static_cast<void>(socket.send(numbered(1), Deadline::never()));
            REQUIRE(fiber::sleep_for(1s).has_value());
            CHECK(socket.send(numbered(1), Deadline::never()).error().code == Errc::closed);
            CHECK(two.env.net.connect(two.b.address(80), Deadline::in(1s)).has_value());
        });
        REQUIRE_FALSE(two.world.run_until_true([&] { return is_connected; }).has_value());
        two.b.crash(mode);
        CHECK(two.b.is_down() == (mode == CrashMode::power_loss));
        REQUIRE_FALSE(two.world.run_until_true([&] { return has_looked; }).has_value());
        CHECK(zombie_error.has_value());
        two.serve(
            [&](Listener& listener) { CHECK(listener.accept(Deadline::in(2h)).has_value()); });
        CHECK_FALSE(two.b.is_down());
        two.run();
    }
}

TEST_CASE("what was under way when the power went arrives or does not") {
    std::map<std::size_t, int> counts;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        WorldOptions options = TwoMachines::options_of(seed);
        options.net.latency = {100ms, 100ms};
        options.net.fragment_per_mille = 0;
        TwoMachines two(options);
        bool has_sent = false;
        two.serve([&](Listener& listener) {
            auto socket = listener.accept();
            REQUIRE(socket.has_value());
            const Buffer bytes = numbered(10);
            REQUIRE(socket->send(bytes, Deadline::never()).has_value());
            has_sent = true;
            static_cast<void>(fiber::sleep_for(1h));
        });
        two.call([&] {
            Socket socket = two.connect();
            Received all = receive_all(socket, Deadline::in(1min));
            ++counts[all.bytes.size()];
            CHECK(all.error == Errc::timed_out);
        });
        REQUIRE_FALSE(two.world.run_until_true([&] { return has_sent; }).has_value());
        two.b.crash(CrashMode::power_loss);
        two.run();
    }
    CHECK(counts[0] > 10);
    CHECK(counts[10] > 10);
    CHECK(counts[0] + counts[10] >= 95);  // a short send now and then
}

TEST_CASE("a connection knows nothing of one that ended with bytes unread") {
    TwoMachines two(11);
    two.serve([&](Listener& listener) {
        for (int i = 0; i < 20; ++i) {
            auto socket = listener.accept();
            REQUIRE(socket.has_value());
            REQUIRE(fiber::sleep_for(1s).has_value());
            if (i % 2 == 0) continue;
            CHECK(receive_all(*socket).bytes == numbered(50));
        }
    });
    two.call([&] {
        for (int i = 0; i < 20; ++i) {
            Socket socket = two.connect();
            const Buffer bytes = i % 2 == 0 ? Buffer(300, 0xee) : numbered(50);
            REQUIRE(socket.send(bytes, Deadline::never()).has_value());
            socket.close();
            REQUIRE(fiber::sleep_for(2s).has_value());
        }
    });
    two.run();
}

TEST_CASE("connects that are given up leave nothing behind, whenever that is") {
    std::set<bool> outcomes;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        TwoMachines two(seed);
        two.serve([&](Listener& listener) {
            while (auto socket = listener.accept(Deadline::in(1s))) receive_all(*socket);
        });
        two.call([&] {
            REQUIRE(fiber::sleep_for(100us).has_value());
            auto connecting = fiber::spawn("connect", [&] {
                outcomes.insert(
                    two.env.net.connect(two.b.address(80), Deadline::never()).has_value());
            });
            REQUIRE(fiber::sleep_for(Nanos(seed * 20'000)).has_value());
            connecting.cancel_and_join();
        });
        two.run();
    }
    CHECK(outcomes.size() == 2);
}

TEST_CASE("names mean what the test says; unknown ones are unreachable") {
    TwoMachines two(9);
    two.world.net().set_name("pds.example", {two.b.address(0), two.a.address(0)});
    two.call([&] {
        auto found = two.env.net.resolve("pds.example", 443, Deadline::never());
        REQUIRE(found.has_value());
        CHECK(*found == std::vector{two.b.address(443), two.a.address(443)});
        CHECK(two.env.net.resolve("localhost", 1, Deadline::never()).value() ==
              std::vector{Address::loopback(1)});
        CHECK(two.env.net.resolve("nobody.example", 1, Deadline::never()).error().code ==
              Errc::unreachable);
        two.world.net().set_name("pds.example", {});
        CHECK(two.env.net.resolve("pds.example", 1, Deadline::never()).error().code ==
              Errc::unreachable);
    });
    two.run();
}

TEST_CASE("loopback stays on its machine; a listener for any address hears both") {
    TwoMachines two(10);
    two.a.start_worker({.name = "local"}, [&] {
        auto listener = two.env.net.listen(Address::loopback(80));
        REQUIRE(listener.has_value());
        CHECK(two.env.net.connect(Address::loopback(80), Deadline::never()).has_value());
        CHECK(two.env.net.connect(two.a.address(80), Deadline::never()).error().code ==
              Errc::unreachable);
        auto any = two.env.net.listen(Address{{}, 81});
        REQUIRE(any.has_value());
        CHECK(two.env.net.connect(Address::loopback(81), Deadline::never()).has_value());
        CHECK(two.env.net.connect(two.a.address(81), Deadline::never()).has_value());
        CHECK(two.env.net.listen(two.a.address(81)).error().code == Errc::busy);
        REQUIRE(fiber::sleep_for(1s).has_value());
    });
    two.b.start_worker({.name = "other"}, [&] {
        REQUIRE(fiber::sleep_for(100ms).has_value());
        CHECK(two.env.net.connect(Address::loopback(80), Deadline::never()).error().code ==
              Errc::unreachable);
        auto socket = two.env.net.connect(two.a.address(81), Deadline::never());
        REQUIRE(socket.has_value());
        CHECK(socket->peer() == two.a.address(81));
    });
    two.run();
}
