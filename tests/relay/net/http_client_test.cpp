#include "relay/net/http_client.hpp"

#include <stdexcept>

#include "tests/relay/net/server_fixture.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

std::expected<HttpResponse, Failure> fetch_text(env::Env& env, const std::string& url,
                                                FetchOptions options = {}) {
    if (options.deadline == Deadline::never()) {
        options.deadline = Deadline::in(std::chrono::seconds(30));
    }
    return fetch(env, proto::parse_url(url).value(), options);
}

// A server that sends one text to whoever connects, then hangs up.
class RawServer {
  public:
    RawServer(env::Env& env, std::string text, bool hangs_up = true)
        : listener_(env.net.listen(Address::loopback(0)).value()),
          task_(fiber::spawn("raw server", [this, text, hangs_up] {
              auto socket = listener_.accept();
              if (!socket) return;
              read_until(*socket, "\r\n\r\n");
              send_text(*socket, text);
              if (!hangs_up) static_cast<void>(fiber::sleep_for(std::chrono::hours(1)));
          })) {}
    std::string url() const { return "http://" + listener_.local().text() + "/"; }

  private:
    env::Listener listener_;
    fiber::Task task_;
};

}  // namespace

TEST_ON_BOTH_KERNELS("a fetch brings status, headers and body of any answer") {
    RunningServer server(world.env(), {}, echo);
    auto answer = fetch_text(world.env(), server.url("/a?b=c"));
    REQUIRE(answer.has_value());
    CHECK(answer->status == 200);
    CHECK(answer->body == "GET /a?b=c ");
    FetchOptions options;
    options.method = HttpMethod::post;
    options.body = "hello";
    options.headers = {{"User-Agent", "test"}};
    CHECK(fetch_text(world.env(), server.url("/x"), options)->body == "POST /x hello");
    options.method = HttpMethod::head;
    options.body = "";
    auto head = fetch_text(world.env(), server.url("/x"), options);
    CHECK(head->headers.find("content-length") == "8");
    CHECK(head->body == "");
    CHECK(fetch_text(world.env(), server.url("/large"))->body.size() == 1 << 20);
    CHECK(fetch_text(world.env(), server.url("/throw"))->status == 500);
}

TEST_ON_BOTH_KERNELS("a body larger than allowed, or cut, is a failure with its reason") {
    RunningServer server(world.env(), {}, echo);
    FetchOptions options;
    options.max_body_bytes = (1 << 20) - 1;
    auto large = fetch_text(world.env(), server.url("/large"), options);
    REQUIRE_FALSE(large.has_value());
    CHECK(large.error().error.code == Errc::too_large);
    CHECK(large.error().reason == "answer out of form: http: body too large");

    RawServer cut(world.env(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc");
    CHECK(fetch_text(world.env(), cut.url()).error().reason ==
          "the server hung up: http: ended too early");
    RawServer until_end(world.env(), "HTTP/1.0 200 OK\r\n\r\nabc");
    CHECK(fetch_text(world.env(), until_end.url())->body == "abc");
    RawServer other(world.env(), "SSH-2.0-OpenSSH\r\n");
    CHECK(fetch_text(world.env(), other.url()).error().error.code == Errc::closed);
}

TEST_ON_BOTH_KERNELS("a fetch ends at its deadline, whatever the server does") {
    RawServer silent(world.env(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", false);
    FetchOptions options;
    options.deadline = Deadline::in(std::chrono::milliseconds(100));
    auto answer = fetch_text(world.env(), silent.url(), options);
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error.code == Errc::timed_out);
    CHECK(fiber::now() >= options.deadline.at);
}

TEST_ON_BOTH_KERNELS("where nobody listens, or TLS is wanted, the reason says so") {
    std::uint16_t port = 0;
    {
        env::Listener gone = world.env().net.listen(Address::loopback(0)).value();
        port = gone.local().port;
    }
    std::string at = "127.0.0.1:" + std::to_string(port);
    auto refused = fetch_text(world.env(), "http://" + at + "/");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().error.code == Errc::unreachable);
    CHECK(refused.error().reason.starts_with("cannot connect to " + at + ": "));
    auto tls = fetch_text(world.env(), "https://" + at + "/");
    CHECK(tls.error().error.code == Errc::unsupported);
}

TEST_ON_BOTH_KERNELS("redirects are followed as often as allowed, and no further") {
    std::string elsewhere;
    RunningServer server(world.env(), {}, [&](const HttpRequest& request, const Address&) {
        HttpResponse response;
        if (request.path() == "/end") {
            response.body = "the end";
            return response;
        }
        response.status = 302;
        response.headers.add("Location", request.path() == "/1"   ? elsewhere
                                         : request.path() == "/2" ? "/end#part"
                                                                  : "ftp://x/");
        return response;
    });
    elsewhere = server.url("/2");
    FetchOptions options;
    CHECK(fetch_text(world.env(), server.url("/1"), options)->status == 302);
    options.redirects = 1;
    CHECK(fetch_text(world.env(), server.url("/1"), options)->headers.find("location") ==
          "/end#part");
    options.redirects = 2;
    CHECK(fetch_text(world.env(), server.url("/1"), options)->body == "the end");
    auto bad = fetch_text(world.env(), server.url("/3"), options);
    REQUIRE_FALSE(bad.has_value());
    CHECK(bad.error().http_status == 302);
    options.method = HttpMethod::post;
    CHECK(fetch_text(world.env(), server.url("/1"), options)->status == 302);
}
