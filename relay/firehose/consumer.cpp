#include "relay/firehose/consumer.hpp"

#include "proto/event.hpp"

namespace ringlay::firehose {
namespace {

constexpr auto inbound_minute = std::chrono::minutes(1);

// What a close frame says at the end; nothing where none can be sent.
struct Words {
    std::uint16_t code;
    std::string_view reason;
};

}  // namespace

Consumer::Consumer(ConsumerContext& context, Seat& seat)
    : context_(context),
      seat_(seat),
      decoder_({.role = net::WebSocketDecoder::Role::server,
                .data = net::WebSocketDecoder::Data::discard}),
      connected_at_(context.env.clock.wall()),
      last_heard_(context.env.clock.now()),
      last_sent_(last_heard_),
      last_ping_(last_heard_),
      inbound_minute_began_(last_heard_) {}

ConsumerStatus Consumer::status() const {
    return {.id = seat_.id,
            .peer = seat_.peer.text(),
            .user_agent = seat_.user_agent,
            .lag_bytes = reader_ ? reader_->lag_bytes() : 0,
            .frames_sent = reader_ ? reader_->frames_delivered() : 0,
            .connected_at = connected_at_};
}

void Consumer::run() {
    End end = serve();
    // The listener has ended here (serve() joins it), so the socket has one user again.
    fiber::CancelBlocker blocker;
    farewell(end);
    seat_.socket.close();
}

Consumer::End Consumer::serve() {
    if (auto end = begin()) return *end;
    fiber::Task listener = fiber::spawn("consumer listens", [this] { listen(); });
    std::optional<End> end;
    while (!end) {
        if (ended_) {
            end = ended_;
        } else {
            end = send_pending_control();
            if (!end) end = send_some();
        }
    }
    listener.cancel_and_join();
    return *end;
}

// The handshake's answer, and what the cursor asks for.
std::optional<Consumer::End> Consumer::begin() {
    Deadline deadline = Deadline::in(context_.limits.farewell);
    Bytes response(reinterpret_cast<const std::uint8_t*>(seat_.response.data()),
                   seat_.response.size());
    if (!seat_.socket.send(response, deadline)) return End::peer_gone;

    auto reader = event_log::Reader::open(context_.port, seat_.cursor);
    if (!reader) return reader.error().code == Errc::cancelled ? End::going_away : End::broken;
    reader_.emplace(std::move(*reader));
    const event_log::Start& start = reader_->start();
    if (start.kind == event_log::Start::Kind::future) {
        context_.metrics.future_cursor.add_shared();
        return End::future;
    }
    if (start.kind == event_log::Start::Kind::outdated) {
        context_.metrics.outdated_cursor.add_shared();
        Buffer info = proto::encode_frame(proto::InfoMessage{
            .name = "OutdatedCursor", .message = "The cursor is older than what is kept."});
        if (!send_frame(info, deadline)) return End::peer_gone;
    }
    if (!seat_.already_received.empty() && !take_inbound(seat_.already_received)) return ended_;
    return std::nullopt;
}

std::optional<Consumer::End> Consumer::send_some() {
    std::size_t taken = 0;
    {
        auto view = reader_->view(context_.limits.max_send_bytes);
        if (!view) {
            switch (view.error().code) {
                case Errc::not_found:
                    return End::too_slow;
                case Errc::cancelled:
                    return End::going_away;
                default:
                    return End::broken;
            }
        }
        seat_.replays.store(!view->empty() && reader_->was_cold(), std::memory_order_relaxed);
        if (view->empty()) {
            debt_.reset();
            return wait_for_work();
        }
        if (!debt_) {
            debt_ = {context_.env.clock.now(),
                     std::min(context_.limits.least_progress_bytes, reader_->lag_bytes())};
        }
        Bytes bytes = view->bytes();
        // Cuts fall anywhere: while there is much to send, a boundary would be met by chance only,
        // and the answer to a ping would wait for the head.
        if (pong_) bytes = up_to_boundary(bytes);
        auto sent = seat_.socket.send_now({&bytes, 1});
        if (!sent) {
            return sent.error().code == Errc::cancelled ? End::going_away : End::peer_gone;
        }
        taken = *sent;
        reader_->advance(*view, taken);
    }
    std::uint32_t worker = fiber::Worker::current().index();
    FirehoseMetrics& metrics = context_.metrics;
    metrics.sends.add(worker);
    metrics.bytes_sent.add(worker, taken);
    metrics.frames_sent.add(worker, reader_->frames_delivered() - frames_counted_);
    frames_counted_ = reader_->frames_delivered();
    if (taken == 0) return wait_writable();
    last_sent_ = context_.env.clock.now();
    if (taken >= debt_->bytes) {
        debt_.reset();
    } else {
        debt_->bytes -= taken;
    }
    return std::nullopt;
}

// Its socket is full. Whoever takes a byte now and then would keep its seat for ever; so it has to
// take much before the time begins anew.
Deadline Consumer::stall_deadline() const {
    const Nanos since = debt_ ? debt_->since : context_.env.clock.now();
    return {since + context_.limits.stall};
}

std::optional<Consumer::End> Consumer::wait_writable() {
    context_.metrics.sends_blocked.add(fiber::Worker::current().index());
    const Deadline deadline = stall_deadline();
    if (context_.env.clock.now() >= deadline.at) return End::too_slow;
    is_blocked_ = true;
    auto writable = seat_.socket.wait_writable(deadline);
    is_blocked_ = false;
    if (writable || ended_) return std::nullopt;
    switch (writable.error().code) {
        case Errc::timed_out:
            return End::too_slow;
        case Errc::cancelled:
            return End::going_away;
        default:
            return End::peer_gone;
    }
}

// At the head: until there is more, or something to say. A consumer that has heard nothing from us
// for a while is pinged, so that both ends notice a broken line.
std::optional<Consumer::End> Consumer::wait_for_work() {
    const event_log::Log& log = context_.port.log();
    Nanos quiet_since = std::max({last_sent_, last_heard_, last_ping_});
    auto woken = context_.port.bell().listen(
        "events", Deadline{quiet_since + context_.limits.ping_after},
        [&] { return log.head() > reader_->position() || pong_ || ended_; });
    if (woken) {
        if (context_.pause > Nanos::zero() && !pong_ && !ended_) {
            static_cast<void>(fiber::sleep_for(context_.pause));
        }
        return std::nullopt;
    }
    if (woken.error().code == Errc::cancelled) return End::going_away;
    Nanos now = context_.env.clock.now();
    if (now - last_heard_ >= context_.limits.dead_after) return End::dead;
    last_ping_ = now;
    last_sent_ = now;
    return send_control(net::encode_control(net::Opcode::ping, {}));
}

std::optional<Consumer::End> Consumer::send_pending_control() {
    if (!pong_ || !reader_->at_frame_boundary()) return std::nullopt;
    net::ControlFrame pong = *pong_;
    pong_.reset();
    return send_control(pong);
}

std::optional<Consumer::End> Consumer::send_control(const net::ControlFrame& frame) {
    is_blocked_ = true;
    auto sent = seat_.socket.send(frame.bytes(), stall_deadline());
    is_blocked_ = false;
    if (sent || ended_) return std::nullopt;
    if (sent.error().code == Errc::timed_out) return End::dead;  // the frame may be cut
    return fiber::is_cancelled() ? End::going_away : End::peer_gone;
}

void Consumer::farewell(End end) {
    FirehoseMetrics& metrics = context_.metrics;
    Deadline deadline = Deadline::in(context_.limits.farewell);
    metrics.ended(end).add_shared();
    std::optional<Words> words;
    switch (end) {
        case End::peer_gone:
            if (peer_close_code_ != net::close_code::none_received) words = {peer_close_code_, {}};
            break;
        case End::too_slow:
            metrics.too_slow.add_shared();
            words = {net::close_code::policy, "ConsumerTooSlow"};
            break;
        case End::future:
            words = {net::close_code::policy, "FutureCursor"};
            break;
        case End::violation:
            metrics.violations.add_shared();
            words = {violation_code_, {}};
            break;
        case End::dead:
            break;
        case End::going_away:
            words = {net::close_code::going_away, "restarting"};
            break;
        case End::broken:
            words = {net::close_code::internal_error, {}};
            break;
    }
    if (!words || !seat_.socket.is_open()) return;
    if (reader_ && !reader_->at_frame_boundary()) {
        // What has left the window cannot be finished, and a stalled socket takes nothing.
        if (end == End::too_slow || end == End::broken) return;
        finish_frame(deadline);
        if (!reader_->at_frame_boundary()) return;
    }
    if (end == End::too_slow || end == End::future) {
        proto::ErrorMessage error;
        error.error = words->reason;
        error.message =
            end == End::future ? "The cursor is in the future." : "The consumer does not keep up.";
        if (!send_frame(proto::encode_frame(error), deadline)) return;
    }
    if (end == End::future) static_cast<void>(fiber::sleep_for(context_.limits.future_linger));
    auto close = net::encode_close(words->code, words->reason);
    if (!seat_.socket.send(close.bytes(), Deadline::in(context_.limits.farewell))) return;
    if (end == End::peer_gone) return;
    // The peer answers with its own close frame and then hangs up; without waiting for that, bytes
    // of it that are still under way would turn our close into a reset.
    for (;;) {
        auto chunk = seat_.socket.receive(deadline);
        if (!chunk || chunk->empty()) return;
    }
}

Bytes Consumer::up_to_boundary(Bytes bytes) const {
    return bytes.first(std::min<std::uint64_t>(bytes.size(), reader_->bytes_to_boundary()));
}

void Consumer::finish_frame(Deadline deadline) {
    while (!reader_->at_frame_boundary()) {
        auto view = reader_->view(context_.limits.max_send_bytes);
        if (!view || view->empty()) return;
        Bytes bytes = view->bytes();
        bytes = up_to_boundary(bytes);
        auto sent = seat_.socket.send_now({&bytes, 1});
        if (!sent) return;
        reader_->advance(*view, *sent);
        if (*sent == 0) {
            view = event_log::View();
            if (!seat_.socket.wait_writable(deadline)) return;
        }
    }
}

void Consumer::listen() {
    for (;;) {
        auto chunk = seat_.socket.receive(Deadline::never());
        if (!chunk || chunk->empty()) {
            if (!chunk && chunk.error().code == Errc::cancelled) return;
            end_by_listener(End::peer_gone);
            return;
        }
        last_heard_ = context_.env.clock.now();
        if (!take_inbound(chunk->writable())) return;
    }
}

// False: the consumer's stream has ended, `ended_` says how.
bool Consumer::take_inbound(std::span<std::uint8_t> bytes) {
    Nanos now = context_.env.clock.now();
    if (now - inbound_minute_began_ >= inbound_minute) {
        inbound_minute_began_ = now;
        inbound_bytes_ = 0;
    }
    inbound_bytes_ += bytes.size();
    if (inbound_bytes_ > context_.limits.max_inbound_bytes_a_minute) {
        end_by_listener(End::violation);
        return false;
    }
    for (;;) {
        auto event = decoder_.next(bytes);
        if (!event) {
            violation_code_ = decoder_.violation_code();
            end_by_listener(End::violation);
            return false;
        }
        if (!*event) return true;
        switch ((*event)->kind) {
            case net::WebSocketDecoder::Event::Kind::ping:
                pong_ = net::encode_control(net::Opcode::pong, (*event)->payload);
                wake_sender();
                break;
            case net::WebSocketDecoder::Event::Kind::close:
                peer_close_code_ = (*event)->close_code == net::close_code::none_received
                                       ? net::close_code::normal
                                       : (*event)->close_code;
                end_by_listener(End::peer_gone);
                return false;
            case net::WebSocketDecoder::Event::Kind::pong:
            case net::WebSocketDecoder::Event::Kind::message:
                break;
        }
    }
}

// The sender sleeps on the worker's bell, or on its socket; the first is rung here, and the second
// ends by itself when the peer reads on or the connection is shut.
void Consumer::wake_sender() {
    context_.port.bell().notify();
}

void Consumer::end_by_listener(End end) {
    ended_ = end;
    wake_sender();
    // A sender that waits for a full socket must not wait for the stall limit.
    bool may_still_answer =
        peer_close_code_ != net::close_code::none_received || end == End::violation;
    if (is_blocked_ || !may_still_answer) seat_.socket.shutdown();
}

Result<void> Consumer::send_frame(Bytes message, Deadline deadline) {
    net::FrameHeader frame;
    frame.payload_bytes = message.size();
    net::EncodedHeader header = net::encode_header(frame);
    auto sent = seat_.socket.send(header.bytes(), deadline);
    if (!sent) return sent;
    return seat_.socket.send(message, deadline);
}

}  // namespace ringlay::firehose
