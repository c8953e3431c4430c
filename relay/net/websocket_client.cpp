#include "relay/net/websocket_client.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "relay/net/http_client.hpp"
#include "relay/net/token_bucket.hpp"
#include "relay/net/websocket_handshake.hpp"

namespace ringlay::net {
namespace {

constexpr std::size_t max_unsent_bytes = 4096;
// A ping costs the peer nothing and us an answer. Honest peers send two a minute; those of a long
// wait come at once.
constexpr double control_frames_per_second = 5, control_frames_at_once = 100;
constexpr std::uint64_t max_refusal_body_bytes = 64 * 1024;
constexpr std::size_t max_quoted_bytes = 200;
// How long a message may take from its first byte: slow lines have to come through.
constexpr Nanos message_grace = std::chrono::seconds(60);
constexpr std::uint64_t least_bytes_per_second = 20'000;
constexpr int hurry = 4;  // so much less time while others wait for the memory
constexpr Nanos look_for_others = std::chrono::seconds(5);

// The beginning of an answer's body as one line.
std::string quoted(std::string_view body) {
    std::string text;
    for (char c : body.substr(0, max_quoted_bytes)) text.push_back(c >= 0x20 && c < 0x7f ? c : '.');
    return text;
}

std::optional<std::uint32_t> seconds_of(std::optional<std::string_view> text) {
    if (!text || text->empty() || text->size() > 6) return std::nullopt;
    std::uint32_t value = 0;
    for (char c : *text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return value;
}

Failure refused(const HttpResponse& response) {
    std::string text = "the server answered " + std::to_string(response.status);
    if (auto phrase = reason_phrase(response.status); !phrase.empty()) {
        text.append(" ").append(phrase);
    }
    if (auto location = response.headers.find("location")) text += " to " + quoted(*location);
    if (!response.body.empty()) text += ": " + quoted(response.body);
    return {{Errc::unsupported, "websocket: refused"},
            std::move(text),
            response.status,
            seconds_of(response.headers.find("retry-after"))};
}

}  // namespace

Buffer WebSocketMessage::into_buffer() && {
    if (holds_receive_buffer()) {
        owned_.assign(view_.begin(), view_.end());
        chunk_ = StreamChunk();
    }
    view_ = Bytes();
    return std::move(owned_);
}

struct WebSocketClient::State {
    State(const env::Env& doors, Stream connected, const WebSocketClientOptions& options)
        : env(doors),
          stream(std::move(connected)),
          max_message_bytes(options.max_message_bytes),
          decoder({WebSocketDecoder::Role::client, WebSocketDecoder::Data::deliver,
                   options.max_message_bytes}),
          messages(options.messages),
          share(options.messages) {}

    MaskKey new_mask();
    Result<void> queue(const ControlFrame& frame);
    Result<void> flush_now();
    Result<void> flush(Deadline deadline);
    Result<void> read_more(Deadline deadline);
    Result<void> begin_part(Deadline deadline);
    Result<StreamChunk> receive_in_time(Deadline deadline);
    Deadline part_deadline() const;
    Result<std::optional<WebSocketDecoder::Event>> next_event();
    std::unexpected<Error> refuse(std::uint16_t code, Error error);
    WebSocketMessage message_of(const WebSocketDecoder::Event& event);
    std::size_t unsent_bytes() const { return outgoing.size() + sending.size() - sent; }

    env::Env env;
    Stream stream;
    const std::uint64_t max_message_bytes;
    WebSocketDecoder decoder;
    MessageBudget* messages;
    MessageShare share;               // of a large message that is coming
    std::optional<Nanos> part_since;  // when the first of what is there in part was seen
    TokenBucket control_frames{control_frames_per_second, control_frames_at_once};
    HttpResponse handshake;
    Buffer rest;                    // came together with the handshake
    StreamChunk chunk;              // received last
    std::span<std::uint8_t> input;  // what the decoder has not seen of one of the two
    Nanos last_heard{0};
    std::uint64_t received_bytes = 0;
    CloseInfo close_info;
    bool has_sent_close = false;
    bool is_over = false;

    // Frames to send, and those that are with the socket: it needs them to stay where they are.
    Buffer outgoing;
    Buffer sending;
    std::size_t sent = 0;  // of `sending`
    bool is_flushing = false;
};

MaskKey WebSocketClient::State::new_mask() {
    MaskKey mask;
    env.random.fill(mask);
    return mask;
}

Result<void> WebSocketClient::State::queue(const ControlFrame& frame) {
    if (unsent_bytes() + frame.size > max_unsent_bytes) {
        return fail(Errc::busy, "websocket: the peer takes nothing");
    }
    outgoing.insert(outgoing.end(), frame.bytes().begin(), frame.bytes().end());
    return {};
}

// What the socket takes at once. One fiber at a time hands bytes over, or frames would be mixed.
Result<void> WebSocketClient::State::flush_now() {
    if (is_flushing) return {};
    is_flushing = true;
    Result<void> result;
    while (unsent_bytes() > 0) {
        if (sent == sending.size()) {
            sending = std::exchange(outgoing, {});
            sent = 0;
        }
        const Bytes parts[] = {Bytes(sending).subspan(sent)};
        auto taken = stream.send_now(parts);
        if (!taken) result = std::unexpected(taken.error());
        if (!taken || *taken == 0) break;
        sent += *taken;
    }
    is_flushing = false;
    return result;
}

Result<void> WebSocketClient::State::flush(Deadline deadline) {
    for (;;) {
        auto flushed = flush_now();
        if (!flushed || unsent_bytes() == 0) return flushed;
        auto writable = stream.wait_writable(deadline);
        if (!writable) return writable;
    }
}

Result<void> WebSocketClient::State::read_more(Deadline deadline) {
    chunk = StreamChunk();
    rest = Buffer();
    if (decoder.is_between_messages()) {
        part_since.reset();
    } else if (auto begun = begin_part(deadline); !begun) {
        return begun;
    }
    auto received = receive_in_time(deadline);
    if (!received) {
        bool may_go_on =
            received.error().code == Errc::timed_out || received.error().code == Errc::cancelled;
        if (!may_go_on) is_over = true;
        return std::unexpected(received.error());
    }
    if (received->empty()) {
        is_over = true;
        return fail(Errc::closed, "websocket: the peer hung up without a close");
    }
    last_heard = env.clock.now();
    chunk = std::move(*received);
    input = chunk.writable();
    received_bytes += input.size();
    return {};
}

// A message has come in part: its time runs, and a large one needs room before more of it is read.
Result<void> WebSocketClient::State::begin_part(Deadline deadline) {
    if (!part_since) part_since = env.clock.now();
    const std::uint64_t announced = decoder.announced_bytes();
    if (share.holds_any() || announced <= MessageBudget::unbudgeted_bytes) return {};
    const Nanos asked = env.clock.now();
    auto taken = share.take(decoder.has_announced_all() ? announced : max_message_bytes, deadline);
    // Meanwhile the peer was not read: that is not its fault.
    if (const Nanos now = env.clock.now(); now > asked) {
        last_heard = now;
        part_since = now;
    }
    return taken;
}

Deadline WebSocketClient::State::part_deadline() const {
    if (!part_since) return Deadline::never();
    const auto seconds = decoder.announced_bytes() / least_bytes_per_second;
    const Nanos time = message_grace + std::chrono::seconds(seconds);
    const bool is_wanted = share.holds_any() && messages->has_waiting();
    return {*part_since + (is_wanted ? time / hurry : time)};
}

Result<StreamChunk> WebSocketClient::State::receive_in_time(Deadline deadline) {
    for (;;) {
        const Deadline end = part_deadline();
        if (env.clock.now() >= end.at) {
            if (messages != nullptr) messages->unfinished.fetch_add(1, std::memory_order_relaxed);
            return refuse(close_code::policy,
                          {Errc::malformed, "websocket: a message took too long to come"});
        }
        Deadline pause = earlier(deadline, end);
        if (share.holds_any()) pause = earlier(pause, Deadline::in(look_for_others));
        auto received = stream.receive(pause);
        const bool goes_on =
            !received && received.error().code == Errc::timed_out && pause != deadline;
        if (!goes_on) return received;
    }
}

// The next event of the bytes that are here; pings and a close are answered.
Result<std::optional<WebSocketDecoder::Event>> WebSocketClient::State::next_event() {
    using Kind = WebSocketDecoder::Event::Kind;
    auto event = decoder.next(input);
    if (!event) return refuse(decoder.violation_code(), event.error());
    if (!*event) return event;
    if ((*event)->kind == Kind::message) {
        part_since.reset();
        share.give_back();
    }
    const bool is_control = (*event)->kind == Kind::ping || (*event)->kind == Kind::pong;
    if (is_control && !control_frames.take(last_heard)) {
        return refuse(close_code::policy, {Errc::malformed, "websocket: too many pings"});
    }
    if ((*event)->kind == Kind::ping) {
        static_cast<void>(queue(encode_control(Opcode::pong, (*event)->payload, new_mask())));
    }
    if ((*event)->kind == Kind::close) {
        is_over = true;
        Bytes reason = (*event)->payload;
        close_info.code = (*event)->close_code;
        close_info.reason.assign(reinterpret_cast<const char*>(reason.data()), reason.size());
        bool has_code = close_info.code != close_code::none_received;
        ControlFrame echo = has_code ? encode_close(close_info.code, "", new_mask())
                                     : encode_control(Opcode::close, {}, new_mask());
        if (!has_sent_close) static_cast<void>(queue(echo));
        has_sent_close = true;
        static_cast<void>(flush_now());
    }
    return event;
}

// The peer is told why, if it takes it at once.
std::unexpected<Error> WebSocketClient::State::refuse(std::uint16_t code, Error error) {
    is_over = true;
    static_cast<void>(queue(encode_close(code, error.what, new_mask())));
    static_cast<void>(flush_now());
    return std::unexpected(error);
}

WebSocketMessage WebSocketClient::State::message_of(const WebSocketDecoder::Event& event) {
    WebSocketMessage message;
    message.is_text_ = event.is_text;
    if (!event.is_in_input) {
        message.owned_ = decoder.take_message();
        message.view_ = message.owned_;
    } else if (chunk.empty()) {
        message.owned_.assign(event.payload.begin(), event.payload.end());
        message.view_ = message.owned_;
    } else {
        message.view_ = event.payload;
        message.chunk_ = input.empty() ? std::exchange(chunk, StreamChunk()) : chunk;
    }
    return message;
}

std::expected<WebSocketClient, Failure> WebSocketClient::connect(
    env::Env& env, const proto::Url& url, const WebSocketClientOptions& options) {
    auto stream = dial(env, url, options.deadline, options.outbound, options.places);
    if (!stream) return std::unexpected(std::move(stream.error()));
    std::array<std::uint8_t, 16> nonce;
    env.random.fill(nonce);
    std::string key = websocket_key(nonce);
    HttpHeaders headers = options.headers;
    add_upgrade_fields(headers, key);
    std::string request =
        encode_request(HttpMethod::get, target_of(url), authority_of(url), headers);
    HttpLimits limits;
    limits.body_bytes = max_refusal_body_bytes;
    HttpResponseParser parser(limits);
    auto answer = exchange(*stream, request, parser, options.deadline);
    if (!answer) {
        // A refusal whose body does not end is a refusal all the same.
        if (parser.has_header()) return std::unexpected(refused(parser.response()));
        return std::unexpected(std::move(answer.error()));
    }
    if (answer->response.status != 101) return std::unexpected(refused(answer->response));
    auto checked = check_upgrade_response(answer->response, key);
    if (!checked) {
        Failure failure = failure_of(checked.error(), "the handshake is out of form");
        failure.http_status = answer->response.status;
        return std::unexpected(std::move(failure));
    }
    auto state = std::make_unique<State>(env, std::move(*stream), options);
    state->handshake = std::move(answer->response);
    state->rest = std::move(answer->rest);
    state->input = state->rest;
    state->received_bytes = state->rest.size();
    state->last_heard = env.clock.now();
    return WebSocketClient(std::move(state));
}

WebSocketClient::WebSocketClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
WebSocketClient::WebSocketClient(WebSocketClient&&) noexcept = default;
WebSocketClient& WebSocketClient::operator=(WebSocketClient&&) noexcept = default;
WebSocketClient::~WebSocketClient() = default;

Result<WebSocketMessage> WebSocketClient::receive(Deadline deadline) {
    State& state = *state_;
    while (!state.is_over) {
        auto event = state.next_event();
        if (!event) return std::unexpected(event.error());
        if (*event) {
            if ((*event)->kind == WebSocketDecoder::Event::Kind::message) {
                return state.message_of(**event);
            }
            continue;
        }
        if (state.unsent_bytes() > 0) static_cast<void>(state.flush_now());
        auto read = state.read_more(deadline);
        if (!read) return std::unexpected(read.error());
    }
    return fail(Errc::closed, "websocket: closed");
}

void WebSocketClient::let_go_of_buffer() {
    State& state = *state_;
    if (state.chunk.empty()) return;
    state.rest.assign(state.input.begin(), state.input.end());
    state.input = state.rest;
    state.chunk = StreamChunk();
}

Result<void> WebSocketClient::send_ping(Bytes payload) {
    if (state_->is_over || state_->has_sent_close) return fail(Errc::closed, "websocket: closed");
    auto queued = state_->queue(encode_control(Opcode::ping, payload, state_->new_mask()));
    if (!queued) return queued;
    return state_->flush_now();
}

Result<void> WebSocketClient::close(std::uint16_t code, std::string_view reason,
                                    Deadline deadline) {
    State& state = *state_;
    if (state.is_over) return state.flush(deadline);
    if (!state.has_sent_close) {
        auto queued = state.queue(encode_close(code, reason, state.new_mask()));
        if (!queued) return queued;
        state.has_sent_close = true;
    }
    auto flushed = state.flush(deadline);
    if (!flushed) return flushed;
    while (!state.is_over) {
        auto event = state.next_event();
        if (!event) return std::unexpected(event.error());
        if (*event) continue;
        auto read = state.read_more(deadline);
        if (!read) return read;
    }
    return {};
}

Nanos WebSocketClient::last_heard() const {
    return state_->last_heard;
}
std::uint64_t WebSocketClient::received_bytes() const {
    return state_->received_bytes;
}
bool WebSocketClient::holds_receive_buffer() const {
    return !state_->chunk.empty();
}
const Address& WebSocketClient::peer() const {
    return state_->stream.peer();
}
const HttpResponse& WebSocketClient::handshake() const {
    return state_->handshake;
}
const WebSocketClient::CloseInfo& WebSocketClient::close_info() const {
    return state_->close_info;
}

}  // namespace ringlay::net
