#include "bench/fleet/subscription.hpp"

#include "proto/event.hpp"
#include "relay/net/dial.hpp"
#include "relay/net/websocket_handshake.hpp"

namespace ringlay::bench {
namespace {

constexpr auto handshake_time = std::chrono::seconds(10);
constexpr auto farewell_time = std::chrono::seconds(2);
constexpr auto stall_time = std::chrono::minutes(10);
constexpr auto ping_after = std::chrono::seconds(30);

}  // namespace

Subscription::Subscription(HostLog& log, net::Stream& stream, Buffer already_read)
    : log_(log),
      stream_(stream),
      already_read_(std::move(already_read)),
      decoder_({net::WebSocketDecoder::Role::server, net::WebSocketDecoder::Data::discard}) {}

void Subscription::run(std::string_view accept, const net::HttpHeaders& headers,
                       std::optional<std::uint64_t> cursor) {
    net::ResponseHeadOptions options;
    options.defaults = &headers;
    std::string head = encode_response_head(net::upgrade_response(accept), options);
    if (!stream_.send(net::bytes_of(head), Deadline::in(handshake_time))) return;
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
        if (pong_ && !has_open_offer_ && log_.bytes_to_boundary(position_) == 0) {
            net::ControlFrame pong = *pong_;
            pong_.reset();
            auto sent = stream_.send(pong.bytes(), Deadline::in(stall_time));
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
    if (pong_ && !has_open_offer_) bytes = bytes.first(log_.bytes_to_boundary(position_));
    auto sent = stream_.send_now({&bytes, 1});
    if (!sent) return end_of(sent.error());
    position_ += *sent;
    has_open_offer_ = *sent == 0;
    if (*sent > 0) return std::nullopt;

    is_blocked_ = true;
    auto writable = stream_.wait_writable(Deadline::in(stall_time));
    is_blocked_ = false;
    if (writable) return std::nullopt;
    return writable.error().code == Errc::timed_out ? End::too_slow : end_of(writable.error());
}

std::optional<Subscription::End> Subscription::wait_for_events() {
    auto woken = log_.wait(Deadline::in(ping_after));
    if (woken) return std::nullopt;
    if (woken.error().code == Errc::cancelled) return End::going_away;
    auto ping = net::encode_control(net::Opcode::ping, {});
    auto sent = stream_.send(ping.bytes(), Deadline::in(stall_time));
    return sent ? std::nullopt : std::optional(end_of(sent.error()));
}

void Subscription::listen() {
    using Kind = net::WebSocketDecoder::Event::Kind;
    std::span<std::uint8_t> input = already_read_;
    net::StreamChunk chunk;
    for (;;) {
        auto event = decoder_.next(input);
        if (!event) return end_by_listener(End::violation);
        if (!*event) {
            chunk = net::StreamChunk();
            auto received = stream_.receive(Deadline::never());
            if (!received && received.error().code == Errc::cancelled) return;
            if (!received || received->empty()) return end_by_listener(End::gone);
            chunk = std::move(*received);
            input = chunk.writable();
        } else if ((*event)->kind == Kind::close) {
            if ((*event)->close_code != net::close_code::none_received) {
                close_code_ = (*event)->close_code;
            }
            return end_by_listener(End::closed);
        } else if ((*event)->kind == Kind::ping) {
            pong_ = net::encode_control(net::Opcode::pong, (*event)->payload);
            log_.wake();
        }
    }
}

void Subscription::end_by_listener(End end) {
    ended_ = end;
    log_.wake();
    // A sender that waits for a full socket would not look.
    if (is_blocked_) stream_.shutdown();
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
            words = {decoder_.violation_code(), {}, {}};
            break;
        case End::future:
            words = {net::close_code::policy, "FutureCursor", "The cursor is in the future."};
            break;
        case End::going_away:
            words = {net::close_code::going_away, "restarting", {}};
            break;
    }
    Deadline deadline = Deadline::in(farewell_time);
    if (!settle_offer(deadline)) return;
    auto rest = log_.view(position_);
    if (!rest) return;
    Bytes of_message = rest->bytes.first(log_.bytes_to_boundary(position_));
    if (!of_message.empty() && !stream_.send(of_message, deadline)) return;
    if (!words.message.empty()) {
        proto::ErrorMessage error{.error = words.reason, .message = words.message};
        if (!send_message(proto::encode_frame(error), deadline)) return;
    }
    auto close = net::encode_close(words.code, words.reason);
    if (!stream_.send(close.bytes(), deadline) || end == End::closed) return;
    // Until the subscriber has hung up, or bytes of his still under way would reset the connection.
    for (;;) {
        auto chunk = stream_.receive(deadline);
        if (!chunk || chunk->empty()) return;
    }
}

bool Subscription::settle_offer(Deadline deadline) {
    while (has_open_offer_) {
        auto view = log_.view(position_);
        if (!view) return false;
        auto sent = stream_.send_now({&view->bytes, 1});
        if (!sent) return false;
        position_ += *sent;
        has_open_offer_ = *sent == 0;
        if (has_open_offer_ && !stream_.wait_writable(deadline)) return false;
    }
    return true;
}

Result<void> Subscription::send_message(Bytes message, Deadline deadline) {
    net::FrameHeader frame;
    frame.payload_bytes = message.size();
    net::EncodedHeader header = net::encode_header(frame);
    auto sent = stream_.send(header.bytes(), deadline);
    return sent ? stream_.send(message, deadline) : sent;
}

}  // namespace ringlay::bench
