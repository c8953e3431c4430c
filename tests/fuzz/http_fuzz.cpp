// Requests and responses: what is made of them may not depend on how they are cut, and keeps to the
// limits. The first byte of the input says what it is and how to cut.
#include "relay/net/http_parser.hpp"

#include <string>

#include "proto/base/assert.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

HttpLimits small_limits() {
    HttpLimits limits;
    limits.header_bytes = 1024;
    limits.header_count = 10;
    limits.target_bytes = 256;
    limits.body_bytes = 500;
    return limits;
}

// Everything that can be seen of the messages, one text for all.
template <class Parser, class F>
std::string run(Parser parser, Bytes input, F next_bytes) {
    std::string seen;
    while (!input.empty()) {
        Bytes piece = input.first(std::min<std::size_t>(next_bytes(), input.size()));
        while (!piece.empty()) {
            auto taken = parser.feed(piece);
            if (!taken) return seen.append("!").append(taken.error().what);
            piece = piece.subspan(*taken);
            input = input.subspan(*taken);
            RINGLAY_ASSERT(piece.empty() || parser.is_complete());
            if (!parser.is_complete()) continue;
            auto message = parser.take();
            RINGLAY_ASSERT(message.body.size() <= 500 && message.headers.size() <= 10);
            for (std::size_t i = 0; i < message.headers.size(); ++i) {
                std::string_view name = message.headers[i].name, value = message.headers[i].value;
                RINGLAY_ASSERT(!name.empty() && name.find_first_of(" \t\r\n:") == name.npos);
                RINGLAY_ASSERT(value.find_first_of("\r\n") == value.npos);
                seen.append(name).append("=").append(value).append(";");
            }
            seen.append(message.body).append("|");
            if constexpr (requires { message.target; }) {
                RINGLAY_ASSERT(message.target.size() <= 256 && !message.path().empty());
                static_cast<void>(message.query("cursor"));
                RINGLAY_ASSERT(message.headers.count("host") == 1 || message.minor_version == 0);
                seen.append(message.target);
            }
        }
    }
    if constexpr (requires { parser.finish(); }) {
        seen += parser.finish() ? "finished" : "cut";
        if (parser.is_complete()) seen += parser.take().body;
    }
    return seen;
}

template <class Parser>
void check(Bytes input, std::uint8_t seed) {
    std::string whole = run(Parser(small_limits()), input, [&] { return input.size(); });
    RINGLAY_ASSERT(run(Parser(small_limits()), input, [] { return std::size_t{1}; }) == whole);
    std::size_t step = seed;
    RINGLAY_ASSERT(run(Parser(small_limits()), input,
                       [&] { return 1 + (step = step * 5 + 3) % 61; }) == whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    Bytes input = Bytes(data, size).subspan(1);
    if (data[0] % 2 == 0) {
        check<HttpRequestParser>(input, data[0]);
    } else {
        check<HttpResponseParser>(input, data[0]);
    }
    return 0;
}
