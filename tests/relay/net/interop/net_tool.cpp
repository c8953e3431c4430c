// The other end for the scripts beside this file: our parser, server and client as a program.
//
//   net_tool parse          cases on stdin, each u32 little-endian length and bytes; a line
//                           for each
//   net_tool serve          prints its port, serves one stream to one client, then ends
//   net_tool receive URL    connects, prints a line for each message, and how it ended
//   net_tool fetch CA URL   prints status, size and sha1 of the answer, or why there is none; `-`:
//                           the authorities of this machine
//   net_tool echo CERT KEY  prints its port, sends back under TLS what one client sends, then ends
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "proto/base/hex.hpp"
#include "relay/env/uring/uring_runtime.hpp"
#include "relay/net/http_client.hpp"
#include "relay/net/http_server.hpp"
#include "relay/net/sha1.hpp"
#include "relay/net/websocket_client.hpp"
#include "relay/net/websocket_handshake.hpp"
#include "relay/net/websocket_server.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

constexpr std::size_t stream_sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 200'000};

std::string hex_of(std::string_view text) {
    return to_hex(bytes_of(text));
}

// `ok METHOD TARGET BODY FIELDS`, `refused STATUS WHY` or `incomplete`, byte by byte.
void parse_one(Bytes bytes) {
    HttpRequestParser parser{HttpLimits()};
    while (!bytes.empty() && !parser.is_complete()) {
        auto taken = parser.feed(bytes.first(1));
        if (!taken) {
            std::printf("refused %u %s\n", parser.refusal_status(),
                        std::string(taken.error().what).c_str());
            return;
        }
        bytes = bytes.subspan(*taken);
    }
    if (!parser.is_complete()) {
        std::puts("incomplete");
        return;
    }
    HttpRequest request = parser.take();
    std::string fields;
    for (std::size_t i = 0; i < request.headers.size(); ++i) {
        fields += std::string(request.headers[i].name) + "=";
        fields += std::string(request.headers[i].value) + "\n";
    }
    std::printf("ok %s %s %s %s\n", std::string(name_of(request.method)).c_str(),
                hex_of(request.target).c_str(), hex_of("b" + request.body).c_str(),
                hex_of("f" + fields).c_str());
}

int parse() {
    std::uint32_t size;
    while (std::fread(&size, sizeof size, 1, stdin) == 1) {
        Buffer bytes(size);
        if (size > 0 && std::fread(bytes.data(), size, 1, stdin) != 1) return 1;
        parse_one(bytes);
    }
    return 0;
}

Deadline soon() {
    return Deadline::in(std::chrono::seconds(20));
}

void stream_to(env::Env& env, env::Socket& socket, Buffer already_read) {
    auto send = [&](Opcode opcode, std::string_view payload, bool is_final) {
        EncodedHeader header = encode_header({is_final, opcode, {}, payload.size()});
        const Bytes parts[] = {header.bytes(), bytes_of(payload)};
        static_cast<void>(send_parts(socket, parts, soon()));
    };
    for (std::size_t size : stream_sizes) send(Opcode::binary, std::string(size, 'x'), true);
    send(Opcode::text, "f\xc3", false);
    static_cast<void>(socket.send(encode_control(Opcode::ping, bytes_of("hi")).bytes(), soon()));
    send(Opcode::continuation, "\xa4", true);

    WebSocketInbound inbound(env, socket, std::move(already_read));
    for (;;) {
        auto event = inbound.next(soon());
        if (!event) {
            std::printf("error %s\n", std::string(event.error().what).c_str());
            return;
        }
        std::string payload(reinterpret_cast<const char*>(event->payload.data()),
                            event->payload.size());
        using Kind = WebSocketInbound::Event::Kind;
        if (event->kind == Kind::ping) {
            static_cast<void>(
                socket.send(encode_control(Opcode::pong, event->payload).bytes(), soon()));
        } else if (event->kind == Kind::pong) {
            std::printf("pong %s\n", payload.c_str());
        } else {
            std::printf("close %u %s discarded %llu\n", event->close_code, payload.c_str(),
                        static_cast<unsigned long long>(inbound.discarded_bytes()));
            static_cast<void>(socket.send(encode_close(close_code::normal, "").bytes(), soon()));
            return;
        }
    }
}

void serve() {
    env::Env env;
    env::Listener listener = env.net.listen(Address::loopback(0)).value();
    HttpServerCounters counters;
    fiber::Event done;
    HttpServer server(env, {}, counters, [&](const HttpRequest& request, const Address&) {
        auto accept = check_upgrade(request);
        if (!accept) return HttpReply(accept.error());
        return HttpReply(
            HttpReply::TakeOver([&, accept = *accept](env::Socket socket, Buffer already_read) {
                if (accept_websocket(socket, accept, {}, soon())) {
                    stream_to(env, socket, std::move(already_read));
                }
                done.set();
            }));
    });
    fiber::Task serving = fiber::spawn("serve", [&] { server.serve(listener); });
    std::printf("port %u\n", listener.local().port);
    std::fflush(stdout);
    static_cast<void>(done.wait(Deadline::in(std::chrono::seconds(60))));
    serving.cancel_and_join();
}

void receive(const std::string& url) {
    env::Env env;
    WebSocketClientOptions options;
    options.deadline = soon();
    auto parsed = proto::parse_url(url);
    if (!parsed) return static_cast<void>(std::puts("no url"));
    auto client = WebSocketClient::connect(env, *parsed, options);
    if (!client)
        return static_cast<void>(std::printf("failed %s\n", client.error().reason.c_str()));
    static_cast<void>(client->send_ping(bytes_of("tool")));
    for (;;) {
        auto message = client->receive(soon());
        if (!message) {
            std::printf("end %s %u %s\n", std::string(message.error().what).c_str(),
                        client->close_info().code, client->close_info().reason.c_str());
            return;
        }
        std::printf("%s %zu %s\n", message->is_text() ? "text" : "binary", message->bytes().size(),
                    to_hex(sha1(message->bytes())).c_str());
        bool is_last = message->is_text() && message->bytes().size() == 4;
        if (!is_last) continue;
        auto closed = client->close(close_code::normal, "thanks", soon());
        std::printf("closed %s %u\n", closed ? "well" : "badly", client->close_info().code);
        return;
    }
}

std::string text_of_file(const char* path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void fetch_one(const std::string& bundle, const std::string& url) {
    env::Env env;
    auto context = crypto::TlsClientContext::load(bundle == "-" ? "" : bundle);
    if (!context) return static_cast<void>(std::printf("failed %s\n", context.error().c_str()));
    Outbound outbound(context->get(), base::PrivateHosts::parse("all").value());
    FetchOptions options;
    options.deadline = soon();
    options.outbound = &outbound;
    options.max_body_bytes = 100'000'000;
    auto answer = fetch(env, proto::parse_url(url).value(), options);
    if (answer) {
        std::printf("%u %zu %s\n", answer->status, answer->body.size(),
                    to_hex(sha1(bytes_of(answer->body))).c_str());
    } else {
        std::printf("failed %s\n", answer.error().reason.c_str());
    }
}

void echo(const char* certificate, const char* key) {
    env::Env env;
    env::Listener listener = env.net.listen(Address::loopback(0)).value();
    auto context =
        crypto::TlsServerContext::from_pem(text_of_file(certificate), text_of_file(key)).value();
    std::printf("port %u\n", listener.local().port);
    std::fflush(stdout);
    Stream stream(listener.accept(soon()).value());
    if (!stream.start_tls(context->accept(), soon())) {
        return static_cast<void>(
            std::printf("failed %s\n", std::string(stream.tls_failure()).c_str()));
    }
    for (;;) {
        auto chunk = stream.receive(soon());
        if (!chunk || chunk->empty()) {
            std::puts(chunk ? "goodbye" : std::string(chunk.error().what).c_str());
            return stream.shutdown();
        }
        if (!stream.send(chunk->bytes(), soon())) return;
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::string_view mode = argc > 1 ? argv[1] : "";
    if (mode == "parse") return parse();
    std::function<void()> first;
    if (mode == "serve") first = serve;
    if (mode == "receive" && argc > 2) first = [url = std::string(argv[2])] { receive(url); };
    if (mode == "fetch" && argc > 3) {
        first = [bundle = std::string(argv[2]), url = std::string(argv[3])] {
            fetch_one(bundle, url);
        };
    }
    if (mode == "echo" && argc > 3) first = [argv] { echo(argv[2], argv[3]); };
    if (!first) {
        std::fputs("usage: net_tool parse | serve | receive URL | fetch CA URL | echo CERT KEY\n",
                   stderr);
        return 2;
    }
    env::UringRuntime runtime;
    static_cast<void>(runtime.start_worker({.name = "tool"}, first));
    runtime.join();
    return 0;
}
