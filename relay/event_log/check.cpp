#include "relay/event_log/check.hpp"

#include <algorithm>

#include "proto/frame.hpp"
#include "relay/event_log/frame_walk.hpp"
#include "relay/event_log/segment.hpp"
#include "relay/event_log/segment_inventory.hpp"
#include "relay/event_log/segment_scan.hpp"

namespace ringlay::event_log {
namespace {

FactsKind facts_kind_of(proto::FrameKind kind) {
    switch (kind) {
        case proto::FrameKind::sync:
            return FactsKind::sync;
        case proto::FrameKind::identity:
            return FactsKind::identity;
        case proto::FrameKind::account:
            return FactsKind::account;
        default:
            return FactsKind::commit;
    }
}

// What the frame says otherwise than its facts; empty: nothing.
std::string_view difference_of(const Facts& facts, Bytes frame) {
    auto parts = parse_ws_frame(frame);
    if (!parts) return "frame is not one whole WebSocket message";
    auto peeked = proto::peek(parts->message);
    if (!peeked) return "message cannot be read";
    if (!proto::is_event(peeked->kind)) return "message is no event";
    if (peeked->fault != proto::FrameFault::none) return peeked->fault_what;
    if (facts_kind_of(peeked->kind) != facts.kind) return "kind";
    if (peeked->seq != facts.seq) return "seq";
    if (peeked->did != facts.text) return "DID";
    if (!peeked->envelope_canonical) return "message is not canonical";
    return {};
}

class Check {
  public:
    Check(env::Directory directory, bool with_messages)
        : directory_(std::move(directory)), with_messages_(with_messages) {}

    Result<CheckReport> run() {
        auto inventory = take_inventory(directory_);
        if (!inventory) return std::unexpected(inventory.error());
        for (const std::string& name : inventory->unfinished) {
            add(Finding::Kind::unfinished, name, 0, 0, "file that was being written");
        }
        const std::vector<FoundSegment>& all = inventory->segments;
        // What is half made or half removed is normal at the ends only.
        auto is_whole = [](const FoundSegment& found) { return found.is_whole(); };
        auto first = std::ranges::find_if(all, is_whole);
        auto last = std::find_if(all.rbegin(), all.rend(), is_whole).base();
        for (auto found = all.begin(); found != all.end(); ++found) {
            if (found < first && found->state == FoundSegment::State::facts_only) {
                if (auto done = check_facts(*found, *(found + 1)); !done)
                    return std::unexpected(done.error());
                continue;
            }
            if (!is_whole(*found)) {
                bool is_inside = found > first && found < last;
                add(is_inside ? Finding::Kind::damage : Finding::Kind::unfinished,
                    segment_file_name(found->base, SegmentFile::wire), 0, 0, found->broken_by);
                continue;
            }
            if (auto done = check_segment(*found, found + 1 == last); !done) {
                return std::unexpected(done.error());
            }
        }
        return std::move(report_);
    }

  private:
    void add(Finding::Kind kind, std::string file, std::uint64_t offset, std::uint64_t seq,
             std::string_view what) {
        switch (kind) {
            case Finding::Kind::damage:
                ++report_.damages;
                break;
            case Finding::Kind::unfinished:
                ++report_.unfinished;
                break;
            case Finding::Kind::difference:
                ++report_.differences;
                break;
        }
        if (report_.findings.size() >= CheckReport::max_findings) return;
        report_.findings.push_back({kind, std::move(file), offset, seq, std::string(what)});
    }

    Result<void> check_segment(const FoundSegment& found, bool is_last) {
        const std::string facts_name = segment_file_name(found.base, SegmentFile::facts);
        const std::string wire_name = segment_file_name(found.base, SegmentFile::wire);
        auto wire = directory_.open(wire_name, env::OpenMode::read);
        if (!wire) return std::unexpected(wire.error());
        auto facts = directory_.open(facts_name, env::OpenMode::read);
        if (!facts) return std::unexpected(facts.error());
        check_place(found, wire_name);

        FrameVisitor visit;
        if (with_messages_) {
            visit = [&](const Facts& record, std::uint64_t offset, Bytes frame) {
                std::string_view what = difference_of(record, frame);
                if (what.empty()) return;
                add(Finding::Kind::difference, facts_name, offset, record.seq, what);
            };
        }
        HostTable hosts;  // of this segment alone: it must not need its predecessors
        auto scan = scan_segment({*wire, *facts, found.wire_size_bytes, found.facts_size_bytes},
                                 found.header.floor_seq, true, hosts, visit);
        if (!scan) return std::unexpected(scan.error());
        // A torn end is normal in the newest segment, as long as nobody has said it was complete.
        const bool may_be_torn = is_last && !found.seal;
        if (!scan->broken_by.empty()) {
            add(may_be_torn ? Finding::Kind::unfinished : Finding::Kind::damage, facts_name,
                scan->broken_at, scan->extent.last_seq, scan->broken_by);
        }
        check_seal(found, *scan);
        take(found, *scan);
        return {};
    }

    // Frames have left the window; the facts may still be wanted.
    Result<void> check_facts(const FoundSegment& found, const FoundSegment& next) {
        const std::string name = segment_file_name(found.base, SegmentFile::facts);
        auto facts = directory_.open(name, env::OpenMode::read);
        if (!facts) return std::unexpected(facts.error());
        HostTable hosts;
        auto scan = scan_facts(*facts, found.facts_size_bytes, found.header.floor_seq, hosts);
        if (!scan) return std::unexpected(scan.error());
        if (!scan->broken_by.empty()) {
            add(Finding::Kind::damage, name, scan->broken_at, scan->extent.last_seq,
                scan->broken_by);
        } else if (found.base + scan->extent.wire_bytes != next.base ||
                   found.header.log_id != next.header.log_id) {
            add(Finding::Kind::unfinished, name, 0, 0, "facts that do not join what follows");
        }
        ++report_.facts_only_segments;
        return {};
    }

    void check_place(const FoundSegment& found, const std::string& name) {
        if (report_.segments == 0) return;
        if (found.header.log_id != log_id_) {
            add(Finding::Kind::damage, name, 0, 0, "another log's segment");
        }
        if (found.base != end_) {
            add(Finding::Kind::damage, name, 0, 0, "does not begin where the one before ends");
        }
        if (found.header.floor_seq != last_seq_) {
            add(Finding::Kind::damage, name, 0, last_seq_,
                "does not go on from the last seq before it");
        }
    }

    void check_seal(const FoundSegment& found, const ScanResult& scan) {
        const std::string name = segment_file_name(found.base, SegmentFile::seal);
        if (!found.broken_by.empty()) {
            add(Finding::Kind::damage, name, 0, 0, found.broken_by);
        } else if (found.seal && found.seal->extent != scan.extent) {
            add(Finding::Kind::damage, name, 0, 0, "seal: does not fit the facts");
        } else if (found.seal && found.seal->index.encode() != scan.index.encode()) {
            add(Finding::Kind::damage, name, 0, 0, "index: does not fit the facts");
        }
    }

    void take(const FoundSegment& found, const ScanResult& scan) {
        log_id_ = found.header.log_id;
        end_ = found.base + scan.extent.wire_bytes;
        last_seq_ = scan.extent.events > 0 ? scan.extent.last_seq : found.header.floor_seq;
        ++report_.segments;
        if (found.state == FoundSegment::State::sealed) ++report_.sealed_segments;
        report_.events += scan.extent.events;
        report_.facts_only += scan.facts_only;
        report_.wire_bytes += scan.extent.wire_bytes;
        report_.facts_bytes += scan.extent.facts_bytes;
        if (scan.extent.events == 0) return;
        if (report_.first_seq == 0) report_.first_seq = scan.extent.first_seq;
        report_.last_seq = scan.extent.last_seq;
    }

    const env::Directory directory_;
    const bool with_messages_;
    std::uint64_t log_id_ = 0;
    Position end_ = 0;
    std::uint64_t last_seq_ = 0;
    CheckReport report_;
};

Result<CheckReport> run_check(env::Env& env, std::string_view path, bool with_messages) {
    auto directory = env.disk.open_directory(path);
    if (!directory) return std::unexpected(directory.error());
    return Check(std::move(*directory), with_messages).run();
}

}  // namespace

Result<CheckReport> check_log(env::Env& env, std::string_view directory) {
    return run_check(env, directory, false);
}

Result<CheckReport> verify_log(env::Env& env, std::string_view directory) {
    return run_check(env, directory, true);
}

}  // namespace ringlay::event_log
