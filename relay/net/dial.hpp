// From a URL to a connection, and the words for what went wrong on the way.
//
// Thread   in a fiber. Nothing is kept.
// Bound    four addresses of a name, raced (connect_race.hpp); one deadline for everything.
// Errors   no_permission: the guard (outbound.hpp) objects. It is asked about the very address that
//          is connected to: a name that means another one a moment later changes nothing. busy:
//          all places (address_places.hpp) of its addresses are taken.
#pragma once

#include <expected>
#include <span>
#include <string>

#include "proto/base/bytes.hpp"
#include "proto/url.hpp"
#include "relay/env/env.hpp"
#include "relay/net/failure.hpp"
#include "relay/net/outbound.hpp"
#include "relay/net/stream.hpp"

namespace ringlay::net {

// What belongs into the Host field, and into a request line.
std::string authority_of(const proto::Url& url);
std::string target_of(const proto::Url& url);

// Without `outbound`: plain TCP to anywhere; a URL that asks for TLS is refused as unsupported.
// `places`: nullptr: any number of connections to one address, as there may always be to one that
// is not on the public internet.
std::expected<Stream, Failure> dial(env::Env& env, const proto::Url& url, Deadline deadline,
                                    const Outbound* outbound = nullptr,
                                    AddressPlaces* places = nullptr);

// All parts, one behind the other; the bytes must stay as they are meanwhile. At most 8 parts.
Result<void> send_parts(env::Socket& socket, std::span<const Bytes> parts, Deadline deadline);

inline Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace ringlay::net
