#include "relay/event_log/seq_index.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"
#include "proto/base/crc32c.hpp"

namespace ringlay::event_log {
namespace {

// magic u64 | stride u32 | entry count u32 | last seq u64 | last offset u64
// | entries: (seq u64, offset u64) each | crc-32c u32 of all before
constexpr std::uint64_t magic = 0x31'58'44'49'51'45'53'52;  // "RSEQIDX1"
constexpr std::size_t header_bytes = 32;
constexpr std::size_t entry_bytes = 16;
constexpr std::size_t crc_bytes = 4;

}  // namespace

SeqIndex::SeqIndex(std::uint32_t stride_bytes) : stride_bytes_(stride_bytes) {
    RINGLAY_ASSERT(stride_bytes > 0);
}

void SeqIndex::add(std::uint64_t seq, std::uint64_t offset_bytes) {
    RINGLAY_ASSERT(seq > last_seq_);
    RINGLAY_ASSERT(last_seq_ == 0 || offset_bytes > last_offset_bytes_);
    last_seq_ = seq;
    last_offset_bytes_ = offset_bytes;

    // The first record always has an entry: every cursor below it finds the segment's start.
    bool due = entries_.empty() || offset_bytes - entries_.back().offset_bytes >= stride_bytes_;
    if (!due) return;
    RINGLAY_ASSERT(entries_.size() < max_entries);
    entries_.push_back({seq, offset_bytes});
}

std::optional<std::uint64_t> SeqIndex::offset_for_cursor(std::uint64_t cursor) const {
    if (cursor >= last_seq_) return std::nullopt;
    auto after = std::ranges::upper_bound(entries_, cursor, {}, &Entry::seq);
    if (after == entries_.begin()) return entries_.front().offset_bytes;
    return std::prev(after)->offset_bytes;
}

Buffer SeqIndex::encode() const {
    Buffer out;
    out.reserve(header_bytes + entries_.size() * entry_bytes + crc_bytes);
    append_le(out, magic);
    append_le(out, stride_bytes_);
    append_le(out, static_cast<std::uint32_t>(entries_.size()));
    append_le(out, last_seq_);
    append_le(out, last_offset_bytes_);
    for (const Entry& entry : entries_) {
        append_le(out, entry.seq);
        append_le(out, entry.offset_bytes);
    }
    append_le(out, crc32c(out));
    return out;
}

Result<SeqIndex> SeqIndex::decode(Bytes file) {
    if (file.size() < header_bytes + crc_bytes) return fail(Errc::corrupt, "seq index: too short");
    if (load_le<std::uint64_t>(file, 0) != magic)
        return fail(Errc::unsupported, "seq index: magic");
    Bytes body = file.first(file.size() - crc_bytes);
    if (load_le<std::uint32_t>(file, body.size()) != crc32c(body)) {
        return fail(Errc::corrupt, "seq index: checksum");
    }

    // The checksum says the bytes are as written, not that a sound program wrote them: each number
    // is checked before it is believed, and the count against the file before memory is reserved.
    std::uint32_t stride_bytes = load_le<std::uint32_t>(body, 8);
    std::uint32_t count = load_le<std::uint32_t>(body, 12);
    if (stride_bytes == 0) return fail(Errc::corrupt, "seq index: stride of zero");
    if (count > max_entries) return fail(Errc::too_large, "seq index: entry count");
    if (body.size() != header_bytes + count * entry_bytes) {
        return fail(Errc::corrupt, "seq index: length does not match entry count");
    }

    SeqIndex index(stride_bytes);
    index.last_seq_ = load_le<std::uint64_t>(body, 16);
    index.last_offset_bytes_ = load_le<std::uint64_t>(body, 24);
    if ((index.last_seq_ == 0) != (count == 0)) {
        return fail(Errc::corrupt, "seq index: last seq does not match entry count");
    }
    index.entries_.reserve(count);
    for (std::size_t at = header_bytes; at < body.size(); at += entry_bytes) {
        Entry entry{load_le<std::uint64_t>(body, at), load_le<std::uint64_t>(body, at + 8)};
        bool rises =
            index.entries_.empty() || (entry.seq > index.entries_.back().seq &&
                                       entry.offset_bytes > index.entries_.back().offset_bytes);
        if (!rises || entry.seq == 0 || entry.seq > index.last_seq_ ||
            entry.offset_bytes > index.last_offset_bytes_) {
            return fail(Errc::corrupt, "seq index: entries out of order");
        }
        index.entries_.push_back(entry);
    }
    return index;
}

}  // namespace ringlay::event_log
