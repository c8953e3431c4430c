#include "bench/fleet/subscription.hpp"

#include "proto/event.hpp"

namespace ringlay::bench {
namespace {

constexpr auto handshake_time = std::chrono::seconds(10);
constexpr auto farewell_time = std::chrono::seconds(2);
constexpr auto stall_time = std::chrono::minutes(10);
constexpr auto ping_after = std::chrono::seconds(30);

}  // namespace

Subscription::Subscription(const env::Env& env, HostLog& log, env::Socket socket,
                           Buffer already_read)
    : env_(env),
      log_(log),
      socket_(std::move(socket)),
      inbound_(env_, socket_, std::move(already_read)) {}

void Subscription::run(std::string_view accept, const net::HttpHeaders& headers,
                       std::optional<std::uint64_t> cursor) {
    if (!net::accept_websocket(socket_, accept, headers, Deadline::in(handshake_time))) return;
    std::optional<End> end = begin(cursor);
    if (!end) {
        fiber::Task listener = fiber::spawn("subscriber listens", [this] { listen(); });
        end = stream();
        listener.cancel_and_join();
    }
    fiber::CancelBlocker blocker;
    farewell(*end);
}

std::optional<Subscription::End> Subscription::begin(std::optional<std::uint64_t> cursor) {
    HostLog::Start start = log_.start(cursor);
    position_ = start.position;
    if (start.kind == HostLog::Start::Kind::future) return End::future;
    if (start.kind != HostLog::Start::Kind::outdated) return std::nullopt;
    Buffer info = proto::encode_frame(proto::InfoMessage{
        .name = "OutdatedCursor", .message = "Events after the cursor are no longer kept."});
    auto sent = send_message(info, Deadline::in(handshake_time));
    return sent ? std::nullopt : std::optional(end_of(sent.error()));
}

Subscription::End Subscription::end_of(const Error& error) {
    return error.code == Errc::cancelled ? End::going_away : End::gone;
}

Subscription::End Subscription::stream() {
    while (!ended_) {
        if (pong_ && log_.bytes_to_boundary(position_) == 0) {
            net::ControlFrame pong = *pong_;
            pong_.reset();
            auto sent = socket_.send(pong.bytes(), Deadline::in(stall_time));
            if (!sent) return end_of(sent.error());
        } else if (auto end = send_some()) {
            return *end;
        }
    }
    return *ended_;
}

std::optional<Subscription::End> Subscription::send_some() {
    auto view = log_.view(position_);
    if (!view) return End::too_slow;
    if (view->bytes.empty()) return wait_for_events();
    Bytes bytes = view->bytes;
    if (pong_) bytes = bytes.first(log_.bytes_to_boundary(position_));
    auto sent = socket_.send_now({&bytes, 1});
    if (!sent) return end_of(sent.error());
    position_ += *sent;
    if (*sent > 0) return std::nullopt;

    is_blocked_ = true;
    auto writable = socket_.wait_writable(Deadline::in(stall_time));
    is_blocked_ = false;
    if (writable) return std::nullopt;
    return writable.error().code == Errc::timed_out ? End::too_slow : end_of(writable.error());
}

std::optional<Subscription::End> Subscription::wait_for_events() {
    auto woken = log_.wait(Deadline::in(ping_after));
    if (woken) return std::nullopt;
    if (woken.error().code == Errc::cancelled) return End::going_away;
    auto ping = net::encode_control(net::Opcode::ping, {});
    auto sent = socket_.send(ping.bytes(), Deadline::in(stall_time));
    return sent ? std::nullopt : std::optional(end_of(sent.error()));
}

void Subscription::listen() {
    for (;;) {
        auto event = inbound_.next(Deadline::never());
        if (!event) {
            if (event.error().code == Errc::cancelled) return;
            return end_by_listener(event.error().code == Errc::malformed ||
                                           event.error().code == Errc::too_large ||
                                           event.error().code == Errc::busy
                                       ? End::violation
                                       : End::gone);
        }
        if (event->kind == net::WebSocketInbound::Event::Kind::close) {
            if (event->close_code != net::close_code::none_received) {
                close_code_ = event->close_code;
            }
            return end_by_listener(End::closed);
        }
        if (event->kind == net::WebSocketInbound::Event::Kind::ping) {
            pong_ = net::encode_control(net::Opcode::pong, event->payload);
            log_.wake();
        }
    }
}

void Subscription::end_by_listener(End end) {
    ended_ = end;
    log_.wake();
    // A sender that waits for a full socket would not look.
    if (is_blocked_) socket_.shutdown();
}

void Subscription::farewell(End end) {
    struct {
        std::uint16_t code;
        std::string_view reason;
        std::string_view message;  // of an error frame before the close; empty: none
    } words{};
    switch (end) {
        case End::gone:
        case End::too_slow:  // what he was being sent cannot be brought to its end
            return;
        case End::closed:
            words = {close_code_, {}, {}};
            break;
        case End::violation:
            words = {inbound_.violation_code(), {}, {}};
            break;
        case End::future:
            words = {net::close_code::policy, "FutureCursor", "The cursor is in the future."};
            break;
        case End::going_away:
            words = {net::close_code::going_away, "restarting", {}};
            break;
    }
    Deadline deadline = Deadline::in(farewell_time);
    auto rest = log_.view(position_);
    if (!rest) return;
    Bytes of_message = rest->bytes.first(log_.bytes_to_boundary(position_));
    if (!of_message.empty() && !socket_.send(of_message, deadline)) return;
    if (!words.message.empty()) {
        proto::ErrorMessage error{.error = words.reason, .message = words.message};
        if (!send_message(proto::encode_frame(error), deadline)) return;
    }
    auto close = net::encode_close(words.code, words.reason);
    if (!socket_.send(close.bytes(), deadline) || end == End::closed) return;
    // Until the subscriber has hung up, or bytes of his still under way would reset the connection.
    for (;;) {
        auto chunk = socket_.receive(deadline);
        if (!chunk || chunk->empty()) return;
    }
}

Result<void> Subscription::send_message(Bytes message, Deadline deadline) {
    net::FrameHeader frame;
    frame.payload_bytes = message.size();
    net::EncodedHeader header = net::encode_header(frame);
    auto sent = socket_.send(header.bytes(), deadline);
    return sent ? socket_.send(message, deadline) : sent;
}

}  // namespace ringlay::bench
