// Named numbers about the program, in the Prometheus text format.
//
// Counters and histograms have one cell per worker, written by that worker alone and summed when
// somebody asks; threads that are no worker, and rare events, use the shared cell. Labels are fixed
// at registration: never a DID, an address or another thing that peers make up.
//
// Owner    Relay. Handles are references that live as long as the Metrics.
// Thread   registration on one thread, before anything else uses it and before the first expose();
//          handles and expose() from any thread afterwards. All accesses are relaxed: a scrape is
//          a set of recent values, not one instant.
// Bound    what is registered: a counter is 64 B x (workers + 1).
// Errors   a bad or doubled name is an error of ours and ends the process at start.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringlay::base {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Counter {
  public:
    explicit Counter(std::size_t worker_count);

    // Only from the worker with this index.
    void add(std::size_t worker_index, std::uint64_t count = 1);
    // From any thread.
    void add_shared(std::uint64_t count = 1);
    std::uint64_t value() const;

  private:
    struct alignas(64) Cell {
        std::atomic<std::uint64_t> count{0};
    };
    const std::size_t worker_count_;
    std::unique_ptr<Cell[]> cells_;  // the last one is shared
};

class Gauge {
  public:
    void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t change) { value_.fetch_add(change, std::memory_order_relaxed); }
    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> value_{0};
};

class Histogram {
  public:
    // `upper_bounds` rise; the bucket above the last is implied.
    Histogram(std::size_t worker_count, std::vector<double> upper_bounds);
    ~Histogram();

    // Only from the worker with this index.
    void observe(std::size_t worker_index, double value);
    // From any thread.
    void observe_shared(double value);

    const std::vector<double>& upper_bounds() const { return upper_bounds_; }
    std::vector<std::uint64_t> bucket_counts() const;  // not cumulative; one more than bounds
    double sum() const;

  private:
    struct Cell;
    std::size_t bucket_of(double value) const;

    const std::vector<double> upper_bounds_;
    const std::size_t worker_count_;
    std::vector<std::unique_ptr<Cell>> cells_;  // the last one is shared
};

// Every queue has a name, a bound and a depth, shown as relay_queue_depth and relay_queue_bound.
class QueueGauge {
  public:
    QueueGauge(Gauge& depth, std::uint64_t bound) : depth_(depth), bound_(bound) {}

    void set_depth(std::uint64_t depth) { depth_.set(static_cast<std::int64_t>(depth)); }
    void add(std::int64_t change) { depth_.add(change); }
    std::uint64_t depth() const { return static_cast<std::uint64_t>(depth_.value()); }
    std::uint64_t bound() const { return bound_; }

  private:
    Gauge& depth_;
    const std::uint64_t bound_;
};

class Metrics {
  public:
    enum class Kind : std::uint8_t { counter, gauge, histogram };
    using Callback = std::function<double()>;

    explicit Metrics(std::size_t worker_count);
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    // A counter's name ends in `_total`, no other name does. The same name may be registered again
    // with other labels; kind and help are then the same.
    Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
    Histogram& histogram(std::string_view name, std::string_view help,
                         std::vector<double> upper_bounds, Labels labels = {});
    // A counter or gauge whose value is asked for at each scrape, on the scraping thread.
    void callback(Kind kind, std::string_view name, std::string_view help, Callback value,
                  Labels labels = {});
    // The bound is in the queue's own unit: items, or bytes if the name says so.
    QueueGauge& queue(std::string_view name, std::uint64_t bound);
    // The same for a depth that somebody else keeps.
    void queue(std::string_view name, std::uint64_t bound, Callback depth);

    // The whole page, sorted by name and labels. Content type: text/plain; version=0.0.4.
    std::string expose() const;

  private:
    struct Family;
    struct Series;

    void add_queue_bound(std::string_view name, std::uint64_t bound);
    Series& add_series(Kind kind, std::string_view name, std::string_view help, Labels labels);

    const std::size_t worker_count_;
    std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
    std::vector<std::unique_ptr<QueueGauge>> queues_;
    mutable std::atomic<bool> scraped_{false};
};

}  // namespace ringlay::base
