#include "relay/api/relay_status.hpp"

#include "proto/base/json_writer.hpp"

namespace ringlay::api {
namespace {

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

void write_host(JsonWriter& json, const hosts::HostStatus& host) {
    json.begin_object();
    json.key("hostname").text(host.name);
    json.key("state").text(hosts::phase_name(host.phase));
    json.key("seq").number(host.last_seq);
    json.key("events").number(host.events);
    json.key("connections").number(host.connections);
    json.key("window_events").number(host.window_events);
    json.key("window_bytes").number(host.window_bytes);
    if (host.last_event.count() > 0) json.key("last_event_ms").number(host.last_event.count());
    if (host.phase == hosts::HostPhase::waiting && host.next_attempt.count() > 0) {
        json.key("next_attempt_ms").number(host.next_attempt.count());
    }
    if (!host.failure.empty()) json.key("failure").text(host.failure);
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

}  // namespace

Health health_page(const LogStatus& log, std::string_view version) {
    Health health;
    health.is_ok = !log.is_stalled;
    JsonWriter json;
    json.begin_object();
    json.key("status").text(health.is_ok ? "ok" : "error");
    json.key("version").text(version);
    json.key("head_seq").number(log.head_seq);
    json.key("reasons").begin_array();
    if (!health.is_ok) json.text("log: " + std::string(log.stall));
    for (const std::string& note : log.notes) json.text(note);
    json.end_array().end_object();
    health.json = json.take();
    return health;
}

std::string stats_page(const RelayStatus& status) {
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
    json.key("hosts").begin_array();
    for (const auto& host : status.hosts) write_host(json, host);
    json.end_array();
    json.key("consumers").begin_array();
    for (const auto& consumer : status.consumers) write_consumer(json, consumer);
    json.end_array().end_object();
    return json.take();
}

}  // namespace ringlay::api
