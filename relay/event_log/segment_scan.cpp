#include "relay/event_log/segment_scan.hpp"

#include <algorithm>

#include "proto/base/crc32c.hpp"

namespace ringlay::event_log {
namespace {

constexpr std::uint64_t no_wire = UINT64_MAX;

class Scan {
  public:
    Scan(const SegmentFiles& files, std::uint64_t floor_seq, bool with_frames, HostTable& hosts,
         const FrameVisitor& visit)
        : files_(files),
          with_frames_(with_frames),
          hosts_(hosts),
          visit_(visit),
          records_(files.facts, segment_header_bytes, files.facts_size_bytes),
          frames_(files.wire, segment_header_bytes, files.wire_size_bytes),
          last_seq_(floor_seq) {}

    Result<ScanResult> run() {
        for (;;) {
            auto item = records_.next();
            if (!item) {
                if (is_of_the_disk(item.error())) return std::unexpected(item.error());
                break_at(item.error().what, records_.offset());
                break;
            }
            if (!*item) break;
            auto sound = take(**item);
            if (!sound) return std::unexpected(sound.error());
            if (!*sound) {
                break_at(reason_, (*item)->offset);
                if (auto counted = count_behind(); !counted) {
                    return std::unexpected(counted.error());
                }
                break;
            }
            result_.extent.facts_bytes = records_.offset() - segment_header_bytes;
        }
        if (result_.broken_by.empty() && files_.wire_size_bytes != no_wire &&
            files_.wire_size_bytes > segment_header_bytes + result_.extent.wire_bytes) {
            break_at("wire: bytes without facts", files_.facts_size_bytes);
        }
        return std::move(result_);
    }

  private:
    static bool is_of_the_disk(const Error& error) {
        return error.code != Errc::corrupt && error.code != Errc::malformed;
    }

    void break_at(std::string_view what, std::uint64_t offset) {
        result_.broken_by = what;
        result_.broken_at = offset;
    }

    // False: the prefix ends before this record, for reason_.
    Result<bool> take(const FactsStream::Item& item) {
        const Facts& facts = item.facts;
        SegmentExtent& extent = result_.extent;
        reason_ = {};
        if (facts.wire_offset != extent.wire_bytes) reason_ = "facts: wire offset";
        if (is_event(facts.kind) && facts.seq <= last_seq_) reason_ = "facts: seq does not rise";
        if (!reason_.empty()) return false;
        if (is_event(facts.kind)) {
            auto matches = take_frame(item);
            if (!matches || !*matches) return matches;
        }
        if (auto known = hosts_.apply(facts); !known) {
            reason_ = known.error().what;
            return false;
        }
        if (!is_event(facts.kind)) {
            ++result_.facts_only;
            return true;
        }
        result_.index.add(facts.seq, item.offset);
        last_seq_ = facts.seq;
        if (extent.events == 0) {
            extent.first_seq = facts.seq;
            extent.first_received = facts.received;
        }
        extent.last_seq = facts.seq;
        extent.last_received = std::max(extent.last_received, facts.received);
        extent.wire_bytes += facts.wire_length;
        ++extent.events;
        return true;
    }

    Result<bool> take_frame(const FactsStream::Item& item) {
        std::uint64_t end = segment_header_bytes + result_.extent.wire_bytes;
        end += item.facts.wire_length;
        if (end > files_.wire_size_bytes) {
            reason_ = "wire: frame is cut";
            return false;
        }
        if (!with_frames_) return true;
        auto frame = frames_.peek(item.facts.wire_length);
        if (!frame) return std::unexpected(frame.error());
        if (frame->size() != item.facts.wire_length || crc32c(*frame) != item.facts.wire_crc) {
            reason_ = "wire: frame checksum";
            return false;
        }
        if (visit_) visit_(item.facts, item.offset, *frame);
        frames_.consume(frame->size());
        return true;
    }

    Result<void> count_behind() {
        ++result_.records_behind;
        for (;;) {
            auto item = records_.next();
            if (!item && is_of_the_disk(item.error())) return std::unexpected(item.error());
            if (!item || !*item) return {};
            ++result_.records_behind;
        }
    }

    const SegmentFiles& files_;
    const bool with_frames_;
    HostTable& hosts_;
    const FrameVisitor& visit_;
    FactsStream records_;
    FileStream frames_;
    std::uint64_t last_seq_;
    std::string_view reason_;
    ScanResult result_;
};

}  // namespace

Result<ScanResult> scan_segment(const SegmentFiles& files, std::uint64_t floor_seq,
                                bool with_frames, HostTable& hosts, const FrameVisitor& visit) {
    return Scan(files, floor_seq, with_frames, hosts, visit).run();
}

Result<ScanResult> scan_facts(const env::File& facts, std::uint64_t facts_size_bytes,
                              std::uint64_t floor_seq, HostTable& hosts) {
    // Frames are not read, so no file of them is needed.
    return Scan({facts, facts, no_wire, facts_size_bytes}, floor_seq, false, hosts, {}).run();
}

}  // namespace ringlay::event_log
