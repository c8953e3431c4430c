#include "relay/event_log/recovery.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"
#include "relay/event_log/segment_inventory.hpp"
#include "relay/event_log/segment_scan.hpp"

namespace ringlay::event_log {
namespace {

using State = FoundSegment::State;

class Recovery {
  public:
    explicit Recovery(const env::Directory& directory) : directory_(directory) {}

    Result<Recovered> run() {
        auto inventory = take_inventory(directory_);
        if (!inventory) return std::unexpected(inventory.error());
        found_ = std::move(inventory->segments);
        for (const std::string& name : inventory->unfinished) {
            if (auto removed = directory_.remove(name); !removed) {
                return std::unexpected(removed.error());
            }
            ++out_.report.leftovers_removed;
            names_changed_ = true;
        }
        if (auto done = take_segments(); !done) return std::unexpected(done.error());
        if (names_changed_) {
            if (auto synced = directory_.sync(); !synced) return std::unexpected(synced.error());
        }
        finish_report();
        return std::move(out_);
    }

  private:
    Result<void> take_segments() {
        auto first = first_to_read();
        if (!first) return remove_range(0, found_.size(), nullptr);
        out_.log_id = found_[*first].header.log_id;
        auto oldest = take_older(*first);
        if (!oldest) return std::unexpected(oldest.error());
        auto oldest_facts = take_facts_before(*oldest);
        if (!oldest_facts) return std::unexpected(oldest_facts.error());
        if (auto gone = remove_range(0, *oldest_facts, &out_.report.segments_dropped); !gone) {
            return gone;
        }
        return take_newer(*first);
    }

    // The newest sealed segment; without any, the oldest that can be read at all.
    std::optional<std::size_t> first_to_read() const {
        for (std::size_t i = found_.size(); i > 0; --i) {
            if (found_[i - 1].state == State::sealed) return i - 1;
        }
        for (std::size_t i = 0; i < found_.size(); ++i) {
            if (found_[i].state == State::open) return i;
        }
        return std::nullopt;
    }

    // Segments before `first`, as far back as they join without a gap; returns the oldest.
    Result<std::size_t> take_older(std::size_t first) {
        std::size_t oldest = first;
        while (oldest > 0) {
            FoundSegment& found = found_[oldest - 1];
            if (!found.is_whole() || found.header.log_id != out_.log_id) break;
            Segment segment = segment_of(found);
            if (found.state == State::sealed) {
                take_seal(segment, *found.seal);
            } else {
                HostTable scratch;
                auto scan = open_and_scan(found, segment, true, scratch);
                if (!scan) return std::unexpected(scan.error());
                if (!scan->broken_by.empty()) break;
                segment.is_rolled = true;
                ++out_.report.seals_rebuilt;
            }
            if (!joins(oldest - 1, segment.end(), last_seq_of(segment))) break;
            out_.segments.insert(out_.segments.begin(), std::move(segment));
            --oldest;
        }
        return oldest;
    }

    // Facts without frames before the oldest segment, as far back as they are whole and join.
    Result<std::size_t> take_facts_before(std::size_t oldest) {
        for (; oldest > 0; --oldest) {
            const FoundSegment& found = found_[oldest - 1];
            if (found.state != State::facts_only) break;
            Segment segment = segment_of(found);
            auto facts = directory_.open(segment_file_name(found.base, SegmentFile::facts),
                                         env::OpenMode::read);
            if (!facts) return std::unexpected(facts.error());
            HostTable scratch;
            auto scan = scan_facts(*facts, found.facts_size_bytes, segment.floor_seq, scratch);
            if (!scan) return std::unexpected(scan.error());
            segment.extent = scan->extent;
            if (!scan->broken_by.empty()) break;
            if (!meets(oldest - 1, segment.end(), last_seq_of(segment))) break;
            segment.is_rolled = true;
            out_.facts_only.insert(out_.facts_only.begin(), std::move(segment));
        }
        return oldest;
    }

    // `first` and what follows it, up to the first break.
    Result<void> take_newer(std::size_t first) {
        for (std::size_t i = first; i < found_.size(); ++i) {
            FoundSegment& found = found_[i];
            Segment segment = segment_of(found);
            const bool is_sealed = found.state == State::sealed;
            auto scan = open_and_scan(found, segment, !is_sealed, out_.hosts);
            if (!scan) return std::unexpected(scan.error());
            const bool is_last = !joins(i, segment.end(), last_seq_of(segment));
            if (!scan->broken_by.empty() && found.seal &&
                joins(i, seal_end(found), found.seal->extent.last_seq)) {
                // It was complete once, and its successor is here: damage, not a torn tail.
                if (auto gone = drop_up_to(i); !gone) return gone;
                continue;
            }
            if (is_sealed && scan->broken_by.empty()) {
                take_seal(segment, *found.seal);
            } else if (is_last) {
                if (auto cut = cut_behind(found, segment, *scan); !cut) return cut;
            } else {
                segment.is_rolled = true;
            }
            out_.segments.push_back(std::move(segment));
            if (is_last) {
                return remove_range(i + 1, found_.size(), &out_.report.segments_cut);
            }
        }
        return {};
    }

    // Whether the next segment goes on where this one ends.
    bool joins(std::size_t i, Position end, std::uint64_t last_seq) const {
        return i + 1 < found_.size() && found_[i + 1].is_whole() && meets(i, end, last_seq);
    }

    // Also if the next one has no frames.
    bool meets(std::size_t i, Position end, std::uint64_t last_seq) const {
        if (i + 1 >= found_.size() || end == found_[i].base) return false;
        const FoundSegment& next = found_[i + 1];
        return next.state != State::broken && next.base == end &&
               next.header.floor_seq == last_seq && found_[i].header.log_id == out_.log_id &&
               next.header.log_id == out_.log_id;
    }

    static std::uint64_t last_seq_of(const Segment& segment) {
        return segment.extent.events > 0 ? segment.extent.last_seq : segment.floor_seq;
    }

    static Position seal_end(const FoundSegment& found) {
        return found.base + found.seal->extent.wire_bytes;
    }

    static Segment segment_of(const FoundSegment& found) {
        Segment segment;
        segment.base = found.base;
        segment.floor_seq = found.header.floor_seq;
        segment.created = found.header.created;
        return segment;
    }

    static void take_seal(Segment& segment, Seal& seal) {
        segment.extent = seal.extent;
        segment.index = std::move(seal.index);
        segment.is_rolled = segment.is_sealed = true;
        segment.wire.close();
        segment.facts.close();
    }

    Result<ScanResult> open_and_scan(const FoundSegment& found, Segment& segment, bool with_frames,
                                     HostTable& hosts) {
        auto open = [&](SegmentFile which) {
            return directory_.open(segment_file_name(found.base, which), env::OpenMode::write);
        };
        auto wire = open(SegmentFile::wire);
        if (!wire) return std::unexpected(wire.error());
        auto facts = open(SegmentFile::facts);
        if (!facts) return std::unexpected(facts.error());
        segment.wire = std::move(*wire);
        segment.facts = std::move(*facts);
        auto scan = scan_segment(
            {segment.wire, segment.facts, found.wire_size_bytes, found.facts_size_bytes},
            segment.floor_seq, with_frames, hosts);
        if (!scan) return std::unexpected(scan.error());
        segment.extent = scan->extent;
        segment.index = std::move(scan->index);
        return scan;
    }

    Result<void> cut_behind(const FoundSegment& found, Segment& segment, const ScanResult& scan) {
        const std::uint64_t wire_end = segment_header_bytes + segment.extent.wire_bytes;
        const std::uint64_t facts_end = segment_header_bytes + segment.extent.facts_bytes;
        if (found.has_seal_file) {
            // It speaks of bytes that are going.
            auto removed = directory_.remove(segment_file_name(found.base, SegmentFile::seal));
            if (!removed) return removed;
            names_changed_ = true;
        }
        if (wire_end == found.wire_size_bytes && facts_end == found.facts_size_bytes) return {};
        out_.report.wire_bytes_cut += found.wire_size_bytes - wire_end;
        out_.report.facts_bytes_cut += found.facts_size_bytes - facts_end;
        out_.report.records_cut += scan.records_behind;
        if (auto done = segment.wire.truncate(wire_end); !done) return done;
        return segment.facts.truncate(facts_end);
    }

    Result<void> drop_up_to(std::size_t last) {
        const std::size_t begin = last - out_.segments.size() - out_.facts_only.size();
        out_.segments.clear();
        out_.facts_only.clear();
        out_.hosts = HostTable();
        return remove_range(begin, last + 1, &out_.report.segments_dropped);
    }

    // One segment's names are durably gone before the next one's go, the oldest first, and each
    // one's frames before its seal: a loss of power must not bring back a damaged segment as one
    // that looks unfinished, or an old one without those behind it.
    Result<void> remove_range(std::size_t begin, std::size_t end, std::uint64_t* whole_count) {
        for (std::size_t i = begin; i < end; ++i) {
            auto gone = directory_.remove(segment_file_name(found_[i].base, SegmentFile::wire));
            if (!gone && gone.error().code != Errc::not_found) return gone;
            if (gone = directory_.sync(); !gone) return gone;
            if (gone = remove_segment_files(directory_, found_[i].base); !gone) return gone;
            if (gone = directory_.sync(); !gone) return gone;
            if (!found_[i].is_whole() || whole_count == nullptr) {
                out_.report.leftovers_removed += found_[i].file_count;
            } else {
                ++*whole_count;
            }
        }
        return {};
    }

    void finish_report() {
        RecoveryReport& report = out_.report;
        report.segments = out_.segments.size();
        report.facts_kept = out_.facts_only.size();
        report.hosts = out_.hosts.all().size();
        for (const Segment& segment : out_.segments) {
            if (segment.extent.events == 0) continue;
            if (report.oldest_seq == 0) report.oldest_seq = segment.extent.first_seq;
            report.head_seq = segment.extent.last_seq;
            out_.newest = std::max(out_.newest, segment.extent.last_received);
        }
        if (!out_.segments.empty()) report.head_position = out_.segments.back().end();
    }

    const env::Directory& directory_;
    std::vector<FoundSegment> found_;
    bool names_changed_ = false;
    Recovered out_;
};

}  // namespace

Result<Recovered> recover(const env::Directory& directory) {
    return Recovery(directory).run();
}

}  // namespace ringlay::event_log
