#include "relay/event_log/file_stream.hpp"

#include <algorithm>

namespace ringlay::event_log {

Result<Bytes> FileStream::peek(std::size_t size) {
    if (buffer_.size() - at_ < size && next_ < end_) {
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
        at_ = 0;
        const std::size_t have = buffer_.size();
        const auto more = static_cast<std::size_t>(
            std::min<std::uint64_t>(end_ - next_, std::max(size - have, read_bytes)));
        buffer_.resize(have + more);
        auto read = file_.read_at(next_, std::span(buffer_).subspan(have));
        buffer_.resize(have + read.value_or(0));
        if (!read) return std::unexpected(read.error());
        next_ += *read;
        if (*read < more) end_ = next_;
    }
    Bytes rest = Bytes(buffer_).subspan(at_);
    return rest.first(std::min(size, rest.size()));
}

void FileStream::consume(std::size_t size) {
    RINGLAY_ASSERT(size <= buffer_.size() - at_);
    at_ += size;
}

Result<std::optional<FactsStream::Item>> FactsStream::next() {
    auto head = stream_.peek(min_facts_bytes);
    if (!head) return std::unexpected(head.error());
    if (head->empty()) return std::nullopt;
    // The length says how much to look at; decode_facts() judges it.
    std::size_t size = head->size() < 8 ? 0 : load_le<std::uint32_t>(*head, 4);
    auto record = stream_.peek(std::clamp(size, min_facts_bytes, max_facts_bytes));
    if (!record) return std::unexpected(record.error());
    auto decoded = decode_facts(*record);
    if (!decoded) return std::unexpected(decoded.error());
    Item item{decoded->facts, stream_.offset()};
    stream_.consume(decoded->size_bytes);
    return item;
}

}  // namespace ringlay::event_log
