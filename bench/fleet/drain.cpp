#include "bench/fleet/drain.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "proto/base/json_writer.hpp"
#include "proto/url.hpp"
#include "relay/firehose/firehose.hpp"
#include "relay/net/http_client.hpp"
#include "relay/net/websocket_client.hpp"

namespace ringlay::bench {
namespace {

constexpr auto connect_time = std::chrono::seconds(10);
constexpr auto farewell_time = std::chrono::seconds(2);

struct Consumer {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
    Nanos first{Nanos::max()};
    Nanos last{0};
    std::string failure;
    Ledger got;  // if it is to be compared
};

std::string subscription_url(const DrainOptions& options) {
    std::string text = options.url;
    if (text.find("://") == text.npos) text = "ws://" + text;
    text += firehose::subscribe_path;
    if (options.has_cursor) text += "?cursor=" + std::to_string(options.cursor);
    return text;
}

void consume(env::Env& env, const DrainOptions& options, const proto::Url& url,
             Consumer& consumer) {
    net::WebSocketClientOptions client_options;
    client_options.deadline = Deadline::in(connect_time);
    client_options.headers.add("User-Agent", "ringlay-fleet");
    auto client = net::WebSocketClient::connect(env, url, client_options);
    if (!client) {
        consumer.failure = client.error().reason;
        return;
    }
    while (options.events == 0 || consumer.events < options.events) {
        auto message = client->receive(Deadline::never());
        if (!message) {
            if (message.error().code != Errc::cancelled) consumer.failure = message.error().what;
            break;
        }
        consumer.last = env.clock.now();
        consumer.first = std::min(consumer.first, consumer.last);
        ++consumer.events;
        consumer.bytes += message->bytes().size();
        if (!options.ledger.empty()) consumer.got.add(message->bytes());
    }
    fiber::CancelBlocker blocker;
    static_cast<void>(client->close(net::close_code::normal, {}, Deadline::in(farewell_time)));
}

// What all honest hosts of a fleet have sent. Returns why not; empty: it is all there.
std::string read_ledger(env::Env& env, const std::string& base, Ledger& ledger) {
    constexpr std::uint16_t not_found = 404;
    for (std::uint64_t host = 0;; ++host) {
        std::string text = base + "/fleet/ledger?host=" + std::to_string(host);
        auto url = proto::parse_url(text);
        if (!url) return "not a URL: " + text;
        net::FetchOptions options;
        options.max_body_bytes = std::uint64_t{1} << 30;
        options.deadline = Deadline::in(connect_time);
        auto answer = net::fetch(env, *url, options);
        if (!answer) return "the ledger: " + answer.error().reason;
        if (answer->status == not_found) {
            return host == 0 ? "the fleet keeps no ledger (--ledger)" : "";
        }
        if (auto read = ledger.read(answer->body); !read) return std::string(read.error().what);
    }
}

void describe_verdict(JsonWriter& json, const LedgerVerdict& verdict) {
    json.key("ledger").begin_object();
    json.key("exact").boolean(verdict.is_exact());
    json.key("sent").number(verdict.sent).key("matched").number(verdict.matched);
    json.key("missing").number(verdict.missing);
    json.key("missing_head").number(verdict.missing_head);
    json.key("doubled").number(verdict.doubled).key("misplaced").number(verdict.misplaced);
    json.key("unexpected").number(verdict.unexpected);
    json.key("strangers").number(verdict.strangers);
    json.end_object();
}

}  // namespace

std::string describe(const DrainResult& result) {
    JsonWriter json;
    json.begin_object();
    json.key("events").number(result.events);
    json.key("bytes").number(result.bytes);
    json.key("least_events").number(result.least_events);
    json.key("milliseconds").number(static_cast<std::uint64_t>(result.seconds * 1000));
    if (result.verdict) describe_verdict(json, *result.verdict);
    if (!result.failure.empty()) json.key("failure").text(result.failure);
    return json.end_object().take();
}

DrainResult drain(env::Env& env, const DrainOptions& options, StopRequest& stop) {
    DrainResult result;
    std::string url_text = subscription_url(options);  // `url` has views of it
    auto url = proto::parse_url(url_text);
    if (!url) {
        result.failure = "not a firehose: " + options.url + " (valid: ws://host:port)";
        return result;
    }
    std::vector<Consumer> consumers(options.consumers);
    std::size_t running = consumers.size();
    {
        fiber::TaskGroup tasks;
        for (Consumer& consumer : consumers) {
            tasks.spawn("consumer", [&] {
                consume(env, options, *url, consumer);
                if (--running == 0) stop.make();
            });
        }
        stop.wait();
    }
    Nanos first{Nanos::max()}, last{0};
    result.least_events = UINT64_MAX;
    for (const Consumer& consumer : consumers) {
        result.events += consumer.events;
        result.bytes += consumer.bytes;
        result.least_events = std::min(result.least_events, consumer.events);
        first = std::min(first, consumer.first);
        last = std::max(last, consumer.last);
        if (!consumer.failure.empty()) result.failure = consumer.failure;
    }
    if (!options.ledger.empty()) {
        Ledger sent;
        fiber::CancelBlocker blocker;
        std::string obstacle = read_ledger(env, options.ledger, sent);
        // Without the whole ledger there is no verdict: compared with nothing, all is exact.
        if (obstacle.empty()) result.verdict.emplace();
        for (const Consumer& consumer : consumers) {
            if (result.verdict) result.verdict->add(compare(sent, consumer.got));
        }
        if (!obstacle.empty()) result.failure = std::move(obstacle);
    }
    if (last > first) result.seconds = std::chrono::duration<double>(last - first).count();
    return result;
}

}  // namespace ringlay::bench
