// The opening handshake of a WebSocket, pure, for both ends. Version 13, no extension, no
// subprotocol, any Origin: the streams served here are public and have one form.
//
// Errors   check_upgrade() answers with the response that refuses; check_upgrade_response() with
//          malformed and a sentence for an operator.
// Source   RFC 6455 section 4.
#pragma once

#include <array>
#include <expected>
#include <string>
#include <string_view>

#include "proto/base/result.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::net {

// Whether a request asks for an upgrade at all; check_upgrade() says whether it does so rightly.
bool wants_websocket(const HttpRequest& request);

// The value of Sec-WebSocket-Accept for an upgrade request that is in order, or the refusal: 405,
// 426 with the version we speak, or 400 with the reason.
std::expected<std::string, HttpResponse> check_upgrade(const HttpRequest& request);

// The 101 for an accept value.
HttpResponse upgrade_response(std::string_view accept);

std::string websocket_key(const std::array<std::uint8_t, 16>& random);
std::string websocket_accept(std::string_view key);

// The fields that make a GET an upgrade request.
void add_upgrade_fields(HttpHeaders& headers, std::string_view key);

// Whether the server has accepted the request with this key.
Result<void> check_upgrade_response(const HttpResponse& response, std::string_view key);

}  // namespace ringlay::net
