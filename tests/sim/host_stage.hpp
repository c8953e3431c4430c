// A relay with one host that does what a test says, and a consumer that sees what comes out. In the
// simulated world.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/store/row_store.hpp"
#include "tests/sim/line.hpp"

namespace ringlay::support {

inline Buffer event(std::uint64_t seq, std::size_t handle_bytes = 10) {
    std::string handle = std::string(handle_bytes, 'h') + std::to_string(seq) + ".test";
    return proto::encode_frame(proto::IdentityEvent{.seq = seq,
                                                    .did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
                                                    .time = "2026-01-01T00:00:00.000Z",
                                                    .handle = handle});
}

// An event of nobody, as no honest host sends it.
inline const Buffer event_without_did{0xa2, 0x61, 't',  0x69, '#', 'i',  'd', 'e',
                                      'n',  't',  'i',  't',  'y', 0x62, 'o', 'p',
                                      0x01, 0xa1, 0x63, 's',  'e', 'q',  0x01};

// A host that does on each connection what a test says.
class ScriptedHost {
  public:
    struct Connection {
        std::size_t number;  // 1: the first
        std::optional<std::uint64_t> cursor;
        env::Socket& socket;
        env::Env& env;

        bool send(net::Opcode opcode, Bytes payload) {
            net::FrameHeader frame;
            frame.opcode = opcode;
            frame.payload_bytes = payload.size();
            net::EncodedHeader header = net::encode_header(frame);
            return socket.send(header.bytes(), Deadline::never()) &&
                   socket.send(payload, Deadline::never());
        }
        bool send(const Buffer& message) { return send(net::Opcode::binary, message); }
        // Takes what the relay says until it hangs up.
        void stay() {
            for (;;) {
                auto chunk = socket.receive(Deadline::never());
                if (!chunk || chunk->empty()) return;
            }
        }
        // The same, but answers pings.
        void live_on(Deadline deadline = Deadline::never()) {
            net::WebSocketDecoder decoder({.role = net::WebSocketDecoder::Role::server});
            for (;;) {
                auto chunk = socket.receive(deadline);
                if (!chunk || chunk->empty()) return;
                std::span<std::uint8_t> bytes = chunk->writable();
                while (auto got = decoder.next(bytes)) {
                    if (!*got) break;
                    if ((*got)->kind == net::WebSocketDecoder::Event::Kind::ping) {
                        send(net::Opcode::pong, (*got)->payload);
                    }
                }
            }
        }
    };
    using Script = std::function<void(Connection)>;

    ScriptedHost(env::World& world, Script script) : script_(std::move(script)) {
        world.machine("host").start_worker({.name = "host", .index = 0}, [this] { run(); });
    }

    std::vector<std::optional<std::uint64_t>> cursors;  // of each connection
    std::vector<std::string> user_agents;
    std::string says_it_is;  // its Server header; empty: it has none

  private:
    void run() {
        auto listener = env_.net.listen(Address{{}, SimHost::port});  // all it has
        RINGLAY_ASSERT(listener.has_value());
        net::HttpServer server(
            env_, {}, counters_, [this](const net::HttpRequest& request, const Address&) {
                auto accept = net::check_upgrade(request);
                if (!accept) return net::HttpReply(accept.error());
                std::optional<std::uint64_t> cursor;
                if (auto text = request.query("cursor").value()) {
                    cursor = std::strtoull(text->c_str(), nullptr, 10);
                }
                cursors.push_back(cursor);
                user_agents.emplace_back(request.headers.find("User-Agent").value_or(""));
                return net::HttpReply(
                    net::HttpReply::TakeOver([this, cursor, number = cursors.size(),
                                              response = net::upgrade_response(*accept)](
                                                 env::Socket socket, Buffer) mutable {
                        if (!says_it_is.empty()) response.headers.add("Server", says_it_is);
                        std::string head = net::encode_response_head(response, {});
                        if (!socket.send(net::bytes_of(head), Deadline::never())) return;
                        script_({number, cursor, socket, env_});
                    }));
            });
        server.serve(*listener);
    }

    const Script script_;
    env::Env env_;
    net::HttpServerCounters counters_;
};

inline std::string json_fields(const std::string& json) {
    return "Content-Type: application/json\r\nContent-Length: " + std::to_string(json.size()) +
           "\r\n";
}

struct Stage {
    explicit Stage(ScriptedHost::Script script,
                   const env::SimDiskOptions& disk = {.capacity_bytes = 1 << 30},
                   const std::function<void(RelayOptions&)>& adjust = {})
        : line(
              [&] {
                  env::WorldOptions options;
                  options.disk = disk;
                  return options;
              }(),
              2) {
        host = std::make_unique<ScriptedHost>(line.world, std::move(script));
        line.adjust = [this, adjust](RelayOptions& options) {
            if (adjust) adjust(options);
            options.config.hosts.push_back(
                {line.world.machine("host").address(0).ip_text(), SimHost::port});
            options.config.admin_passwords = {"sesame"};
        };
        line.start_relay();
        line.consumers.push_back(
            std::make_unique<SimConsumer>(line.world, "consumer", line.relay_address(), 0));
    }

    // What the consumer has seen, once it has seen so much.
    std::vector<std::string> seen(std::size_t count) {
        auto stuck = line.world.run_until_true([&] { return events().size() >= count; });
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        line.world.run_for(std::chrono::seconds(5));
        std::vector<std::string> all;
        for (const auto& seen : events()) all.push_back(seen.event);
        return all;
    }
    std::string host_name() { return line.world.machine("host").address(SimHost::port).text(); }
    const std::vector<SimConsumer::Seen>& events() const { return line.consumers[0]->seen(); }

    // A page of the relay's HTTP port.
    bool shows(const std::string& metric) {
        return page("/metrics").find("\n" + metric + "\n") != std::string::npos;
    }
    std::string page(const std::string& path) { return ask("GET " + path, {}); }
    // What its operator sees, and what is answered to an order of his.
    std::string admin_page(const std::string& path) { return ask("GET " + path, password_field); }
    std::string order(const std::string& path, const std::string& json) {
        return ask("POST " + path, password_field + json_fields(json), json);
    }
    std::string ask(const std::string& line_head, const std::string& fields,
                    const std::string& body = {}) {
        std::string text;
        bool is_done = false;
        Address address = line.world.machine("relay").address(firehose_port + 1);
        line.world.machine("operator" + std::to_string(++visits))
            .start_worker({.name = "operator", .index = 0}, [&] {
                auto socket = env.net.connect(address, Deadline::in(std::chrono::seconds(5)));
                RINGLAY_ASSERT(socket.has_value());
                std::string request = line_head + " HTTP/1.1\r\nHost: r\r\nConnection: close\r\n" +
                                      fields + "\r\n" + body;
                RINGLAY_ASSERT(
                    socket->send(net::bytes_of(request), Deadline::in(std::chrono::seconds(5)))
                        .has_value());
                for (;;) {
                    auto chunk = socket->receive(Deadline::in(std::chrono::seconds(5)));
                    if (!chunk || chunk->empty()) break;
                    text.append(chunk->bytes().begin(), chunk->bytes().end());
                }
                is_done = true;
            });
        REQUIRE_FALSE(line.world.run_until_true([&] { return is_done; }).has_value());
        return text;
    }

    static constexpr const char* password_field = "Authorization: Bearer sesame\r\n";

    env::Env env;
    std::unique_ptr<ScriptedHost> host;  // its fibers run until the end of the line's world
    Line line;
    int visits = 0;
};

// A host of an earlier life of the relay, which must not be running.
inline void put_row(env::World& world, const hosts::HostRow& row, std::uint64_t id = 1) {
    env::Env env;
    bool is_done = false;
    world.machine("relay").start_worker({.name = "earlier", .index = 0}, [&] {
        auto directory = env.disk.open_directory("/data");
        RINGLAY_ASSERT(directory.has_value());
        std::string why;
        auto rows = store::RowStore::open(std::move(*directory), "hosts", why);
        RINGLAY_ASSERT(rows.has_value());
        const store::RowChange change{"h:" + hosts::host_name(row.address), encode(row, id)};
        RINGLAY_ASSERT((*rows)->write(std::span(&change, 1)).has_value());
        is_done = true;
    });
    REQUIRE_FALSE(world.run_until_true([&] { return is_done; }).has_value());
}

inline std::vector<std::string> contents(const std::vector<std::uint64_t>& seqs) {
    std::vector<std::string> all;
    for (std::uint64_t seq : seqs) all.push_back(without_seq(event(seq)));
    return all;
}

}  // namespace ringlay::support
