#include "relay/event_log/segment_header.hpp"

#include <algorithm>
#include <array>

#include "proto/base/assert.hpp"
#include "proto/base/crc32c.hpp"

namespace ringlay::event_log {
namespace {

// header: magic u64 | version u32 | codec u8 | which u8 | zero u16 | log id u64 | base u64
// | floor seq u64 | created u64, ms since 1970 | zero 12 bytes | crc-32c u32 of all before
constexpr std::uint64_t magic = 0x31'47'45'53'59'4c'47'52;  // "RGLYSEG1"
constexpr std::uint8_t codec_plain = 0;
constexpr std::size_t crc_bytes = 4;

// seal: a header with which = seal, then wire bytes u64 | facts bytes u64 | events u64
// | first seq u64 | last seq u64 | first received u64 | last received u64 | crc-32c u32 of these
// | the index, to the end of the file
constexpr std::size_t extent_bytes = 56;

constexpr std::size_t name_digits = 20;
constexpr std::array<std::string_view, 3> suffixes = {".wire", ".facts", ".seal"};

WallMillis load_millis(Bytes bytes, std::size_t offset) {
    return WallMillis(static_cast<std::int64_t>(load_le<std::uint64_t>(bytes, offset)));
}

Result<void> check_extent(const SegmentExtent& extent) {
    bool is_empty = extent.events == 0;
    if (is_empty != (extent.first_seq == 0) || is_empty != (extent.last_seq == 0) ||
        is_empty != (extent.wire_bytes == 0) || extent.first_seq > extent.last_seq) {
        return fail(Errc::corrupt, "seal: extent");
    }
    return {};
}

}  // namespace

std::string segment_file_name(Position base, SegmentFile which) {
    std::string name = std::to_string(base);
    name.insert(0, name_digits - name.size(), '0');
    return name.append(suffixes[static_cast<std::size_t>(which) - 1]);
}

std::optional<SegmentFileName> parse_segment_file_name(std::string_view name) {
    if (name.size() < name_digits) return std::nullopt;
    Position base = 0;
    for (char c : name.substr(0, name_digits)) {
        if (c < '0' || c > '9') return std::nullopt;
        auto digit = static_cast<Position>(c - '0');
        if (base > (UINT64_MAX - digit) / 10) return std::nullopt;
        base = base * 10 + digit;
    }
    auto suffix = std::ranges::find(suffixes, name.substr(name_digits));
    if (suffix == suffixes.end()) return std::nullopt;
    return SegmentFileName{base, static_cast<SegmentFile>(suffix - suffixes.begin() + 1)};
}

Buffer encode_segment_header(const SegmentHeader& header) {
    Buffer out;
    append_le(out, magic);
    append_le(out, log_format_version);
    append_le(out, codec_plain);
    append_le(out, static_cast<std::uint8_t>(header.which));
    append_le(out, std::uint16_t{0});
    append_le(out, header.log_id);
    append_le(out, header.base);
    append_le(out, header.floor_seq);
    append_le(out, static_cast<std::uint64_t>(header.created.count()));
    out.resize(segment_header_bytes - crc_bytes);
    append_le(out, crc32c(out));
    return out;
}

Result<SegmentHeader> decode_segment_header(Bytes bytes) {
    if (bytes.size() < segment_header_bytes) return fail(Errc::corrupt, "segment: too short");
    if (load_le<std::uint64_t>(bytes, 0) != magic) return fail(Errc::corrupt, "segment: magic");
    // Before the checksum, which a newer format may have somewhere else.
    std::uint32_t version = load_le<std::uint32_t>(bytes, 8);
    if (version > log_format_version) {
        return fail(Errc::unsupported, "segment: written by a newer ringlay");
    }
    Bytes body = bytes.first(segment_header_bytes - crc_bytes);
    if (load_le<std::uint32_t>(bytes, body.size()) != crc32c(body)) {
        return fail(Errc::corrupt, "segment: header checksum");
    }
    if (version == 0) return fail(Errc::corrupt, "segment: version of zero");
    if (load_le<std::uint8_t>(body, 12) != codec_plain) {
        return fail(Errc::unsupported, "segment: codec");
    }
    std::uint8_t which = load_le<std::uint8_t>(body, 13);
    if (which < 1 || which > suffixes.size()) return fail(Errc::corrupt, "segment: file kind");
    SegmentHeader header;
    header.which = static_cast<SegmentFile>(which);
    header.log_id = load_le<std::uint64_t>(body, 16);
    header.base = load_le<std::uint64_t>(body, 24);
    header.floor_seq = load_le<std::uint64_t>(body, 32);
    header.created = load_millis(body, 40);
    return header;
}

Buffer encode_seal(const Seal& seal) {
    RINGLAY_ASSERT(check_extent(seal.extent).has_value());
    Buffer out = encode_segment_header(
        {SegmentFile::seal, seal.log_id, seal.base, seal.extent.last_seq, WallMillis{}});
    append_le(out, seal.extent.wire_bytes);
    append_le(out, seal.extent.facts_bytes);
    append_le(out, seal.extent.events);
    append_le(out, seal.extent.first_seq);
    append_le(out, seal.extent.last_seq);
    append_le(out, static_cast<std::uint64_t>(seal.extent.first_received.count()));
    append_le(out, static_cast<std::uint64_t>(seal.extent.last_received.count()));
    append_le(out, crc32c(Bytes(out).subspan(segment_header_bytes)));
    Buffer index = seal.index.encode();
    out.insert(out.end(), index.begin(), index.end());
    return out;
}

Result<Seal> decode_seal(Bytes file) {
    auto header = decode_segment_header(file);
    if (!header) return std::unexpected(header.error());
    if (header->which != SegmentFile::seal) return fail(Errc::corrupt, "seal: not a seal");
    Bytes body = file.subspan(segment_header_bytes);
    if (body.size() < extent_bytes + crc_bytes) return fail(Errc::corrupt, "seal: too short");
    if (load_le<std::uint32_t>(body, extent_bytes) != crc32c(body.first(extent_bytes))) {
        return fail(Errc::corrupt, "seal: checksum");
    }
    Seal seal;
    seal.log_id = header->log_id;
    seal.base = header->base;
    seal.extent.wire_bytes = load_le<std::uint64_t>(body, 0);
    seal.extent.facts_bytes = load_le<std::uint64_t>(body, 8);
    seal.extent.events = load_le<std::uint64_t>(body, 16);
    seal.extent.first_seq = load_le<std::uint64_t>(body, 24);
    seal.extent.last_seq = load_le<std::uint64_t>(body, 32);
    seal.extent.first_received = load_millis(body, 40);
    seal.extent.last_received = load_millis(body, 48);
    if (auto sane = check_extent(seal.extent); !sane) return std::unexpected(sane.error());
    auto index = SeqIndex::decode(body.subspan(extent_bytes + crc_bytes));
    if (!index) return std::unexpected(index.error());
    if (index->last_seq() != seal.extent.last_seq) return fail(Errc::corrupt, "seal: last seq");
    seal.index = std::move(*index);
    return seal;
}

}  // namespace ringlay::event_log
