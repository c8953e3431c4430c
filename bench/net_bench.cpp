// What parsing costs: an HTTP request, a WebSocket message of the firehose's usual size, and how
// many of its bytes are copied when it is cut by the ends of receive buffers. What TLS adds to
// that, and what a handshake costs.
//
//   ninja -C build bench/net_bench && build/bench/net_bench
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "crypto/tls.hpp"
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

Buffer take_all(crypto::TlsEngine& engine) {
    Buffer all;
    for (Bytes left = engine.to_send(); !left.empty(); left = engine.to_send()) {
        all.insert(all.end(), left.begin(), left.end());
        engine.take_sent(left.size());
    }
    return all;
}

struct TlsEnds {
    crypto::TlsEngine client;
    crypto::TlsEngine server;
    double client_ns = 0;  // spent at the client's end of the handshake
};

TlsEnds shake_hands(const crypto::TlsClientContext& believer,
                    const crypto::TlsServerContext& shown) {
    TlsEnds ends{believer.connect("a.example"), shown.accept()};
    Buffer back;
    for (bool done = false; !done;) {
        auto begin = std::chrono::steady_clock::now();
        if (!back.empty() && !ends.client.received(back)) std::puts("refused");
        done = ends.client.handshake().value();
        Buffer there = take_all(ends.client);
        ends.client_ns +=
            std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin)
                .count();
        if (!there.empty() && !ends.server.received(there)) std::puts("refused");
        static_cast<void>(ends.server.handshake().value());
        back = take_all(ends.server);
    }
    return ends;
}

// The same messages, decoded as they come and decrypted before, each of them a record.
void measure_tls_messages(TlsEnds& ends, std::size_t message_bytes) {
    constexpr std::size_t messages = 2000, buffer_bytes = 16 * 1024;
    Buffer plain, encrypted;
    EncodedHeader header = encode_header({true, Opcode::binary, {}, message_bytes});
    Buffer message(header.bytes().begin(), header.bytes().end());
    message.resize(message.size() + message_bytes);
    for (std::size_t i = 0; i < messages; ++i)
        plain.insert(plain.end(), message.begin(), message.end());

    WebSocketDecoder::Options options;
    std::size_t seen = 0;
    auto decode = [&](WebSocketDecoder& decoder, std::span<std::uint8_t> input) {
        while (decoder.next(input).value()) ++seen;
    };
    double plain_ns = nanoseconds_per_call(20, [&] {
        WebSocketDecoder decoder(options);
        for (std::size_t at = 0; at < plain.size(); at += buffer_bytes) {
            decode(decoder,
                   std::span(plain).subspan(at, std::min(buffer_bytes, plain.size() - at)));
        }
    });
    double tls_ns = 0;
    for (int turn = 0; turn < 20; ++turn) {
        encrypted.clear();
        for (std::size_t i = 0; i < messages; ++i) {
            for (Bytes left = message; !left.empty();) {
                left = left.subspan(ends.server.write(left).value());
                Buffer sent = take_all(ends.server);
                encrypted.insert(encrypted.end(), sent.begin(), sent.end());
            }
        }
        WebSocketDecoder decoder(options);
        tls_ns += nanoseconds_per_call(1, [&] {
            for (std::size_t at = 0; at < encrypted.size(); at += buffer_bytes) {
                std::size_t size = std::min(buffer_bytes, encrypted.size() - at);
                static_cast<void>(ends.client.received(Bytes(encrypted).subspan(at, size)));
                std::size_t room = ends.client.readable_bytes();
                auto out = std::make_unique_for_overwrite<std::uint8_t[]>(room);
                decode(decoder, {out.get(), ends.client.read({out.get(), room}).value()});
            }
        });
    }
    tls_ns /= 20;
    double megabytes = static_cast<double>(plain.size()) / 1e6;
    std::printf(
        "tls, messages of %zu: %.0f ns each, %.0f MB/s; plain %.0f ns; ratio %.1f (%zu seen)\n",
        message_bytes, tls_ns / messages, megabytes / tls_ns * 1e9, plain_ns / messages,
        tls_ns / plain_ns, seen);
}

void measure_tls() {
    const std::string names[] = {"a.example"};
    crypto::TlsIdentity identity = crypto::make_self_signed(names, 946'684'800, 36'500).value();
    auto believer = crypto::TlsClientContext::from_pem(identity.certificate_pem).value();
    auto shown =
        crypto::TlsServerContext::from_pem(identity.certificate_pem, identity.private_key_pem)
            .value();
    double client_ns = 0;
    double both_ns =
        nanoseconds_per_call(1000, [&] { client_ns += shake_hands(*believer, *shown).client_ns; });
    std::printf(
        "tls handshake, one certificate: %.0f us of the client (%.0f a second), both %.0f us\n",
        client_ns / 1e6, 1e12 / client_ns, both_ns / 1e3);
    TlsEnds ends = shake_hands(*believer, *shown);
    for (std::size_t message_bytes : {100u, 600u, 5400u, 16'000u}) {
        measure_tls_messages(ends, message_bytes);
    }
}

}  // namespace

int main() {
    measure_http();
    for (std::size_t buffer_bytes : {4096u, 16384u, 65536u}) {
        measure_websocket(5400, buffer_bytes, false);
    }
    measure_websocket(5400, 16384, true);
    measure_websocket(100, 16384, false);
    measure_tls();
}
