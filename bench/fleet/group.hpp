// The hosts of one worker, and the fiber that makes their events.
//
// Owner    Fleet; made, used and destroyed on its worker.
// Thread   its worker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "bench/fleet/host.hpp"
#include "bench/fleet/options.hpp"
#include "bench/fleet/stop_request.hpp"
#include "relay/env/env.hpp"

namespace ringlay::bench {

class Group {
  public:
    // Has the hosts from `first_host` up to, not with, `end_host`, and their share of the events.
    Group(const env::Env& env, const FleetOptions& options, std::uint64_t first_host,
          std::uint64_t end_host, const crypto::TlsServerContext* tls, const StopRequest& stop);
    ~Group();  // every subscriber is told 1001
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

    // Takes the hosts' ports; nothing is answered yet. Returns a sentence if one is not free.
    std::optional<std::string> listen();
    std::vector<Address> addresses() const;

    // Makes the accounts and their first events, and all others if they have no rate. Takes its
    // time: about 100 us an event. Ends early when a stop is asked for.
    void prepare();

    // Answers, and goes on with new events.
    void serve();

    std::uint64_t kept_events() const;
    std::vector<const Host*> hosts() const;

  private:
    struct Place {
        env::Listener listener;
        std::unique_ptr<Host> host;
        std::unique_ptr<Door> door;
    };

    void emit_paced();
    void emit();

    env::Env env_;
    const FleetOptions options_;
    const std::uint64_t first_host_;
    const std::uint64_t event_share_;
    const double rate_share_;
    const StopRequest& stop_;
    std::mt19937_64 random_;
    const crypto::TlsServerContext* tls_;
    std::vector<Place> places_;
    std::vector<std::size_t> busy_, quiet_;  // places
    fiber::Task generator_;
    fiber::TaskGroup serving_;
};

}  // namespace ringlay::bench
