#include <random>
#include <stdexcept>

#include "relay/net/websocket_client.hpp"
#include "relay/net/websocket_handshake.hpp"
#include "relay/net/websocket_server.hpp"
#include "tests/relay/net/server_fixture.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Deadline soon() {
    return Deadline::in(seconds(30));
}

std::string text_of(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::expected<WebSocketClient, Failure> connect(env::Env& env, const std::string& url,
                                                WebSocketClientOptions options = {}) {
    if (options.deadline == Deadline::never()) options.deadline = soon();
    return WebSocketClient::connect(env, proto::parse_url(url).value(), options);
}

void send_frame(env::Socket& socket, Opcode opcode, std::string_view payload,
                bool is_final = true) {
    EncodedHeader header = encode_header({is_final, opcode, {}, payload.size()});
    const Bytes parts[] = {header.bytes(), bytes_of(payload)};
    static_cast<void>(send_parts(socket, parts, soon()));
}

// A WebSocket server whose connections run `speak` with the raw socket after the handshake.
struct SpeakingServer {
    using Speak = std::function<void(env::Socket& socket, Buffer already_read)>;

    SpeakingServer(env::Env& env, Speak function)
        : speak(std::move(function)),
          server(env, {}, [this](const HttpRequest& request, const Address&) -> HttpReply {
              auto accept = check_upgrade(request);
              if (!accept) return accept.error();
              return HttpReply::TakeOver(
                  [this, accept = *accept](env::Socket socket, Buffer already_read) {
                      if (accept_websocket(socket, accept, {}, soon())) {
                          speak(socket, std::move(already_read));
                      }
                  });
          }) {}
    std::string url() const { return server.url("/", "ws"); }

    Speak speak;
    RunningServer server;
};

}  // namespace

TEST_ON_BOTH_KERNELS("messages of every size arrive whole and in order") {
    const std::size_t sizes[] = {0, 1, 125, 126, 5000, 65535, 65536, 300'000, 5};
    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer) {
        for (std::size_t size : sizes) {
            send_frame(socket, Opcode::binary, std::string(size, 'x'));
        }
        send_frame(socket, Opcode::text, "a", false);
        send_frame(socket, Opcode::ping, "between");
        send_frame(socket, Opcode::continuation, "b");
        send_frame(socket, Opcode::close,
                   "\x03\xe9"
                   "bye");
        read_all(socket);
    });
    auto client = connect(world.env(), server.url());
    REQUIRE(client.has_value());
    for (std::size_t size : sizes) {
        auto message = client->receive(soon());
        REQUIRE(message.has_value());
        CHECK_FALSE(message->is_text());
        CHECK(text_of(message->bytes()) == std::string(size, 'x'));
    }
    auto text = client->receive(soon());
    REQUIRE(text.has_value());
    CHECK(text->is_text());
    CHECK(text_of(std::move(*text).into_buffer()) == "ab");
    auto end = client->receive(soon());
    REQUIRE_FALSE(end.has_value());
    CHECK(end.error().code == Errc::closed);
    CHECK(client->close_info().code == close_code::going_away);
    CHECK(client->close_info().reason == "bye");
    CHECK(client->receive(soon()).error().code == Errc::closed);
}

TEST_ON_BOTH_KERNELS("messages may be held while others come") {
    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer) {
        for (int i = 0; i < 20; ++i) {
            send_frame(socket, Opcode::binary, std::string(100, static_cast<char>('a' + i)));
        }
        read_all(socket);
    });
    auto client = connect(world.env(), server.url());
    REQUIRE(client.has_value());
    std::vector<WebSocketMessage> held;
    for (int i = 0; i < 20; ++i) held.push_back(client->receive(soon()).value());
    for (int i = 0; i < 20; ++i) {
        CHECK(text_of(held[static_cast<std::size_t>(i)].bytes()) ==
              std::string(100, static_cast<char>('a' + i)));
    }
    Buffer copied = std::move(held[3]).into_buffer();
    held.clear();
    CHECK(text_of(copied) == std::string(100, 'd'));
}

TEST_ON_BOTH_KERNELS("no receive buffer is held once it is let go of, and nothing is lost by it") {
    const int count = 200;
    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer) {
        Buffer all;
        for (int i = 0; i < count; ++i) {
            EncodedHeader header = encode_header({true, Opcode::binary, {}, 100});
            all.insert(all.end(), header.bytes().begin(), header.bytes().end());
            all.resize(all.size() + 100, static_cast<std::uint8_t>(i));
        }
        static_cast<void>(socket.send(all, soon()));
        read_all(socket);
    });
    auto client = connect(world.env(), server.url());
    REQUIRE(client.has_value());
    for (int i = 0; i < count; ++i) {
        auto message = client->receive(soon());
        REQUIRE(message.has_value());
        if (i % 3 == 0) client->let_go_of_buffer();
        Buffer wanted(100, static_cast<std::uint8_t>(i));
        REQUIRE(std::move(*message).into_buffer() == wanted);
        if (i % 3 == 0) REQUIRE_FALSE(client->holds_receive_buffer());
    }
}

TEST_ON_BOTH_KERNELS("messages that were received together share one buffer, without a copy") {
    if (world.is_simulated()) return;  // where it may deliver what was sent together in pieces

    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer) {
        static_cast<void>(fiber::sleep_for(milliseconds(20)));
        const Bytes part = bytes_of(
            "\x82\x02"
            "ab");
        const Bytes parts[] = {part, part, part};
        static_cast<void>(send_parts(socket, parts, soon()));
        read_all(socket);
    });
    auto client = connect(world.env(), server.url());
    REQUIRE(client.has_value());
    for (int i = 0; i < 3; ++i) {
        auto message = client->receive(soon());
        REQUIRE(message.has_value());
        CHECK(message->holds_receive_buffer());
        CHECK(client->holds_receive_buffer() == (i < 2));
    }
}

TEST_ON_BOTH_KERNELS("frames of several fibers are never mixed, and one close is enough") {
    std::size_t pings = 0;
    std::string behind_close = "nothing read";
    bool has_ended = false;
    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer already_read) {
        WebSocketInbound inbound(world.env(), socket, std::move(already_read));
        for (;;) {
            auto event = inbound.next(soon());
            if (!event) return;
            if (event->kind == WebSocketInbound::Event::Kind::close) break;
            bool is_whole = text_of(event->payload) == std::string(125, 'p');
            if (event->kind == WebSocketInbound::Event::Kind::ping && is_whole) ++pings;
        }
        send_frame(socket, Opcode::close, "");
        behind_close = read_all(socket);
        has_ended = true;
    });
    {
        auto client = connect(world.env(), server.url());
        REQUIRE(client.has_value());
        fiber::TaskGroup senders;
        for (int i = 0; i < 5; ++i) {
            senders.spawn("sender", [&] {
                for (int n = 0; n < 20; ++n) {
                    while (!client->send_ping(bytes_of(std::string(125, 'p')))) {
                        static_cast<void>(fiber::sleep_for(milliseconds(1)));
                    }
                    fiber::yield();
                }
            });
        }
        while (senders.size() > 0) static_cast<void>(fiber::sleep_for(milliseconds(1)));
        CHECK(client->close(close_code::normal, "", soon()).has_value());
    }
    while (!has_ended) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    CHECK(pings == 100);
    CHECK(behind_close == "");
}

TEST_ON_BOTH_KERNELS("a ping is answered while we wait for messages, and ours is heard") {
    std::vector<std::string> heard;
    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer already_read) {
        static_cast<void>(fiber::sleep_for(milliseconds(20)));
        ControlFrame ping = encode_control(Opcode::ping, bytes_of("are you there"));
        static_cast<void>(socket.send(ping.bytes(), soon()));
        WebSocketInbound inbound(world.env(), socket, std::move(already_read));
        for (int i = 0; i < 2; ++i) {
            auto event = inbound.next(soon());
            if (!event) return;
            bool is_ping = event->kind == WebSocketInbound::Event::Kind::ping;
            heard.push_back((is_ping ? "ping " : "pong ") + text_of(event->payload));
        }
        send_frame(socket, Opcode::binary, "done");
        read_all(socket);
    });
    auto client = connect(world.env(), server.url());
    REQUIRE(client.has_value());
    Nanos before = client->last_heard();
    CHECK(client->receive(Deadline::in(milliseconds(100))).error().code == Errc::timed_out);
    CHECK(client->last_heard() > before);
    REQUIRE(client->send_ping(bytes_of("and you")));
    CHECK(text_of(client->receive(soon()).value().bytes()) == "done");
    CHECK(heard == std::vector<std::string>{"pong are you there", "ping and you"});
}

TEST_ON_BOTH_KERNELS("a violation ends the connection, and the server is told why") {
    const struct {
        Buffer bytes;
        std::uint16_t code;
        Errc error;
    } cases[] = {
        {{0xc2, 0x00}, close_code::protocol_error, Errc::malformed},
        {{0x82, 0x80, 1, 2, 3, 4}, close_code::protocol_error, Errc::malformed},
        {{0x81, 0x01, 0xff}, close_code::invalid_data, Errc::malformed},
        {{0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0}, close_code::too_big, Errc::too_large},
    };
    for (const auto& wrong : cases) {
        std::uint16_t told = 0;
        bool has_ended = false;
        SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer already_read) {
            static_cast<void>(socket.send(wrong.bytes, soon()));
            WebSocketInbound inbound(world.env(), socket, std::move(already_read));
            auto event = inbound.next(soon());
            if (event) told = event->close_code;
            has_ended = true;
        });
        auto client = connect(world.env(), server.url());
        REQUIRE(client.has_value());
        auto message = client->receive(soon());
        REQUIRE_FALSE(message.has_value());
        CHECK(message.error().code == wrong.error);
        CHECK(client->receive(soon()).error().code == Errc::closed);
        while (!has_ended) static_cast<void>(fiber::sleep_for(milliseconds(1)));
        CHECK(told == wrong.code);
    }
}

TEST_ON_BOTH_KERNELS("a close is said and waited for, past what still comes") {
    std::string goodbye;
    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer already_read) {
        WebSocketInbound inbound(world.env(), socket, std::move(already_read));
        for (int i = 0; i < 50; ++i) send_frame(socket, Opcode::binary, std::string(1000, 'x'));
        auto event = inbound.next(soon());
        if (!event) return;
        goodbye = std::to_string(event->close_code) + " " + text_of(event->payload);
        static_cast<void>(socket.send(encode_close(event->close_code, "").bytes(), soon()));
    });
    auto client = connect(world.env(), server.url());
    REQUIRE(client.has_value());
    CHECK(client->close(close_code::normal, "enough", soon()).has_value());
    CHECK(goodbye == "1000 enough");
    CHECK(client->close_info().code == close_code::normal);
    CHECK(client->send_ping().error().code == Errc::closed);
}

TEST_ON_BOTH_KERNELS(
    "a server that hangs up without a word, or never answers a close, is noticed") {
    SpeakingServer rude(world.env(), [](env::Socket&, Buffer) {});
    auto client = connect(world.env(), rude.url());
    REQUIRE(client.has_value());
    CHECK(client->receive(soon()).error().code == Errc::closed);
    CHECK(client->close_info().code == close_code::none_received);

    SpeakingServer deaf(world.env(), [](env::Socket&, Buffer) {
        static_cast<void>(fiber::sleep_for(std::chrono::hours(1)));
    });
    auto waiting = connect(world.env(), deaf.url());
    REQUIRE(waiting.has_value());
    CHECK(waiting->close(close_code::normal, "", Deadline::in(milliseconds(50))).error().code ==
          Errc::timed_out);
    CHECK(waiting->send_ping().error().code == Errc::closed);
}

TEST_ON_BOTH_KERNELS("a refused handshake says what the server answered") {
    RunningServer server(world.env(), {}, [](const HttpRequest& request, const Address&) {
        HttpResponse response = json_error(429, "RateLimitExceeded", "slow down");
        response.headers.add("Retry-After", "17");
        if (request.path() == "/moved") response = {302, {{"Location", "/there"}}, ""};
        if (request.path() == "/fake") response = upgrade_response("wrong");
        return response;
    });
    auto refused = connect(world.env(), server.url("/", "ws"));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().http_status == 429);
    CHECK(refused.error().retry_after_s == 17u);
    CHECK(refused.error().reason ==
          "the server answered 429 Too Many Requests: "
          R"({"error":"RateLimitExceeded","message":"slow down"})");
    CHECK(connect(world.env(), server.url("/moved", "ws")).error().reason ==
          "the server answered 302 Found to /there");
    CHECK(connect(world.env(), server.url("/fake", "ws")).error().reason ==
          "the handshake is out of form: websocket: wrong Sec-WebSocket-Accept");
    CHECK(connect(world.env(), server.url("/", "wss")).error().error.code == Errc::unsupported);
}

TEST_ON_BOTH_KERNELS("what a server sends together with its handshake is not lost") {
    env::Listener listener = world.env().net.listen(Address::loopback(0)).value();
    fiber::Task serving = fiber::spawn("eager server", [&] {
        auto socket = listener.accept();
        if (!socket) return;
        std::string request = read_until(*socket, "\r\n\r\n");
        std::size_t at = request.find("Sec-WebSocket-Key: ") + 19;
        std::string text =
            encode_response_head(upgrade_response(websocket_accept(request.substr(at, 24))), {});
        text +=
            "\x82\x03"
            "abc"
            "\x82\x01";
        send_text(*socket, text);
        send_text(*socket, "d");
        read_all(*socket);
    });
    {
        auto client = connect(world.env(), "ws://" + listener.local().text() + "/");
        REQUIRE(client.has_value());
        CHECK(text_of(client->receive(soon()).value().bytes()) == "abc");
        CHECK(text_of(client->receive(soon()).value().bytes()) == "d");
    }
    serving.join();
}

TEST_ON_BOTH_KERNELS(
    "a server drops what clients say, within bounds, and hears their control frames") {
    std::string outcome;
    std::uint64_t discarded = 0;
    bool has_ended = false;
    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer already_read) {
        WebSocketInboundOptions options;
        options.max_bytes = 2000;
        WebSocketInbound inbound(world.env(), socket, std::move(already_read), options);
        for (;;) {
            auto event = inbound.next(soon());
            discarded = inbound.discarded_bytes();
            if (!event) {
                outcome += std::to_string(inbound.violation_code());
                break;
            }
            outcome += "p";
        }
        has_ended = true;
    });
    const MaskKey key{1, 2, 3, 4};
    env::Socket socket = server.server.connect();
    HttpHeaders headers;
    add_upgrade_fields(headers, websocket_key({}));
    send_text(socket, encode_request(HttpMethod::get, "/", "a", headers));
    CHECK(read_until(socket, "\r\n\r\n").starts_with("HTTP/1.1 101"));
    auto send_data = [&](std::size_t size) {
        EncodedHeader header = encode_header({true, Opcode::binary, key, size});
        static_cast<void>(socket.send(header.bytes(), soon()));
        send_text(socket, std::string(size, 'x'));
    };
    send_data(900);
    ControlFrame ping = encode_control(Opcode::ping, {}, key);
    const Bytes two_pings[] = {ping.bytes(), ping.bytes()};
    static_cast<void>(send_parts(socket, two_pings, soon()));
    while (outcome.size() < 2) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    CHECK(discarded == 900);
    send_data(1100);
    while (!has_ended) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    CHECK(outcome == "pp1008");
}

TEST_ON_BOTH_KERNELS(
    "what a client may send is counted anew after a while, and a violation has its code") {
    std::vector<std::string> outcomes;
    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer already_read) {
        WebSocketInboundOptions options;
        options.max_message_bytes = 500;
        options.max_bytes = 131;  // a ping of 125 bytes exactly
        options.span = milliseconds(40);
        WebSocketInbound inbound(world.env(), socket, std::move(already_read), options);
        for (;;) {
            auto event = inbound.next(soon());
            outcomes.push_back(event ? "ping" : std::to_string(inbound.violation_code()));
            if (!event) return;
        }
    });
    const MaskKey key{1, 2, 3, 4};
    HttpHeaders headers;
    add_upgrade_fields(headers, websocket_key({}));
    std::string upgrade = encode_request(HttpMethod::get, "/", "a", headers);
    ControlFrame ping = encode_control(Opcode::ping, bytes_of(std::string(125, 'p')), key);
    EncodedHeader large = encode_header({true, Opcode::binary, key, 501});
    env::Socket socket = server.server.connect();
    send_text(socket, upgrade);
    CHECK(read_until(socket, "\r\n\r\n") != "");
    auto send_and_wait = [&](Bytes bytes, std::size_t count) {
        static_cast<void>(fiber::sleep_for(milliseconds(60)));
        static_cast<void>(socket.send(bytes, soon()));
        while (outcomes.size() < count) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    };
    send_and_wait(ping.bytes(), 1);
    send_and_wait(ping.bytes(), 2);
    send_and_wait(large.bytes(), 3);
    CHECK(outcomes == std::vector<std::string>{"ping", "ping", "1009"});
}

TEST_ON_BOTH_KERNELS("a peer that floods with pings is told off; a hundred at once are answered") {
    for (const auto& [opcode, count] : {std::pair(Opcode::ping, 100), std::pair(Opcode::ping, 101),
                                        std::pair(Opcode::pong, 101)}) {
        std::uint16_t told = 0;
        int pongs = 0;
        bool has_ended = false;
        SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer already_read) {
            // Small enough that no answer is dropped.
            Buffer many;
            for (int i = 0; i < count; ++i) {
                const ControlFrame frame = encode_control(opcode, {});
                many.insert(many.end(), frame.bytes().begin(), frame.bytes().end());
            }
            static_cast<void>(socket.send(many, soon()));
            if (count == 100) send_frame(socket, Opcode::binary, "x");
            WebSocketInbound inbound(world.env(), socket, std::move(already_read));
            while (auto event = inbound.next(soon())) {
                if (event->kind == WebSocketInbound::Event::Kind::pong) ++pongs;
                if (event->kind != WebSocketInbound::Event::Kind::close) continue;
                told = event->close_code;
                break;
            }
            has_ended = true;
        });
        auto client = connect(world.env(), server.url());
        REQUIRE(client.has_value());
        auto message = client->receive(soon());
        CHECK(message.has_value() == (count == 100));
        if (!message) {
            CHECK(message.error().code == Errc::malformed);
            CHECK(message.error().what == "websocket: too many pings");
        } else {
            CHECK(client->receive(Deadline::in(milliseconds(20))).error().code == Errc::timed_out);
            static_cast<void>(
                client->close(close_code::normal, {}, Deadline::in(milliseconds(50))));
        }
        while (!has_ended) static_cast<void>(fiber::sleep_for(milliseconds(1)));
        CHECK(told == (count == 100 ? close_code::normal : close_code::policy));
        CHECK(pongs == (opcode == Opcode::ping ? 100 : 0));
    }
}

TEST_ON_BOTH_KERNELS("a peer that takes no pongs costs a bounded buffer") {
    bool stop = false;
    SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer) {
        const ControlFrame ping = encode_control(Opcode::ping, bytes_of(std::string(125, 'p')));
        for (int i = 0; i < 90; ++i) static_cast<void>(socket.send(ping.bytes(), soon()));
        while (!stop) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    });
    auto client = connect(world.env(), server.url());
    REQUIRE(client.has_value());
    for (int i = 0; i < 5; ++i) {
        CHECK(client->receive(Deadline::in(milliseconds(20))).error().code == Errc::timed_out);
    }
    CHECK(client->received_bytes() > 10'000);
    stop = true;
}

namespace {

// A frame of which only the first bytes are sent.
void begin_frame(env::Socket& socket, std::size_t claimed_bytes, std::size_t sent_bytes,
                 bool is_final = true) {
    EncodedHeader header = encode_header({is_final, Opcode::binary, {}, claimed_bytes});
    static_cast<void>(socket.send(header.bytes(), soon()));
    static_cast<void>(socket.send(Buffer(sent_bytes, 'x'), soon()));
}

// The rest of a frame, so much of it each second; false: the peer has hung up.
bool drip(env::Socket& socket, std::size_t count, std::size_t bytes_a_second) {
    const Buffer bytes(bytes_a_second, 'x');
    for (; count > 0; count -= std::min(count, bytes.size())) {
        static_cast<void>(fiber::sleep_for(seconds(1)));
        if (!socket.send(Bytes(bytes).first(std::min(count, bytes.size())), soon())) return false;
    }
    return true;
}

// What receive() says in the end: `timed_out` is asked again.
Result<WebSocketMessage> receive_patiently(WebSocketClient& client) {
    for (;;) {
        auto message = client.receive(soon());
        if (message || message.error().code != Errc::timed_out) return message;
    }
}

}  // namespace

TEST_CASE("a message that does not come to its end ends the connection; a slow one comes through") {
    support::in_simulation({1}, [](support::TestWorld& world) {
        struct Case {
            std::size_t claimed_bytes;
            std::size_t bytes_a_second;
            Nanos lasts;
            bool is_taken;
        };
        for (const Case& its : {Case{3'000'000, 30'000, seconds(100), true},
                                Case{3'000'000, 1, seconds(60 + 150), false},
                                Case{100, 1, seconds(60), false}, Case{50, 1, seconds(50), true}}) {
            CAPTURE(its.claimed_bytes, its.bytes_a_second);
            SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer) {
                begin_frame(socket, its.claimed_bytes, 0);
                drip(socket, its.claimed_bytes, its.bytes_a_second);
                read_all(socket, std::chrono::hours(1));
            });
            MessageBudget budget(1 << 30);
            WebSocketClientOptions options;
            options.messages = &budget;
            auto client = connect(world.env(), server.url(), options);
            REQUIRE(client.has_value());
            const Nanos began = world.env().clock.now();
            auto message = receive_patiently(*client);
            const Nanos lasted = world.env().clock.now() - began;
            CHECK(message.has_value() == its.is_taken);
            CHECK(lasted >= its.lasts - seconds(1));
            CHECK(lasted <= its.lasts + seconds(5));
            CHECK(budget.unfinished.load() == (its.is_taken ? 0 : 1));
            if (!message) {
                CHECK(message.error().code == Errc::malformed);
                CHECK(message.error().what == "websocket: a message took too long to come");
            }
        }
    });
}

TEST_CASE("who has no room for a large message is not read, goes on later, and is not dead") {
    support::in_simulation({1}, [](support::TestWorld& world) {
        MessageBudget budget(200'000);
        SpeakingServer slow(world.env(), [&](env::Socket& socket, Buffer) {
            begin_frame(socket, 150'000, 1000);
            static_cast<void>(fiber::sleep_for(seconds(14)));
            static_cast<void>(socket.send(Buffer(149'000, 'x'), soon()));
            read_all(socket);
        });
        SpeakingServer large(world.env(), [&](env::Socket& socket, Buffer) {
            send_frame(socket, Opcode::binary, std::string(100'000, 'y'));
            read_all(socket);
        });
        SpeakingServer small(world.env(), [&](env::Socket& socket, Buffer) {
            send_frame(socket, Opcode::binary, std::string(65'536, 'z'));
            read_all(socket);
        });
        WebSocketClientOptions options;
        options.messages = &budget;
        auto first = connect(world.env(), slow.url(), options);
        auto second = connect(world.env(), large.url(), options);
        auto third = connect(world.env(), small.url(), options);
        REQUIRE((first && second && third));
        fiber::Task reader = fiber::spawn("reads the slow one", [&] {
            auto message = receive_patiently(*first);
            CHECK((message && message->bytes().size() == 150'000));
        });
        static_cast<void>(fiber::sleep_for(seconds(2)));
        CHECK(budget.held_bytes() == 150'000);

        const Nanos began = world.env().clock.now();
        auto waits = second->receive(Deadline::in(seconds(5)));
        REQUIRE_FALSE(waits.has_value());
        CHECK(waits.error().code == Errc::timed_out);
        CHECK(second->last_heard() >= began + seconds(5));
        CHECK(second->received_bytes() <= MessageBudget::unbudgeted_bytes);
        CHECK(budget.waits.load() == 1);
        auto passes = third->receive(soon());  // small ones need no room
        CHECK((passes && passes->bytes().size() == 65'536));

        auto message = receive_patiently(*second);
        REQUIRE(message.has_value());
        CHECK(message->bytes().size() == 100'000);
        CHECK(world.env().clock.now() - began >= seconds(10));
        reader.join();
        CHECK(budget.held_bytes() == 0);
    });
}

TEST_CASE("while others wait for its room, a large message has a quarter of the time") {
    support::in_simulation({1}, [](support::TestWorld& world) {
        MessageBudget budget(200'000);
        SpeakingServer never(world.env(), [&](env::Socket& socket, Buffer) {
            begin_frame(socket, 200'000, 1000);
            read_all(socket, std::chrono::hours(1));
        });
        SpeakingServer large(world.env(), [&](env::Socket& socket, Buffer) {
            send_frame(socket, Opcode::binary, std::string(100'000, 'y'));
            read_all(socket);
        });
        WebSocketClientOptions options;
        options.messages = &budget;
        std::optional<WebSocketClient> holder = connect(world.env(), never.url(), options).value();
        const Nanos began = world.env().clock.now();
        fiber::Task reader = fiber::spawn("reads what does not come", [&] {
            CHECK(receive_patiently(*holder).error().code == Errc::malformed);
            holder.reset();  // the connection ends, and gives back what it had
        });
        static_cast<void>(fiber::sleep_for(seconds(1)));
        auto other = connect(world.env(), large.url(), options);
        REQUIRE(other.has_value());
        CHECK(receive_patiently(*other).has_value());
        const Nanos lasted = world.env().clock.now() - began;
        CHECK(lasted >= seconds(17));  // (60 + 10) / 4
        CHECK(lasted <= seconds(25));
        reader.join();
    });
}

TEST_CASE("a message whose parts go on takes room for the largest there may be, once") {
    support::in_simulation({1}, [](support::TestWorld& world) {
        MessageBudget budget(10'000'000);
        SpeakingServer server(world.env(), [&](env::Socket& socket, Buffer) {
            send_frame(socket, Opcode::binary, std::string(60'000, 'a'), false);
            static_cast<void>(fiber::sleep_for(seconds(2)));
            send_frame(socket, Opcode::continuation, std::string(60'000, 'b'), false);
            static_cast<void>(fiber::sleep_for(seconds(2)));
            send_frame(socket, Opcode::ping, "");
            send_frame(socket, Opcode::continuation, std::string(60'000, 'c'), true);
            read_all(socket);
        });
        WebSocketClientOptions options;
        options.messages = &budget;
        auto client = connect(world.env(), server.url(), options);
        REQUIRE(client.has_value());
        CHECK_FALSE(client->receive(Deadline::in(seconds(1))).has_value());
        CHECK(budget.held_bytes() == 0);
        CHECK_FALSE(client->receive(Deadline::in(seconds(2))).has_value());
        CHECK(budget.held_bytes() == options.max_message_bytes);
        auto message = client->receive(soon());
        REQUIRE(message.has_value());
        CHECK(message->bytes().size() == 180'000);
        CHECK(budget.held_bytes() == 0);
    });
}
