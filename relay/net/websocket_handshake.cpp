#include "relay/net/websocket_handshake.hpp"

#include <algorithm>

#include "relay/net/sha1.hpp"

namespace ringlay::net {
namespace {

constexpr std::string_view accept_guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::string_view version = "13";

// Sixteen bytes in base64.
bool is_key(std::string_view key) {
    constexpr std::size_t digits = 22;
    if (key.size() != digits + 2 || !key.ends_with("==")) return false;
    return std::ranges::all_of(key.substr(0, digits), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '+' || c == '/';
    });
}

std::unexpected<HttpResponse> refuse(std::string_view reason) {
    return std::unexpected(json_error(400, "InvalidRequest", reason));
}

std::unexpected<HttpResponse> ask_for_upgrade(std::string_view reason) {
    HttpResponse response = json_error(426, "UpgradeRequired", reason);
    response.headers.add("Upgrade", "websocket");
    response.headers.add("Sec-WebSocket-Version", version);
    return std::unexpected(std::move(response));
}

}  // namespace

bool wants_websocket(const HttpRequest& request) {
    return request.headers.has_token("upgrade", "websocket");
}

std::expected<std::string, HttpResponse> check_upgrade(const HttpRequest& request) {
    if (request.method != HttpMethod::get) {
        HttpResponse response = json_error(405, "MethodNotAllowed", "a WebSocket begins with GET");
        response.headers.add("Allow", "GET");
        return std::unexpected(std::move(response));
    }
    const HttpHeaders& headers = request.headers;
    if (!wants_websocket(request)) {
        return ask_for_upgrade("this is a stream: connect by WebSocket");
    }
    if (request.minor_version == 0) return refuse("a WebSocket needs HTTP/1.1");
    if (!headers.has_token("connection", "upgrade")) {
        return refuse("Upgrade is not named in Connection");
    }
    if (headers.count("sec-websocket-version") != 1 ||
        *headers.find("sec-websocket-version") != version) {
        return ask_for_upgrade("only version 13 of WebSocket is spoken here");
    }
    if (headers.count("sec-websocket-key") != 1 || !is_key(*headers.find("sec-websocket-key"))) {
        return refuse("Sec-WebSocket-Key is not sixteen bytes in base64");
    }
    if (!request.body.empty()) return refuse("a WebSocket request has no body");
    return websocket_accept(*headers.find("sec-websocket-key"));
}

HttpResponse upgrade_response(std::string_view accept) {
    return {101, {{"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", accept}}, {}};
}

std::string websocket_key(const std::array<std::uint8_t, 16>& random) {
    return to_base64(random);
}

std::string websocket_accept(std::string_view key) {
    std::string text(key);
    text += accept_guid;
    return to_base64(sha1({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
}

void add_upgrade_fields(HttpHeaders& headers, std::string_view key) {
    headers.add("Upgrade", "websocket");
    headers.add("Connection", "Upgrade");
    headers.add("Sec-WebSocket-Version", version);
    headers.add("Sec-WebSocket-Key", key);
}

Result<void> check_upgrade_response(const HttpResponse& response, std::string_view key) {
    auto refused = [](std::string_view what) { return fail(Errc::malformed, what); };
    const HttpHeaders& headers = response.headers;
    if (response.status != 101) return refused("websocket: the server does not upgrade");
    if (response.minor_version == 0) return refused("websocket: upgraded in HTTP/1.0");
    if (!headers.has_token("upgrade", "websocket")) {
        return refused("websocket: upgraded to something else");
    }
    if (!headers.has_token("connection", "upgrade")) {
        return refused("websocket: Upgrade is not named in Connection");
    }
    if (headers.count("sec-websocket-accept") != 1 ||
        *headers.find("sec-websocket-accept") != websocket_accept(key)) {
        return refused("websocket: wrong Sec-WebSocket-Accept");
    }
    if (headers.count("sec-websocket-extensions") != 0) {
        return refused("websocket: an extension that was not offered");
    }
    if (headers.count("sec-websocket-protocol") != 0) {
        return refused("websocket: a subprotocol that was not offered");
    }
    return {};
}

}  // namespace ringlay::net
