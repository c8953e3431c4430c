#include "relay/net/stream.hpp"

#include <functional>
#include <random>

#include "relay/net/http_client.hpp"
#include "relay/net/websocket_client.hpp"
#include "relay/net/websocket_frame.hpp"
#include "relay/net/websocket_handshake.hpp"
#include "tests/relay/net/server_fixture.hpp"
#include "tests/support/tls_pair.hpp"

using namespace ringlay;
using namespace ringlay::net;
using support::TestWorld;
using support::TlsParty;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Deadline soon() {
    return Deadline::in(seconds(30));
}

std::string text_of(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Everything until the peer says goodbye; `cut` if it ends in any other way.
std::string read_to_end(Stream& stream) {
    std::string text;
    for (;;) {
        auto chunk = stream.receive(soon());
        if (!chunk) return text + "|" + std::string(chunk.error().what);
        if (chunk->empty()) return text;
        text += text_of(chunk->bytes());
    }
}

std::string read_request(Stream& stream) {
    std::string text;
    while (text.find("\r\n\r\n") == text.npos) {
        auto chunk = stream.receive(soon());
        if (!chunk || chunk->empty()) return "";
        text += text_of(chunk->bytes());
    }
    return text;
}

// What the header of a record says.
std::size_t record_bytes(std::string_view record) {
    return static_cast<std::size_t>(static_cast<unsigned char>(record[3]) << 8 |
                                    static_cast<unsigned char>(record[4]));
}

// A certificate takes a while to make, and is the same for everybody.
const TlsParty& party() {
    static const TlsParty made({"127.0.0.1"});
    return made;
}

// A server under TLS whose connections run `speak` after the handshake.
class TlsServer {
  public:
    using Speak = std::function<void(Stream& stream)>;

    TlsServer(env::Env& env, Speak speak, const TlsParty& with = party())
        : listener_(env.net.listen(Address::loopback(0)).value()),
          speak_(std::move(speak)),
          party_(with),
          accepting_(fiber::spawn("tls server", [this] { accept(); })) {}
    ~TlsServer() { accepting_.cancel_and_join(); }

    std::string url(std::string_view scheme) const {
        return std::string(scheme) + "://" + listener_.local().text() + "/";
    }

  private:
    void accept() {
        for (;;) {
            auto socket = listener_.accept();
            if (!socket) return;
            Stream stream(std::move(*socket));
            if (stream.start_tls(party_.server->accept(), soon())) speak_(stream);
        }
    }

    env::Listener listener_;
    Speak speak_;
    const TlsParty& party_;
    fiber::Task accepting_;
};

// How the clients below go out: they believe `party`, and may go to this machine.
Outbound outbound_of(const TlsParty& with = party()) {
    return Outbound(with.client.get(), base::PrivateHosts::parse("all").value());
}

std::expected<HttpResponse, Failure> get(TestWorld& world, const Outbound& outbound,
                                         const std::string& url, Deadline deadline = soon()) {
    FetchOptions options;
    options.deadline = deadline;
    options.outbound = &outbound;
    return fetch(world.env(), proto::parse_url(url).value(), options);
}

// Two ends of one connection under TLS.
struct SecurePair {
    explicit SecurePair(TestWorld& world) {
        support::Connection pair = support::connect_pair(world);
        client = Stream(std::move(pair.client));
        server = Stream(std::move(pair.server));
        fiber::Task accepting = fiber::spawn("accept tls", [this] {
            static_cast<void>(server.start_tls(party().server->accept(), soon()));
        });
        auto started = client.start_tls(party().client->connect("127.0.0.1"), soon());
        accepting.join();
        REQUIRE(started.has_value());
    }
    Stream client;
    Stream server;
};

// A client, and a server whose socket and engine are within reach.
struct HandMadePair {
    explicit HandMadePair(TestWorld& world) {
        support::Connection pair = support::connect_pair(world);
        client = Stream(std::move(pair.client));
        server = std::move(pair.server);
        fiber::Task accepting = fiber::spawn("accept tls", [this] {
            for (bool done = false; !done;) {
                auto chunk = server.receive(soon());
                if (!chunk || chunk->empty() || !engine.received(chunk->bytes())) return;
                done = engine.handshake().value_or(true);
                static_cast<void>(server.send(support::take_all(engine), soon()));
            }
        });
        auto started = client.start_tls(party().client->connect("127.0.0.1"), soon());
        accepting.join();
        REQUIRE(started.has_value());
    }
    Stream client;
    env::Socket server;
    crypto::TlsEngine engine = party().server->accept();
};

std::string numbered(std::size_t size) {
    std::mt19937 random(7);
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
}

}  // namespace

TEST_ON_BOTH_KERNELS("a fetch over TLS brings the answer, and is counted") {
    std::string asked;
    TlsServer server(world.env(), [&](Stream& stream) {
        asked = read_request(stream);
        std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        static_cast<void>(stream.send(bytes_of(answer + std::string(100'000, 'x')), soon()));
        stream.shutdown();
    });
    Outbound outbound = outbound_of();
    auto answer = get(world, outbound, server.url("https"));
    REQUIRE(answer.has_value());
    CHECK(answer->body == std::string(100'000, 'x'));
    CHECK(asked.starts_with("GET / HTTP/1.1\r\n"));
    CHECK(outbound.handshakes == 1);
    CHECK(outbound.handshake_failures == 0);
}

TEST_ON_BOTH_KERNELS("a body that ends with the connection is whole only behind a goodbye") {
    bool says_goodbye = true;
    TlsServer server(world.env(), [&](Stream& stream) {
        read_request(stream);
        static_cast<void>(stream.send(bytes_of("HTTP/1.1 200 OK\r\n\r\nto the end"), soon()));
        if (says_goodbye) stream.shutdown();
    });
    Outbound outbound = outbound_of();
    auto whole = get(world, outbound, server.url("https"));
    REQUIRE(whole.has_value());
    CHECK(whole->body == "to the end");
    says_goodbye = false;
    auto cut = get(world, outbound, server.url("https"));
    REQUIRE_FALSE(cut.has_value());
    CHECK(cut.error().error.code == Errc::closed);
    CHECK(cut.error().reason == "no answer: tls: the peer hung up without a goodbye");
}

TEST_ON_BOTH_KERNELS("a WebSocket under TLS: every size, pings, a close") {
    const std::size_t sizes[] = {0, 1, 125, 5000, 16'384, 65'536, 300'000, 5};
    std::string heard;
    TlsServer server(world.env(), [&](Stream& stream) {
        std::string request = read_request(stream);
        std::size_t at = request.find("Sec-WebSocket-Key: ") + 19;
        std::string accept = websocket_accept(request.substr(at, request.find('\r', at) - at));
        std::string head =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
            accept + "\r\n\r\n";
        static_cast<void>(stream.send(bytes_of(head), soon()));
        for (std::size_t size : sizes) {
            EncodedHeader header = encode_header({true, Opcode::binary, {}, size});
            std::string payload = numbered(size);
            static_cast<void>(stream.send(header.bytes(), soon()));
            static_cast<void>(stream.send(bytes_of(payload), soon()));
            static_cast<void>(stream.send(encode_control(Opcode::ping, {}).bytes(), soon()));
        }
        static_cast<void>(stream.send(encode_close(1001, "bye").bytes(), soon()));
        heard = read_to_end(stream);
    });
    Outbound outbound = outbound_of();
    WebSocketClientOptions options;
    options.deadline = soon();
    options.outbound = &outbound;
    auto client =
        WebSocketClient::connect(world.env(), proto::parse_url(server.url("wss")).value(), options);
    REQUIRE(client.has_value());
    int turn = 0;
    for (std::size_t size : sizes) {
        auto message = client->receive(soon());
        REQUIRE(message.has_value());
        if (turn++ % 2 == 0) client->let_go_of_buffer();
        CHECK(text_of(message->bytes()) == numbered(size));
    }
    CHECK(client->receive(soon()).error().code == Errc::closed);
    CHECK(client->close_info().reason == "bye");
    // The pongs have come: 8 of 6 bytes, and a close.
    *client = WebSocketClient(std::move(*client));
    client = std::unexpected(Failure());
    while (heard.empty()) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    CHECK(heard.size() > 8 * 6);
    CHECK(static_cast<unsigned char>(heard[0]) == 0x8a);
}

TEST_ON_BOTH_KERNELS("why a server is not believed is said, and counted") {
    TlsParty other({"pds.example", "192.0.2.1"}), unknown({"127.0.0.1"});
    TlsServer wrong_name(world.env(), [](Stream&) {}, other);
    TlsServer stranger(world.env(), [](Stream&) {}, unknown);
    RunningServer plain(world.env(), {}, echo);

    Outbound believes_other = outbound_of(other);
    auto named = get(world, believes_other, wrong_name.url("https"));
    REQUIRE_FALSE(named.has_value());
    CHECK(named.error().error.code == Errc::no_permission);
    CHECK(named.error().reason ==
          "no TLS with 127.0.0.1 at " + wrong_name.url("https").substr(8, 15) +
              ": certificate is for pds.example, 192.0.2.1, not for 127.0.0.1");

    Outbound outbound = outbound_of();
    auto signer = get(world, outbound, stranger.url("https"));
    REQUIRE_FALSE(signer.has_value());
    CHECK(signer.error().reason.ends_with(": certificate is signed by itself; bundle of ours"));
    CHECK(outbound.handshake_failures == 1);

    auto no_tls = get(world, outbound, plain.url("/", "https"));
    REQUIRE_FALSE(no_tls.has_value());
    CHECK(no_tls.error().reason.ends_with(": the peer does not speak TLS"));
    CHECK(outbound.handshake_failures == 2);
    CHECK(outbound.handshakes == 0);
}

TEST_ON_BOTH_KERNELS("a handshake that stalls ends at the deadline, one that is cut at once") {
    env::Listener listener = world.env().net.listen(Address::loopback(0)).value();
    bool hangs_up = false;
    fiber::Task silent = fiber::spawn("silent", [&] {
        std::vector<env::Socket> held;
        for (;;) {
            auto socket = listener.accept();
            if (!socket) return;
            // All of the ClientHello, or hanging up would be a reset.
            std::string hello;
            while (hello.size() < 5 || hello.size() < 5 + record_bytes(hello)) {
                hello += text_of(socket->receive(soon()).value().bytes());
            }
            static_cast<void>(socket->send(bytes_of("\x16\x03\x03"), soon()));
            if (!hangs_up) held.push_back(std::move(*socket));
        }
    });
    Outbound outbound = outbound_of();
    std::string url = "https://" + listener.local().text() + "/";
    Deadline deadline = Deadline::in(milliseconds(100));
    auto stalled = get(world, outbound, url, deadline);
    REQUIRE_FALSE(stalled.has_value());
    CHECK(stalled.error().error.code == Errc::timed_out);
    CHECK(stalled.error().reason.starts_with("no TLS with 127.0.0.1 at "));
    CHECK(fiber::now() >= deadline.at);
    hangs_up = true;
    auto cut = get(world, outbound, url);
    REQUIRE_FALSE(cut.has_value());
    CHECK(cut.error().reason.ends_with("the connection was cut off in the TLS handshake"));
    CHECK(outbound.handshake_failures == 2);
    silent.cancel_and_join();
}

TEST_ON_BOTH_KERNELS("a cancelled handshake is nobody's failure") {
    env::Listener listener = world.env().net.listen(Address::loopback(0)).value();
    Outbound outbound = outbound_of();
    Errc code = Errc::io;
    fiber::Task task = fiber::spawn("dial", [&] {
        auto answer = get(world, outbound, "https://" + listener.local().text() + "/");
        if (!answer) code = answer.error().error.code;
    });
    auto socket = listener.accept();
    REQUIRE(socket.has_value());
    REQUIRE(socket->receive(soon()).has_value());
    task.cancel_and_join();
    CHECK(code == Errc::cancelled);
    CHECK(outbound.handshake_failures == 0);
}

TEST_ON_BOTH_KERNELS("megabytes pass both ways at once, although the reader is slow") {
    SecurePair pair(world);
    const std::string there = numbered(3'000'000), back = numbered(1'000'000);
    auto send = [](Stream& stream, const std::string& text) {
        // In parts of odd sizes, some of them empty.
        Bytes left = bytes_of(text);
        while (!left.empty()) {
            Bytes first = left.first(std::min<std::size_t>(left.size(), 7));
            Bytes second =
                left.subspan(first.size()).first(std::min(left.size() - first.size(), 90'000ul));
            const Bytes parts[] = {Bytes(), first, second};
            auto sent = stream.send_now(parts);
            if (!sent) return;
            left = left.subspan(*sent);
            if (*sent == 0 && !stream.wait_writable(soon())) return;
        }
        stream.shutdown();
    };
    std::string at_server, at_client;
    fiber::Task sends = fiber::spawn("sends", [&] { send(pair.server, back); });
    fiber::Task client_reads = fiber::spawn("reads", [&] {
        static_cast<void>(fiber::sleep_for(milliseconds(20)));
        while (at_client.size() < back.size()) {
            auto chunk = pair.client.receive(soon());
            if (!chunk || chunk->empty()) break;
            at_client += text_of(chunk->bytes());
        }
    });
    client_reads.join();
    sends.join();
    CHECK((at_client == back));
    SecurePair other(world);
    fiber::Task server_reads =
        fiber::spawn("reads", [&] { at_server = read_to_end(other.server); });
    send(other.client, there);
    server_reads.join();
    CHECK((at_server == there));
}

TEST_ON_BOTH_KERNELS("what did not leave is offered again, and arrives once") {
    SecurePair pair(world);
    const std::string text = numbered(20'000'000);
    Bytes left = bytes_of(text);
    // Until the socket takes no more.
    int refusals = 0;
    while (refusals < 3) {
        auto sent = pair.client.send_now(std::span(&left, 1));
        REQUIRE(sent.has_value());
        left = left.subspan(*sent);
        if (*sent == 0) ++refusals;
        REQUIRE_FALSE(left.empty());
    }
    CHECK(pair.client.wait_writable(Deadline::in(milliseconds(1))).error().code == Errc::timed_out);
    // Time stands still there: a full socket stays full, and nothing may be said to be taken.
    for (int i = 0; i < 5 && world.is_simulated(); ++i) {
        CHECK(pair.client.send_now(std::span(&left, 1)).value() == 0);
    }
    // Until all is there: nothing of what was sent may need another call of ours.
    std::string got;
    fiber::Task reads = fiber::spawn("reads", [&] {
        while (got.size() < text.size()) {
            auto chunk = pair.server.receive(soon());
            if (!chunk || chunk->empty()) return;
            got += text_of(chunk->bytes());
        }
    });
    CHECK(pair.client.send(left, soon()).has_value());
    reads.join();
    bool is_whole = got == text;
    CHECK(is_whole);
}

TEST_ON_BOTH_KERNELS("a receive that times out or is cancelled loses nothing") {
    SecurePair pair(world);
    CHECK(pair.client.receive(Deadline::in(milliseconds(1))).error().code == Errc::timed_out);
    fiber::Task task =
        fiber::spawn("receives", [&] { static_cast<void>(pair.client.receive(soon())); });
    static_cast<void>(fiber::sleep_for(milliseconds(1)));
    task.cancel_and_join();
    REQUIRE(pair.server.send(bytes_of("still here"), soon()).has_value());
    Stream moved = std::move(pair.client);
    CHECK(moved.is_tls());
    auto chunk = moved.receive(soon());
    REQUIRE(chunk.has_value());
    CHECK(text_of(chunk->bytes()) == "still here");
    CHECK(moved.tls_failure().empty());
}

TEST_ON_BOTH_KERNELS("what is received under TLS is held without a receive buffer") {
    SecurePair pair(world);
    std::vector<StreamChunk> held;
    for (int i = 0; i < 200; ++i) {
        std::string text = "chunk " + std::to_string(i);
        REQUIRE(pair.server.send(bytes_of(text), soon()).has_value());
        held.push_back(pair.client.receive(soon()).value());
    }
    held[3].writable()[0] = 'C';
    StreamChunk copy = held[3];
    held.erase(held.begin() + 3);
    CHECK(text_of(copy.bytes()) == "Chunk 3");
    CHECK(text_of(held.back().bytes()) == "chunk 199");
}

TEST_ON_BOTH_KERNELS("garbage under TLS is told from the end of a connection") {
    using namespace std::string_view_literals;
    for (std::string_view sent : {"\x17\x03\x03\x00\x14"
                                  "ciphertext of no one"sv,
                                  "hello"sv}) {
        HandMadePair pair(world);
        REQUIRE(pair.server.send(bytes_of(sent), soon()).has_value());
        auto received = pair.client.receive(soon());
        REQUIRE_FALSE(received.has_value());
        CHECK(received.error().code == Errc::malformed);
        CHECK_FALSE(pair.client.tls_failure().empty());
    }
}

TEST_ON_BOTH_KERNELS("a goodbye behind the last bytes is heard, although the connection stays") {
    HandMadePair pair(world);
    REQUIRE(pair.engine.write(bytes_of("last words")).value() == 10);
    pair.engine.say_goodbye();
    REQUIRE(pair.server.send(support::take_all(pair.engine), soon()).has_value());
    CHECK(read_to_end(pair.client) == "last words");
}
