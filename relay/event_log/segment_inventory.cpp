#include "relay/event_log/segment_inventory.hpp"

#include <map>

#include "relay/event_log/segment.hpp"

namespace ringlay::event_log {
namespace {

constexpr std::uint64_t max_seal_bytes = 32 << 20;  // SeqIndex::max_entries of 16 bytes, and more

struct FileHead {
    SegmentHeader header;
    std::uint64_t size_bytes;
};

// Nothing: not there, or not sound.
Result<std::optional<FileHead>> look_at(const env::Directory& directory, Position base,
                                        SegmentFile which) {
    auto file = directory.open(segment_file_name(base, which), env::OpenMode::read);
    if (!file) {
        if (file.error().code == Errc::not_found) return std::nullopt;
        return std::unexpected(file.error());
    }
    Buffer bytes(segment_header_bytes);
    auto size = file->size_bytes();
    if (!size) return std::unexpected(size.error());
    auto read = file->read_at(0, bytes);
    if (!read) return std::unexpected(read.error());
    bytes.resize(*read);
    auto header = decode_segment_header(bytes);
    if (!header && header.error().code == Errc::unsupported) return std::unexpected(header.error());
    if (!header || header->which != which || header->base != base) return std::nullopt;
    return FileHead{*header, *size};
}

Result<std::optional<Seal>> look_at_seal(const env::Directory& directory, Position base) {
    auto file = read_whole(directory, segment_file_name(base, SegmentFile::seal), max_seal_bytes);
    if (!file) {
        bool is_absent =
            file.error().code == Errc::not_found || file.error().code == Errc::too_large;
        if (is_absent) return std::nullopt;
        return std::unexpected(file.error());
    }
    auto seal = decode_seal(*file);
    if (!seal && seal.error().code == Errc::unsupported) return std::unexpected(seal.error());
    if (!seal || seal->base != base) return std::nullopt;
    return std::move(*seal);
}

Result<void> judge(const env::Directory& directory, FoundSegment& found) {
    auto wire = look_at(directory, found.base, SegmentFile::wire);
    if (!wire) return std::unexpected(wire.error());
    auto facts = look_at(directory, found.base, SegmentFile::facts);
    if (!facts) return std::unexpected(facts.error());
    auto seal = look_at_seal(directory, found.base);
    if (!seal) return std::unexpected(seal.error());
    found.seal = std::move(*seal);
    if (!*wire || !*facts) {
        found.broken_by = !*wire ? "wire file missing or without a header"
                                 : "facts file missing or without a header";
        if (*facts && !found.has_wire_file) {
            found.state = FoundSegment::State::facts_only;
            found.header = (*facts)->header;
            found.facts_size_bytes = (*facts)->size_bytes;
        }
        return {};
    }
    found.header = (*wire)->header;
    found.wire_size_bytes = (*wire)->size_bytes;
    found.facts_size_bytes = (*facts)->size_bytes;
    if ((*facts)->header.log_id != found.header.log_id ||
        (*facts)->header.floor_seq != found.header.floor_seq) {
        found.broken_by = "headers of wire and facts differ";
        return {};
    }
    found.state = FoundSegment::State::open;
    if (!found.seal) {
        if (found.has_seal_file) found.broken_by = "seal: not readable";
        return {};
    }
    const SegmentExtent& extent = found.seal->extent;
    if (found.seal->log_id != found.header.log_id ||
        found.wire_size_bytes != segment_header_bytes + extent.wire_bytes ||
        found.facts_size_bytes != segment_header_bytes + extent.facts_bytes) {
        found.broken_by = "seal: does not fit the files";
        return {};
    }
    found.state = FoundSegment::State::sealed;
    return {};
}

}  // namespace

Result<Inventory> take_inventory(const env::Directory& directory) {
    auto names = directory.list();
    if (!names) return std::unexpected(names.error());
    Inventory inventory;
    std::map<Position, FoundSegment> by_base;
    for (const std::string& name : *names) {
        if (auto ours = parse_segment_file_name(name)) {
            FoundSegment& found = by_base[ours->base];
            found.base = ours->base;
            ++found.file_count;
            if (ours->which == SegmentFile::seal) found.has_seal_file = true;
            if (ours->which == SegmentFile::wire) found.has_wire_file = true;
        } else if (name.ends_with(".new")) {
            inventory.unfinished.push_back(name);
        } else if (name != "reservation" && name != "clean" && name != "lock") {
            inventory.unknown.push_back(name);
        }
    }
    for (auto& [base, found] : by_base) {
        if (auto judged = judge(directory, found); !judged) return std::unexpected(judged.error());
        inventory.segments.push_back(std::move(found));
    }
    return inventory;
}

}  // namespace ringlay::event_log
