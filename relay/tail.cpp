#include "relay/tail.hpp"

#include "proto/base/json_writer.hpp"
#include "proto/event.hpp"
#include "proto/frame.hpp"
#include "proto/url.hpp"
#include "relay/firehose/firehose.hpp"
#include "relay/net/websocket_client.hpp"

namespace ringlay {
namespace {

constexpr auto connect_timeout = std::chrono::seconds(10);
constexpr auto ping_after = std::chrono::seconds(30);

std::string_view action_name(proto::RepoAction action) {
    switch (action) {
        case proto::RepoAction::create:
            return "create";
        case proto::RepoAction::update:
            return "update";
        case proto::RepoAction::remove:
            return "delete";
    }
    return "?";
}

void describe_commit(JsonWriter& json, const proto::CommitEvent& commit) {
    json.key("rev").text(commit.rev);
    if (commit.since) json.key("since").text(*commit.since);
    json.key("commit").text(commit.commit.to_text());
    json.key("ops").begin_array();
    commit.ops.for_each([&](const proto::RepoOp& op) {
        json.begin_object();
        json.key("action").text(action_name(op.action));
        json.key("path").text(op.path);
        if (op.cid) json.key("cid").text(proto::cid_text(*op.cid));
        json.end_object();
    });
    json.end_array();
    json.key("time").text(commit.time);
}

void describe_event(JsonWriter& json, const proto::Peek& frame, Bytes payload) {
    json.key("seq").number(frame.seq);
    json.key("did").text(frame.did);
    std::string_view unreadable;
    auto note = [&](const auto& parsed) {
        if (!parsed) unreadable = parsed.error().what;
        return parsed.has_value();
    };
    if (frame.kind == proto::FrameKind::commit) {
        auto commit = proto::parse_commit_event(payload);
        if (note(commit)) describe_commit(json, *commit);
    } else if (frame.kind == proto::FrameKind::sync) {
        auto sync = proto::parse_sync_event(payload);
        if (note(sync)) json.key("rev").text(sync->rev).key("time").text(sync->time);
    } else if (frame.kind == proto::FrameKind::identity) {
        auto identity = proto::parse_identity_event(payload);
        if (note(identity)) {
            if (identity->handle) json.key("handle").text(*identity->handle);
            json.key("time").text(identity->time);
        }
    } else {
        auto account = proto::parse_account_event(payload);
        if (note(account)) {
            json.key("active").boolean(account->is_active);
            if (account->status) json.key("status").text(*account->status);
            json.key("time").text(account->time);
        }
    }
    if (!unreadable.empty()) json.key("unreadable").text(unreadable);
}

// The subscription's URL, from whatever names the relay.
std::optional<std::string> subscription_url(const TailOptions& options) {
    std::string text = options.url;
    if (text.find("://") == text.npos) text = "ws://" + text;
    auto url = proto::parse_url(text);
    if (!url || proto::is_tls(url->scheme) || !url->query.empty()) return std::nullopt;
    if (url->path.empty() || url->path == "/") {
        if (text.back() == '/') text.pop_back();
        text += firehose::subscribe_path;
    }
    if (options.cursor) text += "?cursor=" + std::to_string(*options.cursor);
    return text;
}

}  // namespace

std::string describe_frame(Bytes message) {
    JsonWriter json;
    json.begin_object();
    auto frame = proto::peek(message);
    if (!frame) {
        json.key("kind").text("malformed").key("reason").text(frame.error().what);
        return json.end_object().take();
    }
    json.key("kind").text(proto::frame_kind_name(frame->kind));
    if (proto::is_event(frame->kind)) {
        describe_event(json, *frame, proto::payload_of(message, *frame));
    } else {
        if (!frame->name.empty()) json.key("name").text(frame->name);
        if (!frame->message.empty()) json.key("message").text(frame->message);
    }
    return json.end_object().take();
}

std::optional<std::string> tail(env::Env& env, const TailOptions& options,
                                const std::function<bool(std::string_view line)>& print) {
    auto url_text = subscription_url(options);
    if (!url_text) {
        return "not a firehose: " + options.url + " (valid: ws://host:port, http://host:port)";
    }
    net::WebSocketClientOptions client_options;
    client_options.deadline = Deadline::in(connect_timeout);
    client_options.headers.add("User-Agent", "ringlay-tail");
    auto client =
        net::WebSocketClient::connect(env, proto::parse_url(*url_text).value(), client_options);
    if (!client) return options.url + ": " + client.error().reason;
    for (std::uint64_t printed = 0; options.count == 0 || printed < options.count;) {
        auto message = client->receive(Deadline::in(ping_after));
        if (message) {
            if (!print(describe_frame(message->bytes()))) return std::nullopt;
            ++printed;
            continue;
        }
        if (message.error().code == Errc::cancelled) return std::nullopt;
        if (message.error().code != Errc::timed_out) {
            const auto& info = client->close_info();
            return options.url + ": the stream ended: " + std::string(message.error().what) + " (" +
                   std::to_string(info.code) + " " + info.reason + ")";
        }
        static_cast<void>(client->send_ping());
    }
    static_cast<void>(
        client->close(net::close_code::normal, {}, Deadline::in(std::chrono::seconds(1))));
    return std::nullopt;
}

}  // namespace ringlay
