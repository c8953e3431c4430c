#include "relay/net/secure.hpp"

#include "proto/base/assert.hpp"

namespace ringlay::net {

std::expected<Stream, Failure> secure(Stream plain, const proto::Url& url, const Outbound& outbound,
                                      Deadline deadline) {
    RINGLAY_ASSERT(outbound.tls() != nullptr);
    auto started = plain.start_tls(outbound.tls()->connect(url.host), deadline);
    if (started) {
        outbound.handshakes.fetch_add(1, std::memory_order_relaxed);
        return plain;
    }
    const Error& error = started.error();
    if (error.code != Errc::cancelled) {
        outbound.handshake_failures.fetch_add(1, std::memory_order_relaxed);
    }
    std::string reason = "no TLS with " + std::string(url.host) + " at " + plain.peer().text();
    reason.append(": ").append(plain.tls_failure().empty() ? error.what : plain.tls_failure());
    return std::unexpected(Failure{error, std::move(reason), 0, std::nullopt});
}

}  // namespace ringlay::net
