#include "relay/relay.hpp"

#include <functional>

#include "relay/relay_rooms.hpp"

namespace ringlay {
namespace {

std::uint32_t worker_count(const base::Config& config) {
    return config.workers + 3;  // and main, log, fold
}

net::HttpHeaders response_headers(std::string_view server) {
    return {{"Server", server}};
}

// After a kill the kernel takes a ring apart when its process is gone already, and only then closes
// the sockets that it waited on (31 ms were seen): a supervisor that starts us at once comes first.
Result<env::Listener> listen_patiently(env::Env& env, const Address& address) {
    const Deadline patience = Deadline::in(std::chrono::seconds(3));
    auto bound = env.net.listen(address);
    while (!bound && bound.error().code == Errc::busy && env.clock.now() < patience.at) {
        if (!fiber::sleep_for(std::chrono::milliseconds(20))) break;
        bound = env.net.listen(address);
    }
    return bound;
}

// Whom the operator has named may be private; else only whom RELAY_ALLOW_PRIVATE_HOSTS allows.
base::PrivateHosts allowed_private(const base::Config& config) {
    base::PrivateHosts allowed = config.allow_private_hosts;
    for (const base::HostAddress& host : config.hosts) allowed.add_host(host.name, host.port);
    auto add = [&](const std::string& text) {
        auto url = proto::parse_url(text);
        if (url) allowed.add_host(url->host, url->port);
    };
    add(config.plc_url);
    for (const std::string& upstream : config.upstream) add(upstream);
    return allowed;
}

ingest::ShardOptions shard_options(const RelayOptions& options) {
    const base::Config& config = options.config;
    ingest::ShardOptions shard = options.shard;
    shard.max_accounts = config.cached_accounts / config.shards + 1;
    shard.key_wait = std::chrono::milliseconds(config.key_wait_ms);
    shard.passes_unverified = config.unverified == base::Unverified::pass;
    shard.keeps_handles = config.identity_handle == base::IdentityHandle::keep;
    shard.resolver.plc_url = config.plc_url;
    shard.resolver.user_agent = options.user_agent;
    // The directory sees all shards together.
    shard.resolver.plc_concurrency = std::max<std::size_t>(2, 48 / config.shards);
    shard.resolver.web_concurrency = std::max<std::size_t>(2, 24 / config.shards);
    return shard;
}

std::string sentence(std::string_view what, const Error& error) {
    std::string text(what);
    text += ": ";
    return text.append(error.what);
}

}  // namespace

Relay::Relay(env::Runtime& runtime, env::Env& env, base::Logger& logger, RelayOptions options)
    : runtime_(runtime),
      env_(env),
      logger_(logger),
      options_(std::move(options)),
      outbound_(options_.tls, allowed_private(options_.config)),
      strangers_(options_.tls, options_.config.allow_private_hosts.allows_all()
                                   ? options_.config.allow_private_hosts
                                   : base::PrivateHosts()),
      messages_(options_.partial_message_bytes),
      metrics_(worker_count(options_.config)) {}

Relay::~Relay() = default;

void Relay::request_stop() {
    if (stop_request_.was_made.exchange(true)) return;
    // Before run() has begun there is no worker to tell; run() looks at the flag.
    if (fiber::Worker* worker = main_worker_.load()) worker->send(stop_request_);
}

std::optional<std::string> Relay::run() {
    started_ = env_.clock.wall();
    main_worker_.store(&fiber::Worker::current());
    auto failure = start();
    if (!failure && !stop_request_.was_made.load()) {
        static_cast<void>(stop_request_.arrived.wait());
    }
    stop();
    return failure;
}

std::optional<std::string> Relay::start() {
    const base::Config& config = options_.config;
    places_.emplace(config.max_hosts_per_address, config.max_hosts, env_.random.next());
    if (auto failure = bind_ports()) return failure;
    if (auto failure = open_log()) return failure;
    if (auto failure = open_database()) return failure;
    register_metrics();
    if (auto failure = open_hosts()) return failure;
    start_workers();
    start_ports();
    if (auto failure = catch_up()) return failure;
    start_shards();
    start_hosts();
    stall_watch_ = fiber::spawn("watches for stalls", [this] { watch_for_stalls(); });
    if (options_.on_started) {
        options_.on_started(ports_->firehose_listener.local(), ports_->http_listener.local());
    }
    return std::nullopt;
}

std::optional<std::string> Relay::bind_ports() {
    const base::Config& config = options_.config;
    ports_ = std::make_unique<Ports>();
    const struct {
        std::string_view flag;
        const std::string& bind;
        std::uint16_t port;
        env::Listener& listener;
    } wanted[] = {
        {"--port", config.bind, config.port, ports_->firehose_listener},
        {"--http-port", config.http_bind, config.http_port, ports_->http_listener},
    };
    for (const auto& [flag, bind, port, listener] : wanted) {
        auto address = Address::parse(bind, port);
        if (!address) return sentence(bind, address.error());
        auto bound = listen_patiently(env_, *address);
        if (!bound) {
            return sentence("cannot listen on " + address->text() + " (choose another with " +
                                std::string(flag) + ")",
                            bound.error());
        }
        listener = std::move(*bound);
    }
    return std::nullopt;
}

std::optional<std::string> Relay::open_log() {
    const base::Config& config = options_.config;
    event_log::LogOptions options = options_.log;
    options.segment_bytes = config.segment_bytes;
    options.tail.chunk_count =
        static_cast<std::uint32_t>(config.tail_bytes / options.tail.chunk_bytes);
    options.sync_interval = std::chrono::milliseconds(config.sync_interval_ms);
    options.initial_seq = config.initial_seq;
    options.space.retention_hours = config.retention_hours;
    options.space.retention_bytes = config.retention_bytes;
    if (config.reserve_bytes != 0) options.space.reserve_bytes = config.reserve_bytes;

    log_ = std::make_unique<LogRoom>();
    log_->worker = &runtime_.start_worker({.name = "log", .index = config.workers + 1},
                                          [&room = *log_] { static_cast<void>(room.end.wait()); });
    std::optional<std::string> failure;
    fiber::call_on(*log_->worker, "open the log", [&] {
        auto opened = event_log::Log::open(env_, config.data_dir, std::move(options));
        if (!opened) {
            failure =
                sentence(opened.error().code == Errc::busy
                             ? "data directory " + config.data_dir + " is in use by another process"
                             : "cannot open the event log in " + config.data_dir,
                         opened.error());
            return;
        }
        log_->log = std::move(*opened);
        log_->sequencer = std::make_unique<event_log::Sequencer>(*log_->log);
    });
    if (!failure) {
        const auto& found = log_->log->recovery();
        say(base::LogLevel::info, "event log opened",
            {{"dir", config.data_dir},
             {"clean", found.was_clean},
             {"segments", found.segments},
             {"head_seq", log_->log->head_seq()},
             {"segments_dropped", found.segments_dropped},
             {"records_cut", found.records_cut},
             {"bytes_cut", found.wire_bytes_cut + found.facts_bytes_cut}});
    }
    return failure;
}

std::optional<std::string> Relay::open_database() {
    const base::Config& config = options_.config;
    fold_ = std::make_unique<FoldRoom>();
    fold_->worker =
        &runtime_.start_worker({.name = "fold", .index = config.workers + 2},
                               [&room = *fold_] { static_cast<void>(room.end.wait()); });
    std::optional<std::string> failure;
    fiber::call_on(*fold_->worker, "open the database", [&] {
        index::Options options;
        options.path = config.data_dir + "/index";
        options.env = options_.index_env;
        options.compacts_by_itself = options_.index_env == nullptr;
        auto opened =
            fiber::blocking([&](MayBlock may) { return index::Database::open(may, options); });
        if (!opened) {
            failure = sentence("cannot open the database in " + options.path, opened.error());
            return;
        }
        fold_->database = std::move(*opened);
        fold_->follower = std::make_unique<accounts::Follower>(
            env_, *log_->log, *fold_->database, logger_,
            accounts::FollowerOptions{.on_fatal = options_.log.on_fatal});
    });
    return failure;
}

// Before anything is taken from hosts: what the log has and the database has not would be taken a
// second time.
std::optional<std::string> Relay::catch_up() {
    std::optional<std::string> failure;
    fiber::call_on(*fold_->worker, "catch up with the log", [&] {
        if (auto done = fold_->follower->catch_up(); !done) {
            failure = sentence("cannot apply the event log to the database in " +
                                   options_.config.data_dir + "/index",
                               done.error());
        }
    });
    return failure;
}

void Relay::start_shards() {
    const base::Config& config = options_.config;
    ingest_ =
        std::make_unique<IngestRoom>(IngestRoom{.context = {.env = env_,
                                                            .log = *log_->log,
                                                            .sequencer = *log_->sequencer,
                                                            .database = *fold_->database,
                                                            .fold = fold_->follower->progress(),
                                                            .logger = logger_,
                                                            .metrics = *ingest_metrics_,
                                                            .identity_metrics = *identity_metrics_,
                                                            .user_agent = options_.user_agent,
                                                            .outbound = &outbound_,
                                                            .strangers = &strangers_},
                                                .shards = {}});
    ingest::ShardOptions options = shard_options(options_);
    options.resolver.outbound = &outbound_;
    std::vector<ingest::Shard*> shards;
    for (std::uint32_t i = 0; i < config.shards; ++i) {
        WorkerRoom& room = *rooms_[i % rooms_.size()];
        fiber::call_on(*room.worker, "open a shard", [&] {
            shards.push_back(
                room.shards.emplace_back(std::make_unique<ingest::Shard>(ingest_->context, options))
                    .get());
        });
    }
    ingest_->shards.emplace(shards, env_.random.next());
    for (auto& room : rooms_) {
        fiber::call_on(*room->worker, "open the host room", [&] {
            room->hosts = std::make_unique<hosts::HostRoom>(
                env_, *ingest_->shards, *ingest_metrics_, *log_->sequencer, logger_, *host_metrics_,
                hosts::HostRoomOptions{.user_agent = options_.user_agent,
                                       .outbound = &outbound_,
                                       .strangers = &strangers_,
                                       .messages = &messages_,
                                       .places = &*places_,
                                       .events_per_second = config.host_events_per_second,
                                       .dial = hosts::DialLimits().share(config.workers)});
        });
    }
}

void Relay::start_workers() {
    const base::Config& config = options_.config;
    ports_->firehose = std::make_unique<firehose::Firehose>(
        *firehose_metrics_, response_headers(options_.user_agent),
        firehose::FirehoseLimits{.max_consumers = config.max_consumers,
                                 .max_per_address = config.max_consumers_per_address});
    firehose::ConsumerLimits limits = options_.consumer;
    limits.stall = std::chrono::seconds(config.consumer_stall_seconds);

    std::vector<firehose::ConsumerRoom*> consumer_rooms;
    for (std::uint32_t i = 0; i < config.workers; ++i) {
        WorkerRoom& room = *rooms_.emplace_back(std::make_unique<WorkerRoom>());
        room.worker =
            &runtime_.start_worker({.name = "worker-" + std::to_string(i), .index = i + 1},
                                   [&room] { static_cast<void>(room.end.wait()); });
        fiber::call_on(*room.worker, "open the rooms", [&] {
            room.port = std::make_unique<event_log::ReadPort>(*log_->log);
            room.consumers = std::make_unique<firehose::ConsumerRoom>(env_, *room.port, logger_,
                                                                      *firehose_metrics_, limits,
                                                                      ports_->firehose->returned());
        });
        consumer_rooms.push_back(room.consumers.get());
    }
    ports_->firehose->start(std::move(consumer_rooms));
}

void Relay::start_ports() {
    Ports& ports = *ports_;
    ports.repos = std::make_unique<api::RepoQueries>(
        api::rows_of(*fold_->database), [this](std::uint32_t id) { return host_name(id); },
        metrics_, api::RepoQueries::default_max_at_once,
        [this](std::string_view name) { return host_origin(name); });
    ports.router = std::make_unique<api::Router>(api::RouterSources{
        .version = options_.version,
        .log_status = [this] { return log_status(); },
        .relay_status = [this] { return relay_status(); },
        .metrics = metrics_,
        .logger = logger_,
        .firehose = *ports.firehose,
        .repos = ports.repos.get(),
        .queries = {[this](const net::HttpRequest& request, const api::Caller&) {
            return hosts_->queries->answer(request);
        }},
        .procedures = {[this](const net::HttpRequest& request, const api::Caller& caller) {
            return hosts_->crawl->answer(request, caller);
        }},
        .admin = {[this](const net::HttpRequest& request, const api::Caller& caller) {
            return hosts_->admin->answer(request, caller.address);
        }},
        .gate = hosts_->gate.get(),
        .trusted_proxies = options_.config.trusted_proxies});
    auto server = [&](api::Router::Port port) {
        net::HttpServerOptions options;
        options.default_headers = response_headers(options_.user_agent);
        options.is_for_any_site = &api::Router::is_for_any_site;
        options.trusted_proxies = options_.config.trusted_proxies;
        options.max_connections = options_.max_connections;
        return std::make_unique<net::HttpServer>(
            env_, std::move(options), ports.counters,
            [&router = *ports.router, port](const net::HttpRequest& request, const Address& peer) {
                return router.answer(port, request, peer);
            });
    };
    ports.firehose_server = server(api::Router::Port::firehose);
    ports.http_server = server(api::Router::Port::http);
    ports.serving.spawn("serves the firehose port",
                        [&] { ports.firehose_server->serve(ports.firehose_listener); });
    ports.serving.spawn("serves the http port",
                        [&] { ports.http_server->serve(ports.http_listener); });
}

// Also after a start that failed half-way: what is not there is skipped.
void Relay::stop() {
    say(base::LogLevel::info, "stopping");
    stall_watch_.cancel_and_join();
    stop_hosts();
    if (ports_ && ports_->firehose) ports_->firehose->stop();
    for (auto& room : rooms_) {
        fiber::call_on(*room->worker, "stop hosts", [&] {
            if (room->hosts) room->hosts->stop();
        });
    }
    for (auto& room : rooms_) {
        fiber::call_on(*room->worker, "stop shards", [&] {
            for (auto& shard : room->shards) shard->stop();
        });
    }
    if (ports_) ports_->serving.cancel_and_join();
    for (auto& room : rooms_) {
        fiber::call_on(*room->worker, "close consumers", [&] {
            room->consumers.reset();
            room->port.reset();
        });
    }
    if (ports_) ports_->firehose.reset();
    if (log_ && log_->log) {
        fiber::call_on(*log_->worker, "stop the log", [&] {
            log_->sequencer->stop();
            static_cast<void>(log_->log->sync_now());
        });
    }
    stop_fold();
    if (log_ && log_->log) {
        fiber::call_on(*log_->worker, "close the log", [&] { log_->log->close(); });
    }
    for (auto& room : rooms_) {
        fiber::call_on(*room->worker, "end", [&] {
            room->hosts.reset();
            room->shards.clear();
            room->end.set();
        });
    }
    if (log_) {
        fiber::call_on(*log_->worker, "end", [&] {
            log_->sequencer.reset();
            log_->log.reset();
            log_->end.set();
        });
    }
    if (fold_) {
        fiber::call_on(*fold_->worker, "end", [&] {
            fold_->follower.reset();
            fiber::blocking([&](MayBlock) { fold_->database.reset(); });
            fold_->end.set();
        });
    }
    hosts_.reset();
    ports_.reset();  // its sockets are this worker's
    say(base::LogLevel::info, "stopped");
}

// Asks the log worker when the number is new: hosts keep their numbers for ever.
std::string Relay::host_name(std::uint32_t host_id) {
    if (host_id == 0) return {};
    if (host_id > ports_->host_names.size()) {
        std::vector<std::string> names;
        for (const event_log::Host& host : log_->log->hosts()) names.push_back(host.name);
        ports_->host_names = std::move(names);
    }
    return host_id <= ports_->host_names.size() ? ports_->host_names[host_id - 1] : std::string();
}

void Relay::stop_fold() {
    if (!fold_) return;
    fiber::call_on(*fold_->worker, "stop the fold", [&] {
        if (fold_->follower) fold_->follower->stop();
    });
}

// The log's own worker may be the one that waits, so this one looks at it from outside.
void Relay::watch_for_stalls() {
    event_log::Stall seen = event_log::Stall::none;
    for (std::uint64_t second = 0; fiber::sleep_for(std::chrono::seconds(1)); ++second) {
        static_cast<void>(ingest_status());  // so that its rates are those of the last seconds
        if (second % 10 == 0) count_descriptors();
        event_log::Stall now = log_->log->stall();
        if (now == seen || now == event_log::Stall::reservation) continue;
        seen = now;
        if (now == event_log::Stall::none) {
            say(base::LogLevel::info, "event log goes on");
        } else {
            const auto& counters = log_->log->counters();
            say(base::LogLevel::error, "event log takes no events",
                {{"reason", event_log::name_of(now)},
                 {"dir", options_.config.data_dir},
                 {"free_bytes", counters.free_bytes.load(std::memory_order_relaxed)},
                 {"disk_bytes", counters.disk_bytes.load(std::memory_order_relaxed)}});
        }
    }
}

void Relay::count_descriptors() {
    if (!options_.descriptors.in_use) return;
    descriptors_in_use_ = fiber::blocking([&](MayBlock) { return options_.descriptors.in_use(); });
}

void Relay::say(base::LogLevel level, std::string_view event, base::LogFields fields) {
    logger_.log(level, static_cast<std::uint64_t>(env_.clock.wall().count()), event, fields);
}

}  // namespace ringlay
