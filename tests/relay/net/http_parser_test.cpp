#include "relay/net/http_parser.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <tuple>

#include "relay/net/http_body.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// What became of a stream of requests.
struct Outcome {
    std::vector<std::string> requests;  // method, target, fields and body of each, as one text
    std::uint16_t refused = 0;          // the status of the refusal
    std::string_view why;
    bool is_between = true;  // nothing of another request has come

    bool operator==(const Outcome&) const = default;
};

std::string shown(const HttpRequest& request) {
    std::string text(name_of(request.method));
    text += " " + request.target + (request.is_keep_alive ? " keep" : " close");
    for (std::size_t i = 0; i < request.headers.size(); ++i) {
        text += " " + std::string(request.headers[i].name) + "=";
        text += request.headers[i].value;
    }
    return text + " " + request.body;
}

// Feeds the pieces that `next_piece_bytes` asks for.
template <class F>
Outcome run(std::string_view stream, const HttpLimits& limits, F next_piece_bytes) {
    HttpRequestParser parser(limits);
    Outcome outcome;
    while (!stream.empty()) {
        std::string piece(stream.substr(0, next_piece_bytes()));
        stream.remove_prefix(piece.size());
        std::string_view left = piece;
        while (!left.empty()) {
            auto taken = parser.feed(bytes_of(left));
            if (!taken) {
                outcome.refused = parser.refusal_status();
                outcome.why = taken.error().what;
                return outcome;
            }
            left.remove_prefix(*taken);
            if (parser.is_complete()) {
                outcome.requests.push_back(shown(parser.take()));
            } else {
                REQUIRE(left.empty());
            }
        }
    }
    outcome.is_between = !parser.has_begun();
    return outcome;
}

// The outcome, which must be the same in one piece, byte by byte, and cut by three seeds.
Outcome read(std::string_view stream, const HttpLimits& limits = {}) {
    Outcome whole = run(stream, limits, [&] { return stream.size(); });
    Outcome single = run(stream, limits, [] { return std::size_t{1}; });
    CHECK(single == whole);
    for (unsigned seed = 1; seed <= 3; ++seed) {
        std::mt19937_64 random(seed);
        CAPTURE(seed);
        CHECK(run(stream, limits, [&] { return 1 + random() % 40; }) == whole);
    }
    return whole;
}

struct Refusal {
    std::uint16_t status;
    std::string_view why;
    std::string_view stream;
};

void check_refusals(std::initializer_list<Refusal> refusals) {
    for (const Refusal& refusal : refusals) {
        CAPTURE(refusal.stream);
        Outcome outcome = read(refusal.stream);
        CHECK(outcome.refused == refusal.status);
        CHECK(outcome.why == refusal.why);
        CHECK(outcome.requests.empty());
    }
}

}  // namespace

TEST_CASE("a request in order is read whole, whatever its form") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / keep Host=a "},
        {"GET /x?y=%20 HTTP/1.1\r\nhOST:a.example:80\r\n\r\n",
         "GET /x?y=%20 keep hOST=a.example:80 "},
        {"GET / HTTP/1.1\r\nHost: [::1]:3000\r\nA:\t b c \t\r\nA: \r\n\r\n",
         "GET / keep Host=[::1]:3000 A=b c A= "},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / keep Host= "},
        {"GET http://a.example/x HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET http://a.example/x keep Host=a "},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * keep Host=a "},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
         "POST / keep Host=a Content-Length=5 hello"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
         "POST / keep Host=a Content-Length=0 "},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
         "3\r\nabc\r\n0a;x=\"y\" ;z\r\n0123456789\r\n0\r\nA: b\r\nC:\r\n\r\n",
         "POST / keep Host=a Transfer-Encoding=Chunked abc0123456789"},
        {"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "PUT / keep Host=a Transfer-Encoding=chunked "},
        {"DELETE /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", ""},
        {"PATCH / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\r\n\r\n", "PATCH / keep Host=a X=\xc3\xa4 "},
    };
    for (const auto& [stream, wanted] : cases) {
        CAPTURE(stream);
        Outcome outcome = read(stream);
        if (wanted.empty()) {
            CHECK(outcome.refused == 400);
            continue;
        }
        CHECK(outcome.why == "");
        REQUIRE(outcome.requests.size() == 1);
        CHECK(outcome.requests[0] == wanted);
        CHECK(outcome.is_between);
    }
}

TEST_CASE("requests that come together are read one after the other") {
    Outcome outcome = read(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        "GET /4 HTTP/1.0\r\n\r\nGET /5");
    REQUIRE(outcome.requests.size() == 4);
    CHECK(outcome.requests[1] == "POST /2 keep Host=a Content-Length=3 abc");
    CHECK(outcome.requests[2] == "POST /3 keep Host=a Transfer-Encoding=chunked x");
    CHECK(outcome.requests[3] == "GET /4 close ");
    CHECK_FALSE(outcome.is_between);
}

TEST_CASE("what could be read in two ways is refused") {
    check_refusals({
        {400, "http: transfer-encoding",
         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "http: content-length",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"},
        {400, "http: transfer-encoding",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"},
        {400, "http: transfer-encoding",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"},
        {400, "http: transfer-encoding",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n"},
        {400, "http: transfer-encoding",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n"},
        {400, "http: transfer-encoding",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {400, "http: transfer-encoding",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
         "Transfer-Encoding: chunked\r\n\r\n"},
        {400, "http: transfer-encoding",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n"},
        {400, "http: transfer-encoding",
         "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "http: field name",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n"},
        {400, "http: field value",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
         "chunked\r\n\r\n"},
        {400, "http: content-length",
         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n"},
        {400, "http: content-length",
         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n"},
        {400, "http: content-length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\n"},
        {400, "http: content-length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n"},
        {400, "http: content-length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\n"},
        {400, "http: content-length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\n"},
        {400, "http: content-length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4 4\r\n\r\n"},
        {400, "http: content-length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"},
        {400, "http: content-length",
         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551620\r\n\r\n"},
        {400, "http: folded or indented line",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n chunked\r\n\r\n"},
        {400, "http: folded or indented line", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\tc\r\n\r\n"},
        {400, "http: folded or indented line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
        {400, "http: folded or indented line", "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n"},
        {400, "http: line feed without carriage return", "GET / HTTP/1.1\nHost: a\n\n"},
        {400, "http: line feed without carriage return",
         "GET / HTTP/1.1\r\nHost: a\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "http: line feed without carriage return", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
        {400, "http: malformed", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"},
    });
}

TEST_CASE("a chunked body that is not exactly that is refused") {
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::pair<std::string, std::string_view> cases[] = {
        {"\r\n", "http: chunk size"},
        {"g\r\n", "http: chunk size"},
        {" 3\r\nabc\r\n", "http: chunk size"},
        {"-3\r\n", "http: chunk size"},
        {"0x3\r\n", "http: chunk size"},
        {"3\nabc\r\n", "http: chunk size"},
        {"3\r\rabc", "http: chunk line"},
        {"3\r\nabcd\r\n", "http: chunk longer than its size"},
        {"3\r\nabc\rx", "http: chunk longer than its size"},
        {"3\r\nabc3\r\n", "http: chunk longer than its size"},
        {"00000000000000003\r\n", "http: chunk size"},
        {"3;\x01\r\n", "http: chunk extension"},
        {"3;\x7f\r\n", "http: chunk extension"},
        {"3;a\n", "http: chunk extension"},
        {"3;" + std::string(HttpBodyReader::max_extension_bytes + 1, 'x'), ""},
        {"0\r\nA\r\n", "http: trailer"},
        {"0\r\n: a\r\n", "http: trailer"},
        {"0\r\n a: b\r\n", "http: trailer"},
        {"0\r\na: b\n", "http: trailer"},
        {"0\r\na: b\r\r", "http: trailer"},
        {"0\r\n\rx", "http: trailer"},
        {"0\r\na: " + std::string(4096, 'x'), "http: trailers too long"},
    };
    for (const auto& [body, why] : cases) {
        CAPTURE(body.substr(0, 40));
        Outcome outcome = read(head + body);
        CHECK(outcome.refused == 400);
        CHECK(outcome.why == (why.empty() ? "http: chunk extensions too long" : why));
        CHECK(outcome.requests.empty());
    }
}

TEST_CASE("many chunks, sizes in either case and extensions up to their limit are read") {
    std::string stream = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string wanted;
    for (int i = 0; i < 40; ++i) {
        stream += i % 2 == 0 ? "A\r\n0123456789\r\n" : "a\r\n0123456789\r\n";
        wanted += "0123456789";
    }
    std::string extension(HttpBodyReader::max_extension_bytes - 1, 'x');
    stream += "1;" + extension + "\r\n!\r\n0\r\n\r\n";
    Outcome outcome = read(stream);
    REQUIRE(outcome.requests.size() == 1);
    CHECK(outcome.requests[0].ends_with(" " + wanted + "!"));
}

TEST_CASE("a request line or a field out of form is refused with the status that says why") {
    check_refusals({
        {400, "http: not a start line", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: not a start line", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: not a start line", "\x16\x03\x01\x02\x00\x01"},  // TLS on a plain port
        {400, "http: target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {505, "http: version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
        {505, "http: version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
        {505, "http: version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {505, "http: version", "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
        {505, "http: version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
        {505, "http: version", "GET / http/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: target", "GET /\r\n\r\n"},
        {505, "http: version", "GET / HTTP\r\n\r\n"},
        {400, "http: method", "GET\r\n\r\n"},
        {501, "http: method not known", "get / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {501, "http: method not known", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {501, "http: method not known", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: target", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: target", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: target", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: target", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: target", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: target", "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "http: not exactly one host", "GET / HTTP/1.1\r\n\r\n"},
        {400, "http: not exactly one host", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "http: not exactly one host", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
        {400, "http: host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        {400, "http: host", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
        {400, "http: host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
        {400, "http: field name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"},
        {400, "http: field name", "GET / HTTP/1.1\r\nHost: a\r\nA(: b\r\n\r\n"},
        {400, "http: field name", "GET / HTTP/1.1\r\nHost: a\r\nA\r\n\r\n"},
        {400, "http: field value", "GET / HTTP/1.1\r\nHost: a\r\nA: \x01\r\n\r\n"},
        {417, "http: expect", "POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n"},
    });
    std::string with_nul = "GET / HTTP/1.1\r\nHost: a\r\nA: b";
    with_nul.push_back('\0');
    CHECK(read(with_nul + "\r\n\r\n").refused == 400);
}

TEST_CASE("every size has a limit, and what is exactly there passes") {
    HttpLimits limits;
    auto padded = [](std::size_t size) {
        std::string head = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
        return head + std::string(size - head.size() - 4, 'x') + "\r\n\r\n";
    };
    CHECK(read(padded(limits.header_bytes)).requests.size() == 1);
    CHECK(read(padded(limits.header_bytes + 1)).refused == 431);
    CHECK(read("GET / HTTP/1.1\r\nA: " + std::string(20000, 'x')).refused == 431);

    auto with_target = [](std::size_t size) {
        return "GET /" + std::string(size - 1, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    };
    CHECK(read(with_target(limits.target_bytes)).requests.size() == 1);
    CHECK(read(with_target(limits.target_bytes + 1)).refused == 414);
    CHECK(read(with_target(1 << 20)).refused == 414);
    CHECK(read("GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nA: " + std::string(9000, 'x'))
              .refused == 414);

    auto with_fields = [](std::size_t count) {
        std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
        for (std::size_t i = 1; i < count; ++i) text += "A: b\r\n";
        return text + "\r\n";
    };
    CHECK(read(with_fields(limits.header_count)).requests.size() == 1);
    CHECK(read(with_fields(limits.header_count + 1)).refused == 431);

    limits.body_bytes = 10;
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
    CHECK(read(post + "Content-Length: 10\r\n\r\n0123456789", limits).requests.size() == 1);
    CHECK(read(post + "Content-Length: 11\r\n\r\n", limits).refused == 413);
    const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
    CHECK(read(chunked + "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", limits).requests.size() == 1);
    CHECK(read(chunked + "5\r\n01234\r\n6\r\n", limits).refused == 413);
    CHECK(read(chunked + "b\r\n", limits).refused == 413);
    CHECK(read(chunked + "ffffffffffffffff\r\n", limits).refused == 413);
}

TEST_CASE("a connection is kept as version and Connection say") {
    const std::tuple<std::string_view, std::string_view, bool> cases[] = {
        {"1.1", "", true},
        {"1.1", "Connection: close\r\n", false},
        {"1.1", "Connection: foo, Close\r\n", false},
        {"1.1", "Connection: keep-alive\r\n", true},
        {"1.0", "", false},
        {"1.0", "Connection: Keep-Alive\r\n", true},
        {"1.0", "Connection: keep-alive, close\r\n", true},
    };
    for (const auto& [version, field, is_kept] : cases) {
        CAPTURE(version, field);
        std::string text = "GET / HTTP/";
        text.append(version).append("\r\nHost: a\r\n").append(field).append("\r\n");
        HttpRequestParser parser{HttpLimits()};
        REQUIRE(parser.feed(bytes_of(text)) == text.size());
        CHECK(parser.take().is_keep_alive == is_kept);
    }
}

TEST_CASE("a client that waits for 100 Continue is recognised until its body has come") {
    std::string head =
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
    HttpRequestParser parser{HttpLimits()};
    CHECK_FALSE(parser.expects_continue());
    REQUIRE(parser.feed(bytes_of(head)) == head.size());
    CHECK(parser.has_header());
    CHECK(parser.expects_continue());
    REQUIRE(parser.feed(bytes_of("ab")) == 2);
    CHECK_FALSE(parser.expects_continue());
    CHECK(parser.take().body == "ab");
    CHECK_FALSE(parser.has_header());
}

namespace {

struct Answer {
    bool is_complete = false;
    std::uint16_t status = 0;
    std::string body;
    std::string_view why;
    std::size_t rest_bytes = 0;

    bool operator==(const Answer&) const = default;
};

Answer read_answer(std::string_view stream, std::size_t step, bool ends, bool to_head,
                   const HttpLimits& limits) {
    HttpResponseParser parser(limits, to_head);
    Answer answer;
    while (!stream.empty() && !parser.is_complete()) {
        std::string_view piece = stream.substr(0, step);
        auto taken = parser.feed(bytes_of(piece));
        if (!taken) return {false, 0, "", taken.error().what, 0};
        stream.remove_prefix(*taken);
    }
    if (!parser.is_complete() && ends) {
        auto finished = parser.finish();
        if (!finished) return {false, 0, "", finished.error().what, 0};
    }
    answer.is_complete = parser.is_complete();
    answer.rest_bytes = stream.size();
    answer.status = parser.response().status;
    if (answer.is_complete) answer.body = parser.take().body;
    return answer;
}

Answer read_answer(std::string_view stream, bool ends = false, bool to_head = false,
                   const HttpLimits& limits = {}) {
    Answer whole = read_answer(stream, stream.size(), ends, to_head, limits);
    CHECK(read_answer(stream, 1, ends, to_head, limits) == whole);
    return whole;
}

}  // namespace

TEST_CASE("a response ends where its fields, its status or the connection say") {
    CHECK(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabX") ==
          Answer{true, 200, "ab", "", 1});
    CHECK(
        read_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n") ==
        Answer{true, 200, "ab", "", 0});
    CHECK(read_answer("HTTP/1.0 404 \r\n\r\nab", true) == Answer{true, 404, "ab", "", 0});
    CHECK_FALSE(read_answer("HTTP/1.1 200 OK\r\n\r\nab").is_complete);
    CHECK(read_answer("HTTP/1.1 204 No Content\r\n\r\nX") == Answer{true, 204, "", "", 1});
    CHECK(read_answer("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n") ==
          Answer{true, 304, "", "", 0});
    CHECK(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", false, true) ==
          Answer{true, 200, "", "", 0});
    CHECK(read_answer("HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n\x81") == Answer{true, 101, "", "", 1});
}

TEST_CASE("interim responses are dropped, eight of them") {
    std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", many;
    for (int i = 0; i < 8; ++i) many += interim;
    const std::string last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
    CHECK(read_answer(many + last) == Answer{true, 200, "ab", "", 0});
    CHECK(read_answer(many + interim + last).why == "http: too many interim responses");
}

TEST_CASE("a response that is cut, too large or out of form is an error") {
    HttpLimits small;
    small.body_bytes = 3;
    CHECK(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", true).why ==
          "http: ended too early");
    CHECK(
        read_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", true).why ==
        "http: ended too early");
    CHECK(read_answer("HTTP/1.1 200 OK\r\nA: b\r\n", true).why == "http: ended too early");
    CHECK(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", false, false, small).why ==
          "http: body too large");
    CHECK(read_answer("HTTP/1.1 200 OK\r\n\r\nabcd", true, false, small).why ==
          "http: body too large");
    CHECK(read_answer("HTTP/1.1 200 OK\r\n\r\nabc", true, false, small).body == "abc");
    CHECK(read_answer("HTTP/1.1 20 OK\r\n\r\n").why == "http: status");
    CHECK(read_answer("HTTP/1.1 099 OK\r\n\r\n").why == "http: status");
    CHECK(read_answer("HTTP/1.1 600 OK\r\n\r\n").why == "http: status");
    CHECK(read_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n").why ==
          "http: transfer-encoding");
    CHECK(read_answer("HTTP/1.1 200 OK\nContent-Length: 0\n\n").why ==
          "http: line feed without carriage return");
    CHECK(read_answer("HTTP/1.1 200 OK\r\nA: " + std::string(20000, 'x')).why ==
          "http: header too large");
}
