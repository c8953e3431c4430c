// What `ringlay watch` shows: pages of a relay in, rows of text out.
//
// Thread   pure; History is a value.
// Bound    rows and columns as given; a minute of history; what is on the pages.
// Trust    names and reasons come from strangers: what is not printable ASCII is shown as '?', so
//          that none of it is an order to the terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/fiber/time.hpp"

namespace ringlay::watching {

struct Host {
    std::string name;
    std::uint64_t events_per_second = 0;
};
struct FailureReason {
    std::string words;
    std::uint64_t hosts = 0;
    std::string example;
};

// All that was on the pages; what was missing is shown as `-`.
struct Reading {
    using Number = std::optional<std::uint64_t>;

    std::string obstacle;  // why there is no page; empty: there is one
    std::string version;
    Number uptime_seconds;
    std::optional<bool> is_ok;
    std::vector<std::string> reasons;
    std::string ingest_state;
    Number fold_percent;
    Number hosts_known;
    Number hosts_connected;
    std::vector<std::pair<std::string, std::uint64_t>> hosts_by_state;
    Number events_per_second;
    Number verified_percent;
    Number consumers;
    Number head_seq;
    Number events;  // appended since the start
    Number oldest_received_ms;
    Number disk_bytes;
    Number budget_bytes;
    Number accounts;
    Number written_bytes;  // to the log, since the start
    Number memory_bytes;
    std::vector<Host> busiest;            // descending, those with events
    std::vector<FailureReason> failures;  // descending
};

// False: this is no page of that kind, and nothing was read.
bool read_stats(std::string_view json, Reading& reading);
bool read_health(std::string_view json, Reading& reading);
void read_metrics(std::string_view text, Reading& reading);

// What changes from one reading to the next.
class History {
  public:
    static constexpr std::size_t max_rates = 60;

    void add(Nanos now, const Reading& reading);

    // Events a second between readings, the newest is last.
    const std::deque<double>& rates() const { return rates_; }
    // At the pace since the oldest reading of the last minute; nothing: too early to say.
    std::optional<std::uint64_t> bytes_per_hour() const;

  private:
    struct Point {
        Nanos at{};
        std::uint64_t count = 0;
    };

    std::optional<Point> last_events_;
    std::deque<double> rates_;
    std::deque<Point> written_;
};

struct Frame {
    std::size_t width = 80;
    std::size_t height = 24;
    bool has_colour = false;
    std::string url;
    std::vector<std::string> notes;  // at the bottom
    WallMillis now{};
};

// At most `height` rows of at most `width` columns; colours take none.
std::vector<std::string> panel(const Reading& reading, const History& history, const Frame& frame);

// The same in one line.
std::string one_line(const Reading& reading, const History& history, WallMillis now);

// A row of bars, one for each of the last `width` values; the tallest is the highest of them.
std::string sparkline(const std::deque<double>& values, std::size_t width);

}  // namespace ringlay::watching
