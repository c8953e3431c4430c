#include "bench/fleet/drain.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "proto/base/json_writer.hpp"
#include "proto/url.hpp"
#include "relay/firehose/firehose.hpp"
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
    }
    fiber::CancelBlocker blocker;
    static_cast<void>(client->close(net::close_code::normal, {}, Deadline::in(farewell_time)));
}

}  // namespace

std::string describe(const DrainResult& result) {
    JsonWriter json;
    json.begin_object();
    json.key("events").number(result.events);
    json.key("bytes").number(result.bytes);
    json.key("least_events").number(result.least_events);
    json.key("milliseconds").number(static_cast<std::uint64_t>(result.seconds * 1000));
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
    if (last > first) result.seconds = std::chrono::duration<double>(last - first).count();
    return result;
}

}  // namespace ringlay::bench
