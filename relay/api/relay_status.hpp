// What the relay says of itself on the health pages and on /_stats: values, gathered by Relay at
// each request.
//
// Two questions are told apart. Is the process wedged, so that only a restart can help? That is
// liveness. Can it do its work, and if not, what is in the way? That is readiness: a relay without
// internet, or with a full disk, is alive and not ready.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/firehose/consumer.hpp"
#include "relay/hosts/subscriber.hpp"
#include "relay/ingest/shard.hpp"

namespace ringlay::api {

// How events come in.
struct IngestStatus {
    bool has_begun = false;            // the database has caught up with the log; hosts are dialled
    std::uint64_t fold_percent = 100;  // until it has begun: of the events that have to be folded
    std::uint64_t hosts_known = 0;
    std::uint64_t hosts_connected = 0;
    std::uint64_t events_per_second = 0;
    // Of the events passed on in the last seconds; nothing: there were none.
    std::optional<std::uint64_t> verified_percent;
    // For so long no host has been connected, although hosts are wanted.
    std::chrono::seconds alone_for{0};
};

struct LogStatus {
    bool is_stalled = false;  // nothing is appended, and it will not pass by itself in a moment
    std::string_view stall;   // "none", or why
    std::uint64_t head_seq = 0;
    std::uint64_t synced_seq = 0;
    std::uint64_t oldest_seq = 0;
    WallMillis oldest_received{};
    std::uint64_t events = 0;  // since the start
    std::uint64_t segments = 0;
    std::uint64_t disk_bytes = 0;
    std::uint64_t budget_bytes = 0;
    std::uint64_t free_bytes = 0;
    // What is not as it should be although the relay serves: "clock: ...", "directory: ...".
    std::vector<std::string> notes;
    IngestStatus ingest = {};
    // Why only a restart can help: "worker w has not come back for 31 s". Empty: all is well.
    std::string wedge = {};
};

// Of the fold of the log into the database.
struct FoldStatus {
    std::uint64_t applied_seq = 0;
    std::uint64_t flushed_seq = 0;
    std::uint64_t gaps = 0;
    std::uint64_t rows_from_the_future = 0;
    std::uint64_t accounts = 0;  // an estimate of the database's
    std::uint64_t disk_bytes = 0;
};

struct RelayStatus {
    std::string_view version;
    WallMillis now{};
    WallMillis started{};
    std::uint32_t workers = 0;
    LogStatus log;
    FoldStatus fold;
    std::vector<ingest::Shard::Status> shards;
    std::vector<hosts::HostStatus> hosts;
    std::vector<firehose::ConsumerStatus> consumers;
};

inline constexpr auto max_alone = std::chrono::seconds(60);

// `{"status":"ok"}` and what is needed to understand it; otherwise status is "error". `reasons`
// names what is wrong in words that can be searched for, also while it is not enough for an error.
struct Health {
    bool is_ok = true;
    std::string json;
};
Health readiness_page(const LogStatus& log, std::string_view version);
Health liveness_page(const LogStatus& log, std::string_view version);

}  // namespace ringlay::api
