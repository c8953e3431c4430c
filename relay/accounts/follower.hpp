// Drives the fold: reads the log's facts behind the point that the database has come to, and
// applies them, never beyond what is synced (design I1). Flushes by time and by amount, and tells
// the log up to where facts are no longer needed. (LogOptions::keeps_facts: so that none goes
// before.)
//
// A database of another log is folded from this log's oldest facts on; its rows stay, and what they
// say from beyond this log's end is not believed (is_from_the_future, fold.hpp).
//
// catch_up() runs before hosts are dialled (I5); consumers are served meanwhile.
//
// Owner    Relay. Log and database outlive it. It outlives the scrapes of its metrics.
// Thread   the fold worker; the database is called on the blocking pool. progress() from any.
// Errors   start: corrupt, io (a sentence for the operator is made of it). Later errors of the
//          database: no_space is waited out; others end the process (on_fatal), as for the log.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>

#include "index/database.hpp"
#include "relay/base/logger.hpp"
#include "relay/base/metrics.hpp"
#include "relay/env/env.hpp"
#include "relay/event_log/log_writer.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::accounts {

struct FollowerOptions {
    Nanos poll_interval = std::chrono::milliseconds(50);  // how soon new synced facts are seen
    std::size_t max_batch = 1024;                         // facts in one write
    // Between flushes; soon after a start, when much is new that only memory has (identities most
    // of all), they begin with the shorter one, which doubles each time.
    Nanos first_flush_interval = std::chrono::seconds(5);
    Nanos flush_interval = std::chrono::seconds(60);
    std::uint64_t flush_log_bytes = 256 << 20;
    std::function<void(std::string_view)> on_fatal;
};

// Written by the follower alone unless said, read by anyone, relaxed unless said.
struct FoldProgress {
    // Acquire: events up to here are in the database, and all facts before the newest of them.
    std::atomic<std::uint64_t> applied_seq{0};
    std::atomic<std::uint64_t> flushed_seq{0};
    std::atomic<std::uint64_t> facts{0};  // applied since the start
    std::atomic<std::uint64_t> flushes{0};
    std::atomic<bool> has_caught_up{false};
    std::atomic<std::uint64_t> gaps{0};  // facts that were gone before they were folded
    // I1: met above the log's end. Counted by those who load rows.
    mutable std::atomic<std::uint64_t> rows_from_the_future{0};
};

class Follower {
  public:
    Follower(env::Env& env, event_log::Log& log, index::Database& database, base::Logger& logger,
             FollowerOptions options);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

    // Until everything that the log had at its opening is applied; then follows in a fiber. Call
    // once. Errors: cancelled, also by stop().
    Result<void> catch_up();
    // Applies what is synced by now, flushes, ends the fiber. After Log::sync_now() in a shutdown.
    void stop();

    const FoldProgress& progress() const;
    void register_metrics(base::Metrics& metrics) const;

  private:
    struct Core;
    std::unique_ptr<Core> core_;
};

}  // namespace ringlay::accounts
