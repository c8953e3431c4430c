#include "bench/fleet/hostile.hpp"

#include <algorithm>

#include "crypto/sha256.hpp"
#include "proto/base/json_writer.hpp"
#include "proto/event.hpp"
#include "proto/limits.hpp"
#include "relay/firehose/cursor_parameter.hpp"
#include "relay/net/dial.hpp"
#include "relay/net/websocket_frame.hpp"
#include "relay/net/websocket_handshake.hpp"

namespace ringlay::bench {
namespace {

constexpr std::string_view names[hostility_count] = {
    "slow-headers", "silent",      "tls-stall",    "drop",   "poison",   "oversized",
    "flapping",     "future-revs", "foreign-dids", "forged", "far-seq",  "seq-regression",
    "pings",        "big-frames",  "did-web",      "relay",  "redirect", "endless-list",
};

constexpr auto send_time = std::chrono::seconds(60);
constexpr std::uint64_t other_seed = 0x1157;  // of keys and accounts that nobody has

// False: the relay has gone, or the fiber was cancelled.
bool send_message(net::Stream& stream, Bytes message) {
    net::FrameHeader header;
    header.payload_bytes = message.size();
    net::EncodedHeader encoded = net::encode_header(header);
    return stream.send(encoded.bytes(), Deadline::in(send_time)) &&
           stream.send(message, Deadline::in(send_time));
}

// Until the peer has hung up.
void read_away(net::Stream& stream) {
    for (;;) {
        auto chunk = stream.receive(Deadline::never());
        if (!chunk || chunk->empty()) return;
    }
}

net::HttpResponse json_answer(JsonWriter& json) {
    net::HttpResponse response;
    response.headers.add("Content-Type", "application/json");
    response.body = json.take();
    return response;
}

}  // namespace

std::string_view name_of(Hostility hostility) {
    return names[static_cast<std::size_t>(hostility)];
}

std::optional<Hostility> parse_hostility(std::string_view name) {
    for (Hostility hostility : all_hostilities()) {
        if (name_of(hostility) == name) return hostility;
    }
    return std::nullopt;
}

std::vector<Hostility> all_hostilities() {
    std::vector<Hostility> all;
    for (std::size_t i = 0; i < hostility_count; ++i) all.push_back(static_cast<Hostility>(i));
    return all;
}

HostileHost::HostileHost(const env::Env& env, const HostileOptions& options)
    : env_(env),
      options_(options),
      repo_(options.book.did(options.book.number(options.index, 0)),
            options.book.key(options.book.number(options.index, 0)), nullptr),
      forger_(repo_.did(), invented_key(crypto::Curve::k256, other_seed, options.index), nullptr),
      traffic_(options.book.seed + options.index),
      next_seq_(unix_micros()) {
    if (options_.hostility == Hostility::tls_stall) {
        door_ = std::make_unique<Door>([this](env::Socket& socket) { stall(socket); });
    } else {
        door_ = std::make_unique<Door>(
            options.tls, [this](const net::HttpRequest& request) { return answer(request); });
    }
    keep_frames();
}

std::optional<std::string> HostileHost::listen(std::uint16_t port) {
    Address address = Address::loopback(port);
    auto listener = env_.net.listen(address);
    if (!listener) {
        return "cannot listen on " + address.text() + ": " + std::string(listener.error().what);
    }
    listener_ = std::move(*listener);
    return std::nullopt;
}

std::uint64_t HostileHost::unix_micros() const {
    return static_cast<std::uint64_t>(env_.clock.wall().count()) * 1000;
}

DoorReply HostileHost::answer(const net::HttpRequest& request) {
    std::string_view path = request.path();
    Hostility kind = options_.hostility;
    if (kind == Hostility::slow_headers ||
        (kind == Hostility::did_web && path == "/.well-known/did.json")) {
        return DoorReply::TakeOver([this](net::Stream& stream, const Buffer&) { drip(stream); });
    }
    if (kind == Hostility::redirect) {
        net::HttpResponse response;
        response.status = 302;
        response.headers.add("Location", "http://169.254.169.254/latest/meta-data/");
        return response;
    }
    if (path == "/xrpc/com.atproto.server.describeServer") return describe_server();
    if (path == "/xrpc/com.atproto.sync.subscribeRepos") return subscribe(request);
    if (path == "/xrpc/com.atproto.sync.listHosts" && kind == Hostility::endless_list) {
        return list_hosts(request);
    }
    return net::json_error(501, "MethodNotImplemented", "this method is not served here");
}

net::HttpResponse HostileHost::describe_server() const {
    JsonWriter json;
    json.begin_object();
    json.key("did").text("did:web:localhost%3A" + std::to_string(local().port));
    json.key("availableUserDomains").begin_array().end_array();
    json.end_object();
    net::HttpResponse response = json_answer(json);
    if (options_.hostility == Hostility::relay) response.headers.add("Server", "atproto-relay");
    return response;
}

// Names that nobody has, a thousand a page, and always another page.
net::HttpResponse HostileHost::list_hosts(const net::HttpRequest&) {
    JsonWriter json;
    json.begin_object();
    json.key("hosts").begin_array();
    for (int i = 0; i < 1000; ++i) {
        json.begin_object();
        json.key("hostname").text("h" + std::to_string(listed_++) + ".fleet.invalid");
        json.key("status").text("active");
        json.end_object();
    }
    json.end_array();
    json.key("cursor").text(std::to_string(listed_));
    json.end_object();
    return json_answer(json);
}

DoorReply HostileHost::subscribe(const net::HttpRequest& request) {
    auto accept = net::check_upgrade(request);
    if (!accept) return std::move(accept.error());
    std::optional<std::uint64_t> cursor;
    if (auto parameter = request.query("cursor")) {
        cursor = firehose::parse_cursor(*parameter).value_or(std::nullopt);
    }
    return DoorReply::TakeOver(
        [this, accept = std::move(*accept), cursor](net::Stream& stream, const Buffer&) {
            ++subscriptions_;
            net::HttpHeaders headers;
            if (options_.hostility == Hostility::relay) headers.add("Server", "atproto-relay");
            net::ResponseHeadOptions options;
            options.defaults = &headers;
            std::string head = encode_response_head(net::upgrade_response(accept), options);
            if (stream.send(net::bytes_of(head), Deadline::in(send_time))) behave(stream, cursor);
        });
}

void HostileHost::stall(env::Socket& socket) {
    for (;;) {
        auto chunk = socket.receive(Deadline::never());
        if (!chunk || chunk->empty()) return;
    }
}

void HostileHost::drip(net::Stream& stream) {
    constexpr std::string_view start = "HTTP/1.1 200 OK\r\nX-Slow: ";
    for (std::size_t i = 0;; ++i) {
        std::uint8_t byte = i < start.size() ? static_cast<std::uint8_t>(start[i]) : 'z';
        if (!stream.send({&byte, 1}, Deadline::in(send_time))) return;
        if (!fiber::sleep_for(std::chrono::seconds(1))) return;
    }
}

void HostileHost::behave(net::Stream& stream, std::optional<std::uint64_t> cursor) {
    constexpr auto calm = std::chrono::milliseconds(50), brisk = std::chrono::milliseconds(5);
    switch (options_.hostility) {
        case Hostility::silent:
            return read_away(stream);
        case Hostility::poison:
        case Hostility::oversized:
            return send_kept(stream, cursor);
        case Hostility::flapping:
            return flap(stream);
        case Hostility::future_revs: {
            constexpr std::uint64_t ahead_micros = 299'000'000;
            return send_commits(stream, calm, [this](std::uint64_t) {
                return commit(repo_, next_seq_++, ahead_micros);
            });
        }
        case Hostility::foreign_dids:
            return send_commits(stream, brisk,
                                [this](std::uint64_t count) { return foreign_commit(count); });
        case Hostility::forged:
            return send_commits(stream, brisk,
                                [this](std::uint64_t count) { return forged_commit(count); });
        case Hostility::far_seq:
            return send_far_seq(stream, cursor);
        case Hostility::seq_regression:
            return send_commits(stream, calm, [this](std::uint64_t count) {
                return commit(repo_, count % 20 < 10 ? next_seq_++ : count % 10 + 1);
            });
        case Hostility::pings:
            return ping(stream);
        case Hostility::big_frames:
            return send_big_frames(stream);
        case Hostility::did_web:
            return send_commits(stream, brisk,
                                [this](std::uint64_t count) { return web_commit(count); });
        case Hostility::relay:
            return send_commits(stream, calm,
                                [this](std::uint64_t) { return commit(repo_, next_seq_++); });
        case Hostility::slow_headers:
        case Hostility::tls_stall:
        case Hostility::drop:
        case Hostility::redirect:
        case Hostility::endless_list:
            return;
    }
}

Buffer HostileHost::commit(Repo& repo, std::uint64_t seq, std::uint64_t ahead_micros) {
    std::uint64_t now = unix_micros() + ahead_micros;
    return repo.commit_frame(seq, now, traffic_.next_ops(repo, now));
}

void HostileHost::keep_frames() {
    bool is_poison = options_.hostility == Hostility::poison;
    if (!is_poison && options_.hostility != Hostility::oversized) return;
    first_kept_ = next_seq_;
    for (std::size_t i = 0; i <= 2 * poison_at; ++i) {
        Buffer frame = commit(repo_, next_seq_++);
        if (i == poison_at) frame.assign(is_poison ? 100 : oversized_bytes, 0xff);
        kept_.push_back(std::move(frame));
    }
}

void HostileHost::send_kept(net::Stream& stream, std::optional<std::uint64_t> cursor) {
    std::uint64_t first = std::max(cursor.value_or(0) + 1, first_kept_);
    for (std::uint64_t i = first - first_kept_; i < kept_.size(); ++i) {
        if (!send_message(stream, kept_[i])) return;
    }
    send_commits(stream, std::chrono::seconds(1),
                 [this](std::uint64_t) { return commit(repo_, next_seq_++); });
}

void HostileHost::flap(net::Stream& stream) {
    constexpr std::uint64_t a_tick = 10;
    for (std::uint64_t count = 0;; ++count) {
        Buffer frame =
            count % 2 == 0
                ? repo_.identity_frame(next_seq_++, unix_micros(), AccountBook::handle(repo_.did()))
                : repo_.account_frame(next_seq_++, unix_micros(), count % 4 == 1,
                                      count % 4 == 1
                                          ? std::nullopt
                                          : std::optional<std::string_view>("deactivated"));
        if (!send_message(stream, frame)) return;
        if (count % a_tick == a_tick - 1 && !fiber::sleep_for(std::chrono::milliseconds(10))) {
            return;
        }
    }
}

void HostileHost::send_commits(net::Stream& stream, Nanos pause,
                               const std::function<Buffer(std::uint64_t)>& make) {
    for (std::uint64_t count = 0;; ++count) {
        if (!send_message(stream, make(count)) || !fiber::sleep_for(pause)) return;
    }
}

Buffer HostileHost::foreign_commit(std::uint64_t count) {
    // Of an account that another host has, with its very key; or one that no directory knows.
    bool is_known = count % 2 == 0 && options_.index > 0;
    std::uint64_t all = options_.index * options_.book.accounts_per_host;
    std::uint64_t number = is_known ? count / 2 % all : count;
    Repo repo(is_known ? options_.book.did(number) : invented_did(other_seed, number),
              is_known ? options_.book.key(number)
                       : invented_key(crypto::Curve::k256, other_seed, number),
              nullptr);
    return commit(repo, next_seq_++);
}

Buffer HostileHost::forged_commit(std::uint64_t count) {
    return commit(count % 20 == 0 ? repo_ : forger_, next_seq_++);
}

Buffer HostileHost::web_commit(std::uint64_t count) {
    std::string did = count % 4 == 0 ? "did:web:localhost%3A" + std::to_string(local().port)
                                     : "did:web:n" + std::to_string(count) + ".fleet.invalid";
    Repo repo(std::move(did), invented_key(crypto::Curve::k256, other_seed, count), nullptr);
    return commit(repo, next_seq_++);
}

void HostileHost::send_far_seq(net::Stream& stream, std::optional<std::uint64_t> cursor) {
    if (cursor.value_or(0) != 0) {
        proto::ErrorMessage error{.error = "FutureCursor",
                                  .message = "The cursor is in the future."};
        if (!send_message(stream, proto::encode_frame(error))) return;
        auto close = net::encode_close(net::close_code::policy, "FutureCursor");
        static_cast<void>(stream.send(close.bytes(), Deadline::in(send_time)));
        return;
    }
    for (int i = 0; i < 3; ++i) {
        if (!send_message(stream, commit(repo_, next_seq_++))) return;
    }
    static_cast<void>(send_message(stream, commit(repo_, proto::seq_limit - 1)));
}

void HostileHost::ping(net::Stream& stream) {
    const Buffer payload(net::max_control_bytes, 'p');
    const auto frame = net::encode_control(net::Opcode::ping, payload);
    Buffer many;
    for (int i = 0; i < 100; ++i) {
        many.insert(many.end(), frame.bytes().begin(), frame.bytes().end());
    }
    while (stream.send(many, Deadline::in(send_time)) && !fiber::is_cancelled()) fiber::yield();
}

void HostileHost::send_big_frames(net::Stream& stream) {
    constexpr std::size_t blocks_bytes = 4'990'000;
    const Buffer blocks(blocks_bytes, 0x5a);
    do {
        std::string rev = repo_.next_rev(unix_micros()).to_text();
        proto::CommitEvent event;
        event.seq = next_seq_++;
        event.repo = repo_.did();
        event.rev = rev;
        event.blocks = blocks;
        event.commit = proto::Cid::of_digest(crypto::sha256(blocks));
        event.time = "2026-01-01T00:00:00.000Z";
        if (!send_message(stream, proto::encode_frame(event))) return;
        fiber::yield();
    } while (!fiber::is_cancelled());
}

}  // namespace ringlay::bench
