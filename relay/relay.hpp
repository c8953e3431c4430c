// The joint: builds every room, starts them in order, and stops them in reverse. Read this first.
//
//     start   ports are bound · the log recovers · consumers are served · the fold catches up ·
//             shards begin · hosts are dialled
//     stop    hosts end · shards end · consumers are told 1001 · what was passed is appended · the
//             log syncs · the fold takes the rest and flushes
//
// An event: PDS socket → hosts::Subscriber → ingest::Shard (its account's) → event_log::Sequencer
// → the log's file and memory tail → firehose::Consumer → consumer socket. What is synced is folded
// into index::Database by accounts::Follower.
//
// Workers: "main" (this, HTTP, accepting), "log" (sequencer, append, sync), "fold", and
// config.workers that have hosts, shards and consumers. The same code runs on io_uring and in the
// simulator.
//
// Owner    main.cpp, or a simulation; destroyed only when its workers have ended (Runtime::join).
// Thread   run() is the first fiber of the main worker; request_stop() from any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/api/relay_status.hpp"
#include "relay/base/config.hpp"
#include "relay/base/logger.hpp"
#include "relay/base/metrics.hpp"
#include "relay/env/env.hpp"
#include "relay/event_log/log_writer.hpp"
#include "relay/event_log/sequencer.hpp"
#include "relay/fiber/fiber.hpp"
#include "relay/firehose/firehose.hpp"
#include "relay/hosts/registry.hpp"
#include "relay/identity/identity_metrics.hpp"
#include "relay/ingest/ingest_metrics.hpp"
#include "relay/ingest/shard.hpp"
#include "relay/net/address_places.hpp"
#include "relay/net/message_budget.hpp"
#include "relay/net/outbound.hpp"

namespace rocksdb {
class Env;
}

namespace ringlay {

struct RelayOptions {
    base::Config config;
    std::string version;
    std::string user_agent;
    event_log::LogOptions log;  // beyond what config says
    firehose::ConsumerLimits consumer;
    rocksdb::Env* index_env = nullptr;              // where the database is; nullptr: on the disk
    const crypto::TlsClientContext* tls = nullptr;  // nullptr: hosts and directories by plain HTTP
    ingest::ShardOptions shard;                     // beyond what config says
    std::uint64_t partial_message_bytes = net::MessageBudget::default_bytes;
    std::size_t max_connections = 4096;  // of HTTP, to each port
    // Why there is less room than the settings would allow: for the page of health.
    std::vector<std::string> shortages;
    // Descriptors of the process: those of connections end before those of files.
    struct Descriptors {
        std::uint64_t limit = 0;
        std::uint64_t for_connections = 0;
        std::function<std::uint64_t()> in_use;  // may block; empty: nobody knows
    };
    Descriptors descriptors;
    // Called once everything is started, with the ports that were bound.
    std::function<void(const Address& firehose, const Address& http)> on_started;
    // More for /metrics, from whoever knows the process.
    std::function<void(base::Metrics&)> add_metrics;
};

class Relay {
  public:
    Relay(env::Runtime& runtime, env::Env& env, base::Logger& logger, RelayOptions options);
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // Until request_stop(), or an error at start: a sentence for the operator.
    std::optional<std::string> run();
    void request_stop();

  private:
    struct WorkerRoom;
    struct LogRoom;
    struct FoldRoom;
    struct IngestRoom;
    struct Ports;
    struct HostsRoom;

    std::optional<std::string> start();
    std::optional<std::string> bind_ports();
    std::optional<std::string> open_log();
    std::optional<std::string> open_database();
    void start_workers();
    void start_ports();
    std::optional<std::string> catch_up();
    void start_shards();
    // relay_hosts.cpp
    std::optional<std::string> open_hosts();
    void start_hosts();
    void stop_hosts();
    void stop_hosts(const std::vector<std::string>& names);
    hosts::HostFleet host_fleet();
    std::vector<hosts::HostStatus> host_statuses();
    std::vector<firehose::ConsumerStatus> consumer_statuses();
    void count_accounts();
    std::string host_origin(std::string_view name);
    std::vector<std::string> host_notes() const;  // what is in the way of finding hosts
    void stop();
    void stop_fold();
    void watch_for_stalls();
    void count_descriptors();
    std::vector<std::string> machine_notes() const;  // of what the machine is short
    std::string host_name(std::uint32_t host_id);

    api::LogStatus log_status() const;
    api::IngestStatus ingest_status() const;
    std::vector<std::string> ingest_notes() const;  // what is in the way of checking events
    std::string wedge() const;
    api::FoldStatus fold_status() const;
    api::RelayStatus relay_status();
    void register_metrics();
    void register_common_names();
    void register_descriptors();
    void register_queues();
    void register_outbound();
    void register_messages();
    void register_http();
    void register_workers();
    void say(base::LogLevel level, std::string_view event, base::LogFields fields = {});

    class StopRequest final : public fiber::Message {
      public:
        std::atomic<bool> was_made{false};
        fiber::Event arrived;
        void deliver() override { arrived.set(); }
    };

    env::Runtime& runtime_;
    env::Env& env_;
    base::Logger& logger_;
    const RelayOptions options_;
    const net::Outbound outbound_;
    const net::Outbound strangers_;  // to whom strangers point: nothing private, unless all is
    net::MessageBudget messages_;    // of hosts, that have come in part
    std::optional<net::AddressPlaces> places_;  // of hosts that the operator has not named
    WallMillis started_{};
    std::atomic<fiber::Worker*> main_worker_{nullptr};
    StopRequest stop_request_;

    base::Metrics metrics_;
    std::optional<hosts::HostMetrics> host_metrics_;
    std::optional<ingest::IngestMetrics> ingest_metrics_;
    std::optional<identity::IdentityMetrics> identity_metrics_;
    std::optional<firehose::FirehoseMetrics> firehose_metrics_;
    std::unique_ptr<LogRoom> log_;
    std::unique_ptr<FoldRoom> fold_;
    std::unique_ptr<IngestRoom> ingest_;
    std::vector<std::unique_ptr<WorkerRoom>> rooms_;
    std::unique_ptr<HostsRoom> hosts_;
    std::unique_ptr<Ports> ports_;
    std::uint64_t descriptors_in_use_ = 0;  // at the last look
    fiber::Task stall_watch_;
};

}  // namespace ringlay
