// One HTTP request to a server, over a connection of its own.
//
// Thread   in a fiber, which waits until the answer is whole.
// Bound    the answer's header and body, and one deadline for everything together.
// Errors   Failure: what went wrong in words. An answer of any status is no failure.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "relay/net/dial.hpp"
#include "relay/net/http_message.hpp"
#include "relay/net/http_parser.hpp"

namespace ringlay::net {

struct FetchOptions {
    HttpMethod method = HttpMethod::get;
    HttpHeaders headers;  // User-Agent and the like
    std::string body;
    std::uint64_t max_body_bytes = 1024 * 1024;
    Deadline deadline = Deadline::never();
    const Outbound* outbound = nullptr;  // nullptr: plain TCP to anywhere, no TLS
    std::uint32_t redirects = 0;         // of GET and HEAD; one more is returned as it is
};

std::expected<HttpResponse, Failure> fetch(env::Env& env, const proto::Url& url,
                                           const FetchOptions& options);

// For protocols that begin as HTTP: sends a request and reads the answer.
struct Exchange {
    HttpResponse response;
    Buffer rest;  // what came behind the answer
};
std::expected<Exchange, Failure> exchange(Stream& stream, std::string_view request,
                                          HttpResponseParser& parser, Deadline deadline);

}  // namespace ringlay::net
