// How connections leave: with which trust (TLS), and where they may go (the guard against requests
// that a stranger makes us send into a private network). One for the process; hosts, directories,
// did:web and redirects are all dialled through it.
//
// Owner    Relay; it outlives everything that dials.
// Thread   constant once made, but for counters; any worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/tls.hpp"
#include "proto/url.hpp"
#include "relay/base/private_hosts.hpp"

namespace ringlay::net {

class Outbound {
  public:
    // `tls`: nullptr: https and wss are refused.
    explicit Outbound(const crypto::TlsClientContext* tls, base::PrivateHosts allowed = {})
        : tls_(tls), allowed_(std::move(allowed)) {}

    const crypto::TlsClientContext* tls() const { return tls_; }
    const base::PrivateHosts& allowed() const { return allowed_; }

    // Why this address must not be dialled for this URL: a sentence; nothing: it may. The address
    // is the one that will be connected to, after the name was resolved.
    std::optional<std::string> objection(const proto::Url& url, const Address& address) const;
    // What can be said before the name is resolved: plain text (http, ws) is only for hosts that
    // are allowed to be private.
    std::optional<std::string> objection(const proto::Url& url) const;

    // Counted by whoever dials; relaxed.
    mutable std::atomic<std::uint64_t> refused{0};     // by the guard
    mutable std::atomic<std::uint64_t> handshakes{0};  // TLS, that succeeded
    mutable std::atomic<std::uint64_t> handshake_failures{0};

  private:
    const crypto::TlsClientContext* tls_;
    const base::PrivateHosts allowed_;
};

}  // namespace ringlay::net
