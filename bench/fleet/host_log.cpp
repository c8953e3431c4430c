#include "bench/fleet/host_log.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"
#include "relay/net/websocket_frame.hpp"

namespace ringlay::bench {
namespace {

constexpr std::size_t chunks_per_window = 8;
constexpr std::size_t smallest_chunk_bytes = 16 * 1024, largest_chunk_bytes = 256 * 1024;

}  // namespace

HostLog::HostLog(std::uint64_t first_seq, std::size_t max_bytes)
    : max_bytes_(max_bytes),
      chunk_bytes_(
          std::clamp(max_bytes / chunks_per_window, smallest_chunk_bytes, largest_chunk_bytes)),
      first_seq_(first_seq),
      next_seq_(first_seq) {
    RINGLAY_ASSERT(first_seq > 0);
}

std::uint64_t HostLog::kept_events() const {
    return chunks_.empty() ? 0 : next_seq_ - chunks_.front().first_seq;
}

void HostLog::append(Bytes frame) {
    net::FrameHeader header;
    header.payload_bytes = frame.size();
    net::EncodedHeader encoded = net::encode_header(header);
    std::size_t message_bytes = encoded.size + frame.size();

    bool fits = !chunks_.empty() &&
                chunks_.back().bytes->capacity() - chunks_.back().bytes->size() >= message_bytes;
    if (!fits) {
        auto bytes = std::make_shared<Buffer>();
        bytes->reserve(std::max(chunk_bytes_, message_bytes));
        kept_bytes_ += bytes->capacity();
        chunks_.push_back({end_, next_seq_, std::move(bytes), {}});
        while (kept_bytes_ > max_bytes_ && chunks_.size() > 1) {
            kept_bytes_ -= chunks_.front().bytes->capacity();
            chunks_.pop_front();
        }
    }
    Chunk& chunk = chunks_.back();
    Bytes head = encoded.bytes();
    chunk.bytes->insert(chunk.bytes->end(), head.begin(), head.end());
    chunk.bytes->insert(chunk.bytes->end(), frame.begin(), frame.end());
    end_ += message_bytes;
    chunk.message_end.push_back(end_);
    ++next_seq_;
    wake();
}

HostLog::Start HostLog::start(std::optional<std::uint64_t> cursor) const {
    std::uint64_t last_seq = next_seq_ - 1;
    if (cursor && *cursor > last_seq) return {Start::Kind::future, end_};
    if (!cursor || *cursor == last_seq || chunks_.empty()) return {Start::Kind::live, end_};
    std::uint64_t oldest_seq = chunks_.front().first_seq;
    if (*cursor + 1 < oldest_seq) {
        bool lost_some = oldest_seq > first_seq_;
        return {lost_some ? Start::Kind::outdated : Start::Kind::replay, chunks_.front().begin};
    }
    auto after = std::ranges::upper_bound(chunks_, *cursor + 1, {}, &Chunk::first_seq);
    const Chunk& chunk = *std::prev(after);
    std::uint64_t index = *cursor + 1 - chunk.first_seq;
    return {Start::Kind::replay, index == 0 ? chunk.begin : chunk.message_end[index - 1]};
}

const HostLog::Chunk* HostLog::chunk_at(std::uint64_t position) const {
    auto after = std::ranges::upper_bound(chunks_, position, {}, &Chunk::begin);
    return after == chunks_.begin() ? nullptr : &*std::prev(after);
}

std::optional<HostLog::View> HostLog::view(std::uint64_t position) const {
    RINGLAY_ASSERT(position <= end_);
    if (position == end_) return View();
    const Chunk* chunk = chunk_at(position);
    if (chunk == nullptr) return std::nullopt;
    return View{chunk->bytes, Bytes(*chunk->bytes).subspan(position - chunk->begin)};
}

std::uint64_t HostLog::bytes_to_boundary(std::uint64_t position) const {
    const Chunk* chunk = chunk_at(position);
    if (position == end_) return 0;
    RINGLAY_ASSERT(chunk != nullptr);
    if (position == chunk->begin) return 0;
    return *std::ranges::lower_bound(chunk->message_end, position) - position;
}

}  // namespace ringlay::bench
