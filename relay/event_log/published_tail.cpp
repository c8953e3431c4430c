#include "relay/event_log/published_tail.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"

namespace ringlay::event_log {

struct PublishedTail::Chunk {
    explicit Chunk(std::uint32_t chunk_bytes)
        : memory(std::make_unique_for_overwrite<std::uint8_t[]>(chunk_bytes)) {}

    std::atomic<std::uint64_t> number{no_number};
    std::atomic<std::uint32_t> pins{0};
    std::unique_ptr<std::uint8_t[]> memory;
};

PublishedTail::Pin::~Pin() {
    // Release: whoever recycles the chunk writes after we have read.
    if (chunk_ != nullptr) chunk_->pins.fetch_sub(1, std::memory_order_release);
}

PublishedTail::PublishedTail(Position start, std::uint64_t start_seq, TailOptions options)
    : start_(start),
      options_(options),
      head_(start),
      head_seq_(start_seq),
      by_number_(options.chunk_count),
      written_(start) {
    RINGLAY_ASSERT(options.chunk_bytes > 0 && options.chunk_count >= 2);
}

PublishedTail::~PublishedTail() {
    RINGLAY_ASSERT(bells_.empty());
    for (const auto& chunk : chunks_) RINGLAY_ASSERT(chunk->pins.load() == 0);
}

PublishedTail::Pin PublishedTail::pin(Position position, std::size_t max_bytes) const {
    const Position head = head_.load();
    if (position < start_ || position >= head || max_bytes == 0) return {};
    const std::uint64_t number = position / options_.chunk_bytes;
    Chunk* chunk = by_number_[number % by_number_.size()].load(std::memory_order_acquire);
    if (chunk == nullptr) return {};
    chunk->pins.fetch_add(1);
    // Only now is it certain: the writer takes the name away first and looks at the pins after.
    if (chunk->number.load() != number) {
        chunk->pins.fetch_sub(1, std::memory_order_release);
        return {};
    }
    const std::uint64_t at = position % options_.chunk_bytes;
    std::uint64_t length = std::min<std::uint64_t>(options_.chunk_bytes - at, head - position);
    length = std::min<std::uint64_t>(length, max_bytes);
    return Pin(chunk, Bytes(chunk->memory.get() + at, static_cast<std::size_t>(length)));
}

std::size_t PublishedTail::max_unpublished_bytes() const {
    // The chunk with the head's last byte and a chunk begun at each end are not for the batch.
    return std::size_t{options_.chunk_count - 1} * options_.chunk_bytes;
}

void PublishedTail::write(Bytes bytes) {
    while (!bytes.empty()) {
        const std::uint64_t at = written_ % options_.chunk_bytes;
        const std::uint64_t number = written_ / options_.chunk_bytes;
        if (live_.empty() || live_.back()->number.load(std::memory_order_relaxed) != number) {
            open_chunk(number);
        }
        auto room = static_cast<std::size_t>(options_.chunk_bytes - at);
        Bytes part = bytes.first(std::min(room, bytes.size()));
        std::memcpy(live_.back()->memory.get() + at, part.data(), part.size());
        written_ += part.size();
        bytes = bytes.subspan(part.size());
    }
}

void PublishedTail::open_chunk(std::uint64_t number) {
    Chunk* chunk = take_free_chunk();
    // The bytes become visible with the head, not with the name.
    chunk->number.store(number);
    by_number_[number % by_number_.size()].store(chunk, std::memory_order_release);
    live_.push_back(chunk);
}

PublishedTail::Chunk* PublishedTail::take_free_chunk() {
    if (chunks_.size() < options_.chunk_count) {
        chunks_.push_back(std::make_unique<Chunk>(options_.chunk_bytes));
        memory_bytes_.store(std::uint64_t{chunks_.size()} * options_.chunk_bytes,
                            std::memory_order_relaxed);
        return chunks_.back().get();
    }
    for (;;) {
        auto unpinned =
            std::ranges::find_if(retired_, [](Chunk* chunk) { return chunk->pins.load() == 0; });
        if (unpinned != retired_.end()) {
            Chunk* chunk = *unpinned;
            retired_.erase(unpinned);
            return chunk;
        }
        // Take the name of the oldest away. It stays retired, and the next one is tried, if
        // somebody still reads it; what is not published yet is never given up.
        const Position head = head_.load(std::memory_order_relaxed);
        if (!live_.empty() &&
            (live_.front()->number.load(std::memory_order_relaxed) + 1) * options_.chunk_bytes <=
                head) {
            live_.front()->number.store(no_number);
            retired_.push_back(live_.front());
            live_.pop_front();
        } else {
            RINGLAY_ASSERT(!retired_.empty());  // a batch is larger than the tail
            fiber::yield();
        }
    }
}

std::vector<Bytes> PublishedTail::unpublished(Position from) const {
    RINGLAY_ASSERT(from >= head_.load(std::memory_order_relaxed) && from <= written_);
    std::vector<Bytes> parts;
    for (const Chunk* chunk : live_) {
        const Position begin = chunk->number.load(std::memory_order_relaxed) * options_.chunk_bytes;
        const Position end = std::min(begin + options_.chunk_bytes, written_);
        if (end <= from) continue;
        const Position first = std::max(begin, from);
        parts.emplace_back(chunk->memory.get() + (first - begin),
                           static_cast<std::size_t>(end - first));
    }
    return parts;
}

void PublishedTail::publish(std::uint64_t seq) {
    head_seq_.store(seq);
    head_.store(written_);
    for (Bell* bell : bells_) bell->notify();
}

void PublishedTail::add_bell(Bell& bell) {
    bells_.push_back(&bell);
}

void PublishedTail::remove_bell(Bell& bell) {
    std::erase(bells_, &bell);
}

}  // namespace ringlay::event_log
