// A relay in a simulated world, with its hosts and consumers around it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "index/memory_disk.hpp"
#include "relay/relay.hpp"
#include "tests/sim/line_peers.hpp"

namespace ringlay::support {

constexpr std::uint16_t firehose_port = 3000;

// One life of the relay's process.
struct Life {
    Life(base::LogLevel level, std::size_t lines) : logger(level, base::LogFormat::text, lines) {}

    env::Env env;
    std::unique_ptr<index::MemoryDisk> index_disk;  // what earlier lives have flushed, and this one
    std::unique_ptr<index::MemoryDisk> at_crash;    // the same as it was then
    base::Logger logger;
    std::unique_ptr<Relay> relay;
    std::optional<std::string> failure;
};

struct Line {
    Line(env::WorldOptions options, std::uint32_t worker_count)
        : workers(worker_count), world(std::move(options)) {}

    const std::uint32_t workers;
    std::vector<std::unique_ptr<SimHost>> hosts;
    std::vector<std::unique_ptr<SimConsumer>> consumers;
    std::vector<std::unique_ptr<Life>> lives;
    env::World world;  // last: it sees the fibers of all these end

    Address relay_address() { return world.machine("relay").address(firehose_port); }

    // Before start_relay(): what is different from the usual.
    base::LogLevel log_level = base::LogLevel::error;
    std::size_t log_lines = 64;  // kept of each life, unless flushed
    std::function<void(RelayOptions&)> adjust;

    // The code of a crashed process goes on to its end, and the database's files are not the
    // machine's: what it still flushes there must not be seen by the next life.
    void crash_relay(env::CrashMode mode) {
        Life& life = *lives.back();
        life.at_crash = life.index_disk->copy_of_files();
        world.machine("relay").crash(mode);
    }

    void start_relay() {
        env::Machine& machine = world.machine("relay");
        Life& life = *lives.emplace_back(std::make_unique<Life>(log_level, log_lines));
        RelayOptions options;
        options.version = "sim";
        options.user_agent = "ringlay/sim (atproto-relay)";
        options.log.reservation_block = 1000;
        options.log.space.reserve_bytes = 1;
        life.index_disk = std::make_unique<index::MemoryDisk>();
        if (lives.size() > 1) {
            Life& last = *lives[lives.size() - 2];
            life.index_disk =
                last.at_crash ? std::move(last.at_crash) : last.index_disk->copy_of_files();
        }
        options.index_env = life.index_disk->env();
        options.shard.identity_events_per_minute = 1 << 30;
        base::Config& config = options.config;
        config.data_dir = "/data";
        config.bind = config.http_bind = machine.address(0).ip_text();
        config.port = firehose_port;
        config.http_port = firehose_port + 1;
        config.workers = workers;
        // No directory: the line's events pass unverified, at once and as they are. What is tested
        // with it is the way of events, not their truth.
        config.shards = std::min(workers, 2u);
        config.plc_url = "http://127.0.0.1:9";
        config.key_wait_ms = 0;
        config.unverified = base::Unverified::pass;
        config.identity_handle = base::IdentityHandle::keep;
        config.cached_accounts = 1000;
        config.retention_hours = 72;
        config.retention_bytes = 1ull << 30;
        config.segment_bytes = 64 * 1024;
        config.tail_bytes = 16 << 20;
        config.sync_interval_ms = 20;
        config.consumer_stall_seconds = 600;
        config.max_hosts = 1000;
        config.max_hosts_per_address = 64;
        config.new_hosts_per_day = 1000;
        config.host_events_per_second = 1000;
        config.max_consumers = config.max_consumers_per_address = 100;
        for (auto& host : hosts) {
            config.hosts.push_back({host->address().ip_text(), host->address().port});
        }
        if (adjust) adjust(options);
        life.relay = std::make_unique<Relay>(machine, life.env, life.logger, std::move(options));
        machine.start_worker({.name = "main", .index = 0},
                             [&life] { life.failure = life.relay->run(); });
    }

    // Distinct events that a consumer has seen.
    static std::size_t distinct(const SimConsumer& consumer) {
        std::set<std::string_view> events;
        for (const auto& seen : consumer.seen()) events.insert(seen.event);
        return events.size();
    }

    std::optional<std::string> run_until_seen(std::size_t expected) {
        return world.run_until_true([&] {
            for (const auto& consumer : consumers) {
                if (consumer->seen().size() < expected || distinct(*consumer) < expected) {
                    return false;
                }
            }
            return true;
        });
    }
};

}  // namespace ringlay::support
