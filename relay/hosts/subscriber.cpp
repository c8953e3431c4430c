#include "relay/hosts/subscriber.hpp"

#include "proto/url.hpp"

namespace ringlay::hosts {
namespace {

constexpr std::string_view subscribe_target = "/xrpc/com.atproto.sync.subscribeRepos";

event_log::FactsKind facts_kind(proto::FrameKind kind) {
    switch (kind) {
        case proto::FrameKind::commit:
            return event_log::FactsKind::commit;
        case proto::FrameKind::sync:
            return event_log::FactsKind::sync;
        case proto::FrameKind::identity:
            return event_log::FactsKind::identity;
        default:
            RINGLAY_ASSERT(kind == proto::FrameKind::account);
            return event_log::FactsKind::account;
    }
}

std::string closed_words(const net::WebSocketClient& client) {
    const auto& info = client.close_info();
    if (info.code == net::close_code::none_received) return "stream: closed";
    return "stream: closed with " + std::to_string(info.code) + " " + info.reason;
}

std::string with_reason(std::string_view what, std::string_view reason) {
    std::string text(what);
    text += ": ";
    return text.append(reason);
}

}  // namespace

std::string host_name(const base::HostAddress& address) {
    bool is_ipv6 = address.name.find(':') != std::string::npos;
    return (is_ipv6 ? "[" + address.name + "]" : address.name) + ":" + std::to_string(address.port);
}

std::string_view phase_name(HostPhase phase) {
    switch (phase) {
        case HostPhase::waiting:
            return "waiting";
        case HostPhase::connecting:
            return "connecting";
        case HostPhase::connected:
            return "connected";
        case HostPhase::stopped:
            return "stopped";
    }
    return "?";
}

Subscriber::Subscriber(HostContext& context, base::HostAddress address,
                       const std::optional<event_log::Host>& known)
    : context_(context),
      address_(std::move(address)),
      host_{.id = 0, .name = host_name(address_)},
      window_(context.shards, context.sequencer, context.bell, context.metrics, context.window),
      last_seq_(known ? known->upstream_seq : 0) {
    if (known) logged_above_.assign(known->seqs_above.rbegin(), known->seqs_above.rend());
}

HostStatus Subscriber::status() const {
    return {.name = host_.name,
            .phase = phase_,
            .last_seq = last_seq_,
            .events = events_,
            .connections = connections_,
            .window_events = window_.event_count(),
            .window_bytes = window_.bytes(),
            .last_event = last_event_,
            .next_attempt = next_attempt_,
            .failure = failure_};
}

void Subscriber::run() {
    auto id = context_.sequencer.register_host(host_.name);
    if (!id) return set_phase(HostPhase::stopped);
    host_.id = *id;
    while (!fiber::is_cancelled()) {
        Nanos began = context_.env.clock.now();
        events_of_connection_ = 0;
        std::string end = connect_and_read();
        if (fiber::is_cancelled()) break;

        back_off_.connection_ended(events_of_connection_ > 0, context_.env.clock.now() - began);
        Nanos delay = back_off_.take(context_.env.random.next());
        auto delay_ms = std::chrono::duration_cast<WallMillis>(delay);
        next_attempt_ = context_.env.clock.wall() + delay_ms;
        failure_ = std::move(end);
        set_phase(HostPhase::waiting);
        context_.logger.log(base::LogLevel::warn, now_ms(), "host disconnected",
                            {{"host", host_.name},
                             {"reason", failure_},
                             {"seq", last_seq_},
                             {"retry_ms", delay_ms.count()}});
        if (!fiber::sleep_for(delay)) break;
    }
    set_phase(HostPhase::stopped);
}

std::string Subscriber::connect_and_read() {
    set_phase(HostPhase::connecting);
    std::string url = "ws://" + host_.name + std::string(subscribe_target);
    if (!restarts_live_) url += "?cursor=" + std::to_string(last_seq_);
    auto parsed = proto::parse_url(url);
    if (!parsed) return with_reason("host name", parsed.error().what);

    net::WebSocketClientOptions options;
    options.deadline = Deadline::in(connect_timeout);
    options.headers.add("User-Agent", context_.user_agent);
    auto client = net::WebSocketClient::connect(context_.env, *parsed, options);
    if (!client) {
        context_.metrics.connect_failures.add_shared();
        return with_reason("connect", client.error().reason);
    }
    ++connections_;
    context_.metrics.connects.add_shared();
    context_.metrics.connected.add(1);
    set_phase(HostPhase::connected);
    context_.logger.log(base::LogLevel::info, now_ms(), "host connected",
                        {{"host", host_.name}, {"cursor", last_seq_}, {"live", restarts_live_}});
    std::string end = read(*client);
    context_.metrics.connected.add(-1);
    return end;
}

std::string Subscriber::read(net::WebSocketClient& client) {
    for (;;) {
        auto message = client.receive(Deadline::in(ping_after));
        if (!message) {
            if (message.error().code == Errc::closed) return closed_words(client);
            if (message.error().code != Errc::timed_out) {
                if (message.error().code == Errc::too_large) {
                    context_.ingest.failed(ingest::Check::size).add_shared();
                }
                return with_reason("stream", message.error().what);
            }
            if (context_.env.clock.now() - client.last_heard() >= dead_after) {
                return "stream: silent although pinged";
            }
            static_cast<void>(client.send_ping());
            continue;
        }
        std::string end;
        auto handled = handle(client, std::move(*message), end);
        if (!handled) return with_reason("event log", handled.error().what);
        if (!end.empty()) {
            static_cast<void>(
                client.close(net::close_code::policy, {}, Deadline::in(std::chrono::seconds(1))));
            return end;
        }
    }
}

Result<void> Subscriber::handle(net::WebSocketClient& client, net::WebSocketMessage message,
                                std::string& end) {
    std::uint32_t worker = fiber::Worker::current().index();
    context_.metrics.received_bytes.add(worker, message.bytes().size());
    Ruling ruling;
    if (message.is_text()) {
        ruling.outcome = Outcome::text;
    } else {
        ruling = rule(message.bytes(), last_seq_);
    }
    if (row_of(ruling.outcome).is_passed && was_logged_before(ruling.frame.seq)) {
        ruling.outcome = Outcome::repeated;
    }
    Buffer repaired;
    if (ruling.outcome == Outcome::repaired) {
        auto whole = proto::repair(message.bytes(), ruling.frame, ruling.frame.seq);
        if (!whole) {
            ruling.outcome = Outcome::unrepairable;
            ruling.why = whole.error().what;
        } else if (!fits_with_any_seq(whole->size(), 1)) {
            ruling.outcome = Outcome::oversized;
            ruling.why = "too large in canonical form";
        } else {
            repaired = std::move(*whole);
        }
    }
    count(ruling);
    if (ruling.outcome == Outcome::repaired) {
        auto frame = proto::peek(repaired);
        RINGLAY_ASSERT(frame.has_value() && !frame->needs_repair);  // of our own making
        return pass(client, std::move(repaired), *frame);
    }
    if (ruling.outcome == Outcome::passed) {
        // The DID is where it was, but in the message's own memory.
        Bytes received = message.bytes();
        auto did_offset = static_cast<std::size_t>(ruling.frame.did.data() -
                                                   reinterpret_cast<const char*>(received.data()));
        Buffer owned = std::move(message).into_buffer();
        proto::Peek frame = ruling.frame;
        frame.did = std::string_view(reinterpret_cast<const char*>(owned.data()) + did_offset,
                                     frame.did.size());
        return pass(client, std::move(owned), frame);
    }
    note(ruling, end);
    return {};
}

// Of the events that an earlier life has put into the log above the cursor, each once.
bool Subscriber::was_logged_before(std::uint64_t seq) {
    while (!logged_above_.empty() && logged_above_.back() < seq) logged_above_.pop_back();
    return !logged_above_.empty() && logged_above_.back() == seq;
}

void Subscriber::count(const Ruling& ruling) {
    std::uint32_t worker = fiber::Worker::current().index();
    context_.metrics.frames(ruling.outcome).add(worker);
    if (auto check = row_of(ruling.outcome).fails) context_.ingest.failed(*check).add(worker);
}

// An event goes into the window and to its shard. `frame` has views of `message`'s memory.
Result<void> Subscriber::pass(net::WebSocketClient& client, Buffer message,
                              const proto::Peek& frame) {
    if (restarts_live_) {
        auto restarted = restart_cursor(frame.seq);
        if (!restarted) return restarted;
    }
    // While this host waits for its window, the buffer it was received in belongs to the others.
    if (!window_.has_room(message.size())) client.let_go_of_buffer();
    auto taken = window_.take(message.size());
    if (!taken) return std::unexpected(taken.error());

    HostWindow::Slot& slot = **taken;
    slot.message = std::move(message);
    ingest::Event& entry = slot.entry;
    entry.host = &host_;
    entry.message = slot.message;
    entry.header_bytes = frame.header_bytes;
    entry.payload_bytes = frame.payload_bytes;
    entry.seq_offset = frame.seq_offset;
    entry.seq_length = frame.seq_bytes;
    entry.kind = facts_kind(frame.kind);
    entry.host_id = host_.id;
    entry.upstream_seq = frame.seq;
    entry.received = context_.env.clock.wall();
    entry.text = frame.did;
    last_seq_ = frame.seq;
    last_event_ = entry.received;
    window_.push_event(slot);
    context_.has_entries_in_flight.set();

    ++events_;
    ++events_of_connection_;
    return {};
}

// What was sent under the old counting is finished first: the log's cursor falls here.
Result<void> Subscriber::restart_cursor(std::uint64_t first_seq) {
    auto drained = window_.drain();
    if (!drained) return drained;
    auto slot = window_.take(0);
    if (!slot) return std::unexpected(slot.error());
    event_log::Entry& entry = (*slot)->entry;
    entry.kind = event_log::FactsKind::host_cursor;
    entry.host_id = host_.id;
    entry.upstream_seq = first_seq - 1;
    entry.received = context_.env.clock.wall();
    window_.push_fact(**slot);
    drained = window_.drain();
    if (!drained) return drained;
    logged_above_.clear();
    restarts_live_ = false;
    context_.logger.log(base::LogLevel::warn, now_ms(), "host counts anew",
                        {{"host", host_.name}, {"seq", first_seq}});
    return {};
}

void Subscriber::note(const Ruling& ruling, std::string& end) {
    switch (ruling.outcome) {
        case Outcome::info:
            context_.logger.log(base::LogLevel::warn, now_ms(), "host says",
                                {{"host", host_.name},
                                 {"info", ruling.frame.name},
                                 {"message", ruling.frame.message},
                                 {"cursor", last_seq_}});
            return;
        case Outcome::error:
            end = with_reason("host error", ruling.frame.name);
            if (ruling.frame.name == "FutureCursor" && last_seq_ > 0) {
                restarts_live_ = true;
                last_seq_ = 0;
            }
            return;
        case Outcome::repeated:
            last_seq_ = ruling.frame.seq;
            return;
        case Outcome::unrepairable:
        case Outcome::oversized:
        case Outcome::faulty:
        case Outcome::bad_did:
            // Stepped over: it would come again with every connection.
            if (ruling.frame.has_seq) last_seq_ = std::max(last_seq_, ruling.frame.seq);
            context_.logger.log(base::LogLevel::warn, now_ms(), "event dropped",
                                {{"host", host_.name}, {"seq", last_seq_}, {"reason", ruling.why}});
            return;
        case Outcome::malformed:
            end = with_reason("malformed frame", ruling.why);
            return;
        case Outcome::text:
            end = "malformed frame: a text message";
            return;
        default:
            return;
    }
}

void Subscriber::set_phase(HostPhase phase) {
    phase_ = phase;
}

std::uint64_t Subscriber::now_ms() const {
    return static_cast<std::uint64_t>(context_.env.clock.wall().count());
}

}  // namespace ringlay::hosts
