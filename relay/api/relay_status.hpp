// What the relay says of itself on /_health and /_stats: values, gathered by Relay at each request.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/firehose/consumer.hpp"
#include "relay/hosts/subscriber.hpp"
#include "relay/ingest/shard.hpp"

namespace ringlay::api {

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
    // What is not as it should be although the relay serves: "clock: ...", "fold: ...".
    std::vector<std::string> notes;
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

// `{"status":"ok"}` and what is needed to understand it; otherwise status is "error", and `reasons`
// names what is wrong in words that can be searched for, also while it is not enough for an error.
struct Health {
    bool is_ok = true;
    std::string json;
};
Health health_page(const LogStatus& log, std::string_view version);

std::string stats_page(const RelayStatus& status);

}  // namespace ringlay::api
