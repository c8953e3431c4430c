#include "relay/net/websocket_handshake.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "proto/base/hex.hpp"
#include "relay/net/http_parser.hpp"
#include "relay/net/sha1.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string sha1_hex(std::string_view text) {
    return to_hex(sha1(bytes_of(text)));
}

// The example of RFC 6455 section 1.3.
constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view sample_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

HttpRequest upgrade_request() {
    HttpRequest request;
    request.target = "/";
    request.headers.add("Host", "a");
    add_upgrade_fields(request.headers, sample_key);
    return request;
}

// A copy without one field, and with another in its place.
HttpHeaders changed(const HttpHeaders& headers, std::string_view without,
                    std::vector<HttpHeaders::Field> with) {
    HttpHeaders out;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        if (!equals_ignoring_case(headers[i].name, without)) {
            out.add(headers[i].name, headers[i].value);
        }
    }
    for (const auto& field : with) out.add(field.name, field.value);
    return out;
}

}  // namespace

TEST_CASE("SHA-1 gives the known answers, at every length around a block") {
    CHECK(sha1_hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    CHECK(sha1_hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(sha1_hex(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    CHECK(sha1_hex(std::string(55, 'a')) == "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    CHECK(sha1_hex(std::string(56, 'a')) == "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    CHECK(sha1_hex(std::string(63, 'a')) == "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    CHECK(sha1_hex(std::string(64, 'a')) == "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    CHECK(sha1_hex(std::string(65, 'a')) == "11655326c708d70319be2610e8a57d9a5b959d3b");
}

TEST_CASE("base64 gives the known answers") {
    const std::pair<std::string_view, std::string_view> answers[] = {{"", ""},
                                                                     {"f", "Zg=="},
                                                                     {"fo", "Zm8="},
                                                                     {"foo", "Zm9v"},
                                                                     {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="},
                                                                     {"foobar", "Zm9vYmFy"},
                                                                     {"\xfb\xff\xfe", "+//+"}};
    for (const auto& [text, wanted] : answers) CHECK(to_base64(bytes_of(text)) == wanted);
}

TEST_CASE("the accept value of a key is that of the RFC's example") {
    CHECK(websocket_accept(sample_key) == sample_accept);
    CHECK(websocket_key({}) == "AAAAAAAAAAAAAAAAAAAAAA==");
}

TEST_CASE("an upgrade request in order is accepted, whatever else it offers") {
    HttpRequest request = upgrade_request();
    CHECK(check_upgrade(request).value() == sample_accept);
    request.headers = changed(request.headers, "connection",
                              {{"Connection", "keep-alive, UPGRADE"},
                               {"Origin", "https://evil.example"},
                               {"Sec-WebSocket-Extensions", "permessage-deflate"},
                               {"Sec-WebSocket-Protocol", "xrpc.v1.json"}});
    CHECK(check_upgrade(request).value() == sample_accept);
    std::string head = encode_response_head(upgrade_response(sample_accept), {});
    CHECK(head ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nConnection: upgrade\r\n\r\n");
}

TEST_CASE("an upgrade request out of order is refused with the reason") {
    const struct {
        std::uint16_t status;
        std::string_view reason;
        std::string_view without;
        std::vector<HttpHeaders::Field> with;
    } cases[] = {
        {426, "this is a stream: connect by WebSocket", "upgrade", {}},
        {426, "this is a stream: connect by WebSocket", "upgrade", {{"Upgrade", "h2c"}}},
        {400, "Upgrade is not named in Connection", "connection", {}},
        {400, "Upgrade is not named in Connection", "connection", {{"Connection", "close"}}},
        {426, "only version 13 of WebSocket is spoken here", "sec-websocket-version", {}},
        {426,
         "only version 13 of WebSocket is spoken here",
         "sec-websocket-version",
         {{"Sec-WebSocket-Version", "8"}}},
        {426,
         "only version 13 of WebSocket is spoken here",
         "x",
         {{"Sec-WebSocket-Version", "13"}}},
        {400, "Sec-WebSocket-Key is not sixteen bytes in base64", "sec-websocket-key", {}},
        {400,
         "Sec-WebSocket-Key is not sixteen bytes in base64",
         "sec-websocket-key",
         {{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ="}}},
        {400,
         "Sec-WebSocket-Key is not sixteen bytes in base64",
         "sec-websocket-key",
         {{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ!=="}}},
        {400,
         "Sec-WebSocket-Key is not sixteen bytes in base64",
         "sec-websocket-key",
         {{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQab"}}},
        {400,
         "Sec-WebSocket-Key is not sixteen bytes in base64",
         "x",
         {{"Sec-WebSocket-Key", sample_key}}},
    };
    for (const auto& wrong : cases) {
        CAPTURE(wrong.reason, wrong.without);
        HttpRequest request = upgrade_request();
        request.headers = changed(request.headers, wrong.without, wrong.with);
        auto accept = check_upgrade(request);
        REQUIRE_FALSE(accept.has_value());
        CHECK(accept.error().status == wrong.status);
        CHECK(accept.error().body.find(wrong.reason) != std::string::npos);
        if (wrong.status == 426) {
            CHECK(accept.error().headers.find("upgrade") == "websocket");
            CHECK(accept.error().headers.find("sec-websocket-version") == "13");
        }
    }
    HttpRequest request = upgrade_request();
    request.method = HttpMethod::post;
    CHECK(check_upgrade(request).error().status == 405);
    request = upgrade_request();
    request.minor_version = 0;
    CHECK(check_upgrade(request).error().status == 400);
    request = upgrade_request();
    request.body = "x";
    CHECK(check_upgrade(request).error().status == 400);
}

TEST_CASE("a client believes only the right answer") {
    HttpResponse right = upgrade_response(sample_accept);
    right.headers.add("Connection", "Upgrade");
    CHECK(check_upgrade_response(right, sample_key));
    const struct {
        std::string_view why;
        std::string_view without;
        std::vector<HttpHeaders::Field> with;
    } cases[] = {
        {"websocket: upgraded to something else", "upgrade", {}},
        {"websocket: upgraded to something else", "upgrade", {{"Upgrade", "h2c"}}},
        {"websocket: Upgrade is not named in Connection", "connection", {}},
        {"websocket: wrong Sec-WebSocket-Accept", "sec-websocket-accept", {}},
        {"websocket: wrong Sec-WebSocket-Accept",
         "sec-websocket-accept",
         {{"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="}}},
        {"websocket: wrong Sec-WebSocket-Accept", "x", {{"Sec-WebSocket-Accept", sample_accept}}},
        {"websocket: an extension that was not offered",
         "x",
         {{"Sec-WebSocket-Extensions", "permessage-deflate"}}},
        {"websocket: a subprotocol that was not offered", "x", {{"Sec-WebSocket-Protocol", "a"}}},
    };
    for (const auto& wrong : cases) {
        HttpResponse response = right;
        response.headers = changed(right.headers, wrong.without, wrong.with);
        auto checked = check_upgrade_response(response, sample_key);
        REQUIRE_FALSE(checked.has_value());
        CHECK(checked.error().what == wrong.why);
    }
    HttpResponse response = right;
    response.status = 200;
    CHECK_FALSE(check_upgrade_response(response, sample_key).has_value());
    response = right;
    response.minor_version = 0;
    CHECK_FALSE(check_upgrade_response(response, sample_key).has_value());
}
