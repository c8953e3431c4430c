#include "relay/net/websocket_frame.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

using namespace ringlay;
using namespace ringlay::net;

namespace {

using Decoder = WebSocketDecoder;
using Kind = Decoder::Event::Kind;

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string text_of(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// One frame; masked as a client's when `mask` is given.
Buffer frame(Opcode opcode, std::string_view payload, bool is_final = true,
             std::optional<MaskKey> mask = {}) {
    EncodedHeader header = encode_header({is_final, opcode, mask, payload.size()});
    Buffer out(header.bytes().begin(), header.bytes().end());
    out.insert(out.end(), payload.begin(), payload.end());
    if (mask) apply_mask(std::span(out).subspan(header.size), *mask);
    return out;
}

Buffer joined(std::initializer_list<Buffer> parts) {
    Buffer out;
    for (const Buffer& part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
}

// Events as text, in the form `binary:abc`, `close:1000:bye`; a violation as `!1002 why`.
std::string shown(const Decoder::Event& event) {
    std::string payload = text_of(event.payload);
    switch (event.kind) {
        case Kind::message:
            return (event.is_text ? "text:" : "binary:") + payload;
        case Kind::ping:
            return "ping:" + payload;
        case Kind::pong:
            return "pong:" + payload;
        default:
            return "close:" + std::to_string(event.close_code) + ":" + payload;
    }
}

template <class F>
std::vector<std::string> decode_cut(Bytes stream, const Decoder::Options& options, F next_bytes) {
    Decoder decoder(options);
    std::vector<std::string> events;
    while (!stream.empty()) {
        std::size_t size = std::min<std::size_t>(next_bytes(), stream.size());
        Buffer piece(stream.begin(), stream.begin() + static_cast<long>(size));
        stream = stream.subspan(size);
        std::span<std::uint8_t> input = piece;
        for (;;) {
            auto event = decoder.next(input);
            if (!event) {
                events.push_back("!" + std::to_string(decoder.violation_code()) + " " +
                                 std::string(event.error().what));
                return events;
            }
            if (!*event) break;
            events.push_back(shown(**event));
        }
        REQUIRE(input.empty());
    }
    return events;
}

// The events, which must be the same in one piece, byte by byte, and cut by three seeds.
std::vector<std::string> decode(Bytes stream, const Decoder::Options& options = {}) {
    auto whole = decode_cut(stream, options, [&] { return stream.size(); });
    CHECK(decode_cut(stream, options, [] { return std::size_t{1}; }) == whole);
    for (unsigned seed = 1; seed <= 3; ++seed) {
        std::mt19937_64 random(seed);
        CHECK(decode_cut(stream, options, [&] { return 1 + random() % 300; }) == whole);
    }
    return whole;
}

using Events = std::vector<std::string>;
constexpr MaskKey key{0x37, 0xfa, 0x21, 0x3d};
constexpr Decoder::Options as_server{Decoder::Role::server, Decoder::Data::deliver, 5'000'000};

}  // namespace

TEST_CASE("the examples of RFC 6455 section 5.7 are read as it says") {
    const Buffer hello{0x81, 0x05, 'H', 'e', 'l', 'l', 'o'};
    const Buffer masked{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
    const Buffer fragmented{0x01, 0x03, 'H', 'e', 'l', 0x80, 0x02, 'l', 'o'};
    const Buffer ping{0x89, 0x05, 'H', 'e', 'l', 'l', 'o'};
    const Buffer pong{0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
    CHECK(decode(hello) == Events{"text:Hello"});
    CHECK(decode(masked, as_server) == Events{"text:Hello"});
    CHECK(decode(fragmented) == Events{"text:Hello"});
    CHECK(decode(ping) == Events{"ping:Hello"});
    CHECK(decode(pong, as_server) == Events{"pong:Hello"});
    CHECK(frame(Opcode::text, "Hello") == hello);
    CHECK(frame(Opcode::text, "Hello", true, key) == masked);
    CHECK(text_of(encode_control(Opcode::ping, bytes_of("Hello")).bytes()) == text_of(ping));
    CHECK(text_of(encode_control(Opcode::pong, bytes_of("Hello"), key).bytes()) == text_of(pong));
}

TEST_CASE("every length is written in its shortest form and read back") {
    const std::pair<std::size_t, std::size_t> sizes[] = {{0, 2},     {1, 2},      {125, 2},
                                                         {126, 4},   {127, 4},    {128, 4},
                                                         {65535, 4}, {65536, 10}, {70000, 10}};
    for (auto [payload_bytes, header_bytes] : sizes) {
        CAPTURE(payload_bytes);
        std::string payload(payload_bytes, 'x');
        for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 7);
        CHECK(encode_header({true, Opcode::binary, {}, payload_bytes}).size == header_bytes);
        CHECK(encode_header({true, Opcode::binary, key, payload_bytes}).size == header_bytes + 4);
        CHECK(decode(frame(Opcode::binary, payload)) == Events{"binary:" + payload});
        CHECK(decode(frame(Opcode::binary, payload, true, key), as_server) ==
              Events{"binary:" + payload});
    }
    EncodedHeader large = encode_header({false, Opcode::text, {}, 0x0102030405060708});
    CHECK(Buffer(large.bytes().begin(), large.bytes().end()) ==
          Buffer{0x01, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("a length not in its shortest form, or with its top bit set, is refused") {
    const std::string why = "!1002 websocket: length not in its shortest form";
    CHECK(decode(Buffer{0x82, 126, 0, 125}) == Events{why});
    CHECK(decode(Buffer{0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}) == Events{why});
    CHECK(decode(Buffer{0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0}) == Events{why});
    CHECK(decode(Buffer{0x88, 126, 0, 2, 3, 232}) == Events{why});
}

TEST_CASE("masking is its own inverse at any alignment, length and phase") {
    std::mt19937_64 random(1);
    Buffer memory(200);
    for (std::size_t offset = 0; offset < 8; ++offset) {
        for (std::size_t size = 0; size < 70; ++size) {
            std::uint64_t phase = random() % 9;
            Buffer plain(size);
            for (std::uint8_t& byte : plain) byte = static_cast<std::uint8_t>(random());
            std::span<std::uint8_t> place = std::span(memory).subspan(offset, size);
            std::ranges::copy(plain, place.begin());
            apply_mask(place, key, phase);
            for (std::size_t i = 0; i < size; ++i) {
                REQUIRE(place[i] == (plain[i] ^ key[(phase + i) % 4]));
            }
            apply_mask(place, key, phase);
            REQUIRE(std::ranges::equal(place, plain));
        }
    }
}

TEST_CASE("reserved bits and opcodes are refused") {
    for (int bit : {0x40, 0x20, 0x10}) {
        for (int opcode : {0x80, 0x81, 0x82, 0x88, 0x89}) {
            auto first = static_cast<std::uint8_t>(opcode | bit);
            CHECK(decode(Buffer{first, 0}) == Events{"!1002 websocket: reserved bit"});
        }
    }
    for (int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
        auto first = static_cast<std::uint8_t>(0x80 | opcode);
        CHECK(decode(Buffer{first, 0}) == Events{"!1002 websocket: reserved opcode"});
    }
}

TEST_CASE("a frame must be masked by a client and must not be by a server") {
    CHECK(decode(frame(Opcode::ping, "", true, key)) ==
          Events{"!1002 websocket: server frame with mask"});
    CHECK(decode(frame(Opcode::ping, ""), as_server) ==
          Events{"!1002 websocket: client frame without mask"});
}

TEST_CASE("a control frame is short and whole") {
    std::string longest(125, 'x');
    CHECK(decode(frame(Opcode::ping, longest)) == Events{"ping:" + longest});
    CHECK(decode(frame(Opcode::ping, longest + "x")) ==
          Events{"!1002 websocket: control frame too long"});
    CHECK(decode(frame(Opcode::pong, "", false)) ==
          Events{"!1002 websocket: fragmented control frame"});
    CHECK(decode(frame(Opcode::close, "", false)) ==
          Events{"!1002 websocket: fragmented control frame"});
}

TEST_CASE("a fragmented message is put together, with control frames between its parts") {
    Buffer stream = joined({
        frame(Opcode::text, "a", false),
        frame(Opcode::ping, "1"),
        frame(Opcode::continuation, "", false),
        frame(Opcode::continuation, "bc", false),
        frame(Opcode::pong, ""),
        frame(Opcode::ping, "2"),
        frame(Opcode::continuation, "d"),
        frame(Opcode::binary, "", false),
        frame(Opcode::continuation, ""),
        frame(Opcode::binary, "e"),
    });
    CHECK(decode(stream) ==
          Events{"ping:1", "pong:", "ping:2", "text:abcd", "binary:", "binary:e"});
}

TEST_CASE("a continuation of nothing and a message inside another are refused") {
    CHECK(decode(frame(Opcode::continuation, "x")) ==
          Events{"!1002 websocket: continuation of nothing"});
    CHECK(decode(frame(Opcode::continuation, "x", false)) ==
          Events{"!1002 websocket: continuation of nothing"});
    CHECK(decode(joined({frame(Opcode::binary, "a"), frame(Opcode::continuation, "b")})) ==
          Events{"binary:a", "!1002 websocket: continuation of nothing"});
    CHECK(decode(joined({frame(Opcode::text, "a", false), frame(Opcode::text, "b")})) ==
          Events{"!1002 websocket: new message inside a fragmented one"});
    CHECK(decode(joined({frame(Opcode::text, "a", false), frame(Opcode::continuation, "b"),
                         frame(Opcode::continuation, "c")})) ==
          Events{"text:ab", "!1002 websocket: continuation of nothing"});
}

TEST_CASE("a close carries a code that may be sent and a reason that is text, or nothing") {
    CHECK(decode(frame(Opcode::close, "")) == Events{"close:1005:"});
    CHECK(decode(encode_close(1000, "").bytes()) == Events{"close:1000:"});
    CHECK(decode(encode_close(1000, {}).bytes()) == Events{"close:1000:"});  // no text at all
    CHECK(decode(encode_close(1001, "bye").bytes()) == Events{"close:1001:bye"});
    CHECK(decode(encode_close(1008, "why", key).bytes(), as_server) == Events{"close:1008:why"});
    CHECK(decode(frame(Opcode::close, "\x03")) == Events{"!1002 websocket: close code cut"});
    CHECK(decode(frame(Opcode::close, "\x03\xe8\xff")) ==
          Events{"!1007 websocket: close reason is not UTF-8"});
    for (std::uint32_t code = 0; code < 65536; ++code) {
        std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
        Buffer bytes = frame(Opcode::close, payload);
        bool is_right = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                        (code >= 3000 && code <= 4999);
        auto events = decode_cut(bytes, {}, [] { return std::size_t{100}; });
        REQUIRE(events.size() == 1);
        REQUIRE(events[0] == (is_right ? "close:" + std::to_string(code) + ":"
                                       : std::string("!1002 websocket: close code")));
    }
}

TEST_CASE("what comes after a close is dropped, even what would be a violation") {
    Buffer stream = joined({frame(Opcode::text, "a", false), frame(Opcode::close, ""),
                            frame(Opcode::continuation, "b"), Buffer{0xff, 0xff, 0xff}});
    CHECK(decode(stream) == Events{"close:1005:"});
}

TEST_CASE("a reason too long for a close frame is cut between characters") {
    std::string euros;
    for (int i = 0; i < 60; ++i) euros += "\xe2\x82\xac";
    CHECK(decode(encode_close(1000, euros).bytes()) ==
          Events{"close:1000:" + euros.substr(0, 123)});
    CHECK(decode(encode_close(1000, "x" + euros).bytes()) ==
          Events{"close:1000:x" + euros.substr(0, 120)});
}

TEST_CASE("text must be UTF-8, over fragments and cut characters too") {
    const std::string_view right[] = {"",
                                      "abc",
                                      "\xc2\x80",
                                      "\xdf\xbf",
                                      "\xe0\xa0\x80",
                                      "\xed\x9f\xbf",
                                      "\xee\x80\x80",
                                      "\xef\xbf\xbf",
                                      "\xf0\x90\x80\x80",
                                      "\xf4\x8f\xbf\xbf",
                                      "12345678\xc3\xa4"
                                      "12345678"};
    for (std::string_view text : right) {
        CAPTURE(text);
        CHECK(decode(frame(Opcode::text, text)) == Events{"text:" + std::string(text)});
    }
    const std::string_view wrong[] = {
        "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",         "\xc2",
        "\xc2\x41",     "\xe0\x9f\xbf", "\xe1\x80",         "\xed\xa0\x80",     "\xed\xbf\xbf",
        "\xe1\x80\xc0", "\xe1\xc0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xf1\x80\x80", "\xff",         "1234567\xff",      "12345678\xc3"};
    for (std::string_view text : wrong) {
        CAPTURE(text);
        CHECK(decode(frame(Opcode::text, text)) == Events{"!1007 websocket: text is not UTF-8"});
        CHECK(decode(frame(Opcode::binary, text)) == Events{"binary:" + std::string(text)});
    }
    CHECK(decode(joined({frame(Opcode::text, "\xe2\x82", false),
                         frame(Opcode::continuation, "\xac")})) == Events{"text:\xe2\x82\xac"});
}

TEST_CASE("a message larger than the limit is refused by its header, fragments counted together") {
    Decoder::Options small;
    small.max_message_bytes = 10;
    const std::string why = "!1009 websocket: message too large";
    CHECK(decode(frame(Opcode::binary, "0123456789"), small) == Events{"binary:0123456789"});
    CHECK(decode(encode_header({true, Opcode::binary, {}, 11}).bytes(), small) == Events{why});
    CHECK(decode(encode_header({true, Opcode::binary, {}, UINT64_MAX >> 1}).bytes(), small) ==
          Events{why});
    CHECK(decode(joined({frame(Opcode::binary, "01234", false),
                         frame(Opcode::continuation, "56789", false),
                         frame(Opcode::continuation, "")}),
                 small) == Events{"binary:0123456789"});
    CHECK(decode(joined({frame(Opcode::binary, "01234", false),
                         frame(Opcode::continuation, "567890")}),
                 small) == Events{why});
    // The next message begins at zero again.
    CHECK(decode(joined({frame(Opcode::binary, "0123456789"), frame(Opcode::binary, "0123456789")}),
                 small) == Events{"binary:0123456789", "binary:0123456789"});
}

TEST_CASE("a message comes in so many parts, empty ones counted too") {
    for (std::string_view part : {"", "x"}) {
        Buffer parts = frame(Opcode::binary, part, false);
        for (std::uint32_t i = 2; i < Decoder::max_fragments; ++i) {
            parts = joined({parts, frame(Opcode::continuation, part, false)});
        }
        const Buffer whole = joined({parts, frame(Opcode::continuation, "y")});
        const Events events = decode_cut(whole, {}, [&] { return whole.size(); });
        REQUIRE(events.size() == 1);
        CHECK(events[0].ends_with("y"));
        // Those of the next message are counted anew.
        const Buffer twice = joined({whole, whole});
        CHECK(decode_cut(twice, {}, [&] { return twice.size(); }).size() == 2);
        const Buffer more = joined(
            {parts, frame(Opcode::continuation, part, false), frame(Opcode::continuation, "y")});
        CHECK(decode_cut(more, {}, [&] { return more.size(); }) ==
              Events{"!1008 websocket: message in too many parts"});
    }
}

TEST_CASE("memory follows what has come, not what a header claims, and is given back") {
    Decoder decoder{{}};
    EncodedHeader claim = encode_header({true, Opcode::binary, {}, 5'000'000});
    Buffer bytes(claim.bytes().begin(), claim.bytes().end());
    bytes.push_back(1);
    std::span<std::uint8_t> input = bytes;
    REQUIRE_FALSE(decoder.next(input).value());
    CHECK(decoder.buffered_bytes() <= 16 * 1024);

    Buffer rest(5'000'000 - 1);
    input = rest;
    auto event = decoder.next(input).value();
    REQUIRE(event);
    CHECK(event->payload.size() == 5'000'000);
    CHECK_FALSE(event->is_in_input);
    CHECK(decoder.buffered_bytes() <= 2 * 5'000'000);
    REQUIRE_FALSE(decoder.next(input).value());
    CHECK(decoder.buffered_bytes() == 0);
}

TEST_CASE("an unfragmented message that lies in the input is not copied") {
    Buffer stream =
        joined({frame(Opcode::binary, "abc"), frame(Opcode::text, "de"), Buffer{0x82, 3, 'f'}});
    Decoder decoder{{}};
    std::span<std::uint8_t> input = stream;
    auto first = decoder.next(input).value();
    REQUIRE(first);
    CHECK(first->is_in_input);
    CHECK(first->payload.data() == &stream[2]);
    auto second = decoder.next(input).value();
    REQUIRE(second);
    CHECK(second->payload.data() == &stream[7]);
    CHECK_FALSE(decoder.next(input).value());
    CHECK_FALSE(decoder.is_between_messages());

    // The cut one is put together, and may be taken away as it is.
    Buffer rest{'g', 'h'};
    input = rest;
    auto third = decoder.next(input).value();
    REQUIRE(third);
    CHECK_FALSE(third->is_in_input);
    const std::uint8_t* place = third->payload.data();
    Buffer taken = decoder.take_message();
    CHECK(taken.data() == place);
    CHECK(text_of(taken) == "fgh");
    CHECK(decoder.is_between_messages());
}

TEST_CASE("a server that discards data counts it, keeps nothing and still sees control frames") {
    Decoder::Options options{Decoder::Role::server, Decoder::Data::discard, 1000};
    Buffer stream = joined({
        frame(Opcode::text, "\xff\xff", true, key),  // nobody looks whether it is text
        frame(Opcode::binary, std::string(500, 'x'), false, key),
        frame(Opcode::ping, "p", true, key),
        frame(Opcode::continuation, std::string(500, 'x'), true, key),
        frame(Opcode::close, "", true, key),
    });
    CHECK(decode(stream, options) == Events{"ping:p", "close:1005:"});
    Decoder decoder(options);
    std::span<std::uint8_t> input = stream;
    while (decoder.next(input).value()) CHECK(decoder.buffered_bytes() == 0);
    CHECK(decoder.discarded_bytes() == 1002);

    CHECK(decode(frame(Opcode::binary, std::string(1001, 'x'), true, key), options) ==
          Events{"!1009 websocket: message too large"});
    CHECK(decode(frame(Opcode::continuation, "", true, key), options) ==
          Events{"!1002 websocket: continuation of nothing"});
    CHECK(
        decode(joined({frame(Opcode::binary, "", false, key), frame(Opcode::text, "", true, key)}),
               options) == Events{"!1002 websocket: new message inside a fragmented one"});
}

TEST_CASE("any conversation is read as it was written, however it is cut") {
    auto seed = GENERATE(range(1u, 60u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    bool masks = random() % 2 == 0;
    auto mask = [&]() -> std::optional<MaskKey> {
        if (!masks) return {};
        MaskKey out;
        for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random());
        return out;
    };
    Buffer stream;
    auto append = [&](const Buffer& part) {
        stream.insert(stream.end(), part.begin(), part.end());
    };
    Events wanted;
    for (std::size_t n = random() % 20; n > 0; --n) {
        bool is_text = random() % 2 == 0;
        std::size_t parts = 1 + random() % 4;
        std::string message;
        for (std::size_t i = 0; i < parts; ++i) {
            std::size_t size = random() % 10 == 0 ? random() % 70'000 : random() % 300;
            std::string part(size, 'a');
            if (!is_text) {
                for (char& c : part) c = static_cast<char>(random());
            }
            Opcode first = is_text ? Opcode::text : Opcode::binary;
            append(frame(i == 0 ? first : Opcode::continuation, part, i + 1 == parts, mask()));
            message += part;
            if (i + 1 == parts) wanted.push_back((is_text ? "text:" : "binary:") + message);
            if (random() % 3 == 0) {
                std::string payload(random() % 126, 'p');
                append(frame(Opcode::ping, payload, true, mask()));
                wanted.push_back("ping:" + payload);
            }
        }
    }
    Decoder::Options options;
    if (masks) options = as_server;
    CHECK(decode(stream, options) == wanted);
}
