#include "relay/api/stats_page.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "proto/base/json_writer.hpp"

namespace ringlay::api {
namespace {

constexpr std::size_t max_failure_bytes = 200;

void write_log(JsonWriter& json, const LogStatus& log) {
    json.begin_object();
    json.key("stall").text(log.stall);
    json.key("head_seq").number(log.head_seq);
    json.key("synced_seq").number(log.synced_seq);
    json.key("oldest_seq").number(log.oldest_seq);
    json.key("oldest_received_ms").number(log.oldest_received.count());
    json.key("events").number(log.events);
    json.key("segments").number(log.segments);
    json.key("disk_bytes").number(log.disk_bytes);
    json.key("budget_bytes").number(log.budget_bytes);
    json.key("free_bytes").number(log.free_bytes);
    json.end_object();
}

void write_fold(JsonWriter& json, const FoldStatus& fold) {
    json.begin_object();
    json.key("applied_seq").number(fold.applied_seq);
    json.key("flushed_seq").number(fold.flushed_seq);
    json.key("gaps").number(fold.gaps);
    json.key("rows_from_the_future").number(fold.rows_from_the_future);
    json.key("accounts_estimate").number(fold.accounts);
    json.key("disk_bytes").number(fold.disk_bytes);
    json.end_object();
}

void write_shard(JsonWriter& json, const ingest::Shard::Status& shard) {
    json.begin_object();
    json.key("accounts").number(shard.accounts);
    json.key("accounts_pinned").number(shard.accounts_pinned);
    json.key("account_bytes").number(shard.account_bytes);
    json.key("parked").number(shard.parked);
    json.key("unverified_waiting").number(shard.pending);
    json.end_object();
}

void write_host(JsonWriter& json, const hosts::HostStatus& host, double rate) {
    json.begin_object();
    json.key("hostname").text(host.name);
    json.key("state").text(hosts::phase_name(host.phase));
    json.key("seq").number(host.last_seq);
    json.key("events").number(host.events);
    json.key("events_per_second").number(static_cast<std::uint64_t>(rate + 0.5));
    json.key("connections").number(host.connections);
    json.key("window_events").number(host.window_events);
    json.key("window_bytes").number(host.window_bytes);
    if (host.last_event.count() > 0) json.key("last_event_ms").number(host.last_event.count());
    if (host.phase == hosts::HostPhase::waiting && host.next_attempt.count() > 0) {
        json.key("next_attempt_ms").number(host.next_attempt.count());
    }
    if (!host.failure.empty()) {
        json.key("failure").text(std::string_view(host.failure).substr(0, max_failure_bytes));
    }
    json.end_object();
}

void write_consumer(JsonWriter& json, const firehose::ConsumerStatus& consumer) {
    json.begin_object();
    json.key("id").number(consumer.id);
    json.key("address").text(consumer.peer);
    json.key("user_agent").text(consumer.user_agent);
    json.key("connected_ms").number(consumer.connected_at.count());
    json.key("frames_sent").number(consumer.frames_sent);
    json.key("lag_bytes").number(consumer.lag_bytes);
    json.end_object();
}

void write_states(JsonWriter& json, const std::vector<hosts::HostStatus>& hosts) {
    std::map<std::string_view, std::size_t> by_state;
    for (const hosts::HostStatus& host : hosts) ++by_state[hosts::phase_name(host.phase)];
    json.begin_object();
    for (const auto& [state, count] : by_state) json.key(state).number(count);
    json.end_object();
}

void write_busiest(JsonWriter& json, const std::vector<hosts::HostStatus>& hosts,
                   const std::vector<double>& rates) {
    std::vector<std::size_t> order(hosts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t count = std::min(order.size(), max_hosts_in_top);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
                      order.end(), [&](std::size_t a, std::size_t b) {
                          return std::pair(-rates[a], a) < std::pair(-rates[b], b);
                      });
    json.begin_array();
    for (std::size_t i = 0; i < count; ++i) write_host(json, hosts[order[i]], rates[order[i]]);
    json.end_array();
}

// Why those that are not connected are not: the commonest reasons, each with one such host.
void write_failures(JsonWriter& json, const std::vector<hosts::HostStatus>& hosts) {
    struct Reason {
        std::string_view words;
        std::size_t count = 0;
        std::string_view example;
    };
    std::map<std::string_view, Reason> by_words;
    for (const hosts::HostStatus& host : hosts) {
        if (host.phase == hosts::HostPhase::connected || host.failure.empty()) continue;
        const auto words = std::string_view(host.failure).substr(0, max_failure_bytes);
        Reason& reason = by_words.try_emplace(words, Reason{words, 0, host.name}).first->second;
        ++reason.count;
    }
    std::vector<Reason> reasons;
    for (const auto& [words, reason] : by_words) reasons.push_back(reason);
    std::ranges::sort(reasons, [](const Reason& a, const Reason& b) {
        return a.count != b.count ? a.count > b.count : a.words < b.words;
    });
    if (reasons.size() > max_hosts_in_top) reasons.resize(max_hosts_in_top);
    json.begin_array();
    for (const Reason& reason : reasons) {
        json.begin_object();
        json.key("reason").text(reason.words);
        json.key("hosts").number(reason.count);
        json.key("example").text(reason.example);
        json.end_object();
    }
    json.end_array();
}

}  // namespace

std::string stats_page(const RelayStatus& status, const std::vector<double>& host_rates) {
    JsonWriter json;
    json.begin_object();
    json.key("version").text(status.version);
    json.key("uptime_seconds").number((status.now - status.started).count() / 1000);
    json.key("workers").number(status.workers);
    json.key("log");
    write_log(json, status.log);
    json.key("fold");
    write_fold(json, status.fold);
    json.key("shards").begin_array();
    for (const auto& shard : status.shards) write_shard(json, shard);
    json.end_array();
    json.key("host_count").number(status.hosts.size());
    json.key("hosts_by_state");
    write_states(json, status.hosts);
    if (status.hosts.size() <= max_hosts_listed) {
        json.key("hosts").begin_array();
        for (std::size_t i = 0; i < status.hosts.size(); ++i) {
            write_host(json, status.hosts[i], host_rates[i]);
        }
        json.end_array();
    } else {
        json.key("busiest_hosts");
        write_busiest(json, status.hosts, host_rates);
        json.key("host_failures");
        write_failures(json, status.hosts);
    }
    json.key("consumers").begin_array();
    for (const auto& consumer : status.consumers) write_consumer(json, consumer);
    json.end_array().end_object();
    return json.take();
}

std::shared_ptr<const std::string> StatsPage::get() {
    if (page_ && (is_making_ || fiber::now() - made_ < max_age)) return page_;
    if (is_making_) {
        static_cast<void>(first_.wait());
        return page_ ? page_ : std::make_shared<const std::string>("{}");
    }
    make();
    return page_;
}

// What one of these fibers makes serves all that ask meanwhile.
void StatsPage::make() {
    is_making_ = true;
    const RelayStatus status = status_();
    page_ = std::make_shared<const std::string>(stats_page(status, rates(status)));
    made_ = fiber::now();
    is_making_ = false;
    first_.set();
}

std::vector<double> StatsPage::rates(const RelayStatus& status) {
    const WallMillis since = events_at_.count() > 0 ? events_at_ : status.started;
    const double seconds =
        static_cast<double>(std::max<std::int64_t>((status.now - since).count(), 1)) / 1000;
    std::vector<double> rates;
    std::unordered_map<std::string, std::uint64_t> events;
    rates.reserve(status.hosts.size());
    for (const hosts::HostStatus& host : status.hosts) {
        auto before = events_.find(host.name);
        const std::uint64_t base = before == events_.end() ? 0 : before->second;
        rates.push_back(static_cast<double>(host.events - std::min(base, host.events)) / seconds);
        events.emplace(host.name, host.events);
    }
    events_ = std::move(events);
    events_at_ = status.now;
    return rates;
}

}  // namespace ringlay::api
