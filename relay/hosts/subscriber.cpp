#include "relay/hosts/subscriber.hpp"

#include <algorithm>

#include "proto/url.hpp"
#include "relay/hosts/foreign_text.hpp"
#include "relay/hosts/host_check.hpp"

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

Subscriber::Subscriber(HostContext& context, base::HostAddress address, const HostOrders& orders,
                       const std::optional<event_log::Host>& known)
    : context_(context),
      address_(std::move(address)),
      orders_(orders),
      window_(context.shards, context.sequencer, context.bell, context.metrics, context.window),
      rate_(HostRate::limits_of(orders, 0, context.events_per_second)),
      last_seq_(known ? known->upstream_seq : 0),
      is_live_only_(last_seq_ == 0 && orders.begins_live),
      counts_anew_(is_live_only_),
      is_quarantined_(orders.is_quarantined) {
    host_.name = host_name(address_);
    host_.is_tls = address_.is_tls;
    host_.is_strangers.store(orders.is_strangers, std::memory_order_relaxed);
    if (known) logged_above_.assign(known->seqs_above.rbegin(), known->seqs_above.rend());
    if (orders.cursor_order) set_cursor(orders.cursor_order->cursor);
}

HostStatus Subscriber::status() {
    const Nanos now = context_.env.clock.now();
    const ingest::HostCounts& counts = host_.counts;
    const std::uint64_t newest_ms = counts.newest_rev_ms.load(std::memory_order_relaxed);
    const std::int64_t after_ms = counts.newest_came_after_ms.load(std::memory_order_relaxed);
    std::optional<std::uint64_t> lag_ms;
    if (newest_ms != 0) lag_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(after_ms, 0));
    return {.name = host_.name,
            .phase = phase_,
            .last_seq = last_seq_,
            .events = events_,
            .connections = connections_,
            .window_events = window_.event_count(),
            .window_bytes = window_.bytes(),
            .last_event = last_event_,
            .next_attempt = next_attempt_,
            .failure = failure_,
            .failed_at = failed_at_,
            .connected_since = connected_since_,
            .server = server_,
            .passed = counts.passed.load(std::memory_order_relaxed),
            .refused = counts.refused.load(std::memory_order_relaxed),
            .forged = counts.forged.load(std::memory_order_relaxed) + troubles_.unreadable,
            .limited = counts.limited.load(std::memory_order_relaxed),
            .unverified = counts.unverified.load(std::memory_order_relaxed),
            .troubles = troubles_,
            .accounts = accounts(),
            .events_per_second = rate_.events_per_second(now),
            .bytes_per_second = rate_.bytes_per_second(now),
            .limit_events_per_second = static_cast<std::uint32_t>(rate_.limits().events_per_second),
            .lag_ms = lag_ms,
            .rev_ahead_ms = newest_ms - std::min(newest_ms, now_ms()),
            .is_throttled = rate_.is_throttled(now),
            .is_quarantined = is_quarantined_,
            .is_relay = is_relay_,
            .counts_anew = counts_anew_};
}

std::uint64_t Subscriber::accounts() const {
    return known_accounts_ + host_.counts.new_accounts.load(std::memory_order_relaxed);
}

void Subscriber::change(const HostOrders& orders) {
    orders_ = orders;
    host_.is_strangers.store(orders.is_strangers, std::memory_order_relaxed);
    rate_.change(HostRate::limits_of(orders_, accounts(), context_.events_per_second),
                 context_.env.clock.now());
}

void Subscriber::wake(Waker waker) {
    if (waker == Waker::its_operator) {
        is_quarantined_ = false;
        judge_.forget();
    } else if (context_.env.clock.now() < put_off_until_) {
        return;
    }
    woken_.set();
}

void Subscriber::set_cursor(std::optional<std::uint64_t> cursor) {
    count_anew(cursor.value_or(0), !cursor);
}

// The next connection asks for this; its first event begins a new cursor in the log.
void Subscriber::count_anew(std::uint64_t cursor, bool is_live_only) {
    last_seq_ = cursor;
    is_live_only_ = is_live_only;
    counts_anew_ = true;
    logged_above_.clear();
    poison_.passed();
    regression_judge_.passed();
}

void Subscriber::run() {
    back_off_ = BackOff(context_.env.clock.now());
    while (!fiber::is_cancelled()) {
        events_of_connection_ = 0;
        End end = connect_and_read();
        connected_since_ = {};
        if (fiber::is_cancelled()) break;

        // Of what came last, the shards may tell only the next connection.
        const std::uint64_t passed = host_.counts.passed.load(std::memory_order_relaxed);
        const bool had_good_event = passed > std::exchange(passed_before_, passed);
        back_off_.ended(context_.env.clock.now(), had_good_event);
        if (end.is_poison && events_of_connection_ == 0) step_over_poison();
        const Nanos pause = pause_after(end);
        auto pause_ms = std::chrono::duration_cast<WallMillis>(pause);
        failed_at_ = context_.env.clock.wall();
        next_attempt_ = failed_at_ + pause_ms;
        failure_ = foreign_text(end.why, max_failure_bytes);
        set_phase(HostPhase::waiting);
        context_.logger.log(context_.disconnects, base::LogLevel::warn, now_ms(),
                            "host disconnected",
                            {{"host", host_.name},
                             {"reason", failure_},
                             {"seq", last_seq_},
                             {"retry_ms", pause_ms.count()}});
        if (!wait_for_attempt(pause)) break;
    }
    set_phase(HostPhase::stopped);
}

Nanos Subscriber::pause_after(const End& end) {
    const Nanos now = context_.env.clock.now();
    const Nanos pause = back_off_.take(context_.env.random.next(), now);
    // What ended the connection has been charged, and nothing has been waited for it.
    const Nanos debt = rate_.until_free(now);
    const Nanos put_off =
        is_quarantined_ || end.is_relay ? put_off_for : std::min(debt, put_off_for);
    put_off_until_ = now + put_off;
    return std::max(pause, put_off);
}

Result<void> Subscriber::wait_for_attempt(Nanos pause) {
    woken_.reset();
    auto waited = woken_.wait(Deadline::in(pause));
    if (!waited) {
        if (waited.error().code == Errc::timed_out) return {};
        return waited;
    }
    return fiber::sleep_until(Deadline{last_attempt_ + least_pause});
}

// While it is not known to be there, it is asked for nothing less than before.
std::string Subscriber::subscribe_url() const {
    std::string url = address_.is_tls ? "wss://" : "ws://";
    url.append(host_.name).append(subscribe_target);
    if (!is_live_only_) url += "?cursor=" + std::to_string(last_seq_);
    return url;
}

Subscriber::End Subscriber::connect_and_read() {
    set_phase(HostPhase::connecting);
    const bool was_reached = connections_ > 0 || last_seq_ > 0;
    const bool fails_for_long =
        back_off_.failing_for(context_.env.clock.now()) > std::chrono::hours(1);
    auto pass = context_.gate.enter(was_reached && !fails_for_long);
    if (!pass) return {.why = "stopped"};
    last_attempt_ = context_.env.clock.now();
    const std::string url = subscribe_url();
    auto parsed = proto::parse_url(url);
    if (!parsed) return {.why = with_reason("host name", parsed.error().what)};

    net::WebSocketClientOptions options;
    options.deadline = Deadline::in(connect_timeout);
    options.outbound = orders_.is_strangers ? context_.strangers : context_.outbound;
    options.messages = context_.messages;
    if (!orders_.is_operators && !orders_.is_trusted) options.places = context_.places;
    options.headers.add("User-Agent", context_.user_agent);
    context_.metrics.dialling.add(1);
    auto client = net::WebSocketClient::connect(context_.env, *parsed, options);
    context_.metrics.dialling.add(-1);
    {
        auto left = std::move(*pass);
    }
    if (!client) {
        context_.metrics.connect_failures.add_shared();
        return {.why = with_reason("connect", client.error().reason)};
    }
    const std::string_view says = client->handshake().headers.find("Server").value_or("");
    server_ = foreign_text(says, max_server_bytes);
    is_relay_ = names_a_relay(says);
    if (is_relay_) {
        context_.metrics.relays_refused.add_shared();
        return {.why = "it is a relay, not a host (Server: " + server_ + ")", .is_relay = true};
    }
    // The log keeps a number for ever: only who was reached gets one.
    if (host_.id == 0) {
        auto id = context_.sequencer.register_host(host_.name);
        if (!id) return {.why = with_reason("event log", id.error().what)};
        host_.id = *id;
    }
    ++connections_;
    context_.metrics.connects.add_shared();
    context_.metrics.connected.add(1);
    connected_since_ = context_.env.clock.wall();
    back_off_.connected(context_.env.clock.now());
    set_phase(HostPhase::connected);
    context_.logger.log(context_.connects, base::LogLevel::info, now_ms(), "host connected",
                        {{"host", host_.name}, {"cursor", last_seq_}, {"live", is_live_only_}});
    // It gets another ten minutes, after an hour. Who only hangs up gets none.
    if (is_quarantined_) judge_.forget();
    End end = read(*client);
    context_.metrics.connected.add(-1);
    return end;
}

Subscriber::End Subscriber::read(net::WebSocketClient& client) {
    for (;;) {
        if (auto why = judge()) return {.why = std::move(*why)};
        if (auto why = regression()) return {.why = std::move(*why)};
        auto message = client.receive(Deadline::in(ping_after));
        if (!message) {
            if (message.error().code == Errc::closed) return {.why = closed_words(client)};
            if (message.error().code != Errc::timed_out) {
                const bool is_too_large = message.error().code == Errc::too_large;
                if (is_too_large) context_.ingest.failed(ingest::Check::size).add_shared();
                return {.why = with_reason("stream", message.error().what),
                        .is_poison = is_too_large};
            }
            if (context_.env.clock.now() - client.last_heard() >= dead_after) {
                return {.why = "stream: silent although pinged"};
            }
            static_cast<void>(client.send_ping());
            continue;
        }
        End end;
        auto handled = handle(client, std::move(*message), end);
        if (!handled) return {.why = with_reason("event log", handled.error().what)};
        if (!end.why.empty()) {
            static_cast<void>(
                client.close(net::close_code::policy, {}, Deadline::in(std::chrono::seconds(1))));
            return end;
        }
    }
}

// Every ten seconds, in how many connections ever: what the shards have found of its events, and
// what this fiber has.
std::optional<std::string> Subscriber::judge() {
    constexpr Nanos interval = std::chrono::seconds(10);
    const Nanos now = context_.env.clock.now();
    if (now - judged_at_ < interval) return std::nullopt;
    judged_at_ = now;
    // What could not be checked, or came too often, is no forgery.
    const ingest::HostCounts& counts = host_.counts;
    const std::uint64_t passed = counts.passed.load(std::memory_order_relaxed) +
                                 counts.refused.load(std::memory_order_relaxed) +
                                 counts.limited.load(std::memory_order_relaxed) +
                                 counts.unverified.load(std::memory_order_relaxed);
    const std::uint64_t forged =
        counts.forged.load(std::memory_order_relaxed) + troubles_.unreadable;
    judge_.add(now, passed - std::exchange(judged_good_, passed),
               forged - std::exchange(judged_bad_, forged));
    rate_.change(HostRate::limits_of(orders_, accounts(), context_.events_per_second), now);
    const auto connected_for = context_.env.clock.wall() - connected_since_;
    if (orders_.is_trusted || !judge_.is_bad(now)) {
        if (connected_for >= put_off_for) is_quarantined_ = false;
        return std::nullopt;
    }
    is_quarantined_ = true;
    context_.metrics.quarantines.add_shared();
    return "quarantined: " + std::to_string(judge_.bad_percent(now)) +
           " % of its events in ten minutes were invalid";
}

void Subscriber::step_over_poison() {
    const std::uint64_t step = poison_.poisoned(last_seq_);
    if (step == 0) return;
    last_seq_ += step;
    ++troubles_.poison_steps;
    context_.metrics.poison_steps.add_shared();
    context_.logger.log(context_.steps, base::LogLevel::warn, now_ms(),
                        "stepping over what ends the connection",
                        {{"host", host_.name}, {"cursor", last_seq_}, {"step", step}});
}

Result<void> Subscriber::handle(net::WebSocketClient& client, net::WebSocketMessage message,
                                End& end) {
    std::uint32_t worker = fiber::Worker::current().index();
    context_.metrics.received_bytes.add(worker, message.bytes().size());
    charge_rate(message.bytes().size());
    Ruling ruling;
    if (message.is_text()) {
        ruling.outcome = Outcome::text;
    } else {
        ruling = rule(message.bytes(), poison_.floor(last_seq_));
    }
    if (leaps(ruling, end)) return {};
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
    Result<void> handled;
    if (ruling.outcome == Outcome::repaired) {
        auto frame = proto::peek(repaired);
        RINGLAY_ASSERT(frame.has_value() && !frame->needs_repair);  // of our own making
        handled = pass(client, std::move(repaired), *frame);
    } else if (ruling.outcome == Outcome::passed) {
        // The DID is where it was, but in the message's own memory.
        Bytes bytes = message.bytes();
        auto did_offset = static_cast<std::size_t>(ruling.frame.did.data() -
                                                   reinterpret_cast<const char*>(bytes.data()));
        Buffer owned = std::move(message).into_buffer();
        proto::Peek frame = ruling.frame;
        frame.did = std::string_view(reinterpret_cast<const char*>(owned.data()) + did_offset,
                                     frame.did.size());
        handled = pass(client, std::move(owned), frame);
    } else {
        note(ruling, end);
    }
    if (!handled || !end.why.empty()) return handled;
    return keep_rate(client);
}

void Subscriber::charge_rate(std::size_t bytes) {
    const std::uint64_t met = host_.counts.charged_accounts.load(std::memory_order_relaxed);
    rate_.charge(context_.env.clock.now(), bytes, met - std::exchange(charged_accounts_, met));
}

// A host that has used up its rate is not read; TCP slows it.
Result<void> Subscriber::keep_rate(net::WebSocketClient& client) {
    Nanos now = context_.env.clock.now();
    const Nanos wait = rate_.until_free(now);
    if (wait == Nanos::zero()) return {};
    ++troubles_.rate_waits;
    context_.metrics.rate_waits.add_shared();
    client.let_go_of_buffer();
    auto slept = fiber::sleep_for(wait);
    now = context_.env.clock.now();
    rate_.was_held(now, wait);
    return slept;
}

// Of the events that an earlier life has put into the log above the cursor, each once.
bool Subscriber::was_logged_before(std::uint64_t seq) {
    while (!logged_above_.empty() && logged_above_.back() < seq) logged_above_.pop_back();
    return !logged_above_.empty() && logged_above_.back() == seq;
}

void Subscriber::count(const Ruling& ruling) {
    std::uint32_t worker = fiber::Worker::current().index();
    if (auto check = row_of(ruling.outcome).fails; check && ingest::is_of_bad_faith(*check)) {
        ++troubles_.unreadable;
    }
    context_.metrics.frames(ruling.outcome).add(worker);
    if (auto check = row_of(ruling.outcome).fails) context_.ingest.failed(*check).add(worker);
}

// An event goes into the window and to its shard. `frame` has views of `message`'s memory.
Result<void> Subscriber::pass(net::WebSocketClient& client, Buffer message,
                              const proto::Peek& frame) {
    if (counts_anew_) {
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
    poison_.passed();
    regression_judge_.passed();
    return {};
}

// Nothing of a message that leaps too far is believed before it has come twice.
bool Subscriber::leaps(const Ruling& ruling, End& end) {
    const bool is_event = proto::is_event(ruling.frame.kind) && ruling.frame.has_seq;
    if (!is_event || leap_judge_.believes(last_seq_, ruling.frame.seq)) return false;
    ++troubles_.seq_leaps;
    context_.metrics.leaps.add_shared();
    end.why = "its seq leaps from " + std::to_string(last_seq_) + " to " +
              std::to_string(ruling.frame.seq) + ": asked again";
    return true;
}

// A host that counts anew is asked for all that was passed over meanwhile.
std::optional<std::string> Subscriber::regression() {
    const auto first_seq = regression_judge_.counts_anew_from(context_.env.clock.now());
    if (!first_seq) return std::nullopt;
    ++troubles_.seq_regressions;
    context_.metrics.regressions.add_shared();
    std::string why = "it counts anew: seq " + std::to_string(*first_seq) + ", and nothing above " +
                      std::to_string(last_seq_) + " in ten minutes";
    count_anew(*first_seq - 1, false);
    return why;
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
    counts_anew_ = false;
    is_live_only_ = false;
    context_.logger.log(context_.beginnings, base::LogLevel::info, now_ms(),
                        "host counts from here", {{"host", host_.name}, {"seq", first_seq}});
    return {};
}

void Subscriber::note(const Ruling& ruling, End& end) {
    switch (ruling.outcome) {
        case Outcome::info:
            if (ruling.frame.name == "OutdatedCursor" && last_seq_ > 0) {
                context_.metrics.outdated_cursors.add_shared();
            }
            context_.logger.log(context_.infos, base::LogLevel::warn, now_ms(), "host says",
                                {{"host", host_.name},
                                 {"info", ruling.frame.name},
                                 {"message", ruling.frame.message},
                                 {"cursor", last_seq_}});
            return;
        case Outcome::error:
            return take_error(ruling, end);
        case Outcome::stale:
            ++troubles_.stale;
            regression_judge_.stale(context_.env.clock.now(), last_seq_, ruling.frame.seq);
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
            context_.logger.log(context_.drops, base::LogLevel::warn, now_ms(), "event dropped",
                                {{"host", host_.name}, {"seq", last_seq_}, {"reason", ruling.why}});
            return;
        case Outcome::malformed:
            end.why = with_reason("malformed frame", ruling.why);
            end.is_poison = true;
            return;
        case Outcome::text:
            end.why = "malformed frame: a text message";
            end.is_poison = true;
            return;
        default:
            return;
    }
}

void Subscriber::take_error(const Ruling& ruling, End& end) {
    end.why = with_reason("host error", foreign_text(ruling.frame.name, max_failure_bytes));
    if (ruling.frame.name == "ConsumerTooSlow") context_.metrics.too_slow.add_shared();
    if (ruling.frame.name == "FutureCursor" && last_seq_ > 0) {
        ++troubles_.future_cursors;
        context_.metrics.future_cursors.add_shared();
        count_anew(0, true);
    }
}

std::uint64_t Subscriber::now_ms() const {
    return static_cast<std::uint64_t>(context_.env.clock.wall().count());
}

}  // namespace ringlay::hosts
