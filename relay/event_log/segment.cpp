#include "relay/event_log/segment.hpp"

namespace ringlay::event_log {
namespace {

Result<env::File> create_with_header(const env::Directory& directory, const SegmentHeader& header,
                                     std::uint64_t allocate_bytes) {
    auto file = directory.open(segment_file_name(header.base, header.which), env::OpenMode::create);
    if (!file) return std::unexpected(file.error());
    if (allocate_bytes > 0) {
        if (auto reserved = file->allocate(allocate_bytes); !reserved) {
            return std::unexpected(reserved.error());
        }
    }
    if (auto written = file->write_at(0, Bytes(encode_segment_header(header))); !written) {
        return std::unexpected(written.error());
    }
    return file;
}

Result<void> write_synced(const env::Directory& directory, std::string_view name, Bytes bytes) {
    auto file = directory.open(name, env::OpenMode::write_or_create);
    if (!file) return std::unexpected(file.error());
    auto done = file->truncate(0);
    if (done) done = file->write_at(0, bytes);
    if (done) done = file->sync();
    return done;
}

Result<void> remove_files(const env::Directory& directory, Position base,
                          std::initializer_list<SegmentFile> files) {
    for (SegmentFile which : files) {
        auto removed = directory.remove(segment_file_name(base, which));
        if (!removed && removed.error().code != Errc::not_found) return removed;
    }
    return {};
}

}  // namespace

Result<Segment> create_segment(const env::Directory& directory, std::uint64_t log_id, Position base,
                               std::uint64_t floor_seq, WallMillis now,
                               std::uint64_t allocate_bytes) {
    SegmentHeader header{SegmentFile::wire, log_id, base, floor_seq, now};
    auto wire = create_with_header(directory, header,
                                   allocate_bytes == 0 ? 0 : segment_header_bytes + allocate_bytes);
    Result<env::File> facts = fail(Errc::io, "segment: not made");
    if (wire) {
        header.which = SegmentFile::facts;
        facts = create_with_header(directory, header, 0);
    }
    if (!wire || !facts) {
        Error error = wire ? facts.error() : wire.error();
        wire = fail(error.code, error.what);  // closes the file before its name goes
        facts = fail(error.code, error.what);
        // If this fails too, recovery removes what is left.
        if (error.code != Errc::exists) static_cast<void>(remove_segment_files(directory, base));
        return std::unexpected(error);
    }
    Segment segment;
    segment.base = base;
    segment.floor_seq = floor_seq;
    segment.created = now;
    segment.wire = std::move(*wire);
    segment.facts = std::move(*facts);
    return segment;
}

Result<void> remove_frames(const env::Directory& directory, Position base) {
    return remove_files(directory, base, {SegmentFile::seal, SegmentFile::wire});
}

Result<void> remove_segment_files(const env::Directory& directory, Position base) {
    return remove_files(directory, base,
                        {SegmentFile::seal, SegmentFile::facts, SegmentFile::wire});
}

Result<Buffer> read_whole(const env::Directory& directory, std::string_view name,
                          std::uint64_t max_bytes) {
    auto file = directory.open(name, env::OpenMode::read);
    if (!file) return std::unexpected(file.error());
    auto size = file->size_bytes();
    if (!size) return std::unexpected(size.error());
    if (*size > max_bytes) return fail(Errc::too_large, "file: larger than it may be");
    Buffer bytes(static_cast<std::size_t>(*size));
    auto read = file->read_at(0, bytes);
    if (!read) return std::unexpected(read.error());
    bytes.resize(*read);
    return bytes;
}

Result<void> write_whole(const env::Directory& directory, std::string_view name, Bytes bytes) {
    const std::string unfinished = std::string(name) + ".new";
    auto done = write_synced(directory, unfinished, bytes);
    if (done) return directory.rename(unfinished, name);
    // If this fails too, recovery removes it.
    static_cast<void>(directory.remove(unfinished));
    return done;
}

}  // namespace ringlay::event_log
