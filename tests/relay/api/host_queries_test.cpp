#include "relay/api/host_queries.hpp"

#include "tests/support/fake_hosts.hpp"

#include <catch2/catch.hpp>

using namespace ringlay;
using namespace ringlay::api;
using namespace ringlay::hosts;

namespace {

struct Rig {
    HostQueries queries() {
        HostBook book = hosts.book();
        return HostQueries({.views = book.views, .view = book.view, .figures = [this] {
                                return std::make_shared<HostFigures>(figures);
                            }});
    }
    net::HttpResponse get(std::string target) {
        net::HttpRequest request;
        request.target = "/xrpc/com.atproto.sync." + std::move(target);
        return queries().answer(request).value();
    }
    void add(const std::string& name, std::uint64_t seq, HostState state = HostState::active) {
        hosts.add(name, state);
        figures[name] = {.seq = seq, .accounts = seq * 2};
    }

    support::FakeHosts hosts;
    HostFigures figures;
};

bool is_error(const net::HttpResponse& response, std::uint16_t status, std::string_view error) {
    CAPTURE(response.status, response.body);
    const bool is =
        response.status == status &&
        response.body.starts_with("{\"error\":\"" + std::string(error) + "\",\"message\":\"") &&
        !response.body.ends_with(":\"\"}");
    CHECK(is);
    return is;
}

// `"cursor":"20"` of a page; empty: it has none.
std::string cursor_of(const std::string& body) {
    const std::string key = "{\"cursor\":\"";
    if (!body.starts_with(key)) return "";
    return body.substr(key.size(), body.find('"', key.size()) - key.size());
}

}  // namespace

TEST_CASE("hosts are listed in the order in which they came, all fields always there") {
    Rig rig;
    rig.add("b.example", 7);
    rig.hosts.add("unknown.example", HostState::active);
    rig.add("quiet.example", 0, HostState::pending);
    rig.add("a.example:8443", 9007199254740991, HostState::offline);
    auto page = rig.get("listHosts");
    CHECK(page.status == 200);
    CHECK(page.headers.find("Content-Type") == "application/json");
    CHECK(page.body ==
          R"({"hosts":[{"hostname":"b.example","seq":7,"accountCount":14,"status":"active"},)"
          R"({"hostname":"a.example:8443","seq":9007199254740991,)"
          R"("accountCount":18014398509481982,"status":"offline"}]})");
    Rig empty;
    CHECK(empty.get("listHosts").body == R"({"hosts":[]})");
}

TEST_CASE("states are told as the lexicon has them") {
    const std::pair<HostState, std::string> names[] = {
        {HostState::active, "active"},   {HostState::idle, "idle"},
        {HostState::offline, "offline"}, {HostState::throttled, "throttled"},
        {HostState::banned, "banned"},
    };
    for (const auto& [state, name] : names) {
        Rig rig;
        rig.add("a.example", 1, state);
        CHECK(rig.get("listHosts").body.ends_with("\"status\":\"" + name + "\"}]}"));
        CHECK(rig.get("getHostStatus?hostname=a.example").body.ends_with("\"" + name + "\"}"));
    }
}

TEST_CASE("pages of any size give every host once, the last one without a cursor") {
    Rig rig;
    std::vector<std::string> all;
    for (int i = 0; i < 23; ++i) {
        std::string name = "h" + std::to_string(i) + ".example";
        rig.add(name, i % 4 == 3 ? 0 : 1);
        if (i % 4 != 3) all.push_back(name);
    }
    for (std::size_t limit : std::vector<std::size_t>{1, 2, 3, 5, 17, 18, 19, 1000}) {
        CAPTURE(limit);
        std::vector<std::string> got;
        std::size_t pages = 0;
        std::string cursor;
        do {
            std::string body = rig.get("listHosts?limit=" + std::to_string(limit) +
                                       (cursor.empty() ? "" : "&cursor=" + cursor))
                                   .body;
            std::size_t here = 0;
            const std::string key = "\"hostname\":\"";
            for (std::size_t at = body.find(key); at != body.npos; at = body.find(key, at + 1)) {
                got.push_back(body.substr(at + key.size(),
                                          body.find('"', at + key.size()) - at - key.size()));
                ++here;
            }
            CHECK(here <= limit);
            CHECK(here > 0);
            cursor = cursor_of(body);
            REQUIRE(++pages < 30);
        } while (!cursor.empty());
        CHECK(got == all);
        CHECK(pages == (all.size() + limit - 1) / limit);
    }
}

TEST_CASE("without a limit a page has 200 hosts") {
    Rig rig;
    for (int i = 0; i < 201; ++i) rig.add("h" + std::to_string(i) + ".example", 1);
    CHECK(cursor_of(rig.get("listHosts").body) == "2000");
    CHECK(cursor_of(rig.get("listHosts?limit=&cursor=").body) == "2000");
    CHECK(cursor_of(rig.get("listHosts?cursor=10").body) == "");
}

TEST_CASE(
    "a limit or cursor that is none is BadRequest; a cursor behind the end is an empty page") {
    Rig rig;
    rig.add("a.example", 1);
    for (std::string query : {"limit=0", "limit=1001", "limit=-1", "limit=+5", "limit=ten",
                              "limit=5x", "limit=99999999999999999999", "cursor=-1", "cursor=a",
                              "cursor=1.5", "cursor=18446744073709551616", "cursor=%zz"}) {
        CAPTURE(query);
        CHECK(is_error(rig.get("listHosts?" + query), 400, "BadRequest"));
    }
    CHECK(rig.get("listHosts?cursor=18446744073709551615&other=1").body == R"({"hosts":[]})");
    CHECK(rig.get("listHosts?cursor=10").body == R"({"hosts":[]})");
    CHECK(rig.get("listHosts?cursor=9&limit=1000").status == 200);
}

TEST_CASE("a host's status is found under any form of its name") {
    Rig rig;
    rig.add("a.example", 7);
    rig.add("localhost:2583", 3);
    rig.hosts.add("new.example", HostState::pending);
    const std::string expected =
        R"({"hostname":"a.example","seq":7,"accountCount":14,"status":"active"})";
    for (std::string name :
         {"a.example", "A.Example", "https%3A%2F%2Fa.example", "wss://a.example/"}) {
        CAPTURE(name);
        CHECK(rig.get("getHostStatus?hostname=" + name).body == expected);
    }
    CHECK(rig.get("getHostStatus?hostname=localhost:2583").status == 200);
    // A host that has said nothing yet is known, although not listed.
    CHECK(
        rig.get("getHostStatus?hostname=new.example")
            .body.starts_with(R"({"hostname":"new.example","seq":0,"accountCount":0,"status":")"));
}

TEST_CASE("from where a host is read next is told, also while nothing has come behind an order") {
    Rig rig;
    HostView& view = rig.hosts.add("a.example", HostState::active);
    rig.figures["a.example"] = {.seq = 700, .accounts = 1};
    auto seq_is = [&](const std::string& seq) {
        const std::string says = R"({"hostname":"a.example","seq":)" + seq + ",";
        return rig.get("getHostStatus?hostname=a.example").body.starts_with(says) &&
               rig.get("listHosts").body.starts_with(R"({"hosts":[)" + says);
    };
    CHECK(seq_is("700"));
    view.row.cursor_order = CursorOrder{15};
    CHECK(seq_is("15"));
    view.row.cursor_order = CursorOrder{};
    CHECK(seq_is("0"));
}

TEST_CASE("an unknown host is HostNotFound, what names none is BadRequest") {
    Rig rig;
    rig.add("a.example", 7);
    CHECK(is_error(rig.get("getHostStatus?hostname=b.example"), 404, "HostNotFound"));
    CHECK(is_error(rig.get("getHostStatus?hostname=a.example:8443"), 404, "HostNotFound"));
    for (std::string query :
         {"", "?", "?hostname=", "?hostname=%zz", "?hostname=no%20name", "?hostname=localhost"}) {
        CAPTURE(query);
        CHECK(is_error(rig.get("getHostStatus" + query), 400, "BadRequest"));
    }
}

TEST_CASE("other paths are none of these queries") {
    Rig rig;
    net::HttpRequest request;
    for (std::string target :
         {"/xrpc/com.atproto.sync.listHost", "/xrpc/com.atproto.sync.listHosts/",
          "/xrpc/com.atproto.sync.listRepos", "/"}) {
        request.target = target;
        CHECK_FALSE(rig.queries().answer(request));
    }
}
