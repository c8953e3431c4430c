// SHA-1 and base64, for the one place that still needs them: the WebSocket handshake, where they
// prove that the server speaks the protocol and protect nothing.
//
// Source   FIPS 180-4, RFC 4648 section 4.
#pragma once

#include <array>
#include <string>

#include "proto/base/bytes.hpp"

namespace ringlay::net {

std::array<std::uint8_t, 20> sha1(Bytes bytes);
std::string to_base64(Bytes bytes);

}  // namespace ringlay::net
