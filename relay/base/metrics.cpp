#include "relay/base/metrics.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "proto/base/assert.hpp"

namespace ringlay::base {
namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_name(std::string_view text) {
    if (text.empty() || !is_letter(text.front())) return false;
    return std::ranges::all_of(text, [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

// A cell with one writer: no bus-locked instruction is needed.
template <class T>
void add_alone(std::atomic<T>& cell, T amount) {
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

std::string escaped(std::string_view text, bool quotes_too) {
    std::string out;
    for (char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && quotes_too) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
    return out;
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    char text[40];
    auto [end, error] = std::to_chars(text, text + sizeof text, value);
    RINGLAY_ASSERT(error == std::errc{});
    return {text, end};
}

std::string label_text(const Labels& labels) {
    std::string out;
    for (const auto& [key, value] : labels) {
        if (!out.empty()) out += ',';
        out += key + "=\"" + escaped(value, true) + '"';
    }
    return out;
}

std::string braced(const std::string& labels) {
    return labels.empty() ? "" : '{' + labels + '}';
}

std::string_view kind_name(Metrics::Kind kind) {
    switch (kind) {
        case Metrics::Kind::counter:
            return "counter";
        case Metrics::Kind::gauge:
            return "gauge";
        case Metrics::Kind::histogram:
            return "histogram";
    }
    return {};
}

constexpr std::string_view queue_depth = "relay_queue_depth";
constexpr std::string_view queue_depth_help = "What waits in a queue, in the queue's unit.";

}  // namespace

Counter::Counter(std::size_t worker_count)
    : worker_count_(worker_count), cells_(std::make_unique<Cell[]>(worker_count + 1)) {}

void Counter::add(std::size_t worker_index, std::uint64_t count) {
    RINGLAY_ASSERT(worker_index < worker_count_);
    add_alone(cells_[worker_index].count, count);
}

void Counter::add_shared(std::uint64_t count) {
    cells_[worker_count_].count.fetch_add(count, std::memory_order_relaxed);
}

std::uint64_t Counter::value() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= worker_count_; ++i) {
        sum += cells_[i].count.load(std::memory_order_relaxed);
    }
    return sum;
}

struct alignas(64) Histogram::Cell {
    explicit Cell(std::size_t buckets) : counts(buckets) {}
    std::vector<std::atomic<std::uint64_t>> counts;
    std::atomic<double> sum{0};
};

Histogram::Histogram(std::size_t worker_count, std::vector<double> upper_bounds)
    : upper_bounds_(std::move(upper_bounds)), worker_count_(worker_count) {
    RINGLAY_ASSERT(!upper_bounds_.empty() && std::isfinite(upper_bounds_.back()));
    RINGLAY_ASSERT(std::ranges::adjacent_find(upper_bounds_, std::greater_equal<>()) ==
                   upper_bounds_.end());
    for (std::size_t i = 0; i <= worker_count; ++i) {
        cells_.push_back(std::make_unique<Cell>(upper_bounds_.size() + 1));
    }
}

Histogram::~Histogram() = default;

std::size_t Histogram::bucket_of(double value) const {
    auto at = std::ranges::lower_bound(upper_bounds_, value);
    return static_cast<std::size_t>(at - upper_bounds_.begin());
}

void Histogram::observe(std::size_t worker_index, double value) {
    RINGLAY_ASSERT(worker_index < worker_count_);
    Cell& cell = *cells_[worker_index];
    add_alone<std::uint64_t>(cell.counts[bucket_of(value)], 1);
    add_alone(cell.sum, value);
}

void Histogram::observe_shared(double value) {
    Cell& cell = *cells_[worker_count_];
    cell.counts[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
    cell.sum.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::bucket_counts() const {
    std::vector<std::uint64_t> counts(upper_bounds_.size() + 1);
    for (const auto& cell : cells_) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            counts[i] += cell->counts[i].load(std::memory_order_relaxed);
        }
    }
    return counts;
}

double Histogram::sum() const {
    double sum = 0;
    for (const auto& cell : cells_) sum += cell->sum.load(std::memory_order_relaxed);
    return sum;
}

// Exactly one of the pointers is set, or the callback.
struct Metrics::Series {
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
    Callback callback;

    void expose(std::string& out, const std::string& name, const std::string& labels) const;
};

struct Metrics::Family {
    Kind kind;
    std::string help;
    std::map<std::string, Series> series;  // by the text of their labels
};

void Metrics::Series::expose(std::string& out, const std::string& name,
                             const std::string& labels) const {
    std::string start = name + braced(labels) + ' ';
    if (counter) out += start + std::to_string(counter->value()) + '\n';
    if (gauge) out += start + std::to_string(gauge->value()) + '\n';
    if (callback) out += start + number(callback()) + '\n';
    if (!histogram) return;
    std::uint64_t count = 0;
    std::vector<std::uint64_t> counts = histogram->bucket_counts();
    std::string others = labels.empty() ? "" : labels + ',';
    for (std::size_t i = 0; i < counts.size(); ++i) {
        bool is_last = i + 1 == counts.size();
        count += counts[i];
        out += name + "_bucket{" + others + "le=\"" +
               (is_last ? "+Inf" : number(histogram->upper_bounds()[i])) + "\"} " +
               std::to_string(count) + '\n';
    }
    out += name + "_sum" + braced(labels) + ' ' + number(histogram->sum()) + '\n';
    out += name + "_count" + braced(labels) + ' ' + std::to_string(count) + '\n';
}

Metrics::Metrics(std::size_t worker_count) : worker_count_(worker_count) {}

Metrics::~Metrics() = default;

Metrics::Series& Metrics::add_series(Kind kind, std::string_view name, std::string_view help,
                                     Labels labels) {
    RINGLAY_ASSERT(!scraped_.load(std::memory_order_relaxed));
    RINGLAY_ASSERT(is_name(name) && !help.empty());
    RINGLAY_ASSERT(name.ends_with("_total") == (kind == Kind::counter));
    // These are made of a histogram's name; the third one others use for gauges, too.
    for (std::string_view derived : {"_bucket", "_sum"}) RINGLAY_ASSERT(!name.ends_with(derived));
    RINGLAY_ASSERT(!name.ends_with("_count") || kind == Kind::gauge);
    std::ranges::sort(labels);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        RINGLAY_ASSERT(is_name(labels[i].first) && labels[i].first != "le");
        RINGLAY_ASSERT(i == 0 || labels[i - 1].first != labels[i].first);
    }

    auto& family = families_[std::string(name)];
    if (!family) family = std::make_unique<Family>(Family{kind, std::string(help), {}});
    RINGLAY_ASSERT(family->kind == kind && family->help == help);
    auto [at, is_new] = family->series.try_emplace(label_text(labels));
    RINGLAY_ASSERT(is_new);
    return at->second;
}

Counter& Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
    Series& series = add_series(Kind::counter, name, help, std::move(labels));
    series.counter = std::make_unique<Counter>(worker_count_);
    return *series.counter;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
    Series& series = add_series(Kind::gauge, name, help, std::move(labels));
    series.gauge = std::make_unique<Gauge>();
    return *series.gauge;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              std::vector<double> upper_bounds, Labels labels) {
    Series& series = add_series(Kind::histogram, name, help, std::move(labels));
    series.histogram = std::make_unique<Histogram>(worker_count_, std::move(upper_bounds));
    return *series.histogram;
}

void Metrics::callback(Kind kind, std::string_view name, std::string_view help, Callback value,
                       Labels labels) {
    RINGLAY_ASSERT(kind != Kind::histogram && value);
    add_series(kind, name, help, std::move(labels)).callback = std::move(value);
}

QueueGauge& Metrics::queue(std::string_view name, std::uint64_t bound) {
    add_queue_bound(name, bound);
    Gauge& depth = gauge(queue_depth, queue_depth_help, {{"queue", std::string(name)}});
    queues_.push_back(std::make_unique<QueueGauge>(depth, bound));
    return *queues_.back();
}

void Metrics::queue(std::string_view name, std::uint64_t bound, Callback depth) {
    add_queue_bound(name, bound);
    callback(Kind::gauge, queue_depth, queue_depth_help, std::move(depth),
             {{"queue", std::string(name)}});
}

void Metrics::add_queue_bound(std::string_view name, std::uint64_t bound) {
    gauge("relay_queue_bound", "What a queue can hold, in the queue's unit.",
          {{"queue", std::string(name)}})
        .set(static_cast<std::int64_t>(bound));
}

std::string Metrics::expose() const {
    scraped_.store(true, std::memory_order_relaxed);
    std::string out;
    for (const auto& [name, family] : families_) {
        out += "# HELP " + name + ' ' + escaped(family->help, false) + '\n';
        out += "# TYPE " + name + ' ' + std::string(kind_name(family->kind)) + '\n';
        for (const auto& [labels, series] : family->series) series.expose(out, name, labels);
    }
    return out;
}

}  // namespace ringlay::base
