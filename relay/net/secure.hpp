// TLS on a connection that was dialled: the handshake with the server that a URL names.
//
// Owner    nobody: a function.
// Thread   in a fiber.
// Bound    the deadline, for the whole handshake.
// Errors   Failure, with a sentence that says what is wrong with the server's TLS.
#pragma once

#include <expected>

#include "proto/url.hpp"
#include "relay/net/failure.hpp"
#include "relay/net/outbound.hpp"
#include "relay/net/stream.hpp"

namespace ringlay::net {

// The certificate has to be for the URL's host. Counts in `outbound`, which has TLS.
std::expected<Stream, Failure> secure(Stream plain, const proto::Url& url, const Outbound& outbound,
                                      Deadline deadline);

}  // namespace ringlay::net
