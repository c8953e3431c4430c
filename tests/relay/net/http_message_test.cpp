#include "relay/net/http_message.hpp"

#include <catch2/catch.hpp>

#include "relay/net/http_parser.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_CASE("header names compare in any case, values and order are kept") {
    HttpHeaders headers{{"Content-Type", "a"}, {"X", "1"}, {"x", "2"}};
    CHECK(headers.find("content-TYPE") == "a");
    CHECK(headers.find("X") == "1");
    CHECK(headers.count("x") == 2);
    CHECK_FALSE(headers.find("content-typ"));
    CHECK_FALSE(headers.find("content-type2"));
    CHECK(headers[2].name == "x");
    CHECK(headers[2].value == "2");
}

TEST_CASE("a token is found in a list, alone, between others, over several fields") {
    HttpHeaders headers{{"Connection", "a ,\tUpgrade"}, {"connection", "close"}};
    CHECK(headers.has_token("connection", "upgrade"));
    CHECK(headers.has_token("connection", "CLOSE"));
    CHECK(headers.has_token("connection", "a"));
    CHECK_FALSE(headers.has_token("connection", "clos"));
    CHECK_FALSE(headers.has_token("upgrade", "close"));
    CHECK(list_has_token(",,a", "a"));
    CHECK_FALSE(list_has_token("a b", "b"));
}

TEST_CASE("path and parameters of a target are found in every form of it") {
    HttpRequest request;
    request.target = "/xrpc/a.b?did=did%3Aplc%3Ax&limit=5&limit=6&empty=&flag";
    CHECK(request.path() == "/xrpc/a.b");
    CHECK(request.query("did").value() == "did:plc:x");
    CHECK(request.query("limit").value() == "5");
    CHECK(request.query("empty").value() == "");
    CHECK(request.query("flag").value() == "");
    CHECK_FALSE(request.query("none").value());
    request.target = "/x";
    CHECK(request.query_text() == "");
    request.target = "/x?a=%zz";
    CHECK_FALSE(request.query("a").has_value());
    for (auto [target, path] :
         {std::pair{"http://a/b?c", "/b"}, {"http://a", "/"}, {"http://a?b=/c", "/"}, {"*", "*"}}) {
        request.target = target;
        CHECK(request.path() == path);
    }
}

TEST_CASE("a response head carries the defaults it has not set itself, and its own framing") {
    HttpHeaders defaults{{"Server", "x"}, {"Access-Control-Allow-Origin", "*"}};
    HttpResponse response{200, {{"server", "y"}, {"Content-Length", "999"}}, "abc"};
    ResponseHeadOptions options;
    options.defaults = &defaults;
    CHECK(encode_response_head(response, options) ==
          "HTTP/1.1 200 OK\r\nserver: y\r\nAccess-Control-Allow-Origin: *\r\n"
          "Content-Length: 3\r\n\r\n");
    options = {};
    options.close = true;
    CHECK(encode_response_head({204, {}, ""}, options) ==
          "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    options.close = false;
    options.to_http_1_0 = true;
    options.date = WallMillis(784887151000);
    CHECK(encode_response_head({404, {}, ""}, options) ==
          "HTTP/1.1 404 Not Found\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
          "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(encode_response_head({204, {{"Date", "own"}}, ""}, options) ==
          "HTTP/1.1 204 No Content\r\nDate: own\r\nConnection: keep-alive\r\n\r\n");
    CHECK(encode_response_head({101, {{"Upgrade", "z"}}, ""}, {}) ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: z\r\nConnection: upgrade\r\n\r\n");
}

TEST_CASE("nothing in a name or a value can begin a line of its own") {
    HttpResponse response{200, {{"A\r\nB", "c\r\nSet-Cookie: d\n\x01"}}, ""};
    std::string head = encode_response_head(response, {});
    CHECK(head == "HTTP/1.1 200 OK\r\nA  B: c  Set-Cookie: d  \r\nContent-Length: 0\r\n\r\n");
    std::string request = encode_request(HttpMethod::get, "/a\r\nb", "h\r\n", {{"X", "\r\n\r\n"}});
    CHECK(request == "GET /a  b HTTP/1.1\r\nHost: h  \r\nX:     \r\n\r\n");
}

TEST_CASE("what is written is read back") {
    std::string text =
        encode_request(HttpMethod::post, "/a?b", "c:1", {{"X", "y"}, {"Host", "evil"}}, "body");
    HttpRequestParser request_parser{HttpLimits()};
    REQUIRE(request_parser.feed(bytes_of(text)) == text.size());
    HttpRequest request = request_parser.take();
    CHECK(request.method == HttpMethod::post);
    CHECK(request.target == "/a?b");
    CHECK(request.headers.find("host") == "c:1");
    CHECK(request.headers.find("x") == "y");
    CHECK(request.body == "body");

    HttpResponse response = json_error(400, "A\"b", "c\\d\n\xff");
    CHECK(response.body == R"({"error":"A\"b","message":"c\\d??"})");
    text = encode_response_head(response, {}) + response.body;
    HttpResponseParser response_parser{HttpLimits()};
    REQUIRE(response_parser.feed(bytes_of(text)) == text.size());
    HttpResponse again = response_parser.take();
    CHECK(again.status == 400);
    CHECK(again.headers.find("content-type") == "application/json");
    CHECK(again.body == response.body);
}

TEST_CASE("a date is written as HTTP wants it, over leap days and year ends") {
    CHECK(http_date(WallMillis(0)) == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(http_date(WallMillis(951782399999)) == "Mon, 28 Feb 2000 23:59:59 GMT");
    CHECK(http_date(WallMillis(951782400000)) == "Tue, 29 Feb 2000 00:00:00 GMT");
    CHECK(http_date(WallMillis(1798761599000)) == "Thu, 31 Dec 2026 23:59:59 GMT");
}
