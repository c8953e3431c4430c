// A resolver with a directory and did:web hosts that a test decides about, in fibers of the test's
// own worker, on either kernel.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "crypto/signing_key.hpp"
#include "relay/identity/resolver.hpp"
#include "tests/support/sim_plc.hpp"
#include "tests/support/worlds.hpp"

// For what needs hours, or a choice of seeds: only in the simulation.
#define TEST_IN_SIMULATION(name)                       \
    RINGLAY_TEST_ON(INTERNAL_CATCH_UNIQUE_NAME(body_), \
                    ([](auto body) { ringlay::support::in_simulation({1}, body); }), name)

namespace ringlay::identity {

inline crypto::PublicKey some_key(std::uint8_t number = 1) {
    std::array<std::uint8_t, 32> secret{};
    secret[31] = number;
    return crypto::SigningKey::from_secret(crypto::Curve::k256, secret).value().public_key();
}

// did:plc number `number`.
inline std::string plc_did(std::size_t number) {
    std::string id(24, 'a');
    for (std::size_t at = id.size(); number > 0; number /= 26) {
        id[--at] = static_cast<char>('a' + number % 26);
    }
    return "did:plc:" + id;
}

// A server whose handler may wait, and which is gone at once when the test wants that.
class Served {
  public:
    Served(env::Env& env, net::HttpHandler handler)
        : listener_(env.net.listen(Address::loopback(0)).value()),
          server_(env, options(), counters_, std::move(handler)),
          serving_(fiber::spawn("serve", [this] { server_.serve(listener_); })) {}

    std::uint16_t port() const { return listener_.local().port; }
    std::string url() const { return "http://" + listener_.local().text(); }

  private:
    static net::HttpServerOptions options() {
        net::HttpServerOptions options = support::FakePlc::server_options();
        options.stop_time = Nanos(1);
        return options;
    }

    net::HttpServerCounters counters_;
    env::Listener listener_;
    net::HttpServer server_;
    fiber::Task serving_;
};

// What came of one look_up().
struct Asked {
    std::size_t calls = 0;
    LookUp answer;
    fiber::Event done;

    const LookUp& wait() {
        static_cast<void>(done.wait());
        return answer;
    }
};

class Rig {
  public:
    explicit Rig(env::Env& doors, std::function<void(ResolverOptions&)> adjust = {})
        : env(doors),
          metrics(1),
          counters(metrics, 1000),
          server(doors, [this](auto& request, auto&) { return plc.answer(request); }) {
        options.plc_url = server.url();
        options.user_agent = "ringlay/test";
        if (adjust) adjust(options);
        resolver.emplace(env, options, counters);
    }

    // In the order of the calls; they stay where they are.
    Asked& ask(std::string_view did, std::uint32_t host_id = 1) {
        Asked& asked = asked_.emplace_back();
        resolver->look_up(did, host_id, [&asked](const LookUp& answer) {
            ++asked.calls;
            asked.answer = answer;
            asked.done.set();
        });
        return asked;
    }
    const LookUp& look_up(std::string_view did) { return ask(did).wait(); }
    std::list<Asked>& asked() { return asked_; }

    env::Env& env;
    support::FakePlc plc;
    base::Metrics metrics;
    IdentityMetrics counters;
    Served server;
    ResolverOptions options;

  private:
    std::list<Asked> asked_;

  public:
    std::optional<Resolver> resolver;  // last: it ends first
};

}  // namespace ringlay::identity
