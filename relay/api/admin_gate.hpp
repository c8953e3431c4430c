// Who may administer: asked before anything below /admin is answered.
//
// A password of the list, as `Authorization: Bearer PASSWORD` or as Basic with the user `admin`.
// Passwords are compared by their hashes, all of them and all bytes, so that the time tells
// nothing. After a few wrong ones an address waits, ever longer, also with the right one. Whoever
// has many addresses meets a limit of wrong passwords from all of them together; then only those
// are heard that were right before. What a page of another site makes a browser send is refused
// whatever it carries. Passwords are never logged.
//
// Owner    Relay.
// Thread   the worker that serves HTTP; never waits.
// Bound    max_addresses whose failures are remembered; the one that failed longest ago is
//          forgotten first. max_proven of those that were right; the one that was it longest ago
//          is forgotten first.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/sha256.hpp"
#include "relay/api/caller.hpp"
#include "relay/base/logger.hpp"
#include "relay/base/metrics.hpp"
#include "relay/env/env.hpp"
#include "relay/net/token_bucket.hpp"

namespace ringlay::api {

struct AdminGateOptions {
    std::uint32_t free_failures = 5;
    Nanos first_delay = std::chrono::seconds(1);  // then twice as long each time, up to:
    Nanos max_delay = std::chrono::minutes(5);
    Nanos forget_after = std::chrono::hours(1);  // without a failure
    std::size_t max_addresses = 4096;
    double all_at_once = 30;  // wrong passwords of all addresses together
    double all_per_second = 1;
    std::size_t max_proven = 64;
};

class AdminGate {
  public:
    AdminGate(env::Env& env, base::Logger& logger, base::Metrics& metrics,
              const std::vector<std::string>& passwords, AdminGateOptions options = {});

    // Nothing: the caller may. Otherwise the answer that refuses.
    std::optional<net::HttpResponse> check(const net::HttpRequest& request, const Caller& caller);

    // A line in the log for what was asked by somebody who may, and was no mere look.
    void note(const net::HttpRequest& request, const Caller& caller, std::uint16_t status);

  private:
    enum class Verdict : std::uint8_t {
        let_in,
        disabled,
        cross_site,
        delayed,
        all_delayed,
        anonymous,
        wrong,
    };
    struct Failures {
        Address party;
        std::uint32_t count = 0;
        Nanos last{};
        Nanos blocked_until{};
    };

    Verdict judge(const net::HttpRequest& request, const Address& party, Nanos& wait);
    bool is_password(std::string_view text) const;
    void note_failure(const Address& party);
    void forget(const Address& party);
    bool is_proven(const Address& party) const;
    void note_success(const Address& party);

    env::Env& env_;
    base::Logger& logger_;
    const AdminGateOptions options_;
    std::vector<crypto::Digest> passwords_;
    std::list<Failures> by_time_;  // the latest failure is in front
    std::map<Address, std::list<Failures>::iterator> by_party_;
    net::TokenBucket all_failures_;
    std::list<Address> proven_;  // that were right in this life; the latest is in front
    base::Counter& let_in_;
    std::map<Verdict, base::Counter*> refused_;
    base::QueueGauge& remembered_;
    base::LogLimit log_limit_;
};

// Whether a browser sends this on behalf of a page of another site.
bool is_cross_site(const net::HttpRequest& request);

// The password that the request carries; nothing if it carries none that could be one.
std::optional<std::string> presented_password(const net::HttpRequest& request);

}  // namespace ringlay::api
