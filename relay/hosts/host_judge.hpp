// Judges of a host's behaviour. Pure: what happened and when comes in, a verdict goes out.
//
// Thread   values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "relay/fiber/time.hpp"

namespace ringlay::hosts {

// Whether a host sends almost nothing but what is proved wrong: more than nine in ten events, of a
// hundred or more, over ten minutes.
class QuarantineJudge {
  public:
    static constexpr std::size_t minutes = 10;
    static constexpr std::uint64_t least_events = 100;

    void add(Nanos now, std::uint64_t good, std::uint64_t bad);
    bool is_bad(Nanos now);
    // Of the last ten minutes, in percent.
    std::uint32_t bad_percent(Nanos now);
    void forget();

  private:
    struct Minute {
        std::int64_t number = -1;
        std::uint64_t good = 0;
        std::uint64_t bad = 0;
    };
    struct Sum {
        std::uint64_t good = 0;
        std::uint64_t bad = 0;
    };
    Sum sum(Nanos now) const;

    std::array<Minute, minutes> ring_;
    std::optional<std::int64_t> first_minute_;
};

// Steps over a message that ends the connection each time it comes. It has no seq that could be
// read, so the cursor is moved on: by one after the third time, then by twice as much each time,
// until something else comes.
class PoisonStepper {
  public:
    static constexpr std::uint32_t patience = 3;
    static constexpr std::uint64_t longest_step = 1024;

    // A connection that began at this cursor was ended by a message, with no event before it.
    // Returns how far to move the cursor: 0, not yet.
    std::uint64_t poisoned(std::uint64_t cursor);
    // An event came.
    void passed() { *this = {}; }
    // Above what an event is new: `cursor`, or where the stepping began, if it has. Steps may go
    // too far: what the host sends then is still taken.
    std::uint64_t floor(std::uint64_t cursor) const;

  private:
    std::uint64_t began_at_ = 0;
    std::uint64_t cursor_ = 0;
    std::uint32_t times_ = 0;
    std::uint64_t step_ = 1;
};

// A leap in a host's counting, which would hide whatever it sends after it under the old numbers,
// is believed only if it is met again behind the same cursor. Counting by the clock is no leap: its
// numbers are large, and never double.
class LeapJudge {
  public:
    static constexpr std::uint64_t least_leap = 1'000'000'000;

    // False: the connection has to end. Once for each connection.
    bool believes(std::uint64_t cursor, std::uint64_t seq);

  private:
    std::optional<std::uint64_t> doubted_behind_;
};

// A host that was restored from an older copy, and says nothing of it, sends seqs below our cursor
// only. So does one that repeats what it has already sent, but that one comes up to the cursor, or
// beyond it, in a while.
class RegressionJudge {
  public:
    static constexpr Nanos patience = std::chrono::minutes(10);

    void stale(Nanos now, std::uint64_t cursor, std::uint64_t seq);
    void passed() { first_.reset(); }
    // The first seq of the new counting.
    std::optional<std::uint64_t> counts_anew_from(Nanos now) const;

  private:
    struct Stale {
        Nanos at;
        std::uint64_t seq;
    };
    std::optional<Stale> first_;
};

}  // namespace ringlay::hosts
