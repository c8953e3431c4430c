// All fake hosts and their PLC directory: starts them, serves, ends them in order.
//
// The port of the directory answers more than DIDs: com.atproto.sync.listHosts with all hosts, as
// if it were a relay (`RELAY_UPSTREAM=http://127.0.0.1:port`); /fleet/stats; /fleet/ledger?host=N.
//
// Owner    main(), or a test.
// Thread   run() is the first fiber of a worker.
// Bound    options; workers + 1 threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/fleet/group.hpp"
#include "bench/fleet/options.hpp"
#include "bench/fleet/plc.hpp"
#include "bench/fleet/stop_request.hpp"
#include "relay/env/env.hpp"
#include "relay/net/http_server.hpp"

namespace ringlay::bench {

struct FleetStart {
    std::string plc;                 // http://127.0.0.1:port
    std::vector<std::string> hosts;  // the same, or https://localhost:port
    std::vector<std::pair<std::string, std::string>> hostile;  // name and URL
    std::uint64_t events = 0;                                  // that can be replayed now
    std::string certificate;                                   // PEM; empty without TLS
};

// `{"plc":"http://...","hosts":["http://...",...],"hostile":{"drop":"http://..."},"events":N}`
std::string describe(const FleetStart& start);

class Fleet {
  public:
    Fleet(env::Runtime& runtime, const env::Env& env, const FleetOptions& options,
          StopRequest& stop);
    ~Fleet();

    // Until a stop is asked for, or an error at start: a sentence for the operator. `on_started` is
    // called once everything listens.
    std::optional<std::string> run(const std::function<void(const FleetStart&)>& on_started);

  private:
    struct Room;
    struct HostileRoom;

    std::optional<std::string> start(FleetStart& start);
    std::optional<std::string> prepare_tls(FleetStart& start);
    std::optional<std::string> open_groups();
    std::optional<std::string> open_hostile();
    std::optional<std::string> open_directory(FleetStart& start);
    net::HttpResponse answer(const net::HttpRequest& request);
    net::HttpResponse list_hosts(const net::HttpRequest& request) const;
    net::HttpResponse ledger(const net::HttpRequest& request);
    net::HttpResponse stats();
    std::string url_of(const Address& address) const;
    void for_each_group(const std::function<void(Room&)>& function);
    void stop();

    env::Runtime& runtime_;
    env::Env env_;
    const FleetOptions options_;
    StopRequest& stop_;
    std::vector<std::shared_ptr<Room>> rooms_;  // shared with their workers, which end later
    std::shared_ptr<HostileRoom> hostile_;
    std::unique_ptr<crypto::TlsServerContext> tls_;
    std::vector<std::string> listed_;  // of listHosts
    env::Listener plc_listener_;
    std::unique_ptr<Plc> plc_;
    net::HttpServerCounters plc_counters_;
    std::unique_ptr<net::HttpServer> plc_server_;
    fiber::Task plc_serving_;
};

}  // namespace ringlay::bench
