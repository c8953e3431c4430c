// The parts of Relay, by the worker that has them. Included only by relay.cpp and relay_status.cpp.
#pragma once

#include <map>
#include <memory>

#include "relay/accounts/compact_did.hpp"
#include "relay/accounts/follower.hpp"
#include "relay/api/admin_hosts.hpp"
#include "relay/api/host_queries.hpp"
#include "relay/api/ingest_pace.hpp"
#include "relay/api/router.hpp"
#include "relay/hosts/host_room.hpp"
#include "relay/ingest/shard.hpp"
#include "relay/net/http_server.hpp"
#include "relay/relay.hpp"

namespace ringlay {

// The log worker's part.
struct Relay::LogRoom {
    fiber::Worker* worker = nullptr;
    fiber::Event end;
    std::unique_ptr<event_log::Log> log;
    std::unique_ptr<event_log::Sequencer> sequencer;
};

// The fold worker's part: the database, and what keeps it up with the log.
struct Relay::FoldRoom {
    fiber::Worker* worker = nullptr;
    fiber::Event end;
    std::unique_ptr<index::Database> database;
    std::unique_ptr<accounts::Follower> follower;
};

// What all shards share; made when the fold has caught up.
struct Relay::IngestRoom {
    ingest::ShardContext context;
    std::optional<ingest::Shards> shards;
};

// One worker with hosts, consumers and the shards that are its own.
struct Relay::WorkerRoom {
    fiber::Worker* worker = nullptr;
    fiber::Event end;
    std::unique_ptr<event_log::ReadPort> port;
    std::unique_ptr<firehose::ConsumerRoom> consumers;
    std::vector<std::unique_ptr<ingest::Shard>> shards;
    std::unique_ptr<hosts::HostRoom> hosts;
};

// The main worker's view of hosts: which there are, how they are found, what is told of them.
struct Relay::HostsRoom {
    std::unique_ptr<hosts::Registry> registry;
    std::unique_ptr<hosts::FigureBook> figures;
    std::unique_ptr<hosts::HostCheck> check;
    std::unique_ptr<hosts::Discovery> discovery;
    std::unique_ptr<api::CrawlRequests> crawl;
    std::unique_ptr<api::HostQueries> queries;
    std::unique_ptr<api::AdminHosts> admin;
    std::unique_ptr<api::AdminGate> gate;
    // As the log had them when it was opened; those that come later are asked for.
    std::map<std::string, event_log::Host, std::less<>> known;
    accounts::HashKey placement;  // of hosts on workers
    bool has_started = false;
    fiber::Task accounts;  // counts those of the database
};

// What the main worker serves.
struct Relay::Ports {
    env::Listener firehose_listener;
    env::Listener http_listener;
    net::HttpServerCounters counters;
    std::unique_ptr<firehose::Firehose> firehose;
    std::unique_ptr<api::RepoQueries> repos;
    std::vector<std::string> host_names;  // by their number in the log, from 1; see host_name()
    api::IngestPace pace;
    std::unique_ptr<api::Router> router;
    std::unique_ptr<net::HttpServer> firehose_server;
    std::unique_ptr<net::HttpServer> http_server;
    fiber::TaskGroup serving;
};

}  // namespace ringlay
