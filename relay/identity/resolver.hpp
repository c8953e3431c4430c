// Looks DIDs up: did:plc at the directory, did:web at its own domain (protocol 6.4, 6.5).
//
// Look-ups of one DID that are under way at once are one request. The directory has a bounded
// number of connections and is left alone as long as it asks for (Retry-After, or a back-off after
// failures); hosts take turns there, so that what one host's events want to know keeps no other
// waiting. Each did:web domain (what somebody registers, with all names below it) has a lane of its
// own, one request at a time: a domain that never answers takes one place of web_concurrency, not
// all. A host whose events cause too many refreshes is refused further ones for a while.
//
// Owner    a shard; one for each, so nothing here is shared between threads.
// Thread   its worker, in fibers. look_up() returns at once; `done` is called later in a fiber of
//          this worker, exactly once. All are called in one fiber: they do not wait, and they do
//          not stop the resolver; they may look up.
// Bound    max_waiting look-ups, for longest_wait and one request; what has no room is answered
//          (unavailable) at the next turn. Concurrency; one answer of max_document_bytes each.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "relay/env/env.hpp"
#include "relay/identity/identity.hpp"
#include "relay/identity/identity_metrics.hpp"
#include "relay/net/outbound.hpp"

namespace ringlay::identity {

struct ResolverOptions {
    std::string plc_url;  // http(s)://host[:port], without a path
    std::string user_agent;
    std::size_t plc_concurrency = 16;
    std::size_t web_concurrency = 8;  // all domains of this resolver together
    std::size_t max_waiting = 64 * 1024;
    std::size_t max_waiting_per_domain = 64;
    std::size_t max_document_bytes = 256 * 1024;
    Nanos request_timeout = std::chrono::seconds(5);
    // For its turn: what has not been asked by then is unavailable.
    Nanos longest_wait = std::chrono::seconds(60);
    // The trust and the guard; its allowed hosts are also those that a did:web may name with a port
    // or in a private domain. nullptr: plain TCP to anywhere, no TLS, any did:web.
    const net::Outbound* outbound = nullptr;
    std::uint32_t refreshes_per_host_per_minute = 60;
};

class Resolver {
  public:
    using Done = std::move_only_function<void(const LookUp&)>;

    Resolver(env::Env& env, ResolverOptions options, IdentityMetrics& metrics);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    // `host_id`: the log's number of the host whose event asks; 0: none does.
    void look_up(std::string_view did, std::uint32_t host_id, Done done);
    // This host waits for the look-up of that DID, too, if it is asked for and not yet under way.
    void hasten(std::string_view did, std::uint32_t host_id);
    // Whether this host may cause one more refresh of an identity that is known already; counts it.
    bool take_refresh(std::uint32_t host_id);
    // Returns when all who waited have been answered (unavailable) and no fiber is left. Afterwards
    // look_up() answers so inside its call.
    void stop();

    std::size_t waiting() const;  // look-ups that are not answered, those without room not counted
    std::size_t web_lanes() const;  // did:web domains that have a lane now

  private:
    struct Core;
    std::unique_ptr<Core> core_;
};

}  // namespace ringlay::identity
