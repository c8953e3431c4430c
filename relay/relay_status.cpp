// What the relay shows of itself: health, statistics, metrics.
#include <algorithm>
#include <chrono>

#include "relay/relay_rooms.hpp"

namespace ringlay {
namespace {

// A healthy disk syncs what a tenth of a second has brought in far less.
constexpr Nanos slow_disk = std::chrono::seconds(3);

// `40 s`, `6 min`, `3 h`, `2 days`
std::string about(std::chrono::seconds duration) {
    const auto seconds = duration.count();
    if (seconds < 100) return std::to_string(seconds) + " s";
    if (seconds < 100 * 60) return std::to_string((seconds + 30) / 60) + " min";
    if (seconds < 48 * 3600) return std::to_string((seconds + 1800) / 3600) + " h";
    return std::to_string((seconds + 43'200) / 86'400) + " days";
}

// A reservation is made in a moment; it is no news.
bool is_stalled(event_log::Stall stall) {
    return stall != event_log::Stall::none && stall != event_log::Stall::reservation;
}

}  // namespace

std::vector<std::string> Relay::machine_notes() const {
    std::vector<std::string> notes = options_.shortages;
    const RelayOptions::Descriptors& descriptors = options_.descriptors;
    const std::uint64_t plenty = descriptors.for_connections / 10 * 9;
    if (plenty > 0 && descriptors_in_use_ > plenty) {
        notes.push_back("descriptors: " + std::to_string(descriptors_in_use_) + " of " +
                        std::to_string(descriptors.limit) + " are in use, and " +
                        std::to_string(descriptors.limit - descriptors.for_connections) +
                        " are kept for files");
    }
    const event_log::LogCounters& counters = log_->log->counters();
    const Nanos now = env_.clock.now();
    auto note_if_slow = [&](std::string_view what, Nanos took) {
        if (took < slow_disk) return;
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(took).count();
        notes.push_back("log: " + std::string(what) + " took " + std::to_string(seconds) + " s");
    };
    note_if_slow("a write", counters.slow_writes.longest(now));
    const Nanos syncing_since(counters.syncing_since_ns.load(std::memory_order_relaxed));
    const Nanos under_way = syncing_since.count() == 0 ? Nanos(0) : now - syncing_since;
    note_if_slow("a sync", std::max(counters.slow_syncs.longest(now), under_way));
    return notes;
}

// Atomics only: it answers whatever the workers do.
api::LogStatus Relay::log_status() const {
    const event_log::Log& log = *log_->log;
    const event_log::LogCounters& counters = log.counters();
    auto read = [](const auto& number) { return number.load(std::memory_order_relaxed); };
    const event_log::Stall stall = log.stall();
    std::vector<std::string> notes = host_notes();
    for (std::string& note : ingest_notes()) notes.push_back(std::move(note));
    for (std::string& note : machine_notes()) notes.push_back(std::move(note));
    return {.is_stalled = is_stalled(stall),
            .stall = event_log::name_of(stall),
            .head_seq = log.head_seq(),
            .synced_seq = log.synced().seq,
            .oldest_seq = read(counters.oldest_seq),
            .oldest_received = WallMillis(read(counters.oldest_wall_ms)),
            .events = read(counters.events),
            .segments = read(counters.segments),
            .disk_bytes = read(counters.disk_bytes),
            .budget_bytes = read(counters.budget_bytes),
            .free_bytes = read(counters.free_bytes),
            .notes = std::move(notes),
            .ingest = ingest_status(),
            .wedge = wedge()};
}

std::vector<std::string> Relay::ingest_notes() const {
    std::vector<std::string> notes;
    if (ingest_metrics_ && ingest_metrics_->clock_behind.value() > 0) {
        const std::chrono::seconds behind(ingest_metrics_->clock_behind_seconds.value());
        notes.push_back("clock: this machine's clock is about " + about(behind) +
                        " behind that of most hosts");
    }
    if (!identity_metrics_) return notes;
    const identity::DirectoryHealth& directory = identity_metrics_->directory;
    if (const Nanos since = directory.failing_since(); since > Nanos::zero()) {
        const auto lasts =
            std::chrono::duration_cast<std::chrono::seconds>(env_.clock.now() - since);
        notes.push_back("directory: no answer for " + about(lasts) + " (" + directory.reason() +
                        ")");
    }
    return notes;
}

// Called on the main worker alone, which has the pace.
api::IngestStatus Relay::ingest_status() const {
    const accounts::FoldProgress& progress = fold_->follower->progress();
    const std::uint64_t applied = progress.applied_seq.load();
    const std::uint64_t head = log_->log->head_seq();
    const std::uint64_t oldest = log_->log->counters().oldest_seq.load(std::memory_order_relaxed);
    // Of the window: what left it before it was folded is a gap, and no work any more.
    const bool is_inside = applied > oldest && head > oldest;
    return ports_->pace.look(
        {.now = env_.clock.now(),
         .has_begun = progress.has_caught_up.load(),
         .wants_hosts = hosts_->registry->totals().hosts > 0 || !options_.config.upstream.empty(),
         .fold_percent =
             is_inside ? std::min(applied - oldest, head - oldest) * 100 / (head - oldest) : 0,
         .hosts_known = hosts_->registry->totals().hosts,
         .hosts_connected = static_cast<std::uint64_t>(
             std::max<std::int64_t>(host_metrics_->connected.value(), 0)),
         .verified = ingest_metrics_->verified.value(),
         .unverified = ingest_metrics_->unverified.value()});
}

// What only a restart can help. While it starts, a worker may be long at reading the log.
std::string Relay::wedge() const {
    static constexpr auto longest = std::chrono::seconds(30);
    if (log_->log->stall() == event_log::Stall::failed) return "log: failed";
    if (!fold_->follower->progress().has_caught_up.load()) return {};
    auto look = [now = env_.clock.now()](const fiber::Worker* worker) {
        if (worker == nullptr) return std::string();
        const Nanos since(worker->gauges().running_since_ns.load(std::memory_order_relaxed));
        if (since.count() == 0 || now - since < longest) return std::string();
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - since).count();
        return "worker " + worker->name() + " has not come back for " + std::to_string(seconds) +
               " s";
    };
    std::string words = look(log_->worker);
    if (words.empty()) words = look(fold_->worker);
    for (const auto& room : rooms_) {
        if (words.empty()) words = look(room->worker);
    }
    return words;
}

api::FoldStatus Relay::fold_status() const {
    const accounts::FoldProgress& progress = fold_->follower->progress();
    const index::Database::Size size = fold_->database->size();
    return {.applied_seq = progress.applied_seq.load(),
            .flushed_seq = progress.flushed_seq.load(),
            .gaps = progress.gaps.load(),
            .rows_from_the_future = progress.rows_from_the_future.load(),
            .accounts = size.accounts,
            .disk_bytes = size.disk_bytes};
}

api::RelayStatus Relay::relay_status() {
    api::RelayStatus status{.version = options_.version,
                            .now = env_.clock.wall(),
                            .started = started_,
                            .workers = options_.config.workers,
                            .log = log_status(),
                            .fold = fold_status(),
                            .shards = {},
                            .hosts = {},
                            .consumers = {}};
    // The registry has asked the workers for their hosts a moment ago.
    const auto views = hosts_->registry->views();
    for (const hosts::HostView& view : *views) {
        if (view.live) status.hosts.push_back(*view.live);
    }
    for (auto& room : rooms_) {
        fiber::call_on(*room->worker, "tell the status", [&] {
            for (const auto& shard : room->shards) status.shards.push_back(shard->status());
        });
    }
    status.consumers = consumer_statuses();
    return status;
}

std::vector<firehose::ConsumerStatus> Relay::consumer_statuses() {
    std::vector<firehose::ConsumerStatus> all;
    for (auto& room : rooms_) {
        fiber::call_on(*room->worker, "tell of the consumers", [&] {
            for (auto& consumer : room->consumers->status()) all.push_back(std::move(consumer));
        });
    }
    return all;
}

void Relay::register_metrics() {
    using Kind = base::Metrics::Kind;
    host_metrics_.emplace(metrics_, options_.config.max_hosts, hosts::WindowLimits());
    firehose_metrics_.emplace(metrics_);
    ingest_metrics_.emplace(metrics_, options_.config.shards);
    identity_metrics_.emplace(metrics_,
                              ingest::ShardOptions().resolver.max_waiting * options_.config.shards);
    fold_->follower->register_metrics(metrics_);
    const event_log::Log& log = *log_->log;
    const event_log::LogCounters& counters = log.counters();
    auto counter = [&](std::string_view name, std::string_view help, const auto& number) {
        metrics_.callback(Kind::counter, name, help, [&number] {
            return static_cast<double>(number.load(std::memory_order_relaxed));
        });
    };
    auto gauge = [&](std::string_view name, std::string_view help, auto value) {
        metrics_.callback(Kind::gauge, name, help,
                          [value] { return static_cast<double>(value()); });
    };
    counter("relay_log_events_total", "Events appended to the log.", counters.events);
    counter("relay_log_facts_only_total", "Records appended that are no event.",
            counters.facts_only);
    counter("relay_log_wire_bytes_total", "Bytes of frames appended.", counters.wire_bytes);
    counter("relay_log_facts_bytes_total", "Bytes of facts appended.", counters.facts_bytes);
    counter("relay_log_batches_total", "Batches appended.", counters.batches);
    counter("relay_log_syncs_total", "Syncs of the log to disk.", counters.syncs);
    counter("relay_log_no_space_retries_total", "Appends tried again because the disk was full.",
            counters.no_space_retries);
    counter("relay_log_segments_removed_total", "Segments removed by retention.",
            counters.segments_removed);
    gauge("relay_log_append_seconds_max", "Longest append since the start.",
          [&] { return static_cast<double>(counters.append_ns_max.load()) / 1e9; });
    gauge("relay_log_sync_seconds_max", "Longest sync since the start.",
          [&] { return static_cast<double>(counters.sync_ns_max.load()) / 1e9; });
    gauge("relay_log_segments", "Segments of the log.", [&] { return counters.segments.load(); });
    gauge("relay_log_disk_bytes", "Bytes of the log on disk.",
          [&] { return counters.disk_bytes.load(); });
    gauge("relay_log_budget_bytes", "Bytes that the log may have on disk.",
          [&] { return counters.budget_bytes.load(); });
    gauge("relay_log_volume_free_bytes", "Bytes free on the log's volume.",
          [&] { return counters.free_bytes.load(); });
    gauge("relay_log_head_seq", "Newest sequence number.", [&] { return log.head_seq(); });
    gauge("relay_log_synced_seq", "Newest sequence number that is synced.",
          [&] { return log.synced().seq; });
    gauge("relay_log_oldest_seq", "Oldest sequence number of the replay window.",
          [&] { return counters.oldest_seq.load(); });
    gauge("relay_log_stalled", "1 while nothing can be appended; /_health says why.",
          [&] { return is_stalled(log.stall()) ? 1 : 0; });
    gauge("relay_log_unsynced_bytes", "Bytes of frames appended and not yet synced.",
          [&] { return log.head() - log.synced().position; });
    metrics_.callback(Kind::counter, "relay_logger_dropped_total",
                      "Log lines dropped because the ring was full.",
                      [this] { return static_cast<double>(logger_.dropped_total()); });
    register_common_names();
    register_descriptors();
    register_queues();
    register_outbound();
    register_messages();
    register_http();
    register_workers();
    if (options_.add_metrics) options_.add_metrics(metrics_);
}

// Numbers under the names that dashboards for other relays look for.
void Relay::register_common_names() {
    using Kind = base::Metrics::Kind;
    metrics_.callback(Kind::counter, "relay_frames_received_total", "Frames that hosts have sent.",
                      [this] {
                          std::uint64_t total = 0;
                          for (const base::Counter* frames : host_metrics_->by_outcome) {
                              total += frames->value();
                          }
                          return static_cast<double>(total);
                      });
    metrics_.callback(Kind::gauge, "relay_resolve_queued_set_count",
                      "Look-ups of identities that wait or are under way.",
                      [this] { return static_cast<double>(identity_metrics_->waiting.depth()); });
    // A gauge by its name only.
    metrics_.callback(Kind::gauge, "relay_new_users_discovered",
                      "Accounts met for the first time since the start.", [this] {
                          return static_cast<double>(ingest_metrics_->new_accounts.value());
                      });
    const std::pair<std::string_view, const base::Counter&> results[] = {
        {"validated", ingest_metrics_->verified},
        {"unverified", ingest_metrics_->unverified},
        {"failed", ingest_metrics_->dropped}};
    for (const auto& [result, count] : results) {
        metrics_.callback(Kind::counter, "relay_validation_total",
                          "Events by what checking them came to; relay_events_total has more.",
                          [&count] { return static_cast<double>(count.value()); },
                          {{"result", std::string(result)}});
    }
}

void Relay::register_descriptors() {
    if (!options_.descriptors.in_use) return;
    using Kind = base::Metrics::Kind;
    metrics_.callback(Kind::gauge, "relay_process_descriptors",
                      "Descriptors in use, looked at every ten seconds.",
                      [this] { return static_cast<double>(descriptors_in_use_); });
    metrics_.callback(Kind::gauge, "relay_process_descriptors_limit",
                      "Descriptors that the process may have.",
                      [this] { return static_cast<double>(options_.descriptors.limit); });
}

// Every queue has a name, a bound and a gauge (docs/design.md, "Bounds").
void Relay::register_queues() {
    const event_log::Log& log = *log_->log;
    const auto& options = log.options();
    metrics_.queue("log_tail_bytes",
                   std::uint64_t{options.tail.chunk_bytes} * options.tail.chunk_count,
                   [this] { return static_cast<double>(log_->log->tail().memory_bytes()); });
    metrics_.queue("consumers", options_.config.max_consumers,
                   [this] { return static_cast<double>(firehose_metrics_->consumers.value()); });
    metrics_.queue("partial_messages", messages_.bound_bytes(),
                   [this] { return static_cast<double>(messages_.held_bytes()); });
    metrics_.queue("http_connections", 2 * options_.max_connections, [this] {
        return static_cast<double>(ports_->counters.open_connections.load());
    });
}

void Relay::register_outbound() {
    auto counter = [&](std::string_view name, std::string_view help, auto member) {
        metrics_.callback(base::Metrics::Kind::counter, name, help, [this, member] {
            return static_cast<double>((outbound_.*member).load(std::memory_order_relaxed) +
                                       (strangers_.*member).load(std::memory_order_relaxed));
        });
    };
    counter("relay_dials_refused_total",
            "Connections that were not made: private addresses, or plain text.",
            &net::Outbound::refused);
    metrics_.callback(base::Metrics::Kind::counter, "relay_dials_address_full_total",
                      "Connections that were not made: so many hosts are at that address already.",
                      [this] { return static_cast<double>(places_->refused.load()); });
    counter("relay_tls_handshakes_total", "TLS handshakes with hosts and directories.",
            &net::Outbound::handshakes);
    counter("relay_tls_handshake_failures_total", "TLS handshakes that failed.",
            &net::Outbound::handshake_failures);
}

void Relay::register_messages() {
    auto counter = [&](std::string_view name, std::string_view help, const auto& number) {
        metrics_.callback(base::Metrics::Kind::counter, name, help, [&number] {
            return static_cast<double>(number.load(std::memory_order_relaxed));
        });
    };
    counter("relay_host_message_waits_total",
            "Times a host was not read because large messages of others had taken the memory.",
            messages_.waits);
    counter("relay_host_messages_unfinished_total",
            "Connections to hosts ended because a message did not come to its end in time.",
            messages_.unfinished);
}

void Relay::register_http() {
    const net::HttpServerCounters& counters = ports_->counters;
    auto counter = [&](std::string_view name, std::string_view help, const auto& number,
                       base::Labels labels = {}) {
        metrics_.callback(
            base::Metrics::Kind::counter, name, help,
            [&number] { return static_cast<double>(number.load(std::memory_order_relaxed)); },
            std::move(labels));
    };
    counter("relay_http_connections_total", "Connections accepted, on both ports.",
            counters.connections);
    counter("relay_http_requests_total", "Requests answered, on both ports.", counters.requests);
    counter("relay_http_failures_total", "Requests answered with 500: their handler failed.",
            counters.handler_failures);
    constexpr std::string_view cut = "relay_http_cut_total";
    constexpr std::string_view help = "Connections refused or cut, by reason.";
    auto because = [&](std::string_view reason, const auto& number) {
        counter(cut, help, number, {{"reason", std::string(reason)}});
    };
    because("limit", counters.refused_by_limit);
    because("idle_evicted", counters.idle_evicted);
    because("address_limit", counters.refused_by_address_limit);
    because("malformed", counters.refused_malformed);
    because("too_large", counters.refused_too_large);
    because("header_timeout", counters.header_timeouts);
    because("body_timeout", counters.body_timeouts);
    because("idle_timeout", counters.idle_timeouts);
    because("write_timeout", counters.write_timeouts);
    because("accept_failed", counters.accept_failures);
}

void Relay::register_workers() {
    auto sum = [this](auto member) {
        double total = 0;
        auto add = [&](const fiber::Worker* worker) {
            if (worker != nullptr) {
                total +=
                    static_cast<double>((worker->gauges().*member).load(std::memory_order_relaxed));
            }
        };
        add(main_worker_.load());
        add(log_->worker);
        add(fold_->worker);
        for (const auto& room : rooms_) add(room->worker);
        return total;
    };
    using Kind = base::Metrics::Kind;
    using Gauges = fiber::WorkerGauges;
    metrics_.callback(Kind::gauge, "relay_fibers", "Fibers that exist.",
                      [sum] { return sum(&Gauges::fibers); });
    metrics_.callback(Kind::counter, "relay_fiber_switches_total", "Times a fiber was run.",
                      [sum] { return sum(&Gauges::switches); });
    metrics_.callback(Kind::counter, "relay_worker_sleeps_total",
                      "Times a worker slept in the kernel.",
                      [sum] { return sum(&Gauges::sleeps); });
    metrics_.callback(Kind::counter, "relay_worker_wakes_total",
                      "Times a worker was woken by another thread.",
                      [sum] { return sum(&Gauges::wakes); });
    metrics_.callback(Kind::counter, "relay_fiber_long_runs_total",
                      "Times a fiber kept its worker for more than 5 ms.",
                      [sum] { return sum(&Gauges::long_runs); });
}

}  // namespace ringlay
