// What every network behind the doors promises.

#include <algorithm>
#include <random>

#include "tests/support/worlds.hpp"

using ringlay::Address;
using ringlay::Buffer;
using ringlay::Bytes;
using ringlay::Deadline;
using ringlay::Errc;
using ringlay::env::Chunk;
using ringlay::env::Socket;
using ringlay::support::connect_pair;
using ringlay::support::Connection;
using ringlay::support::TestWorld;
namespace fiber = ringlay::fiber;
using namespace std::chrono_literals;

namespace {

// Byte i of a stream, for any i: no two near places of it look the same.
std::uint8_t byte_at(std::uint64_t position) {
    return static_cast<std::uint8_t>(position * 31 + (position >> 8) * 7 + (position >> 16));
}

Buffer piece(std::uint64_t from, std::size_t size) {
    Buffer bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = byte_at(from + i);
    return bytes;
}

std::uint64_t count_wrong(Bytes bytes, std::uint64_t from) {
    std::uint64_t wrong = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) wrong += bytes[i] != byte_at(from + i);
    return wrong;
}

struct Received {
    std::uint64_t bytes = 0;
    std::uint64_t wrong = 0;
    std::optional<Errc> error;  // none: the peer has finished
};

Received receive_all(Socket& socket) {
    Received all;
    for (;;) {
        auto chunk = socket.receive(Deadline::never());
        if (!chunk) {
            all.error = chunk.error().code;
            return all;
        }
        if (chunk->empty()) return all;
        all.wrong += count_wrong(chunk->bytes(), all.bytes);
        all.bytes += chunk->bytes().size();
    }
}

// Fills the connection up; returns how much it took.
std::uint64_t send_until_full(Socket& socket, std::uint64_t from) {
    std::uint64_t sent = 0;
    Buffer bytes;
    for (;;) {
        bytes = piece(from + sent, 64 * 1024);
        Bytes view = bytes;
        std::size_t taken = socket.send_now(std::span(&view, 1)).value();
        // It kept no pointer: what is done to the bytes now, the peer never sees.
        std::ranges::fill(bytes, std::uint8_t{0xee});
        if (taken == 0) return sent;
        sent += taken;
    }
}

}  // namespace

TEST_ON_BOTH_KERNELS("a stream sent in odd pieces arrives whole and in order, then ends") {
    Connection pair = connect_pair(world);
    const std::uint64_t total = world.is_simulated() ? 400'000 : 50'000'000;
    fiber::Task sending = fiber::spawn("send", [&] {
        std::mt19937_64 random(7);
        for (std::uint64_t sent = 0; sent < total;) {
            std::size_t size = std::min<std::uint64_t>(total - sent, 1 + random() % 200'000);
            CHECK(pair.client.send(piece(sent, size), Deadline::never()).has_value());
            sent += size;
        }
        pair.client.shutdown();
    });
    Received all = receive_all(pair.server);
    sending.join();
    CHECK(all.bytes == total);
    CHECK(all.wrong == 0);
    CHECK_FALSE(all.error);
}

TEST_ON_BOTH_KERNELS("several parts of one send arrive one behind the other") {
    Connection pair = connect_pair(world);
    const Buffer bytes = piece(0, 100);
    const std::vector<Bytes> parts = {Bytes(bytes).first(1), Bytes(bytes).subspan(1, 0),
                                      Bytes(bytes).subspan(1, 60), Bytes(bytes).subspan(61)};
    std::size_t taken = pair.client.send_now(parts).value();
    REQUIRE(taken > 0);
    REQUIRE(pair.client.send(Bytes(bytes).subspan(taken), Deadline::never()).has_value());
    pair.client.shutdown();
    Received all = receive_all(pair.server);
    CHECK(all.bytes == 100);
    CHECK(all.wrong == 0);
}

TEST_ON_BOTH_KERNELS("send_now keeps no pointer: bytes overwritten after it arrive as they were") {
    Connection pair = connect_pair(world);
    std::uint64_t sent = send_until_full(pair.client, 0);
    REQUIRE(sent > 0);
    fiber::Task closing = fiber::spawn("close", [&] { pair.client.shutdown(); });
    Received all = receive_all(pair.server);
    CHECK(all.bytes == sent);
    CHECK(all.wrong == 0);
}

TEST_ON_BOTH_KERNELS("a stalled peer pins a bounded amount, and more is taken once it reads") {
    Connection pair = connect_pair(world);
    std::uint64_t sent = send_until_full(pair.client, 0);
    CHECK(sent < 16 * 1024 * 1024);
    auto full = pair.client.wait_writable(Deadline::in(20ms));
    REQUIRE_FALSE(full.has_value());
    CHECK(full.error().code == Errc::timed_out);

    std::uint64_t read = 0;
    fiber::Task reading = fiber::spawn("read", [&] { read = receive_all(pair.server).bytes; });
    REQUIRE(pair.client.wait_writable(Deadline::in(10s)).has_value());
    std::uint64_t more = send_until_full(pair.client, sent);
    CHECK(more > 0);
    pair.client.shutdown();
    reading.join();
    CHECK(read == sent + more);
}

TEST_ON_BOTH_KERNELS("a send that does not get through by its deadline says so") {
    Connection pair = connect_pair(world);
    send_until_full(pair.client, 0);
    Buffer more(1 << 20);
    auto sent = pair.client.send(more, Deadline::in(10ms));
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().code == Errc::timed_out);
}

TEST_ON_BOTH_KERNELS("a receive waits until its deadline, and what comes later is not lost") {
    Connection pair = connect_pair(world);
    for (int i = 0; i < 5; ++i) {
        auto nothing = pair.server.receive(Deadline::in(1ms));
        REQUIRE_FALSE(nothing.has_value());
        CHECK(nothing.error().code == Errc::timed_out);
    }
    REQUIRE(pair.client.send(piece(0, 3), Deadline::never()).has_value());
    pair.client.shutdown();
    Received all = receive_all(pair.server);
    CHECK(all.bytes == 3);
    CHECK(all.wrong == 0);
}

TEST_ON_BOTH_KERNELS("a deadline that has passed does not take bytes away") {
    Connection pair = connect_pair(world);
    REQUIRE(pair.client.send(piece(0, 1), Deadline::never()).has_value());
    std::uint64_t received = 0;
    for (int i = 0; i < 10'000 && received == 0; ++i) {
        auto chunk = pair.server.receive(Deadline{ringlay::Nanos(1)});
        if (chunk) {
            received += chunk->bytes().size();
        } else {
            REQUIRE(chunk.error().code == Errc::timed_out);
        }
    }
    if (received == 0) received = pair.server.receive(Deadline::never()).value().bytes().size();
    CHECK(received == 1);
}

TEST_ON_BOTH_KERNELS(
    "bytes are neither lost nor doubled by receives that are cancelled on the way") {
    Connection pair = connect_pair(world);
    const std::uint64_t total = world.is_simulated() ? 300 : 3000;
    std::uint64_t received = 0, cancelled = 0;
    bool has_ended = false;
    fiber::Task sending = fiber::spawn("send", [&] {
        for (std::uint64_t i = 0; i < total; ++i) {
            CHECK(pair.client.send(piece(i, 1), Deadline::never()).has_value());
            static_cast<void>(fiber::sleep_for((i % 7) * 10us));
        }
        pair.client.shutdown();
    });
    while (!has_ended) {
        fiber::Task receiving = fiber::spawn("receive", [&] {
            auto chunk = pair.server.receive(Deadline::never());
            if (!chunk) {
                CHECK(chunk.error().code == Errc::cancelled);
                ++cancelled;
            } else if (chunk->empty()) {
                has_ended = true;
            } else {
                CHECK(count_wrong(chunk->bytes(), received) == 0);
                received += chunk->bytes().size();
            }
        });
        fiber::yield();
        receiving.cancel_and_join();
    }
    CHECK(received == total);
    CHECK(cancelled > 0);
}

TEST_ON_BOTH_KERNELS("shutdown ends the waits of other fibers, and close may follow") {
    Connection pair = connect_pair(world);
    send_until_full(pair.client, 0);
    bool has_receive_ended = false, has_send_ended = false;
    fiber::Task receiving = fiber::spawn("receive", [&] {
        auto chunk = pair.client.receive(Deadline::never());
        CHECK((!chunk || chunk->empty()));
        has_receive_ended = true;
    });
    fiber::Task sending = fiber::spawn("send", [&] {
        Buffer more(1 << 20);
        auto sent = pair.client.send(more, Deadline::never());
        CHECK_FALSE(sent.has_value());
        if (!sent) CHECK(sent.error().code == Errc::closed);
        has_send_ended = true;
    });
    REQUIRE(fiber::sleep_for(1ms).has_value());
    CHECK_FALSE(has_receive_ended);
    pair.client.shutdown();
    receiving.join();
    sending.join();
    CHECK((has_receive_ended && has_send_ended));
    pair.client.shutdown();  // once more does no harm
    pair.client.close();
    CHECK_FALSE(pair.client.is_open());
    auto after = pair.client.receive(Deadline::never());
    REQUIRE_FALSE(after.has_value());
    CHECK(after.error().code == Errc::closed);
}

TEST_ON_BOTH_KERNELS("what was sent before a close still arrives") {
    Connection pair = connect_pair(world);
    REQUIRE(pair.client.send(piece(0, 5000), Deadline::never()).has_value());
    pair.client.close();
    Received all = receive_all(pair.server);
    CHECK(all.bytes == 5000);
    CHECK(all.wrong == 0);
    CHECK_FALSE(all.error);
}

TEST_ON_BOTH_KERNELS("a reset is seen as closed") {
    Connection pair = connect_pair(world);
    REQUIRE(pair.client.send(piece(0, 100), Deadline::never()).has_value());
    REQUIRE(fiber::sleep_for(20ms).has_value());
    pair.server.close();  // with bytes unread: the other end is reset
    REQUIRE(fiber::sleep_for(20ms).has_value());
    auto chunk = pair.client.receive(Deadline::in(10s));
    REQUIRE_FALSE(chunk.has_value());
    CHECK(chunk.error().code == Errc::closed);
    const Buffer byte = piece(0, 1);
    auto sent = pair.client.send(byte, Deadline::in(10s));
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().code == Errc::closed);
}

TEST_ON_BOTH_KERNELS("a connection to a port that no one listens on is unreachable") {
    Address address = Address::loopback(0);
    {
        auto listener = world.env().net.listen(address).value();
        address = listener.local();
    }
    auto socket = world.env().net.connect(address, Deadline::in(10s));
    REQUIRE_FALSE(socket.has_value());
    CHECK(socket.error().code == Errc::unreachable);
}

TEST_ON_BOTH_KERNELS("a port that is taken is refused as busy; port 0 finds a free one") {
    auto first = world.env().net.listen(Address::loopback(0)).value();
    CHECK(first.local().port != 0);
    auto second = world.env().net.listen(first.local());
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == Errc::busy);
    auto third = world.env().net.listen(Address::loopback(0)).value();
    CHECK(third.local().port != first.local().port);
    auto port = first.local();
    first.close();
    CHECK(world.env().net.listen(port).has_value());
}

TEST_ON_BOTH_KERNELS("an accept can be cancelled or time out, and the listener goes on") {
    auto listener = world.env().net.listen(Address::loopback(0)).value();
    auto nothing = listener.accept(Deadline::in(1ms));
    REQUIRE_FALSE(nothing.has_value());
    CHECK(nothing.error().code == Errc::timed_out);

    std::optional<Errc> ended;
    fiber::Task accepting = fiber::spawn("accept", [&] {
        auto socket = listener.accept();
        if (!socket) ended = socket.error().code;
    });
    REQUIRE(fiber::sleep_for(1ms).has_value());
    accepting.cancel_and_join();
    CHECK(ended == Errc::cancelled);

    auto client = world.env().net.connect(listener.local(), Deadline::in(10s));
    REQUIRE(client.has_value());
    auto server = listener.accept(Deadline::in(10s));
    REQUIRE(server.has_value());
    CHECK(server->peer().port != 0);
    CHECK(client->peer() == listener.local());
}

TEST_ON_BOTH_KERNELS("receives go on when a reader that held all buffers gives them back") {
    Connection pair = connect_pair(world);
    fiber::Task sending = fiber::spawn("send", [&] {
        // Single bytes with pauses, so that each receive takes a buffer for one of them.
        for (std::uint64_t i = 0; i < 200; ++i) {
            CHECK(pair.client.send(piece(i, 1), Deadline::never()).has_value());
            static_cast<void>(fiber::sleep_for(100us));
        }
        pair.client.shutdown();
    });
    std::vector<Chunk> held;
    std::uint64_t received = 0;
    for (;;) {
        auto chunk = pair.server.receive(Deadline::in(50ms));
        if (!chunk) break;
        REQUIRE_FALSE(chunk->empty());
        CHECK(count_wrong(chunk->bytes(), received) == 0);
        received += chunk->bytes().size();
        held.push_back(std::move(*chunk));
    }
    CHECK(held.size() == 64);  // the bound; the peer's further bytes wait in the socket

    fiber::Task releasing = fiber::spawn("release", [&] {
        static_cast<void>(fiber::sleep_for(1ms));
        held.clear();
    });
    for (;;) {
        Chunk chunk = pair.server.receive(Deadline::in(10s)).value();
        if (chunk.empty()) break;
        CHECK(count_wrong(chunk.bytes(), received) == 0);
        received += chunk.bytes().size();
    }
    sending.join();
    CHECK(received == 200);
}

TEST_ON_BOTH_KERNELS("a chunk's buffer is given back when its last copy goes, and may be written") {
    Connection pair = connect_pair(world);
    for (int i = 0; i < 200; ++i) {  // more often than there are buffers
        REQUIRE(pair.client.send(piece(0, 1), Deadline::never()).has_value());
        Chunk first = pair.server.receive(Deadline::never()).value();
        Chunk second = first;
        first.writable()[0] = 99;
        first = Chunk();
        CHECK(second.bytes()[0] == 99);
    }
}

TEST_ON_BOTH_KERNELS("many connections at once keep their streams apart") {
    const std::size_t count = world.is_simulated() ? 20 : 200;
    auto listener = world.env().net.listen(Address::loopback(0)).value();
    std::size_t right = 0;
    fiber::TaskGroup servers;
    fiber::Task accepting = fiber::spawn("accept", [&] {
        for (std::size_t i = 0; i < count; ++i) {
            auto accepted = listener.accept();
            if (!accepted) continue;
            servers.spawn("echo", [socket = std::move(*accepted)]() mutable {
                for (;;) {
                    auto chunk = socket.receive(Deadline::never());
                    if (!chunk || chunk->empty()) return;
                    if (!socket.send(chunk->bytes(), Deadline::never())) return;
                }
            });
        }
    });
    fiber::TaskGroup clients;
    for (std::size_t i = 0; i < count; ++i) {
        clients.spawn("client", [&, i] {
            auto socket = world.env().net.connect(listener.local(), Deadline::never());
            if (!socket) return;
            if (!socket->send(piece(i * 1000, 700), Deadline::never())) return;
            std::uint64_t received = 0, wrong = 0;
            while (received < 700) {
                auto chunk = socket->receive(Deadline::in(20s));
                if (!chunk || chunk->empty()) return;
                wrong += count_wrong(chunk->bytes(), i * 1000 + received);
                received += chunk->bytes().size();
            }
            right += wrong == 0;
        });
    }
    while (clients.size() > 0) REQUIRE(fiber::sleep_for(1ms).has_value());
    accepting.join();
    CHECK(right == count);
}

TEST_WITH_WORKERS("an accepted socket may be handed to another worker and served there") {
    Connection pair = connect_pair(world);
    std::uint64_t received = 0, wrong = 0;
    fiber::Task sending = fiber::spawn("send", [&] {
        CHECK(pair.client.send(piece(0, 100'000), Deadline::never()).has_value());
        pair.client.shutdown();
    });
    world.on(1, [&] {
        Socket socket = std::move(pair.server);
        Received all = receive_all(socket);
        received = all.bytes;
        wrong = all.wrong;
    });
    sending.join();
    CHECK(received == 100'000);
    CHECK(wrong == 0);
}

TEST_ON_BOTH_KERNELS("a literal resolves to itself") {
    auto& net = world.env().net;
    CHECK(net.resolve("127.0.0.1", 80, Deadline::never()).value() ==
          std::vector{Address::loopback(80)});
    CHECK(net.resolve("[::1]", 81, Deadline::never()).value().front().text() == "[::1]:81");
}

TEST_ON_BOTH_KERNELS("what is no host name is unreachable, and never reaches a resolver") {
    using namespace std::string_view_literals;
    for (std::string_view name : {""sv, "localhost\0.example"sv}) {
        auto addresses = world.env().net.resolve(name, 80, Deadline::in(10s));
        REQUIRE_FALSE(addresses.has_value());
        CHECK(addresses.error().code == Errc::unreachable);
    }
    auto addresses = world.env().net.resolve(std::string(254, 'a'), 80, Deadline::in(10s));
    REQUIRE_FALSE(addresses.has_value());
}
