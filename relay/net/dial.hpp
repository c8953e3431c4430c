// From a URL to a connection, and the words for what went wrong on the way.
//
// Thread   in a fiber. Nothing is kept.
// Bound    four addresses of a name are tried, each with an equal share of the time that is left.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>

#include "proto/base/bytes.hpp"
#include "proto/url.hpp"
#include "relay/env/env.hpp"
#include "relay/net/outbound.hpp"
#include "relay/net/stream.hpp"

namespace ringlay::net {

// Why a server could not be used. Unlike Error it holds a sentence for an operator, with the
// address or the status in it: this happens some times a second at most.
struct Failure {
    Error error;
    std::string reason;
    std::uint16_t http_status = 0;  // of an answer that refuses; 0: there was no answer
    std::optional<std::uint32_t> retry_after_s;
};

// `what` begins the sentence; the error's own words follow.
Failure failure_of(const Error& error, std::string what);

// What belongs into the Host field, and into a request line.
std::string authority_of(const proto::Url& url);
std::string target_of(const proto::Url& url);

// Without `outbound`: plain TCP to anywhere; a URL that asks for TLS is refused as unsupported.
std::expected<Stream, Failure> dial(env::Env& env, const proto::Url& url, Deadline deadline,
                                    const Outbound* outbound = nullptr);

// All parts, one behind the other; the bytes must stay as they are meanwhile. At most 8 parts.
Result<void> send_parts(env::Socket& socket, std::span<const Bytes> parts, Deadline deadline);

inline Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace ringlay::net
