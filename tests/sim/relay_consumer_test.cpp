// What a consumer may do to the relay, and what it is told: cursors, pings, silence, floods,
// stalls, restarts. In the simulated world ten minutes take no time.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "relay/net/http_client.hpp"
#include "tests/sim/line.hpp"

using namespace ringlay;
using namespace ringlay::support;
using namespace std::chrono_literals;

namespace {

using Event = net::WebSocketDecoder::Event;

struct Told {
    Event::Kind kind;
    Buffer payload;
    std::uint16_t close_code;
};

// A consumer written by hand over a bare socket, so that it can do what a good one does not.
class RawConsumer {
  public:
    RawConsumer(env::Env& env, Address relay) : env_(env), relay_(relay) {}

    // The status of the answer; 0: no connection.
    int connect(const std::string& query = "", const std::string& path = subscribe) {
        auto socket = env_.net.connect(relay_, Deadline::in(5s));
        if (!socket) return 0;
        socket_ = std::move(*socket);
        std::string request = "GET " + path + query +
                              " HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Origin: http://elsewhere.example\r\n\r\n";
        if (!socket_.send(net::bytes_of(request), Deadline::in(5s))) return 0;
        while (input_.find("\r\n\r\n") == input_.npos) {
            if (!receive(Deadline::in(10s))) return 0;
        }
        std::size_t end = input_.find("\r\n\r\n") + 4;
        head = input_.substr(0, end);
        input_.erase(0, end);
        return std::stoi(head.substr(9, 3));
    }

    // The next message or control frame; nothing: the connection has ended, or the time is up.
    std::optional<Told> next(Nanos within) {
        Deadline deadline = Deadline::in(within);
        for (;;) {
            std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(input_.data()),
                                          input_.size());
            auto event = decoder_.next(bytes);
            if (!event) {
                violation = event.error().what;
                return std::nullopt;
            }
            std::optional<Told> told;
            if (*event) {
                told =
                    Told{(*event)->kind, Buffer((*event)->payload.begin(), (*event)->payload.end()),
                         (*event)->close_code};
            }
            input_.erase(0, input_.size() - bytes.size());
            if (told) return told;
            if (!receive(deadline)) return std::nullopt;
        }
    }

    bool send(net::Opcode opcode, Bytes payload) {
        net::FrameHeader header;
        header.opcode = opcode;
        header.mask = net::MaskKey{1, 2, 3, 4};
        header.payload_bytes = payload.size();
        Buffer masked(payload.begin(), payload.end());
        net::apply_mask(masked, *header.mask);
        net::EncodedHeader encoded = net::encode_header(header);
        Bytes head_bytes = encoded.bytes();
        return socket_.send(head_bytes, Deadline::in(5s)) && socket_.send(masked, Deadline::in(5s));
    }

    // Takes at least so much off the socket, in pieces of 16 KiB at most, and looks at nothing.
    // False: there is no more.
    bool take(std::size_t bytes) {
        for (const std::size_t until = taken + bytes; taken < until; taken += input_.size()) {
            input_.clear();
            if (!receive(Deadline::in(1s))) return false;
        }
        return true;
    }

    static constexpr const char* subscribe = "/xrpc/com.atproto.sync.subscribeRepos";
    std::string head;
    std::string_view violation;
    bool has_ended = false;  // the relay has closed the connection
    std::size_t taken = 0;   // by take()

  private:
    bool receive(Deadline deadline) {
        auto chunk = socket_.receive(deadline);
        if (!chunk && chunk.error().code == Errc::timed_out) return false;
        if (!chunk || chunk->empty()) {
            has_ended = true;
            return false;
        }
        input_.append(chunk->bytes().begin(), chunk->bytes().end());
        return true;
    }

    env::Env& env_;
    Address relay_;
    env::Socket socket_;
    std::string input_;
    net::WebSocketDecoder decoder_{net::WebSocketDecoder::Options{}};
};

struct Scene {
    explicit Scene(std::uint64_t seed = 1, std::size_t events = 50,
                   std::uint64_t handle_bytes = 200)
        : line(options(seed), 2) {
        line.hosts.push_back(
            std::make_unique<SimHost>(line.world, "host", events, 0, handle_bytes));
    }

    static env::WorldOptions options(std::uint64_t seed) {
        env::WorldOptions options;
        options.seed = seed;
        return options;
    }

    // Starts the relay, waits until it has all events of the host, then plays the consumer.
    void play(const std::function<void(env::Env&, RawConsumer&)>& act) {
        if (line.lives.empty()) {
            line.start_relay();
            line.consumers.push_back(
                std::make_unique<SimConsumer>(line.world, "witness", line.relay_address(), 0));
            REQUIRE_FALSE(line.run_until_seen(line.hosts[0]->events().size()).has_value());
        }
        auto stuck = line.run_until_seen(50);
        REQUIRE_FALSE(stuck.has_value());
        bool has_played = false;
        line.world.machine("raw" + std::to_string(++actors))
            .start_worker({.name = "raw", .index = 0}, [&] {
                RawConsumer consumer(env, line.relay_address());
                act(env, consumer);
                has_played = true;
            });
        stuck = line.world.run_until_true([&] { return has_played; });
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
    }

    // How many consumers the relay says it has lost for this reason.
    std::string dropped(std::string_view reason) {
        std::string body;
        bool is_done = false;
        Address address = line.world.machine("relay").address(firehose_port + 1);
        line.world.machine("operator" + std::to_string(++actors))
            .start_worker({.name = "operator", .index = 0}, [&] {
                static_cast<void>(fiber::sleep_for(5s));
                auto page = net::fetch(
                    env, proto::parse_url("http://" + address.text() + "/metrics").value(), {});
                if (page) body = page->body;
                is_done = true;
            });
        REQUIRE_FALSE(line.world.run_until_true([&] { return is_done; }).has_value());
        const std::string series =
            "relay_consumers_dropped_total{reason=\"" + std::string(reason) + "\"} ";
        const std::size_t at = body.find(series);
        if (at == std::string::npos) return "none";
        return body.substr(at + series.size(), body.find('\n', at) - at - series.size());
    }

    Line line;
    env::Env env;
    int actors = 0;
};

std::string error_name(const Told& told) {
    auto frame = proto::peek(told.payload);
    return frame ? std::string(frame->name) : "?";
}

}  // namespace

TEST_CASE("a cursor that was never issued gets FutureCursor, time to think, and a close") {
    Scene scene;
    std::vector<Told> told;
    Nanos lasted{};
    bool has_ended = false;
    scene.play([&](env::Env& env, RawConsumer& consumer) {
        CHECK(consumer.connect("?cursor=9007199254740991") == 101);
        Nanos began = env.clock.now();
        while (auto frame = consumer.next(20s)) told.push_back(*frame);
        lasted = env.clock.now() - began;
        has_ended = consumer.has_ended;
    });
    REQUIRE(told.size() == 2);
    CHECK(error_name(told[0]) == "FutureCursor");
    CHECK(told[1].kind == Event::Kind::close);
    CHECK(told[1].close_code == net::close_code::policy);
    CHECK(lasted >= 4900ms);  // the frame and the close are on their way for a moment each
    CHECK(has_ended);
    CHECK(scene.dropped("future_cursor") == "1");
}

TEST_CASE("a cursor older than the window is told so, then gets the whole window; zero is not") {
    Scene scene;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect("?cursor=1") == 101);
        auto info = consumer.next(1s);
        REQUIRE(info.has_value());
        CHECK(error_name(*info) == "OutdatedCursor");
        CHECK(proto::peek(info->payload)->kind == proto::FrameKind::info);
        auto first = consumer.next(1s);
        REQUIRE(first.has_value());
        CHECK(without_seq(first->payload) == without_seq(scene.line.hosts[0]->events()[0]));
    });
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect("?cursor=0") == 101);
        auto first = consumer.next(1s);
        REQUIRE(first.has_value());
        CHECK(without_seq(first->payload) == without_seq(scene.line.hosts[0]->events()[0]));
    });
}

TEST_CASE("cursors are exclusive, and without one the stream begins with what comes next") {
    Scene scene;
    std::uint64_t tenth = scene.line.hosts.empty() ? 0 : 9;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        std::uint64_t seq = scene.line.consumers[0]->seen()[tenth].seq;
        CHECK(consumer.connect("?cursor=" + std::to_string(seq)) == 101);
        auto next = consumer.next(1s);
        REQUIRE(next.has_value());
        CHECK(without_seq(next->payload) == without_seq(scene.line.hosts[0]->events()[10]));
    });
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect() == 101);
        CHECK_FALSE(consumer.next(5s).has_value());  // the host has emitted all it has
        CHECK_FALSE(consumer.has_ended);
    });
}

TEST_CASE("a bad cursor is answered by 400 with the reason, a request without upgrade by 426") {
    Scene scene;
    scene.play(
        [&](env::Env&, RawConsumer& consumer) { CHECK(consumer.connect("?cursor=-1") == 400); });
    scene.play(
        [&](env::Env&, RawConsumer& consumer) { CHECK(consumer.connect("?cursor=abc") == 400); });
    scene.play(
        [&](env::Env&, RawConsumer& consumer) { CHECK(consumer.connect("?cursor=%zz") == 400); });
    scene.play(
        [&](env::Env&, RawConsumer& consumer) { CHECK(consumer.connect("", "/nothing") == 404); });
}

TEST_CASE("pings are answered with their payload, between frames of the stream") {
    Scene scene;
    std::vector<Told> told;
    std::string_view violation;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect("?cursor=0") == 101);
        for (std::uint8_t i = 0; i < 3; ++i) {
            CHECK(consumer.send(net::Opcode::ping, Buffer{i}));
            for (int frames = 0; frames < 10; ++frames) {
                if (auto frame = consumer.next(1s)) told.push_back(*frame);
            }
        }
        while (auto frame = consumer.next(1s)) told.push_back(*frame);
        violation = consumer.violation;
    });
    CHECK(violation.empty());
    std::vector<Buffer> pongs;
    std::size_t events = 0;
    for (const Told& frame : told) {
        if (frame.kind == Event::Kind::pong) pongs.push_back(frame.payload);
        if (frame.kind == Event::Kind::message) ++events;
    }
    CHECK(events == 50);
    REQUIRE_FALSE(pongs.empty());
    CHECK(pongs.back() == Buffer{2});  // of pings that pile up only the latest needs an answer
}

TEST_CASE("a pong never falls into a frame, however often a frame is cut by a full socket") {
    Scene scene(1, 50, 300'000);  // a socket holds 64 KB
    std::size_t events = 0, pongs = 0;
    std::string_view violation;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect("?cursor=0") == 101);
        for (std::uint8_t i = 0; events < 50; ++i) {
            static_cast<void>(fiber::sleep_for(5ms));  // the sender stands in the middle of a frame
            if (!consumer.send(net::Opcode::ping, Buffer{i})) break;
            auto frame = consumer.next(30s);
            if (!frame) break;
            if (frame->kind == Event::Kind::pong) ++pongs;
            if (frame->kind == Event::Kind::message) {
                CHECK(without_seq(frame->payload) ==
                      without_seq(scene.line.hosts[0]->events()[events++]));
            }
        }
        violation = consumer.violation;
    });
    CHECK(violation.empty());
    CHECK(events == 50);
    CHECK(pongs > 5);
}

TEST_CASE("an idle consumer is pinged; one that never answers is let go, one that does stays") {
    Scene scene;
    int pings = 0;
    bool has_ended = false;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect() == 101);
        while (auto frame = consumer.next(300s)) {
            if (frame->kind == Event::Kind::ping) ++pings;
        }
        has_ended = consumer.has_ended;
    });
    CHECK(pings >= 2);
    CHECK(has_ended);
    CHECK(scene.dropped("silent") == "1");
    scene.play([&](env::Env& env, RawConsumer& consumer) {
        CHECK(consumer.connect() == 101);
        Nanos began = env.clock.now();
        while (env.clock.now() - began < 600s) {
            auto frame = consumer.next(100s);
            REQUIRE(frame.has_value());
            if (frame->kind == Event::Kind::ping) consumer.send(net::Opcode::pong, frame->payload);
        }
        CHECK_FALSE(consumer.has_ended);
    });
}

TEST_CASE("a consumer's own messages are ignored, up to a limit") {
    Scene scene;
    std::optional<Told> last;
    bool has_ended = false;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect() == 101);
        CHECK(consumer.send(net::Opcode::binary, Buffer(1000, 7)));
        CHECK_FALSE(consumer.next(1s).has_value());
        CHECK_FALSE(consumer.has_ended);
        for (int i = 0; i < 1100; ++i) {
            if (!consumer.send(net::Opcode::binary, Buffer(1000, 7))) break;
        }
        while (auto frame = consumer.next(10s)) last = frame;
        has_ended = consumer.has_ended;
    });
    CHECK(has_ended);
    if (last) CHECK(last->close_code == net::close_code::policy);
}

TEST_CASE("a consumer that breaks the protocol is told 1002") {
    Scene scene;
    std::optional<Told> told;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect() == 101);
        CHECK(consumer.send(static_cast<net::Opcode>(3), Buffer{}));
        told = consumer.next(5s);
    });
    REQUIRE(told.has_value());
    CHECK(told->kind == Event::Kind::close);
    CHECK(told->close_code == net::close_code::protocol_error);
    CHECK(scene.dropped("violation") == "1");
}

TEST_CASE("a close is answered with the same code") {
    Scene scene;
    std::optional<Told> told;
    bool has_ended = false;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect() == 101);
        CHECK(consumer.send(net::Opcode::close, Buffer{0x03, 0xe8}));  // 1000
        told = consumer.next(5s);
        static_cast<void>(consumer.next(5s));
        has_ended = consumer.has_ended;
    });
    REQUIRE(told.has_value());
    CHECK(told->kind == Event::Kind::close);
    CHECK(told->close_code == net::close_code::normal);
    CHECK(has_ended);
    CHECK(scene.dropped("closed") == "1");
}

TEST_CASE("a consumer that takes nothing for the stall time is dropped; others notice nothing") {
    Scene scene(3, 1500);
    scene.line.adjust = [](RelayOptions& options) { options.config.consumer_stall_seconds = 60; };
    bool has_ended = false;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect("?cursor=0") == 101);  // 200 KB wait for it, a socket holds 64
        static_cast<void>(fiber::sleep_for(50s));
        while (consumer.next(1s)) continue;  // it reads on: nothing is lost
        CHECK_FALSE(consumer.has_ended);
    });
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect("?cursor=0") == 101);
        static_cast<void>(fiber::sleep_for(75s));
        std::size_t events = 0;
        while (consumer.next(5s)) ++events;
        CHECK(events < 1500);
        has_ended = consumer.has_ended;
    });
    CHECK(has_ended);
    CHECK(scene.line.consumers[0]->complaint().empty());
    CHECK(scene.dropped("too_slow") == "1");
}

TEST_CASE("a consumer that takes a little now and then is dropped; one that takes enough is not") {
    Scene scene(3, 3000);
    scene.line.adjust = [](RelayOptions& options) { options.config.consumer_stall_seconds = 60; };
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect("?cursor=0") == 101);
        while (consumer.take(1)) static_cast<void>(fiber::sleep_for(5s));  // 4 KiB
        CHECK(consumer.has_ended);
        CHECK(consumer.taken < 400'000);  // of 600 KB
    });
    scene.play([&](env::Env& env, RawConsumer& consumer) {
        CHECK(consumer.connect("?cursor=0") == 101);
        const Nanos began = env.clock.now();
        while (consumer.take(40'000)) static_cast<void>(fiber::sleep_for(12s));
        CHECK_FALSE(consumer.has_ended);
        CHECK(consumer.taken > 550'000);
        CHECK(env.clock.now() - began > 150s);
    });
}

TEST_CASE("caps on consumers answer 503 and 429 with Retry-After, and places become free again") {
    Scene scene;
    scene.line.adjust = [](RelayOptions& options) {
        options.config.max_consumers = 4;
        options.config.max_consumers_per_address = 2;
    };
    scene.play([&](env::Env& env, RawConsumer& first) {
        CHECK(first.connect() == 101);
        {
            RawConsumer second(env, scene.line.relay_address());
            CHECK(second.connect() == 101);
            RawConsumer third(env, scene.line.relay_address());
            CHECK(third.connect() == 429);
            CHECK(third.head.find("Retry-After: 30") != std::string::npos);
        }
        static_cast<void>(fiber::sleep_for(1s));
        RawConsumer again(env, scene.line.relay_address());
        CHECK(again.connect() == 101);
    });
    scene.line.world.run_for(1s);
    scene.line.world.machine("crowd").start_worker({.name = "crowd", .index = 0}, [&] {
        RawConsumer a(scene.env, scene.line.relay_address()),
            b(scene.env, scene.line.relay_address());
        a.connect();
        b.connect();
        static_cast<void>(fiber::sleep_for(3600s));
    });
    scene.line.world.run_for(1s);
    scene.play([&](env::Env& env, RawConsumer& last_place) {
        CHECK(last_place.connect() == 101);  // with the witness and the crowd: four
        RawConsumer too_many(env, scene.line.relay_address());
        CHECK(too_many.connect() == 503);
    });
}

TEST_CASE(
    "four consumers of an address may read what is stored at once; live ones are not counted") {
    Scene scene(5, 1500);
    scene.play([](env::Env&, RawConsumer&) {});
    REQUIRE_FALSE(scene.line.run_until_seen(1500));
    scene.line.lives.back()->relay->request_stop();
    REQUIRE_FALSE(scene.line.world.run_until_true(
        [&] { return scene.line.world.machine("relay").has_ended(); }));
    scene.line.start_relay();  // whose memory begins empty: all that is stored is on the disk alone
    scene.line.world.run_for(1s);
    scene.play([&](env::Env& env, RawConsumer& first) {
        auto consumer = [&] { return RawConsumer(env, scene.line.relay_address()); };
        RawConsumer second = consumer(), third = consumer(), fourth = consumer(),
                    fifth = consumer(), live = consumer();
        for (RawConsumer* reader : {&first, &second, &third, &fourth}) {
            CHECK(reader->connect("?cursor=0") == 101);  // and reads not: a socket holds 64 KB
        }
        static_cast<void>(fiber::sleep_for(5s));
        CHECK(fifth.connect("?cursor=0") == 429);
        CHECK(fifth.head.find("Retry-After: ") != std::string::npos);
        CHECK(live.connect() == 101);
        std::size_t events = 0;
        while (first.next(1s)) ++events;  // to the end of what is stored
        CHECK(events == 1500);
        RawConsumer again = consumer(), last = consumer();
        CHECK(again.connect("?cursor=0") == 101);
        CHECK(last.connect("?cursor=0") == 429);
    });
}

TEST_CASE("who asks for the future in a loop is slowed down, and then told to come later") {
    Scene scene;
    int let_in = 0;
    int told_later = 0;
    scene.play([&](env::Env& env, RawConsumer&) {
        for (int i = 0; i < 150; ++i) {
            RawConsumer consumer(env, scene.line.relay_address());
            const int status = consumer.connect("?cursor=9007199254740991");
            let_in += status == 101 ? 1 : 0;
            told_later += status == 429 ? 1 : 0;
        }
    });
    CHECK(let_in >= 4);
    CHECK(let_in <= 105);
    CHECK(let_in + told_later == 150);
}

TEST_CASE(
    "a stop tells every consumer 1001, between frames, and loses no event that was received") {
    Scene scene;
    std::optional<Told> told;
    scene.play([&](env::Env&, RawConsumer& consumer) {
        CHECK(consumer.connect() == 101);
        scene.line.lives.back()->relay->request_stop();
        told = consumer.next(10s);
    });
    REQUIRE(told.has_value());
    CHECK(told->kind == Event::Kind::close);
    CHECK(told->close_code == net::close_code::going_away);
    auto stuck = scene.line.world.run_until_true(
        [&] { return scene.line.world.machine("relay").has_ended(); });
    CHECK_FALSE(stuck.has_value());
}
