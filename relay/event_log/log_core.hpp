// The inside of Log, which its four files share: log_writer.cpp (open, close, questions),
// log_append.cpp, log_sync.cpp, log_space.cpp. Nobody else includes this.
//
// Thread   log worker, but for the atomics and the tail.
#pragma once

#include <deque>
#include <memory>

#include "relay/event_log/log_writer.hpp"

namespace ringlay::event_log {

// Between two tries of what a full disk, or a lack of descriptors, has refused.
inline constexpr Nanos retry_interval = std::chrono::milliseconds(200);

// A point that one worker moves forward and any may look at, without a wait: who looks while it
// moves to another segment sees the beginning of a segment, never a point that is too far.
class MovingPoint {
  public:
    FactsPoint load() const {
        const std::uint64_t base = base_.load();
        const std::uint64_t offset = offset_.load();
        const std::uint64_t base_again = base_.load();
        return {base_again, base == base_again ? offset : segment_header_bytes};
    }
    void store(FactsPoint point) {
        if (point.segment_base != base_.load()) {
            offset_.store(segment_header_bytes);
            base_.store(point.segment_base);
        }
        offset_.store(point.offset);
    }

  private:
    std::atomic<std::uint64_t> base_{0};
    std::atomic<std::uint64_t> offset_{segment_header_bytes};
};

struct Log::Core {
    Core(env::Env& its_env, LogOptions its_options, env::Directory its_directory,
         env::DirectoryLock its_lock, Recovered recovered, SeqReservation its_reservation,
         std::uint64_t first_seq);

    struct Record {
        Facts facts;               // views of its entry and of itself
        std::uint64_t offset = 0;  // in Core::facts
        std::array<std::uint8_t, 8> ack_lag{};
    };

    // log_append.cpp
    Result<void> append(std::span<Entry* const> batch);
    Result<void> make_ready(std::span<Entry* const> batch);
    Result<void> reserve_for(std::size_t count);
    Result<void> roll_if_needed(std::uint64_t more_bytes);
    Result<void> roll();
    void compose(std::span<Entry* const> batch);
    void compose_event(Entry& entry);
    void compose_fact(Entry& entry);
    Record& add_record(const Entry& entry);
    Result<void> write_batch();
    void publish(std::span<Entry* const> batch);
    void count(std::span<Entry* const> batch, Nanos began);
    Result<void> wait_for_room(Stall why);
    static Stall stall_of(const Error& error);
    void set_stall(Stall why) { stall.store(why, std::memory_order_relaxed); }

    // log_sync.cpp
    void run_sync();
    bool has_unsynced() const;
    Result<void> sync_once();
    Result<void> sync_files();
    void seal_complete_segments();
    Result<void> seal(Segment& segment);
    void extend_reservation();
    void set_short_of_descriptors(bool is_short);
    void fatal(std::string_view what);

    // log_space.cpp
    void run_space();
    void keep_space();
    bool remove_oldest();
    Result<void> sync_removals();
    bool needs_facts_of(const Segment& segment) const;
    void drop_unneeded_facts();
    SpaceDecision decide(std::uint64_t free_bytes) const;
    void update_gauges();

    // log_writer.cpp
    Result<Place> find_cursor(std::optional<std::uint64_t> cursor);
    Result<Position> find_in(Position base, std::uint64_t facts_begin, std::uint64_t facts_end,
                             std::uint64_t cursor);
    Result<std::shared_ptr<const SegmentReader>> segment_at(Position position);
    Segment* find_segment(Position position);
    Result<FactsStart> find_facts(FactsPoint from);
    Result<std::shared_ptr<const FactsReader>> facts_at(Position base);
    Segment* find_facts_segment(Position base);
    FactsPoint facts_head() const { return {segments.back()->base, segments.back()->facts_end()}; }
    void stop_fibers();

    Segment& active() { return *segments.back(); }

    env::Env& env;
    fiber::Worker& worker;
    const LogOptions options;
    const env::Directory directory;
    env::DirectoryLock lock;
    const std::uint64_t log_id;
    RecoveryReport report;
    SeqReservation reservation;
    HostTable hosts;
    std::deque<std::unique_ptr<Segment>> segments;  // oldest first; the last one is active
    // Facts whose frames have left the window, oldest first; they join `segments`.
    std::deque<std::unique_ptr<Segment>> facts_only;
    PublishedTail tail;

    std::uint64_t next_seq;             // the first that no entry was given
    const std::uint64_t issued_before;  // the highest that earlier lives may have issued
    std::uint64_t last_seq;             // published; of an empty log: its floor

    // Of the batch that is being appended.
    Buffer facts;
    std::vector<Record> records;

    std::atomic<std::uint64_t> synced_seq{0};
    std::atomic<Position> synced_position{0};
    MovingPoint synced_facts;
    MovingPoint needed_facts;
    std::atomic<bool> keeps_facts{false};  // needed_facts means something
    const FactsPoint opened_facts;
    std::atomic<Stall> stall{Stall::none};
    LogCounters counters;

    bool is_appending = false;
    bool gives_up = false;
    bool has_failed = false;
    bool is_closed = false;
    bool is_below_reserve = false;
    bool is_short_of_descriptors = false;  // what was appended cannot be made durable
    bool is_removing = false;
    bool is_syncing = false;
    bool names_unsynced = false;  // files were made since the directory was synced
    bool reservation_wanted = false;
    bool is_stopping = false;
    SpaceLimits limits;
    SpaceState space_state;
    fiber::Event sync_wake;
    fiber::Event space_wake;
    fiber::WaitList reserved;
    fiber::WaitList room_made;
    fiber::WaitList sync_done;
    fiber::Task sync_task;
    fiber::Task space_task;
};

}  // namespace ringlay::event_log
