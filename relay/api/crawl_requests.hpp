// com.atproto.sync.requestCrawl, and notifyOfUpdate as the same: somebody, mostly a PDS itself,
// names a host. One that is known is dialled again soon; a new one is asked whether it is a PDS and
// becomes a row. A new one is asked for only by a name and on the usual port of https, unless the
// operator allows more: the relay is nobody's port scanner.
//
// Nobody is told of it: requests that other relays send on (`Via`) end here.
//
// Owner    Relay; the book and what the check uses outlive it.
// Thread   the worker that serves HTTP; answer() waits for the check.
// Bound    requests by address, wake-ups by host (Buckets); what is asked outside by HostCheck, new
//          hosts by the registry.
// Source   protocol 4.9, 4.11.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <optional>

#include "relay/api/buckets.hpp"
#include "relay/api/caller.hpp"
#include "relay/base/logger.hpp"
#include "relay/base/metrics.hpp"
#include "relay/hosts/host_book.hpp"
#include "relay/hosts/host_check.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::api {

struct CrawlOptions {
    bool is_on = true;
    base::PrivateHosts private_hosts = {};  // RELAY_ALLOW_PRIVATE_HOSTS
    std::uint32_t burst = 30;               // requests of one address, then one in each `refill`
    Nanos refill = std::chrono::seconds(2);
    bool limits_loopback = false;  // whether that holds for this machine, too
    std::uint32_t wake_burst = 3;  // of one host, likewise
    Nanos wake_refill = std::chrono::seconds(20);
    std::size_t max_addresses = 16 * 1024;
    std::size_t max_hosts = 4 * 1024;  // whose wake-ups are counted
};

// What is wrong with a host, as an XRPC error. `quota` has a Retry-After.
net::HttpResponse refusal_answer(const hosts::Refusal& refusal);

class CrawlRequests {
  public:
    // `from`: who asks; nothing: somebody without limits.
    using Check = std::function<hosts::HostCheckAnswer(const base::HostAddress&,
                                                       const std::optional<Address>& from)>;

    CrawlRequests(env::Env& env, base::Logger& logger, base::Metrics& metrics, hosts::HostBook book,
                  Check check, CrawlOptions options);

    // Nothing: the path is none of these methods.
    std::optional<net::HttpResponse> answer(const net::HttpRequest& request, const Caller& caller);

    bool is_on() const { return is_on_; }
    void turn(bool on) { is_on_ = on; }

  private:
    enum class Outcome : std::uint8_t {
        added,
        known,
        off,
        rate,
        malformed,
        is_private,
        banned,
        unreachable,
        relay,
        quota,
        busy,
    };
    struct Judgement {
        Outcome outcome;
        net::HttpResponse response;
        std::string host;
        std::string words;
    };

    Judgement judge(const net::HttpRequest& request, const Caller& caller);
    bool is_limited(const Caller& caller) const;
    std::optional<hosts::Refusal> objection(const base::HostAddress& address) const;
    Judgement judge_host(const base::HostAddress& address, const Caller& caller);
    Judgement offer(const base::HostAddress& address, const Address& client);
    static Judgement refuse(std::string host, const hosts::Refusal& refusal);

    env::Env& env_;
    base::Logger& logger_;
    const hosts::HostBook book_;
    const Check check_;
    const CrawlOptions options_;
    bool is_on_;
    Buckets by_address_;
    Buckets by_host_;
    std::array<base::Counter*, 11> outcomes_{};
    base::Counter& sent_on_;
    base::LogLimit log_limit_;
};

}  // namespace ringlay::api
