#include "relay/event_log/published_tail.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <thread>

using namespace ringlay;
using namespace ringlay::event_log;

namespace {

// The byte at a position, so that any byte that is read tells whether it is the right one.
std::uint8_t byte_at(Position position) {
    return static_cast<std::uint8_t>((position * 0x9e3779b97f4a7c15) >> 56);
}

Buffer bytes_at(Position position, std::size_t size) {
    Buffer bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = byte_at(position + i);
    return bytes;
}

bool is_right(Position position, Bytes bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] != byte_at(position + i)) return false;
    }
    return true;
}

void write_and_publish(PublishedTail& tail, std::size_t size, std::uint64_t seq = 1) {
    tail.write(bytes_at(tail.written(), size));
    tail.publish(seq);
}

}  // namespace

TEST_CASE("bytes are seen once they are published, and not before") {
    PublishedTail tail(1000, 7, {.chunk_bytes = 64, .chunk_count = 4});
    CHECK(tail.head() == 1000);
    CHECK(tail.head_seq() == 7);
    CHECK_FALSE(tail.pin(1000, 100).is_held());
    tail.write(bytes_at(1000, 30));
    CHECK_FALSE(tail.pin(1000, 100).is_held());
    CHECK(tail.head() == 1000);
    CHECK(tail.written() == 1030);
    tail.publish(8);
    CHECK(tail.head() == 1030);
    CHECK(tail.head_seq() == 8);
    auto pin = tail.pin(1000, 100);
    CHECK(pin.bytes().size() == 24);  // up to the chunk's end
    CHECK(is_right(1000, pin.bytes()));
    CHECK(tail.pin(1024, 100).bytes().size() == 6);
    CHECK(tail.pin(1024, 5).bytes().size() == 5);
    CHECK_FALSE(tail.pin(1024, 0).is_held());
    CHECK_FALSE(tail.pin(1030, 100).is_held());
    CHECK_FALSE(tail.pin(999, 100).is_held());  // in the chunk's memory, and not in the log
}

TEST_CASE("what is not published can be had in one piece for each chunk, for writing") {
    PublishedTail tail(0, 0, {.chunk_bytes = 64, .chunk_count = 4});
    write_and_publish(tail, 50);
    tail.write(bytes_at(50, 100));
    auto parts = tail.unpublished(50);
    REQUIRE(parts.size() == 3);
    CHECK(parts[0].size() == 14);
    CHECK(parts[1].size() == 64);
    CHECK(parts[2].size() == 22);
    CHECK(is_right(50, parts[0]));
    CHECK(is_right(64, parts[1]));
    CHECK(is_right(128, parts[2]));
    tail.publish(1);
    CHECK(tail.unpublished(150).empty());
}

TEST_CASE("the oldest chunk goes when memory is needed; a pinned one stays, and is skipped") {
    PublishedTail tail(0, 0, {.chunk_bytes = 64, .chunk_count = 4});
    write_and_publish(tail, 256);
    CHECK(tail.memory_bytes() == 256);
    auto first = tail.pin(0, 64);
    auto third = tail.pin(128, 64);
    REQUIRE(first.is_held());
    write_and_publish(tail, 64);  // the second one goes
    CHECK(tail.memory_bytes() == 256);
    CHECK(is_right(0, first.bytes()));
    CHECK_FALSE(tail.pin(0, 64).is_held());  // it has lost its name
    CHECK_FALSE(tail.pin(64, 64).is_held());
    CHECK(tail.pin(128, 64).is_held());
    write_and_publish(tail, 128);  // the fourth, and its successor
    CHECK(is_right(0, first.bytes()));
    CHECK(is_right(128, third.bytes()));
    first = {};
    third = {};
    write_and_publish(tail, 256);
    CHECK(tail.memory_bytes() == 256);
    for (Position position = tail.head() - 256; position < tail.head(); position += 64) {
        auto pin = tail.pin(position, 64);
        REQUIRE(pin.is_held());
        CHECK(is_right(position, pin.bytes()));
    }
    CHECK_FALSE(tail.pin(tail.head() - 257, 64).is_held());
}

TEST_CASE("a batch as large as is allowed fits, wherever it begins") {
    for (std::size_t start = 0; start < 130; ++start) {
        PublishedTail tail(start, 0, {.chunk_bytes = 64, .chunk_count = 3});
        for (int i = 0; i < 5; ++i) {
            tail.write(bytes_at(tail.written(), tail.max_unpublished_bytes()));
            std::size_t total = 0;
            for (Bytes part : tail.unpublished(tail.head())) {
                REQUIRE(is_right(tail.head() + total, part));
                total += part.size();
            }
            REQUIRE(total == 128);
            tail.publish(1);
        }
    }
}

TEST_CASE("readers on other threads see right bytes only, while chunks are recycled under them") {
    PublishedTail tail(0, 0, {.chunk_bytes = 256, .chunk_count = 8});
    std::atomic<bool> is_over{false};
    std::atomic<std::uint64_t> wrong{0}, read{0}, missed{0};
    auto reader = [&](std::uint64_t seed) {
        std::mt19937_64 random(seed);
        while (!is_over.load()) {
            Position head = tail.head();
            Position position = head - std::min<Position>(head, random() % 3000);
            auto pin = tail.pin(position, 1 + random() % 300);
            if (!pin.is_held()) {
                missed.fetch_add(1);
                continue;
            }
            if (random() % 16 == 0) std::this_thread::yield();
            if (!is_right(position, pin.bytes())) wrong.fetch_add(1);
            read.fetch_add(1);
        }
    };
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < 3; ++i) threads.emplace_back(reader, i);
    std::mt19937_64 random(9);
    std::uint64_t rounds = 0;
    while (rounds < 20'000 || read.load() < 20'000) {
        write_and_publish(tail, 1 + random() % 500, ++rounds);
        if (rounds % 64 == 0) std::this_thread::yield();
    }
    is_over.store(true);
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong.load() == 0);
    CHECK(read.load() >= 20'000);
    CHECK(missed.load() > 0);
}
