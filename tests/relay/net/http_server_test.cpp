#include "relay/net/http_server.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <stdexcept>

#include "relay/env/uring/uring_runtime.hpp"
#include "tests/relay/net/server_fixture.hpp"

using namespace ringlay;
using namespace ringlay::net;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view get_close = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

// The simulated clock jumps, the real one does not: there the waits are short.
HttpServerOptions impatient(support::TestWorld& world) {
    HttpServerOptions options;
    Nanos unit = world.is_simulated() ? Nanos(seconds(1)) : Nanos(milliseconds(15));
    options.header_time = options.body_time = options.write_time = 10 * unit;
    options.idle_time = 60 * unit;
    options.drain_time = unit;
    return options;
}

bool is_answer(std::string_view text, std::string_view status, std::string_view body) {
    return text.starts_with("HTTP/1.1 " + std::string(status)) && text.ends_with(body);
}

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
    return count;
}

}  // namespace

TEST_ON_BOTH_KERNELS("a request is answered, with the default headers, and the connection closed") {
    HttpServerOptions options;
    options.default_headers = {{"Server", "test"}, {"X-Other", "*"}};
    RunningServer server(world.env(), options, echo);
    env::Socket socket = server.connect();
    send_text(socket, get_close);
    std::string text = read_all(socket);
    CHECK(is_answer(text, "200 OK\r\n", "\r\n\r\nGET /x "));
    CHECK(text.find("Server: test\r\n") != text.npos);
    CHECK(text.find("X-Other: *\r\n") != text.npos);
    CHECK(text.find("Access-Control") == text.npos);
    CHECK(text.find("Connection: close\r\n") != text.npos);
    CHECK(text.find("Date: ") != text.npos);
    CHECK(server.counters.requests == 1);
}

TEST_ON_BOTH_KERNELS("pages of other sites may read the paths that are for them, and no others") {
    HttpServerOptions options;
    options.is_for_any_site = [](std::string_view path) { return path == "/open"; };
    RunningServer server(world.env(), options, echo);
    for (std::string method : {"GET", "POST", "OPTIONS"}) {
        for (std::string path : {"/open", "/open?x=1", "/closed", "/open/"}) {
            CAPTURE(method, path);
            env::Socket socket = server.connect();
            send_text(socket, method + " " + path +
                                  " HTTP/1.1\r\nHost: a\r\nOrigin: https://elsewhere.example\r\n"
                                  "Content-Length: 0\r\nConnection: close\r\n\r\n");
            const std::string text = read_all(socket);
            const bool is_open = path.starts_with("/open") && path != "/open/";
            CHECK((text.find("Access-Control-Allow-Origin: *\r\n") != text.npos) == is_open);
            CHECK((text.find("Access-Control-Allow-Headers: *\r\n") != text.npos) ==
                  (is_open && method == "OPTIONS"));
            CHECK((text.find("Access-Control") != text.npos) == is_open);
        }
    }
}

TEST_ON_BOTH_KERNELS("requests sent together are answered in order over one connection") {
    RunningServer server(world.env(), {}, echo);
    env::Socket socket = server.connect();
    send_text(
        socket,
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n"
        "OPTIONS /4 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1\r\nx\r\n0\r\n\r\n"
        "GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    std::string text = read_all(socket);
    CHECK(count_of(text, "HTTP/1.1 ") == 5);
    std::size_t first = text.find("GET /1 "), second = text.find("POST /2 abc"),
                third = text.find("Content-Length: 8"), fourth = text.find("204 No Content");
    CHECK(first < second);
    CHECK(second < third);  // of HEAD: the length, and no body
    CHECK(third < fourth);
    CHECK(fourth != text.npos);
    CHECK(text.find("HEAD /3") == text.npos);
    CHECK(text.ends_with("POST /5 x"));
    CHECK(server.counters.connections == 1);
}

TEST_ON_BOTH_KERNELS("a large answer arrives whole") {
    RunningServer server(world.env(), {}, echo);
    env::Socket socket = server.connect();
    send_text(socket, "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    std::string text = read_all(socket);
    REQUIRE(text.size() > 1 << 20);
    CHECK(text.substr(text.size() - (1 << 20)).find_first_not_of('x') == text.npos);
}

TEST_CASE("without a descriptor for a new connection one that is idle gives its own back") {
    constexpr int bound = 32;
    auto free_descriptors = [] {
        int count = 0;
        for (int i = 0; i < bound; ++i) count += fcntl(i, F_GETFD) < 0 ? 1 : 0;
        return count;
    };
    env::UringRuntimeOptions rings;
    rings.kernel.socket_descriptors = bound;
    support::on_rings(rings, {1}, [&](support::TestWorld& world) {
        RunningServer server(world.env(), {}, echo);
        REQUIRE(free_descriptors() > 4);
        // An odd number is left, so that a client takes what its other end needs.
        const int taken = free_descriptors() % 2 == 0 ? dup(STDOUT_FILENO) : -1;
        auto is_served = [](env::Socket& socket) {
            send_text(socket, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
            return !read_until(socket, "GET /x").empty();
        };
        std::vector<env::Socket> clients;
        for (bool is_full = false; !is_full;) {
            clients.push_back(server.connect());
            REQUIRE(clients.size() < 15);
            is_full = !is_served(clients.back());
        }
        CHECK(server.counters.accept_failures == 1);
        CHECK(server.counters.idle_evicted == 1);
        clients.pop_back();
        clients.push_back(server.connect());
        CHECK(is_served(clients.back()));
        if (taken >= 0) close(taken);
    });
}

TEST_ON_BOTH_KERNELS("where no fiber can be had a connection is refused, and served when one can") {
    std::exception_ptr failure;
    std::atomic<bool> has_ended = false;
    auto body = [&] {
        RunningServer server(world.env(), {}, echo);
        {
            fiber::TaskGroup others;
            while (fiber::Worker::current().has_room()) {
                others.spawn("other",
                             [] { static_cast<void>(fiber::sleep_for(std::chrono::hours(1))); });
            }
            env::Socket socket = server.connect();
            CHECK(is_answer(read_all(socket), "503", "too many connections\"}"));
            CHECK(server.counters.refused_by_limit == 1);
        }
        env::Socket socket = server.connect();
        send_text(socket, "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        CHECK(is_answer(read_all(socket), "200 OK", "GET /a "));
    };
    world.runtime().start_worker({.name = "small", .index = 1, .max_fibers = 64}, [&] {
        try {
            body();
        } catch (...) {
            failure = std::current_exception();
        }
        has_ended = true;
    });
    while (!has_ended) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    if (failure) std::rethrow_exception(failure);
}

TEST_ON_BOTH_KERNELS("what could smuggle a request is refused, and nothing behind it is read") {
    RunningServer server(world.env(), impatient(world), echo);
    const std::string next = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (std::string_view fields :
         {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
          "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "Transfer-Encoding: xchunked\r\n",
          "Transfer-Encoding : chunked\r\n", "Content-Length: 4\r\nContent-Length: 5\r\n",
          "Transfer-Encoding:\r\n chunked\r\n", "Content-Length: +4\r\n", "Host: b\r\n"}) {
        CAPTURE(fields);
        env::Socket socket = server.connect();
        send_text(socket, "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + next);
        std::string text = read_all(socket);
        CHECK(is_answer(text, "400 Bad Request", "\"}"));
        CHECK(text.find("Connection: close") != text.npos);
        CHECK(text.find("smuggled") == text.npos);
    }
    CHECK(server.counters.requests == 0);
    CHECK(server.counters.refused_malformed == 8);
}

TEST_ON_BOTH_KERNELS("what is too large is refused with the status that says so") {
    RunningServer server(world.env(), impatient(world), echo);
    const std::pair<std::string, std::string_view> cases[] = {
        {"GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: " + std::string(20'000, 'x') + "\r\n\r\n", "431"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" + std::string(70'000, 'x'),
         "413"},
    };
    for (const auto& [request, status] : cases) {
        env::Socket socket = server.connect();
        send_text(socket, request);
        CHECK(is_answer(read_all(socket), status, "\"}"));
    }
    CHECK(server.counters.refused_too_large == 3);
}

TEST_ON_BOTH_KERNELS("a header that drips is cut after its time, however steadily it drips") {
    RunningServer server(world.env(), impatient(world), echo);
    env::Socket socket = server.connect();
    fiber::Task dripping = fiber::spawn("drip", [&] {
        for (char c :
             std::string("GET / HTTP/1.1\r\nHost: a\r\nX-Drip: abcdefghijklmnopqrstuvwxyz")) {
            if (!socket.send(bytes_of({&c, 1}), Deadline::in(seconds(5)))) return;
            if (!fiber::sleep_for(world.is_simulated() ? Nanos(seconds(1))
                                                       : Nanos(milliseconds(15)))) {
                return;
            }
        }
    });
    Nanos begun = fiber::now();
    std::string text = read_until(socket, "\"}");
    Nanos unit = world.is_simulated() ? Nanos(seconds(1)) : Nanos(milliseconds(15));
    CHECK(is_answer(text, "408 Request Timeout", "\"}"));
    CHECK(fiber::now() - begun >= 9 * unit);
    if (world.is_simulated()) CHECK(fiber::now() - begun < 12 * unit);
    CHECK(server.counters.header_timeouts == 1);
    dripping.cancel_and_join();
}

TEST_ON_BOTH_KERNELS("silence, an unfinished body and an idle connection end after their time") {
    RunningServer server(world.env(), impatient(world), echo);
    env::Socket silent = server.connect();
    CHECK(read_all(silent) == "");
    CHECK(server.counters.header_timeouts == 1);

    env::Socket unfinished = server.connect();
    send_text(unfinished, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    CHECK(is_answer(read_until(unfinished, "\"}"), "408", "\"}"));
    CHECK(server.counters.body_timeouts == 1);

    env::Socket idle = server.connect();
    send_text(idle, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    Nanos begun = fiber::now();
    CHECK(is_answer(read_all(idle), "200", "GET /x "));
    CHECK(server.counters.idle_timeouts == 1);
    if (world.is_simulated()) {
        CHECK(fiber::now() - begun > seconds(59));
        CHECK(fiber::now() - begun < seconds(62));
    }
}

TEST_ON_BOTH_KERNELS("a client that does not read is cut after its time") {
    RunningServer server(world.env(), impatient(world), [](const HttpRequest&, const Address&) {
        return HttpResponse{200, {}, std::string(32 << 20, 'x')};
    });
    HttpServerOptions options = impatient(world);
    env::Socket socket = server.connect();
    send_text(socket, get_close);
    while (server.counters.requests == 0) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    if (!world.is_simulated()) return;  // a large answer has its time: half a minute and more
    Nanos longest = options.write_time + seconds((32 << 20) / options.least_write_bytes_per_s);
    static_cast<void>(fiber::sleep_for(longest - seconds(2)));
    CHECK(server.counters.write_timeouts == 0);
    static_cast<void>(fiber::sleep_for(seconds(4)));
    CHECK(server.counters.write_timeouts == 1);
    CHECK(server.connection_count() == 0);
}

TEST_ON_BOTH_KERNELS("a client that waits for 100 Continue gets it, and sends its body then") {
    RunningServer server(world.env(), {}, echo);
    env::Socket socket = server.connect();
    send_text(socket,
              "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n"
              "Content-Length: 2\r\n\r\n");
    CHECK(read_until(socket, "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    send_text(socket, "ab");
    CHECK(is_answer(read_all(socket), "200", "POST /x ab"));
}

TEST_ON_BOTH_KERNELS("connections are bounded, in all and for one address") {
    HttpServerOptions options;
    options.max_connections = 3;
    options.max_connections_per_address = 2;
    options.limits_loopback = true;
    RunningServer server(world.env(), options, echo);
    env::Socket first = server.connect(), second = server.connect();
    send_text(first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_until(first, "GET / ") != "");
    send_text(second, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_until(second, "GET / ") != "");
    env::Socket third = server.connect();
    CHECK(is_answer(read_all(third), "429", "\"}"));
    CHECK(server.counters.refused_by_address_limit == 1);
    CHECK(server.connection_count() == 2);
    CHECK(server.counters.open_connections == 2);

    first.close();
    while (server.connection_count() > 1) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    env::Socket again = server.connect();
    send_text(again, get_close);
    CHECK(is_answer(read_all(again), "200", "GET /x "));
}

TEST_ON_BOTH_KERNELS("a trusted proxy has the connections of many clients") {
    HttpServerOptions options;
    options.max_connections_per_address = 1;
    options.limits_loopback = true;
    options.trusted_proxies = {Network::parse("127.0.0.0/8").value(),
                               Network::parse("::/0").value()};
    RunningServer server(world.env(), options, echo);
    env::Socket first = server.connect(), second = server.connect();
    for (env::Socket* socket : {&first, &second}) {
        send_text(*socket, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(read_until(*socket, "GET / ") != "");
    }
    CHECK(server.counters.refused_by_address_limit == 0);
}

TEST_ON_BOTH_KERNELS("when all places are busy a client is told to come back") {
    HttpServerOptions options;
    options.max_connections = 1;
    RunningServer server(world.env(), options, echo);
    env::Socket first = server.connect();
    send_text(first, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    while (server.counters.requests == 0) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    env::Socket second = server.connect();
    CHECK(is_answer(read_all(second), "503", "\"}"));
    CHECK(server.counters.refused_by_limit == 1);
    CHECK(read_until(first, "GET /slow ") != "");
}

TEST_ON_BOTH_KERNELS("ten thousand idle connections keep nobody out: the longest idle makes room") {
    HttpServerOptions options;
    options.max_connections = 3;
    RunningServer server(world.env(), options, echo);
    auto wait_for = [&](std::uint64_t connections) {
        while (server.counters.connections < connections) {
            static_cast<void>(fiber::sleep_for(milliseconds(1)));
        }
        static_cast<void>(fiber::sleep_for(milliseconds(2)));
    };
    env::Socket busy = server.connect();
    send_text(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n");  // a request that has begun
    wait_for(1);
    env::Socket silent = server.connect();
    wait_for(2);
    env::Socket used = server.connect();
    send_text(used, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_until(used, "GET /x ") != "");
    env::Socket newcomer = server.connect();
    send_text(newcomer, get_close);
    CHECK(is_answer(read_all(newcomer), "200", "GET /x "));
    CHECK(read_all(silent) == "");  // it had been idle for longest
    CHECK(server.counters.idle_evicted == 1);
    std::vector<env::Socket> crowd;
    for (std::uint64_t i = 0; i < 40; ++i) {
        crowd.push_back(server.connect());
        wait_for(5 + i);
        CHECK(server.connection_count() <= 3);
    }
    CHECK(server.counters.open_connections == 3);
    CHECK(server.counters.idle_evicted == 40);
    env::Socket last = server.connect();
    send_text(last, get_close);
    CHECK(is_answer(read_all(last), "200", "GET /x "));
    send_text(busy, "Connection: close\r\n\r\n");
    CHECK(is_answer(read_all(busy), "200", "GET /hold "));
    CHECK(server.counters.refused_by_limit == 0);
}

TEST_ON_BOTH_KERNELS("a handler that throws costs one answer, not the server") {
    RunningServer server(world.env(), {}, echo);
    env::Socket socket = server.connect();
    send_text(socket, "GET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_until(socket, "internal error").starts_with("HTTP/1.1 500"));
    send_text(socket, get_close);
    CHECK(is_answer(read_all(socket), "200", "GET /x "));
    CHECK(server.counters.handler_failures == 1);
}

TEST_ON_BOTH_KERNELS("stopping answers what is under way and cuts what is idle") {
    RunningServer server(world.env(), {}, echo);
    env::Socket idle = server.connect(), busy = server.connect();
    send_text(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_until(idle, "GET / ") != "");
    send_text(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    while (server.counters.requests < 2) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    server.ask_to_stop();
    CHECK(read_all(idle) == "");
    CHECK_FALSE(server.has_stopped());
    std::string text = read_all(busy);
    CHECK(is_answer(text, "200", "GET /slow "));
    CHECK(text.find("Connection: close") != text.npos);
    server.stop();
    CHECK(server.connection_count() == 0);
}

TEST_ON_BOTH_KERNELS("a handler that does not end is cut when the stop's time is over") {
    HttpServerOptions options;
    options.stop_time = milliseconds(50);
    bool was_cancelled = false;
    RunningServer server(world.env(), options, [&](const HttpRequest&, const Address&) {
        was_cancelled = !fiber::sleep_for(seconds(1000));
        return HttpResponse{};
    });
    env::Socket socket = server.connect();
    send_text(socket, get_close);
    while (server.counters.requests == 0) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    server.stop();
    CHECK(was_cancelled);
}

TEST_ON_BOTH_KERNELS("a connection that is taken over leaves the server with what was read") {
    env::Socket taken;
    std::string read_before;
    RunningServer server(world.env(), {}, [&](const HttpRequest&, const Address&) {
        return HttpReply(HttpReply::TakeOver([&](env::Socket socket, Buffer already_read) {
            read_before.assign(already_read.begin(), already_read.end());
            taken = std::move(socket);
        }));
    });
    env::Socket socket = server.connect();
    send_text(socket, "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore");
    while (!taken.is_open()) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    while (server.connection_count() > 0) static_cast<void>(fiber::sleep_for(milliseconds(1)));
    CHECK(server.counters.taken_over == 1);
    send_text(taken, "still open");
    taken.close();
    CHECK(read_all(socket) == "still open");
    CHECK((read_before == "more" || world.is_simulated()));  // it may have come in pieces there
}

TEST_ON_BOTH_KERNELS(
    "a taken connection does not count, and is asked to end when the server stops") {
    HttpServerOptions options;
    options.max_connections = 1;
    bool was_asked = false;
    RunningServer server(world.env(), options, [&](const HttpRequest& request, const Address&) {
        if (request.path() == "/x") return HttpReply(HttpResponse{200, {}, "answer"});
        return HttpReply(HttpReply::TakeOver([&](env::Socket socket, Buffer) {
            send_text(socket, "taken");
            was_asked = !fiber::sleep_for(seconds(1000));
        }));
    });
    env::Socket stream = server.connect();
    send_text(stream, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_until(stream, "taken") == "taken");
    CHECK(server.connection_count() == 0);
    env::Socket socket = server.connect();
    send_text(socket, get_close);
    CHECK(is_answer(read_all(socket), "200", "answer"));
    Nanos begun = fiber::now();
    server.stop();
    CHECK(was_asked);
    CHECK(fiber::now() - begun < options.stop_time);
}

TEST_WITH_WORKERS("a connection may be taken over by another worker") {
    RunningServer server(world.env(), {}, [&](const HttpRequest&, const Address&) {
        return HttpReply(HttpReply::TakeOver([&](env::Socket socket, Buffer) {
            fiber::call_on(world.worker(1), "taken over", [moved = std::move(socket)]() mutable {
                send_text(moved, "from elsewhere");
                moved.close();
            });
        }));
    });
    env::Socket socket = server.connect();
    send_text(socket, get_close);
    CHECK(read_all(socket) == "from elsewhere");
}

TEST_ON_BOTH_KERNELS("many clients at once are all answered") {
    RunningServer server(world.env(), {}, echo);
    std::size_t answered = 0;
    {
        fiber::TaskGroup clients;
        for (int i = 0; i < 40; ++i) {
            clients.spawn("client", [&] {
                env::Socket socket = server.connect();
                for (int n = 0; n < 5; ++n) {
                    send_text(socket, "GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
                    if (read_until(socket, "GET /y ") != "") ++answered;
                }
            });
        }
        while (clients.size() > 0) static_cast<void>(fiber::sleep_for(milliseconds(5)));
    }
    CHECK(answered == 200);
    CHECK(server.counters.requests == 200);
}
