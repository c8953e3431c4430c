#include "relay/event_log/frame_walk.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace ringlay;
using namespace ringlay::event_log;

namespace {

Buffer frame_of(std::size_t message_bytes) {
    WsHeader header = ws_header_for(message_bytes);
    Buffer frame(header.view().begin(), header.view().end());
    frame.resize(frame.size() + message_bytes, 0x81);
    return frame;
}

Buffer header_of(std::uint64_t message_bytes) {
    WsHeader header = ws_header_for(message_bytes);
    return Buffer(header.view().begin(), header.view().end());
}

}  // namespace

TEST_CASE("frame headers have the shortest length, at every crossing") {
    CHECK(header_of(0) == Buffer{0x82, 0});
    CHECK(header_of(125) == Buffer{0x82, 125});
    CHECK(header_of(126) == Buffer{0x82, 126, 0, 126});
    CHECK(header_of(65'535) == Buffer{0x82, 126, 0xff, 0xff});
    CHECK(header_of(65'536) == Buffer{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0});
    CHECK(header_of(5'000'000) == Buffer{0x82, 127, 0, 0, 0, 0, 0, 0x4c, 0x4b, 0x40});
}

TEST_CASE("a whole frame is taken apart; anything else is refused") {
    for (std::size_t size : std::vector<std::size_t>{0, 1, 125, 126, 300, 65'535, 65'536}) {
        Buffer frame = frame_of(size);
        auto parsed = parse_ws_frame(frame);
        REQUIRE(parsed.has_value());
        CHECK(parsed->message.size() == size);
        CHECK_FALSE(parse_ws_frame(Bytes(frame).first(frame.size() - 1)).has_value());
        Buffer longer = frame;
        longer.push_back(0);
        CHECK_FALSE(parse_ws_frame(longer).has_value());
        for (std::uint8_t first : Buffer{0x02, 0x81, 0x88, 0xc2}) {
            frame[0] = first;
            CHECK_FALSE(parse_ws_frame(frame).has_value());
        }
    }
    CHECK_FALSE(parse_ws_frame(Buffer{0x82, 126, 0, 1, 7}).has_value());         // not the shortest
    CHECK_FALSE(parse_ws_frame(Buffer{0x82, 0x81, 0, 0, 0, 0, 7}).has_value());  // masked
}

TEST_CASE("however the stream is cut, the walk knows every frame's end") {
    auto seed = GENERATE(range(1u, 50u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const std::size_t sizes[] = {0, 1, 2, 125, 126, 127, 1000, 65'535, 65'536};
    Buffer stream;
    std::vector<std::size_t> ends;
    for (int i = 0; i < 30; ++i) {
        Buffer frame = frame_of(sizes[random() % std::size(sizes)]);
        stream.insert(stream.end(), frame.begin(), frame.end());
        ends.push_back(stream.size());
    }
    FrameWalk walk;
    CHECK(walk.at_boundary());
    std::size_t at = 0;
    while (at < stream.size()) {
        std::size_t most = random() % 3 == 0 ? 3 : 70'000;
        std::size_t step = std::min<std::size_t>(1 + random() % most, stream.size() - at);
        walk.advance(Bytes(stream).subspan(at, step));
        at += step;
        auto next_end = std::ranges::lower_bound(ends, at);
        bool is_end = next_end != ends.end() && *next_end == at;
        REQUIRE(walk.at_boundary() == is_end);
        auto ended = static_cast<std::uint64_t>(next_end - ends.begin()) + (is_end ? 1 : 0);
        REQUIRE(walk.count() == ended);
        if (is_end) {
            REQUIRE(walk.bytes_to_boundary() == 0);
        } else {
            REQUIRE(walk.bytes_to_boundary() > 0);
            REQUIRE(walk.bytes_to_boundary() <= *next_end - at);
        }
    }
}
