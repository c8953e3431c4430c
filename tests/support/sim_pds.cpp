#include "tests/support/sim_pds.hpp"

#include <algorithm>
#include <chrono>

#include "proto/base/json_writer.hpp"
#include "proto/event.hpp"
#include "relay/net/websocket_handshake.hpp"

namespace ringlay::support {

using namespace std::chrono_literals;

// One subscriber. Its own fiber sends; a second one hears what the subscriber says.
class SimPds::Stream {
  public:
    Stream(SimPds& pds, env::Socket socket, Buffer already_read)
        : pds_(pds),
          age_(pds.stream_age_),
          socket_(std::move(socket)),
          inbound_(pds.env_, socket_, std::move(already_read)) {}

    void run(std::string_view accept, std::optional<std::uint64_t> cursor) {
        if (!net::accept_websocket(socket_, accept, {}, Deadline::in(10s))) return;
        if (cursor && *cursor > pds_.last_seq()) {
            proto::ErrorMessage error{.error = "FutureCursor", .message = "restored"};
            static_cast<void>(send(proto::encode_frame(error)));
            return;
        }
        auto behind = std::ranges::upper_bound(pds_.seqs_, cursor.value_or(pds_.last_seq()));
        next_ = static_cast<std::size_t>(behind - pds_.seqs_.begin());
        ++pds_.stream_count_;
        fiber::Task listener = fiber::spawn("subscriber listens", [this] { listen(); });
        send_all();
        listener.cancel_and_join();
        --pds_.stream_count_;
    }

  private:
    bool is_over() const { return is_gone_ || age_ != pds_.stream_age_ || fiber::is_cancelled(); }

    void send_all() {
        while (!is_over()) {
            if (pds_.is_silent_ || (pongs_.empty() && next_ == pds_.frames_.size())) {
                static_cast<void>(pds_.bell_->wait_with_others("something to send"));
            } else if (!pongs_.empty()) {
                auto pong = pongs_.front();
                pongs_.pop_front();
                if (!socket_.send(pong.bytes(), Deadline::in(60s))) return;
            } else {
                if (pds_.env_.random.below(1000) < pds_.hang_ups_per_mille_) return;
                if (!send(pds_.frames_[next_])) return;
                ++next_;
            }
        }
    }

    bool send(const Buffer& message) {
        net::FrameHeader frame;
        frame.payload_bytes = message.size();
        const net::EncodedHeader encoded = net::encode_header(frame);
        Bytes header = encoded.bytes();
        Buffer whole(header.begin(), header.end());
        whole.insert(whole.end(), message.begin(), message.end());
        return socket_.send(whole, Deadline::in(600s)).has_value();
    }

    void listen() {
        for (;;) {
            auto event = inbound_.next(Deadline::never());
            if (!event || event->kind == net::WebSocketInbound::Event::Kind::close) break;
            if (event->kind != net::WebSocketInbound::Event::Kind::ping) continue;
            pongs_.push_back(net::encode_control(net::Opcode::pong, event->payload));
            pds_.wake();
        }
        is_gone_ = true;
        socket_.shutdown();  // a sender may wait for room
        pds_.wake();
    }

    SimPds& pds_;
    const std::uint64_t age_;
    env::Socket socket_;
    net::WebSocketInbound inbound_;
    std::size_t next_ = 0;
    std::deque<net::ControlFrame> pongs_;
    bool is_gone_ = false;
};

SimPds::SimPds(env::World& world, std::string machine_name, FindRepo find_repo)
    : world_(world), machine_name_(std::move(machine_name)), find_repo_(std::move(find_repo)) {
    machine().start_worker({.name = machine_name_, .index = 0}, [this] { run(); });
}

SimPds::~SimPds() = default;

void SimPds::run() {
    bell_.emplace();
    {
        auto listener = env_.net.listen(address());
        if (!listener) return bell_.reset();  // the world ends before it has begun
        net::HttpServer server(
            env_, {}, counters_,
            [this](const net::HttpRequest& request, const Address&) { return answer(request); });
        server.serve(*listener);
    }
    bell_.reset();
}

void SimPds::wake() {
    if (bell_) bell_->ring();
}

void SimPds::append(std::uint64_t seq, Buffer frame) {
    RINGLAY_ASSERT(seq > last_seq());
    frames_.push_back(std::move(frame));
    seqs_.push_back(seq);
    wake();
}

void SimPds::restore(std::size_t kept) {
    RINGLAY_ASSERT(kept <= frames_.size());
    hang_up();
    // A stream that is about to end may be sending one of those that go: they are kept aside.
    while (frames_.size() > kept) {
        lost_.push_back(std::move(frames_.back()));
        frames_.pop_back();
    }
    seqs_.resize(kept);
}

void SimPds::hang_up() {
    ++stream_age_;
    wake();
}

void SimPds::set_silent(bool is_silent) {
    is_silent_ = is_silent;
    wake();
}

net::HttpReply SimPds::answer(const net::HttpRequest& request) {
    if (request.path() == "/xrpc/com.atproto.sync.subscribeRepos") return subscribe(request);
    if (request.path() == "/xrpc/com.atproto.sync.getRepoStatus") return repo_status(request);
    return net::json_error(501, "MethodNotImplemented", "this method is not served here");
}

net::HttpReply SimPds::subscribe(const net::HttpRequest& request) {
    auto accept = net::check_upgrade(request);
    if (!accept) return accept.error();
    std::optional<std::uint64_t> cursor;
    if (auto text = request.query("cursor").value()) {
        cursor = std::strtoull(text->c_str(), nullptr, 10);
    }
    cursors_.push_back(cursor);
    return net::HttpReply::TakeOver(
        [this, cursor, accept = std::string(*accept)](env::Socket socket, Buffer already_read) {
            Stream(*this, std::move(socket), std::move(already_read)).run(accept, cursor);
        });
}

net::HttpResponse SimPds::repo_status(const net::HttpRequest& request) {
    ++status_requests_;
    if (manner_ == Manner::late) static_cast<void>(fiber::sleep_for(3s));
    if (manner_ == Manner::mute) static_cast<void>(fiber::sleep_for(1h));
    if (manner_ == Manner::failing) return net::json_error(503, "Unavailable", "not now");
    auto did = request.query("did").value().value_or("");
    auto repo = find_repo_(did);
    if (!repo) return net::json_error(400, "RepoNotFound", "Could not find repo for DID: " + did);
    JsonWriter json;
    json.begin_object();
    json.key("did").text(did).key("active").boolean(repo->is_active);
    if (!repo->status.empty()) json.key("status").text(repo->status);
    if (!repo->rev.empty()) json.key("rev").text(repo->rev);
    json.end_object();
    net::HttpResponse response;
    response.headers.add("Content-Type", "application/json");
    response.body = json.take();
    return response;
}

}  // namespace ringlay::support
