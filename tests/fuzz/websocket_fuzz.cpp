// Frames: the same events however they are cut, no memory that has not been earned, and nothing
// that was refused comes through. The first byte of the input chooses role, mode and cuts.
#include "relay/net/websocket_frame.hpp"

#include <string>

#include "proto/base/assert.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

constexpr std::uint64_t max_message_bytes = 100'000;

void check_event(const WebSocketDecoder::Event& event) {
    using Kind = WebSocketDecoder::Event::Kind;
    if (event.kind != Kind::message) RINGLAY_ASSERT(event.payload.size() <= max_control_bytes);
    RINGLAY_ASSERT(event.payload.size() <= max_message_bytes);
    if (event.is_text || event.kind == Kind::close) RINGLAY_ASSERT(is_utf8(event.payload));
    bool has_code = event.kind == Kind::close && event.close_code != close_code::none_received;
    if (has_code) RINGLAY_ASSERT(is_valid_close_code(event.close_code));
}

template <class F>
std::string run(const WebSocketDecoder::Options& options, Bytes input, F next_bytes) {
    WebSocketDecoder decoder(options);
    std::string seen;
    std::size_t fed = 0;
    while (!input.empty()) {
        std::size_t count = std::min<std::size_t>(next_bytes(), input.size());
        Buffer piece(input.begin(), input.begin() + static_cast<long>(count));
        input = input.subspan(count);
        fed += count;
        std::span<std::uint8_t> left = piece;
        for (;;) {
            auto event = decoder.next(left);
            RINGLAY_ASSERT(decoder.buffered_bytes() <= 2 * fed + 16 * 1024);
            if (!event) return seen.append("!").append(event.error().what);
            if (!*event) break;
            check_event(**event);
            RINGLAY_ASSERT(options.data == WebSocketDecoder::Data::deliver ||
                           (*event)->kind != WebSocketDecoder::Event::Kind::message);
            Bytes payload = (*event)->payload;
            seen += std::to_string(static_cast<int>((*event)->kind)) + ":";
            seen += std::to_string((*event)->close_code) + ((*event)->is_text ? "t" : "b");
            seen.append(reinterpret_cast<const char*>(payload.data()), payload.size());
        }
        RINGLAY_ASSERT(left.empty());
    }
    return seen + std::to_string(decoder.discarded_bytes());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    WebSocketDecoder::Options options;
    options.max_message_bytes = max_message_bytes;
    if (data[0] % 2 == 1) options.role = WebSocketDecoder::Role::server;
    if (data[0] % 4 == 3) options.data = WebSocketDecoder::Data::discard;
    Bytes input = Bytes(data, size).subspan(1);
    std::string whole = run(options, input, [&] { return input.size(); });
    RINGLAY_ASSERT(run(options, input, [] { return std::size_t{1}; }) == whole);
    std::size_t step = data[0];
    RINGLAY_ASSERT(run(options, input, [&] { return 1 + (step = step * 5 + 3) % 61; }) == whole);
    return 0;
}
