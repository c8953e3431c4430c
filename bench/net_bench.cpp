// What parsing costs: an HTTP request, a WebSocket message of the firehose's usual size, and how
// many of its bytes are copied when it is cut by the ends of receive buffers.
//
//   ninja -C build bench/net_bench && build/bench/net_bench
#include <chrono>
#include <cstdio>
#include <string>

#include "relay/net/http_parser.hpp"
#include "relay/net/websocket_frame.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

template <class F>
double nanoseconds_per_call(std::size_t calls, F function) {
    auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < calls; ++i) function();
    std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
    return taken.count() / static_cast<double>(calls);
}

void measure_http() {
    const std::string text =
        "GET /xrpc/com.atproto.sync.listRepos?limit=1000&cursor=12345 HTTP/1.1\r\n"
        "Host: relay.example\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
        "Accept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n";
    Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    HttpRequestParser parser{HttpLimits()};
    double time = nanoseconds_per_call(500'000, [&] {
        if (!parser.feed(bytes)) std::puts("refused");
        static_cast<void>(parser.take());
    });
    std::printf("http request of %zu bytes, whole: %.0f ns\n", text.size(), time);
    time = nanoseconds_per_call(20'000, [&] {
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            static_cast<void>(parser.feed(bytes.subspan(i, 1)));
        }
        static_cast<void>(parser.take());
    });
    std::printf("the same byte by byte: %.0f ns\n", time);
}

void measure_websocket(std::size_t message_bytes, std::size_t buffer_bytes, bool is_masked) {
    std::optional<MaskKey> mask;
    if (is_masked) mask = MaskKey{1, 2, 3, 4};
    constexpr std::size_t messages = 2000;
    Buffer stream;
    for (std::size_t i = 0; i < messages; ++i) {
        EncodedHeader header = encode_header({true, Opcode::binary, mask, message_bytes});
        stream.insert(stream.end(), header.bytes().begin(), header.bytes().end());
        stream.resize(stream.size() + message_bytes);
    }
    WebSocketDecoder::Options options;
    if (is_masked) options.role = WebSocketDecoder::Role::server;
    std::size_t seen = 0, copied_bytes = 0;
    double time = nanoseconds_per_call(20, [&] {
        WebSocketDecoder decoder(options);
        for (std::size_t at = 0; at < stream.size(); at += buffer_bytes) {
            std::size_t size = std::min(buffer_bytes, stream.size() - at);
            std::span<std::uint8_t> input = std::span(stream).subspan(at, size);
            while (auto event = decoder.next(input).value()) {
                ++seen;
                if (!event->is_in_input) copied_bytes += event->payload.size();
            }
        }
    });
    std::printf("websocket%s, messages of %zu in buffers of %zu: %.0f ns, %zu bytes copied each\n",
                is_masked ? " masked" : "", message_bytes, buffer_bytes,
                time / static_cast<double>(messages), copied_bytes / seen);
}

}  // namespace

int main() {
    measure_http();
    for (std::size_t buffer_bytes : {4096u, 16384u, 65536u}) {
        measure_websocket(5400, buffer_bytes, false);
    }
    measure_websocket(5400, 16384, true);
    measure_websocket(100, 16384, false);
}
