#include "relay/event_log/log_writer.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "proto/base/assert.hpp"
#include "relay/event_log/file_stream.hpp"
#include "relay/event_log/log_core.hpp"

namespace ringlay::event_log {
namespace {

constexpr std::string_view lock_name = "lock";

void print_and_abort(std::string_view what) {
    std::fprintf(stderr, "ringlay: the event log cannot go on: %.*s\n",
                 static_cast<int>(what.size()), what.data());
    std::abort();
}

std::uint64_t first_seq_for(const LogOptions& options, const Recovered& recovered,
                            const SavedReservation& saved, WallMillis now, bool& was_clean) {
    FirstSeqInputs in;
    const bool is_ours = saved.slot && saved.slot->log_id == recovered.log_id;
    in.log_is_empty = recovered.log_id == 0 && !saved.slot;
    // A slot of another log still says what this directory's relay may have issued.
    if (saved.slot) in.ceiling = saved.slot->ceiling;
    was_clean = is_ours && saved.marker && saved.marker->log_id == recovered.log_id &&
                saved.marker->head_position == recovered.report.head_position;
    if (was_clean) in.clean_next = saved.marker->next_seq;
    in.head_seq = recovered.report.head_seq;
    if (!recovered.segments.empty()) {
        in.head_seq = std::max(in.head_seq, recovered.segments.back().floor_seq);
    }
    in.newest = recovered.newest;
    if (saved.slot) in.newest = std::max(in.newest, saved.slot->written);
    in.now = now;
    in.initial_seq = options.initial_seq;
    return first_seq_of(in);
}

// The active segment of an empty log, or behind a last one that is sealed.
Result<void> add_active(const env::Directory& directory, const LogOptions& options,
                        Recovered& recovered, std::uint64_t first_seq, WallMillis now) {
    Position base = 0;
    std::uint64_t floor_seq = first_seq - 1;
    if (!recovered.segments.empty()) {
        if (!recovered.segments.back().is_rolled) return {};
        base = recovered.segments.back().end();
        floor_seq = recovered.segments.back().extent.last_seq;
    }
    auto segment =
        create_segment(directory, recovered.log_id, base, floor_seq, now, options.segment_bytes);
    if (!segment) return std::unexpected(segment.error());
    recovered.segments.push_back(std::move(*segment));
    return directory.sync();
}

// What a killed process left in the page cache is in the log now, and must be as durable as what
// will be said to be.
Result<void> sync_open_files(const Recovered& recovered) {
    for (const Segment& segment : recovered.segments) {
        if (segment.is_sealed) continue;
        if (auto synced = segment.wire.sync(); !synced) return synced;
        if (auto synced = segment.facts.sync(); !synced) return synced;
    }
    return {};
}

}  // namespace

std::string_view name_of(Stall stall) {
    switch (stall) {
        case Stall::none:
            return "none";
        case Stall::disk_full:
            return "disk full";
        case Stall::space_reserve:
            return "space reserve reached";
        case Stall::no_descriptors:
            return "no descriptors left";
        case Stall::reservation:
            return "reserving sequence numbers";
        case Stall::failed:
            return "failed";
    }
    return "unknown";
}

Log::Core::Core(env::Env& its_env, LogOptions its_options, env::Directory its_directory,
                env::DirectoryLock its_lock, Recovered recovered, SeqReservation its_reservation,
                std::uint64_t first_seq)
    : env(its_env),
      worker(fiber::Worker::current()),
      options(std::move(its_options)),
      directory(std::move(its_directory)),
      lock(std::move(its_lock)),
      log_id(recovered.log_id),
      report(recovered.report),
      reservation(std::move(its_reservation)),
      hosts(std::move(recovered.hosts)),
      tail(recovered.segments.back().end(), recovered.report.head_seq, options.tail),
      next_seq(first_seq),
      issued_before(first_seq - 1),
      last_seq(std::max(recovered.report.head_seq, recovered.segments.back().floor_seq)),
      synced_seq(recovered.report.head_seq),
      synced_position(recovered.segments.back().end()),
      opened_facts{recovered.segments.back().base, recovered.segments.back().facts_end()} {
    synced_facts.store(opened_facts);
    keeps_facts = options.keeps_facts;
    for (Segment& segment : recovered.facts_only) {
        facts_only.push_back(std::make_unique<Segment>(std::move(segment)));
    }
    for (Segment& segment : recovered.segments) {
        segment.synced = segment.extent;
        // Events come behind the snapshot. Without any, what was cut may have been a part of it.
        segment.has_snapshot = segment.is_snapshot_synced = segment.extent.events > 0;
        segments.push_back(std::make_unique<Segment>(std::move(segment)));
    }
}

Result<std::unique_ptr<Log>> Log::open(env::Env& env, std::string_view directory_path,
                                       LogOptions options) {
    RINGLAY_ASSERT(options.segment_bytes + options.max_batch_bytes + options.max_message_bytes <
                   UINT32_MAX);
    if (!options.on_fatal) options.on_fatal = print_and_abort;
    auto directory = env.disk.open_directory(directory_path);
    if (!directory) return std::unexpected(directory.error());
    auto lock = directory->lock(lock_name);
    if (!lock) return std::unexpected(lock.error());
    auto recovered = recover(*directory);
    if (!recovered) return std::unexpected(recovered.error());
    auto saved = read_reservation(*directory);
    if (!saved) return std::unexpected(saved.error());

    const WallMillis now = env.clock.wall();
    bool was_clean = false;
    const std::uint64_t first_seq = first_seq_for(options, *recovered, *saved, now, was_clean);
    if (first_seq + options.reservation_block > seq_limit) {
        return fail(Errc::too_large, "log: no sequence numbers are left below 2^53");
    }
    while (recovered->log_id == 0) recovered->log_id = env.random.next();
    auto reservation = SeqReservation::start(*directory, recovered->log_id, first_seq,
                                             options.reservation_block, now);
    if (!reservation) return std::unexpected(reservation.error());
    if (auto added = add_active(*directory, options, *recovered, first_seq, now); !added) {
        return std::unexpected(added.error());
    }
    if (auto synced = sync_open_files(*recovered); !synced) return std::unexpected(synced.error());
    recovered->report.was_clean = was_clean;
    recovered->report.first_seq = first_seq;
    recovered->report.segments = recovered->segments.size();

    auto core =
        std::make_unique<Core>(env, std::move(options), std::move(*directory), std::move(*lock),
                               std::move(*recovered), std::move(*reservation), first_seq);
    auto free_bytes = core->directory.free_bytes();
    if (!free_bytes) return std::unexpected(free_bytes.error());
    std::uint64_t log_bytes = 0;
    for (const auto& segment : core->segments) log_bytes += segment->disk_bytes();
    core->limits = space_limits(core->options.space, *free_bytes, log_bytes);
    core->space_state.wall_at_start = now;
    core->space_state.started = env.clock.now();
    core->update_gauges();
    Core* its = core.get();
    core->sync_task = fiber::spawn("log sync", [its] { its->run_sync(); });
    core->space_task = fiber::spawn("log space", [its] { its->run_space(); });
    return std::unique_ptr<Log>(new Log(std::move(core)));
}

Log::Log(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Log::~Log() {
    core_->stop_fibers();
}

void Log::Core::stop_fibers() {
    is_stopping = true;
    sync_wake.set();
    space_wake.set();
    sync_task.join();
    space_task.join();
}

void Log::close() {
    Core& core = *core_;
    RINGLAY_ASSERT(!core.is_appending && !core.is_closed);
    fiber::CancelBlocker blocker;
    core.stop_fibers();
    core.is_closed = true;
    core.gives_up = true;
    if (!core.has_failed && core.sync_once()) {
        CleanMarker marker{core.log_id, core.next_seq, core.tail.head()};
        // Without it the next start jumps to the reserved ceiling: nothing is lost.
        static_cast<void>(SeqReservation::write_marker(core.directory, marker));
    }
    core.lock = env::DirectoryLock();
}

const RecoveryReport& Log::recovery() const {
    return core_->report;
}
std::uint64_t Log::log_id() const {
    return core_->log_id;
}
fiber::Worker& Log::worker() const {
    return core_->worker;
}
const LogOptions& Log::options() const {
    return core_->options;
}
Position Log::head() const {
    return core_->tail.head();
}
std::uint64_t Log::head_seq() const {
    return core_->tail.head_seq();
}
std::uint64_t Log::highest_issued_seq() const {
    return std::max(core_->issued_before, core_->tail.head_seq());
}
SyncedTo Log::synced() const {
    // The position first: a seq that is newer than it is no lie about what is durable.
    Position position = core_->synced_position.load();
    return {core_->synced_seq.load(), position};
}
FactsPoint Log::synced_facts() const {
    return core_->synced_facts.load();
}
FactsPoint Log::opened_facts() const {
    return core_->opened_facts;
}
void Log::facts_needed_from(FactsPoint point) {
    core_->needed_facts.store(point);
    core_->keeps_facts.store(true);
}
Stall Log::stall() const {
    return core_->stall.load(std::memory_order_relaxed);
}
const LogCounters& Log::counters() const {
    return core_->counters;
}
PublishedTail& Log::tail() {
    return core_->tail;
}
const HostTable& Log::host_table() const {
    return core_->hosts;
}

std::vector<Host> Log::hosts() {
    std::vector<Host> all;
    fiber::call_on(core_->worker, "log hosts", [&] { all = core_->hosts.all(); });
    return all;
}

Result<void> Log::append(std::span<Entry* const> batch) {
    return core_->append(batch);
}

Result<void> Log::sync_now() {
    fiber::CancelBlocker blocker;
    if (core_->has_failed || core_->is_closed) return fail(Errc::closed, "log: closed");
    return core_->sync_once();
}

void Log::give_up_stalls() {
    core_->gives_up = true;
    core_->room_made.wake_all();
}

Result<Log::Place> Log::find_cursor(std::optional<std::uint64_t> cursor) {
    return core_->find_cursor(cursor);
}

Result<std::shared_ptr<const SegmentReader>> Log::segment_at(Position position) {
    return core_->segment_at(position);
}

Result<Log::FactsStart> Log::find_facts(FactsPoint from) {
    return core_->find_facts(from);
}

Result<std::shared_ptr<const FactsReader>> Log::facts_at(Position base) {
    return core_->facts_at(base);
}

Result<Log::Place> Log::Core::find_cursor(std::optional<std::uint64_t> cursor) {
    using Kind = Place::Kind;
    for (;;) {
        if (!cursor) return Place{tail.head(), Kind::live_tip, 0};
        const std::uint64_t highest = std::max(issued_before, tail.head_seq());
        if (*cursor > highest) return Place{tail.head(), Kind::future, highest};

        const Segment& oldest = *segments.front();
        auto with_events = std::ranges::find_if(
            segments, [](const auto& segment) { return segment->extent.events > 0; });
        if (*cursor > 0 && *cursor < oldest.floor_seq) {
            const std::uint64_t seq =
                with_events == segments.end() ? next_seq : (*with_events)->extent.first_seq;
            return Place{oldest.base, Kind::outdated, seq};
        }
        // Segments with events have rising seqs; one without can only be the active one.
        auto found = std::ranges::find_if(
            segments, [&](const auto& segment) { return segment->extent.last_seq > *cursor; });
        if (found == segments.end()) return Place{tail.head(), Kind::inside, 0};
        const Segment& segment = **found;
        if (*cursor < segment.extent.first_seq) return Place{segment.base, Kind::inside, 0};

        auto begin = segment.index.offset_for_cursor(*cursor);
        RINGLAY_ASSERT(begin.has_value());
        auto position = find_in(segment.base, *begin,
                                segment_header_bytes + segment.extent.facts_bytes, *cursor);
        if (position) return Place{*position, Kind::inside, 0};
        // Removed while we looked: the answer is another one now.
        if (position.error().code != Errc::not_found) return std::unexpected(position.error());
    }
}

// The first event above the cursor among the published facts of a segment.
Result<Position> Log::Core::find_in(Position base, std::uint64_t facts_begin,
                                    std::uint64_t facts_end, std::uint64_t cursor) {
    auto file = directory.open(segment_file_name(base, SegmentFile::facts), env::OpenMode::read);
    if (!file) return std::unexpected(file.error());
    FactsStream stream(*file, facts_begin, facts_end);
    for (;;) {
        auto item = stream.next();
        if (!item) return std::unexpected(item.error());
        if (!*item) return fail(Errc::corrupt, "log: facts end before the index does");
        const Facts& record = (*item)->facts;
        if (is_event(record.kind) && record.seq > cursor) return base + record.wire_offset;
    }
}

Segment* Log::Core::find_segment(Position position) {
    auto after = std::ranges::upper_bound(segments, position, {},
                                          [](const auto& segment) { return segment->base; });
    return after == segments.begin() ? nullptr : std::prev(after)->get();
}

Result<std::shared_ptr<const SegmentReader>> Log::Core::segment_at(Position position) {
    for (;;) {
        Segment* segment = find_segment(position);
        if (segment == nullptr) return fail(Errc::not_found, "log: left the window");
        if (auto reader = segment->reader.lock()) return reader;

        const Position base = segment->base;
        auto file = directory.open(segment_file_name(base, SegmentFile::wire), env::OpenMode::read);
        segment = find_segment(position);  // opening took time
        if (segment == nullptr || segment->base != base || !segment->reader.expired()) continue;
        if (!file) return std::unexpected(file.error());
        auto reader = std::make_shared<SegmentReader>(base, std::move(*file));
        if (segment->is_rolled) reader->end.store(segment->end());
        segment->reader = reader;
        return reader;
    }
}

Result<Log::FactsStart> Log::Core::find_facts(FactsPoint from) {
    for (;;) {
        FactsStart start;
        const Segment& oldest = facts_only.empty() ? *segments.front() : *facts_only.front();
        start.has_gap = from.segment_base < oldest.base;
        start.point = start.has_gap ? FactsPoint{oldest.base, 0} : from;
        start.point.offset = std::max<std::uint64_t>(start.point.offset, segment_header_bytes);
        const Segment* segment = find_facts_segment(start.point.segment_base);
        if (segment == nullptr || start.point.offset > segment->facts_end()) {
            return fail(Errc::not_found, "log: it has no such point in its facts");
        }
        auto reader = facts_at(start.point.segment_base);
        if (reader) {
            start.facts = std::move(*reader);
            return start;
        }
        // Removed while we looked: the answer is another one now.
        if (reader.error().code != Errc::not_found) return std::unexpected(reader.error());
    }
}

Segment* Log::Core::find_facts_segment(Position base) {
    for (auto* chain : {&facts_only, &segments}) {
        auto found = std::ranges::lower_bound(*chain, base, {},
                                              [](const auto& segment) { return segment->base; });
        if (found != chain->end() && (*found)->base == base) return found->get();
    }
    return nullptr;
}

Result<std::shared_ptr<const FactsReader>> Log::Core::facts_at(Position base) {
    for (;;) {
        Segment* segment = find_facts_segment(base);
        if (segment == nullptr) return fail(Errc::not_found, "log: these facts are gone");
        if (auto reader = segment->facts_reader.lock()) return reader;

        auto file =
            directory.open(segment_file_name(base, SegmentFile::facts), env::OpenMode::read);
        segment = find_facts_segment(base);  // opening took time
        if (segment == nullptr || !segment->facts_reader.expired()) continue;
        if (!file) return std::unexpected(file.error());
        auto reader = std::make_shared<FactsReader>(base, std::move(*file));
        if (segment->is_rolled) reader->set_end(segment->facts_end(), segment->end());
        segment->facts_reader = reader;
        return reader;
    }
}

}  // namespace ringlay::event_log
