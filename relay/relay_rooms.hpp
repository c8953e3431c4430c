// The parts of Relay, by the worker that has them. Included only by relay.cpp and relay_status.cpp.
#pragma once

#include <memory>

#include "relay/api/router.hpp"
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

// One worker with hosts and consumers.
struct Relay::WorkerRoom {
    fiber::Worker* worker = nullptr;
    fiber::Event end;
    std::unique_ptr<event_log::ReadPort> port;
    std::unique_ptr<firehose::ConsumerRoom> consumers;
    std::unique_ptr<hosts::HostRoom> hosts;
};

// What the main worker serves.
struct Relay::Ports {
    env::Listener firehose_listener;
    env::Listener http_listener;
    net::HttpServerCounters counters;
    std::unique_ptr<firehose::Firehose> firehose;
    std::unique_ptr<api::Router> router;
    std::unique_ptr<net::HttpServer> firehose_server;
    std::unique_ptr<net::HttpServer> http_server;
    fiber::TaskGroup serving;
};

}  // namespace ringlay
