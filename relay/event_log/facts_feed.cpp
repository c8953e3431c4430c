#include "relay/event_log/facts_feed.hpp"

#include <algorithm>

#include "relay/event_log/file_stream.hpp"

namespace ringlay::event_log {

struct FactsFeed::Core {
    std::uint64_t limit(FactsPoint synced) const;
    Result<void> go_to_next_segment();
    Result<void> fill(std::uint64_t limit);
    Result<void> take(std::vector<Item>& items, std::size_t max, std::uint64_t limit);
    Bytes unread() const { return Bytes(buffer).subspan(at); }

    Log& log;
    std::shared_ptr<const FactsReader> facts;
    FactsPoint point;
    const bool has_gap;
    Buffer buffer;       // of the file, up to where it was read
    std::size_t at = 0;  // in the buffer: `point`
};

FactsFeed::FactsFeed(std::unique_ptr<Core> core) : core_(std::move(core)) {}
FactsFeed::FactsFeed(FactsFeed&&) noexcept = default;
FactsFeed& FactsFeed::operator=(FactsFeed&&) noexcept = default;
FactsFeed::~FactsFeed() = default;

Result<FactsFeed> FactsFeed::open(Log& log, FactsPoint from) {
    Result<Log::FactsStart> start = fail(Errc::closed, "facts feed: not asked");
    fiber::call_on(log.worker(), "find facts", [&] { start = log.find_facts(from); });
    if (!start) return std::unexpected(start.error());
    return FactsFeed(std::unique_ptr<Core>(
        new Core{log, std::move(start->facts), start->point, start->has_gap, {}, 0}));
}

FactsPoint FactsFeed::point() const {
    return core_->point;
}

bool FactsFeed::began_with_gap() const {
    return core_->has_gap;
}

Result<std::vector<FactsFeed::Item>> FactsFeed::read(std::size_t max) {
    RINGLAY_ASSERT(max > 0);
    std::vector<Item> items;
    for (;;) {
        const FactsPoint synced = core_->log.synced_facts();
        const std::uint64_t limit = core_->limit(synced);
        if (core_->point.offset < limit) {
            if (auto taken = core_->take(items, max, limit); !taken) {
                return std::unexpected(taken.error());
            }
            return items;
        }
        // It may still grow, or nothing of what follows it is synced.
        if (synced.segment_base <= core_->facts->base) return items;
        if (auto moved = core_->go_to_next_segment(); !moved) {
            // No descriptor at this moment: the next call finds what is there.
            if (moved.error().code == Errc::busy) return items;
            return std::unexpected(moved.error());
        }
    }
}

// How far the segment may be read.
std::uint64_t FactsFeed::Core::limit(FactsPoint synced) const {
    if (synced.segment_base == facts->base) return synced.offset;
    // Synced beyond this segment is synced to its end, which was said before that.
    return synced.segment_base > facts->base ? facts->end.load() : point.offset;
}

Result<void> FactsFeed::Core::go_to_next_segment() {
    const Position next = facts->next.load();
    Result<std::shared_ptr<const FactsReader>> opened = fail(Errc::closed, "facts feed: not asked");
    fiber::call_on(log.worker(), "next facts", [&] { opened = log.facts_at(next); });
    if (!opened) return std::unexpected(opened.error());
    facts = std::move(*opened);
    point = {next, segment_header_bytes};
    buffer.clear();
    at = 0;
    return {};
}

// At least one whole record, of which `limit` says that it is there.
Result<void> FactsFeed::Core::fill(std::uint64_t limit) {
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(at));
    at = 0;
    for (;;) {
        const std::size_t have = buffer.size();
        const std::uint64_t left = limit - point.offset - have;
        // Its length says how much to look at; decode_facts() judges it.
        std::size_t size = min_facts_bytes;
        if (have >= 8)
            size =
                std::clamp<std::size_t>(load_le<std::uint32_t>(buffer, 4), size, max_facts_bytes);
        if (have >= size) return {};
        if (left == 0) return fail(Errc::corrupt, "facts: a record is cut where it was synced");
        const auto more = static_cast<std::size_t>(
            std::min<std::uint64_t>(left, std::max(size - have, FileStream::read_bytes)));
        buffer.resize(have + more);
        auto read = facts->file.read_at(point.offset + have, std::span(buffer).subspan(have));
        buffer.resize(have + read.value_or(0));
        if (!read) return std::unexpected(read.error());
        if (*read < more) return fail(Errc::corrupt, "facts: a file is shorter than it was");
    }
}

// Once there are items the buffer must stay: they are views of it.
Result<void> FactsFeed::Core::take(std::vector<Item>& items, std::size_t max, std::uint64_t limit) {
    while (items.size() < max && point.offset < limit) {
        auto decoded = decode_facts(unread());
        const bool is_cut = !decoded && decoded.error().code == Errc::malformed;
        if (is_cut && items.empty()) {
            if (auto filled = fill(limit); !filled) return filled;
            decoded = decode_facts(unread());
        }
        if (!decoded && !items.empty()) return {};  // said by the next call, if it stays so
        if (!decoded) return std::unexpected(decoded.error());
        at += decoded->size_bytes;
        point.offset += decoded->size_bytes;
        items.push_back({decoded->facts, point});
    }
    return {};
}

}  // namespace ringlay::event_log
