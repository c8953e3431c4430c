// Whatever one host does, all that the others send comes out. In the simulated world.

#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/line.hpp"

using namespace ringlay;
using namespace ringlay::support;
using namespace std::chrono_literals;

namespace {

// Takes connections and does with each what a test says, from the first byte on.
class HostileHost {
  public:
    using Deed = std::function<void(env::Socket&)>;

    HostileHost(env::World& world, Deed deed) : world_(world), deed_(std::move(deed)) {
        world.machine("hostile").start_worker({.name = "hostile", .index = 0}, [this] { run(); });
    }
    Address address() { return world_.machine("hostile").address(SimHost::port); }

    std::size_t connections = 0;

  private:
    void run() {
        auto listener = env_.net.listen(address());
        RINGLAY_ASSERT(listener.has_value());
        fiber::TaskGroup guests;
        while (auto socket = listener->accept(Deadline::never())) {
            ++connections;
            auto shared = std::make_shared<env::Socket>(std::move(*socket));
            guests.spawn("guest", [this, shared] { deed_(*shared); });
        }
    }

    env::World& world_;
    const Deed deed_;
    env::Env env_;
};

bool send(env::Socket& socket, std::string_view text) {
    return socket.send(net::bytes_of(text), Deadline::never()).has_value();
}

// Reads the request and answers 101.
bool upgrade(env::Socket& socket) {
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
        auto chunk = socket.receive(Deadline::never());
        if (!chunk || chunk->empty()) return false;
        head.append(chunk->bytes().begin(), chunk->bytes().end());
    }
    constexpr std::string_view field = "Sec-WebSocket-Key: ";
    const std::size_t at = head.find(field);
    RINGLAY_ASSERT(at != std::string::npos);
    const std::string key = head.substr(at + field.size(), 24);
    auto response = net::upgrade_response(net::websocket_accept(key));
    return send(socket, net::encode_response_head(response, {}));
}

bool send_frame(env::Socket& socket, net::Opcode opcode, Bytes payload, bool is_final = true,
                std::uint64_t claimed_bytes = 0) {
    net::FrameHeader frame;
    frame.opcode = opcode;
    frame.is_final = is_final;
    frame.payload_bytes = std::max<std::uint64_t>(claimed_bytes, payload.size());
    net::EncodedHeader header = net::encode_header(frame);
    return socket.send(header.bytes(), Deadline::never()) &&
           (payload.empty() || socket.send(payload, Deadline::never()));
}

// Until the relay hangs up.
void stay_silent(env::Socket& socket) {
    for (;;) {
        auto chunk = socket.receive(Deadline::never());
        if (!chunk || chunk->empty()) return;
    }
}

Buffer identity(std::uint64_t seq) {
    return proto::encode_frame(proto::IdentityEvent{.seq = seq,
                                                    .did = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb",
                                                    .time = "2026-01-01T00:00:00.000Z",
                                                    .handle = "hostile.test"});
}

struct Way {
    std::string_view name;
    HostileHost::Deed deed;
    std::size_t least_connections;  // it must have come to this
};

std::vector<Way> ways() {
    using net::Opcode;
    const Buffer one{0xa1};
    return {
        {"header bytes one by one, without end",
         [](env::Socket& socket) {
             if (!send(socket, "HTTP/1.1 101 Switching Protocols\r\nX: ")) return;
             while (send(socket, "x")) {
                 if (!fiber::sleep_for(1s)) return;
             }
         },
         2},
        {"header without end",
         [](env::Socket& socket) {
             while (send(socket, "HTTP/1.1 101 ")) {
             }
         },
         2},
        {"accepts and drops", [](env::Socket&) {}, 2},
        {"accepts and says nothing", stay_silent, 2},
        {"101, then silence",
         [](env::Socket& socket) {
             if (upgrade(socket)) stay_silent(socket);
         },
         2},
        {"101, then the end", [](env::Socket& socket) { static_cast<void>(upgrade(socket)); }, 2},
        {"pings without end, pongs never read",
         [](env::Socket& socket) {
             if (!upgrade(socket)) return;
             while (send_frame(socket, Opcode::ping, Buffer(125, 'p'))) {
             }
         },
         1},
        {"a message in pieces of one byte",
         [one](env::Socket& socket) {
             if (!upgrade(socket)) return;
             bool goes = send_frame(socket, Opcode::binary, one, false);
             while (goes) {
                 goes = send_frame(socket, Opcode::continuation, one, false);
             }
         },
         1},
        {"a message in pieces of nothing",
         [](env::Socket& socket) {
             if (!upgrade(socket)) return;
             bool goes = send_frame(socket, Opcode::binary, {}, false);
             while (goes) {
                 goes = send_frame(socket, Opcode::continuation, {}, false);
             }
         },
         1},
        {"messages of one byte",
         [one](env::Socket& socket) {
             if (!upgrade(socket)) return;
             while (send_frame(socket, Opcode::binary, one)) {
             }
         },
         2},
        {"a message of many exabytes",
         [](env::Socket& socket) {
             if (!upgrade(socket)) return;
             const Buffer part(64 * 1024, 'x');
             if (!send_frame(socket, Opcode::binary, part, true, 1ull << 62)) return;
             while (socket.send(part, Deadline::never())) {
             }
         },
         2},
        {"a large message of which a byte comes now and then",
         [](env::Socket& socket) {
             if (!upgrade(socket)) return;
             const Buffer part(64 * 1024, 'x');
             if (!send_frame(socket, Opcode::binary, part, true, 4'900'000)) return;
             while (send(socket, "x")) {
                 if (!fiber::sleep_for(20s)) return;
             }
         },
         2},
        {"the largest seq, then FutureCursor for ever",
         [](env::Socket& socket) {
             if (!upgrade(socket)) return;
             proto::ErrorMessage error;
             error.error = "FutureCursor";
             if (!send_frame(socket, Opcode::binary, identity((1ull << 53) - 1))) return;
             if (send_frame(socket, Opcode::binary, proto::encode_frame(error)))
                 stay_silent(socket);
         },
         2},
        {"the same event without end",
         [](env::Socket& socket) {
             if (!upgrade(socket)) return;
             while (send_frame(socket, Opcode::binary, identity(7))) {
             }
         },
         1},
        {"new events without end",
         [](env::Socket& socket) {
             if (!upgrade(socket)) return;
             for (std::uint64_t seq = 1; send_frame(socket, Opcode::binary, identity(seq)); ++seq) {
             }
         },
         1},
    };
}

}  // namespace

TEST_CASE("whatever one host does, all events of the others come out, and the relay can stop") {
    constexpr std::size_t events_each = 300;
    for (const Way& way : ways()) {
        CAPTURE(way.name);
        std::unique_ptr<HostileHost> hostile;  // its fibers run until the end of the line's world
        Line line({}, 1);                      // all hosts on one worker
        for (const char* name : {"alice", "bob"}) {
            line.hosts.push_back(std::make_unique<SimHost>(line.world, name, events_each, 0));
        }
        hostile = std::make_unique<HostileHost>(line.world, way.deed);
        line.adjust = [&](RelayOptions& options) {
            options.config.hosts.push_back({hostile->address().ip_text(), SimHost::port});
        };
        line.start_relay();
        line.consumers.push_back(
            std::make_unique<SimConsumer>(line.world, "consumer", line.relay_address(), 0));

        std::set<std::string> missing;
        bool have_all_emitted = false;
        std::size_t looked_at = 0;
        auto is_all_out = [&] {
            if (!have_all_emitted) {
                for (auto& host : line.hosts) {
                    if (!host->has_emitted_all()) return false;
                }
                have_all_emitted = true;
                for (auto& host : line.hosts) {
                    for (const Buffer& event : host->events()) missing.insert(without_seq(event));
                }
            }
            const auto& seen = line.consumers[0]->seen();
            for (; looked_at < seen.size(); ++looked_at) missing.erase(seen[looked_at].event);
            return missing.empty() && hostile->connections >= way.least_connections;
        };
        auto stuck = line.world.run_until_true(is_all_out);
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        CHECK(line.consumers[0]->complaint().empty());

        line.lives.back()->relay->request_stop();
        stuck = line.world.run_until_true([&] { return line.world.machine("relay").has_ended(); });
        REQUIRE_FALSE(stuck.has_value());
        CHECK_FALSE(line.lives.back()->failure.has_value());
    }
}
