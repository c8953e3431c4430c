// The two ends of the line in a simulated world: a host that emits numbered events and keeps them
// all, and a consumer that follows with a cursor and remembers what it was sent.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/event.hpp"
#include "proto/frame.hpp"
#include "relay/env/sim/world.hpp"
#include "relay/net/http_server.hpp"
#include "relay/net/websocket_client.hpp"
#include "relay/net/websocket_handshake.hpp"

namespace ringlay::support {

// An event apart from its seq: what must be the same at both ends.
inline std::string without_seq(Bytes message) {
    proto::Peek frame = proto::peek(message).value();
    std::string text(message.begin(), message.end());
    return text.erase(frame.seq_offset, frame.seq_bytes);
}

class SimHost {
  public:
    static constexpr std::uint16_t port = 2583;

    SimHost(env::World& world, std::string name, std::size_t event_count, std::uint32_t hang_ups,
            std::uint64_t handle_bytes = 200)
        : world_(world),
          name_(std::move(name)),
          event_count_(event_count),
          hang_ups_(hang_ups),
          handle_bytes_(handle_bytes) {
        world.machine(name_).start_worker({.name = name_, .index = 0}, [this] { run(); });
    }

    Address address() { return world_.machine(name_).address(port); }
    bool has_emitted_all() const { return events_.size() == event_count_; }
    const std::deque<Buffer>& events() const { return events_; }

  private:
    void run() {
        auto listener = env_.net.listen(world_.machine(name_).address(port));
        RINGLAY_ASSERT(listener.has_value());
        fiber::Task emitter = fiber::spawn("emits", [this] { emit(); });
        net::HttpServer server(
            env_, {}, counters_,
            [this](const net::HttpRequest& request, const Address&) { return answer(request); });
        server.serve(*listener);
    }

    void emit() {
        std::uint64_t seq = 1 + env_.random.below(1000);
        while (!has_emitted_all()) {
            if (!fiber::sleep_for(std::chrono::microseconds(env_.random.below(4000)))) return;
            for (std::uint64_t burst = 1 + env_.random.below(4); burst > 0; --burst) {
                if (has_emitted_all()) break;
                seq += 1 + env_.random.below(3);  // gaps are normal
                std::string handle(3 + env_.random.below(handle_bytes_), 'h');
                handle += "." + name_ + std::to_string(seq) + ".test";
                events_.push_back(proto::encode_frame(
                    proto::IdentityEvent{.seq = seq,
                                         .did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
                                         .time = "2026-01-01T00:00:00.000Z",
                                         .handle = handle}));
                seqs_.push_back(seq);
            }
            grown_.set();
            grown_.reset();
        }
    }

    net::HttpReply answer(const net::HttpRequest& request) {
        auto accept = net::check_upgrade(request);
        if (!accept) return accept.error();
        auto cursor_text = request.query("cursor").value().value_or("0");
        std::uint64_t cursor = std::strtoull(cursor_text.c_str(), nullptr, 10);
        return net::HttpReply::TakeOver(
            [this, cursor, response = net::upgrade_response(*accept)](env::Socket socket, Buffer) {
                std::string head = net::encode_response_head(response, {});
                if (socket.send(net::bytes_of(head), Deadline::never())) stream(socket, cursor);
            });
    }

    void stream(env::Socket& socket, std::uint64_t cursor) {
        auto next =
            static_cast<std::size_t>(std::ranges::upper_bound(seqs_, cursor) - seqs_.begin());
        while (!fiber::is_cancelled()) {
            if (next == events_.size()) {
                static_cast<void>(fiber::sleep_for(std::chrono::milliseconds(1)));
                continue;
            }
            if (hang_ups_ > 0 && env_.random.below(100) < hang_ups_) return;
            const Buffer& event = events_[next++];
            net::FrameHeader frame;
            frame.payload_bytes = event.size();
            net::EncodedHeader header = net::encode_header(frame);
            if (!socket.send(header.bytes(), Deadline::never())) return;
            if (!socket.send(event, Deadline::never())) return;
        }
    }

    env::World& world_;
    const std::string name_;
    const std::size_t event_count_;
    const std::uint32_t hang_ups_;      // per cent of events before which the connection breaks
    const std::uint64_t handle_bytes_;  // at most, of the made-up part
    env::Env env_;
    net::HttpServerCounters counters_;
    std::deque<Buffer> events_;  // which stay where they are while they are sent
    std::vector<std::uint64_t> seqs_;
    fiber::Event grown_;
};

class SimConsumer {
  public:
    struct Seen {
        std::uint64_t seq;
        std::string event;
    };

    // `cursor`: nothing: live.
    SimConsumer(env::World& world, std::string name, Address relay,
                std::optional<std::uint64_t> cursor)
        : relay_(relay), cursor_(cursor) {
        world.machine(name).start_worker({.name = name, .index = 0}, [this] { run(); });
    }

    const std::vector<Seen>& seen() const { return seen_; }
    const std::string& complaint() const { return complaint_; }

  private:
    void run() {
        while (!fiber::is_cancelled()) {
            follow();
            static_cast<void>(fiber::sleep_for(std::chrono::milliseconds(20)));
        }
    }

    void follow() {
        std::string url = "ws://" + relay_.text() + "/xrpc/com.atproto.sync.subscribeRepos";
        if (cursor_) url += "?cursor=" + std::to_string(*cursor_);
        net::WebSocketClientOptions options;
        options.deadline = Deadline::in(std::chrono::seconds(5));
        auto client = net::WebSocketClient::connect(env_, proto::parse_url(url).value(), options);
        if (!client) return;
        while (auto message = client->receive(Deadline::in(std::chrono::seconds(60)))) {
            auto frame = proto::peek(message->bytes());
            if (!frame || !proto::is_event(frame->kind)) {
                complaint_ = "sent " + (frame ? std::string(frame->name) : "a broken frame");
                continue;
            }
            if (cursor_ && frame->seq <= *cursor_) complaint_ = "a seq that does not rise";
            cursor_ = frame->seq;
            seen_.push_back({frame->seq, without_seq(message->bytes())});
        }
    }

    env::Env env_;
    const Address relay_;
    std::optional<std::uint64_t> cursor_;
    std::vector<Seen> seen_;
    std::string complaint_;
};

}  // namespace ringlay::support
