#include "relay/api/repo_queries.hpp"

#include <algorithm>
#include <atomic>
#include <map>

#include "proto/tid.hpp"
#include "relay/api/router.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::api;
using index::AccountRow;
using proto::AccountStanding;
using proto::AccountStatus;

namespace {

const std::string alice = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const std::string rev_of_7 = proto::Tid(7).to_text();

proto::Cid cid_of(std::uint8_t byte) {
    std::array<std::uint8_t, proto::Cid::digest_bytes> digest{};
    digest.fill(byte);
    return proto::Cid::of_digest(digest);
}

AccountRow row_with_rev(std::uint64_t rev) {
    AccountRow row;
    row.host_id = 7;
    row.repo = {.rev = rev, .data = cid_of(1), .commit = cid_of(2)};
    return row;
}

AccountRow inactive_row(AccountStatus status) {
    AccountRow row = row_with_rev(7);
    row.upstream = {false, status};
    return row;
}

// Rows as the database would give them; counts what was read.
struct Rows {
    std::map<std::string, AccountRow, std::less<>> rows;
    std::optional<Error> error;
    std::size_t reads = 0;
    std::size_t rows_read = 0;

    RepoRows functions() {
        return {
            .account = [this](MayBlock, std::string_view did) -> Result<std::optional<AccountRow>> {
                ++reads;
                if (error) return std::unexpected(*error);
                auto found = rows.find(did);
                if (found == rows.end()) return std::nullopt;
                return found->second;
            },
            .list = [this](MayBlock, std::string_view after,
                           std::size_t limit) -> Result<std::vector<Listed>> {
                ++reads;
                if (error) return std::unexpected(*error);
                CHECK(limit >= 1);
                CHECK(limit <= index::Database::max_page);
                std::vector<Listed> found;
                for (auto row = rows.upper_bound(after); row != rows.end() && found.size() < limit;
                     ++row) {
                    found.push_back({row->first, row->second});
                }
                rows_read += found.size();
                return found;
            }};
    }

    // did:plc:000000, 000001 ...
    void add_many(std::size_t count, const AccountRow& row) {
        for (std::size_t i = 0; i < count; ++i) {
            std::string number = std::to_string(rows.size());
            rows["did:plc:" + std::string(6 - number.size(), '0') + number] = row;
        }
    }

    // Every DID that a client gets which follows the cursors, and in how many pages.
    std::pair<std::vector<std::string>, std::size_t> walk(std::size_t limit) {
        std::vector<std::string> dids;
        ListRequest request{.limit = limit, .after = {}};
        for (std::size_t pages = 1;; ++pages) {
            auto page = read_list(MayBlock::on_own_thread(), functions(), request);
            REQUIRE(page);
            CHECK(page->repos.size() <= limit);
            for (const Listed& listed : page->repos) dids.push_back(listed.did);
            if (!page->cursor) return {dids, pages};
            REQUIRE(*page->cursor > request.after);
            request.after = *page->cursor;
        }
    }
};

net::HttpRequest get(std::string target) {
    net::HttpRequest request;
    request.target = std::move(target);
    return request;
}

std::string header(const net::HttpResponse& response, std::string_view name) {
    return std::string(response.headers.find(name).value_or("(none)"));
}

bool is_error(const net::HttpResponse& response, std::uint16_t status, std::string_view error) {
    CAPTURE(response.status, response.body);
    bool is =
        response.status == status &&
        response.body.starts_with("{\"error\":\"" + std::string(error) + "\",\"message\":\"") &&
        !response.body.ends_with(":\"\"}");
    CHECK(is);
    return is;
}

std::string name_by_number(std::uint32_t host_id) {
    return host_id == 7 ? "pds.example" : "";
}

// What answers requests in these tests; made inside the world.
struct Served {
    Rows rows;
    base::Metrics metrics{8};
    RepoQueries queries;

    explicit Served(std::size_t max_at_once = RepoQueries::default_max_at_once)
        : queries(rows.functions(), name_by_number, metrics, max_at_once) {}

    net::HttpResponse answer(std::string target) {
        auto response = queries.answer(get(std::move(target)));
        REQUIRE(response);
        return std::move(*response);
    }
};

struct InactiveCase {
    AccountStatus status;
    std::string_view error;
    std::string_view json;
};

const std::vector<InactiveCase> inactive_cases{
    {AccountStatus::takendown, "RepoTakendown", R"("active":false,"status":"takendown")"},
    {AccountStatus::suspended, "RepoSuspended", R"("active":false,"status":"suspended")"},
    {AccountStatus::deactivated, "RepoDeactivated", R"("active":false,"status":"deactivated")"},
    {AccountStatus::deleted, "RepoDeleted", R"("active":false,"status":"deleted")"},
    {AccountStatus::desynchronized, "RepoInactive", R"("active":false,"status":"desynchronized")"},
    {AccountStatus::throttled, "RepoInactive", R"("active":false,"status":"throttled")"},
    {AccountStatus::other, "RepoInactive", R"("active":false)"},
};

}  // namespace

TEST_CASE("a DID of did:plc is asked for in lower case, another as it is written") {
    CHECK(normalised_did("DID:PLC:ABCXYZ27") == "did:plc:abcxyz27");
    CHECK(normalised_did("did:plc:aBc") == "did:plc:abc");
    CHECK(normalised_did("did:web:Example.COM") == "did:web:Example.COM");
    CHECK(normalised_did("did:PL") == "did:PL");
}

TEST_CASE("the status of an active repo has its rev, once there is one") {
    auto response = repo_status(alice, row_with_rev(7));
    CHECK(response.status == 200);
    CHECK(header(response, "Content-Type") == "application/json");
    CHECK(response.body ==
          R"({"did":")" + alice + R"(","active":true,"rev":")" + rev_of_7 + R"("})");
    CHECK(repo_status(alice, row_with_rev(0)).body ==
          R"({"did":")" + alice + R"(","active":true})");
    is_error(repo_status(alice, std::nullopt), 404, "RepoNotFound");

    AccountRow slow = row_with_rev(7);
    slow.upstream = {true, AccountStatus::throttled};
    CHECK(repo_status(alice, slow).body == R"({"did":")" + alice +
                                               R"(","active":true,"status":"throttled","rev":")" +
                                               rev_of_7 + R"("})");
}

TEST_CASE("the status of an inactive repo says why and has no rev") {
    for (const InactiveCase& one : inactive_cases) {
        CAPTURE(one.error);
        CHECK(repo_status(alice, inactive_row(one.status)).body ==
              R"({"did":")" + alice + R"(",)" + std::string(one.json) + "}");
    }
}

TEST_CASE("the latest commit of an active repo is its CID and rev") {
    auto response = latest_commit(row_with_rev(7));
    CHECK(response.status == 200);
    CHECK(response.body ==
          R"({"cid":")" + cid_of(2).to_text() + R"(","rev":")" + rev_of_7 + R"("})");
    is_error(latest_commit(std::nullopt), 404, "RepoNotFound");
    is_error(latest_commit(row_with_rev(0)), 404, "RepoNotSynchronized");
}

TEST_CASE("an inactive repo has neither a latest commit nor a redirection; the error says why") {
    for (const InactiveCase& one : inactive_cases) {
        CAPTURE(one.json);
        is_error(latest_commit(inactive_row(one.status)), 403, one.error);
        is_error(redirect_to_host(inactive_row(one.status), "pds.example", "getRepo", "did=x"), 403,
                 one.error);
    }
    AccountRow unsynchronized = inactive_row(AccountStatus::takendown);
    unsynchronized.repo.rev = 0;
    is_error(latest_commit(unsynchronized), 403, "RepoTakendown");
}

TEST_CASE("what the relay's operator decided comes before what the host says") {
    AccountRow row = inactive_row(AccountStatus::deactivated);
    row.local = {false, AccountStatus::takendown};
    is_error(latest_commit(row), 403, "RepoTakendown");
    row.upstream = {};
    is_error(latest_commit(row), 403, "RepoTakendown");
    CHECK(repo_status(alice, row).body ==
          R"({"did":")" + alice + R"(","active":false,"status":"takendown"})");
}

TEST_CASE("a redirection leads to the account's host with the same query") {
    const AccountRow row = row_with_rev(7);
    auto to = [&](std::string_view origin) {
        auto response = redirect_to_host(row, origin, "getRepo", "did=did%3Aplc%3Aa&since=x");
        CHECK(response.status == 302);
        return header(response, "Location");
    };
    const std::string rest = "/xrpc/com.atproto.sync.getRepo?did=did%3Aplc%3Aa&since=x";
    CHECK(to("https://pds.example") == "https://pds.example" + rest);
    CHECK(to("http://[::1]:2600") == "http://[::1]:2600" + rest);

    is_error(redirect_to_host(std::nullopt, "https://pds.example", "getRepo", ""), 404,
             "RepoNotFound");
    is_error(redirect_to_host(row, "", "getRepo", ""), 404, "RepoNotFound");
    CHECK(redirect_to_host(row_with_rev(0), "https://pds.example", "getRepo", "").status == 302);
}

TEST_CASE("limits of a list are exact, and a cursor is one that was given") {
    auto parse = [](std::string query) {
        return parse_list_request(get("/xrpc/com.atproto.sync.listRepos" + query));
    };
    auto plain = parse("");
    REQUIRE(plain);
    CHECK(plain->limit == 500);
    CHECK(plain->after.empty());
    CHECK(parse("?limit=&cursor=")->limit == 500);
    CHECK(parse("?limit=1")->limit == 1);
    CHECK(parse("?limit=1000")->limit == 1000);
    CHECK(parse("?cursor=did%3Aplc%3Aabc&limit=2")->after == "did:plc:abc");
    for (std::string limit :
         {"0", "1001", "-1", "+1", "1.5", "x", "5x", " 5", "0x5", "18446744073709551617"}) {
        CAPTURE(limit);
        CHECK_FALSE(parse("?limit=" + limit));
    }
    for (std::string query : {"cursor=17", "cursor=did", "cursor=%", "limit=%"}) {
        CAPTURE(query);
        CHECK_FALSE(parse("?" + query));
    }
}

TEST_CASE("pages of any size list every repo once, and the last one has no cursor") {
    Rows rows;
    CHECK(rows.walk(5) == std::pair(std::vector<std::string>{}, std::size_t{1}));
    rows.add_many(7, row_with_rev(7));
    rows.add_many(1, inactive_row(AccountStatus::deleted));
    std::vector<std::string> all;
    for (const auto& [did, row] : rows.rows) all.push_back(did);
    const std::map<std::size_t, std::size_t> pages_by_limit{{1, 8}, {2, 4}, {3, 3},   {7, 2},
                                                            {8, 1}, {9, 1}, {1000, 1}};
    for (auto [limit, pages] : pages_by_limit) {
        CAPTURE(limit);
        CHECK(rows.walk(limit) == std::pair(all, pages));
    }
    rows.add_many(1992 + 1, row_with_rev(7));
    CHECK(rows.walk(1000).first.size() == 2001);
    CHECK(rows.walk(1000).second == 3);
}

TEST_CASE("accounts without a commit are not listed, and a page goes on behind them") {
    Rows rows;
    rows.add_many(1, row_with_rev(7));
    rows.add_many(3000, row_with_rev(0));
    rows.add_many(1, row_with_rev(7));
    rows.add_many(10, row_with_rev(0));
    const std::vector<std::string> listed{"did:plc:000000", "did:plc:003001"};
    for (std::size_t limit : {std::size_t{2}, std::size_t{500}, std::size_t{1000}}) {
        CAPTURE(limit);
        CHECK(rows.walk(limit) == std::pair(listed, std::size_t{1}));
    }
    CHECK(rows.walk(1) == std::pair(listed, std::size_t{2}));
}

TEST_CASE("one request looks at a bounded number of rows; its cursor leads on") {
    Rows rows;
    rows.add_many(2 * RepoQueries::max_rows_looked_at, row_with_rev(0));
    rows.add_many(1, row_with_rev(7));
    auto page =
        read_list(MayBlock::on_own_thread(), rows.functions(), {.limit = 1000, .after = {}});
    REQUIRE(page);
    CHECK(page->repos.empty());
    REQUIRE(page->cursor);
    CHECK(rows.rows_read <= RepoQueries::max_rows_looked_at + index::Database::max_page);
    CHECK(rows.walk(1000).first == std::vector{rows.rows.rbegin()->first});
    CHECK(rows.walk(1000).second == 3);
}

TEST_CASE("a list shows head, rev and whether each account is active") {
    ListPage page;
    page.repos.push_back({alice, row_with_rev(7)});
    page.repos.push_back({"did:web:gone.example", inactive_row(AccountStatus::deactivated)});
    page.cursor = "did:web:gone.example";
    const std::string head_and_rev =
        R"("head":")" + cid_of(2).to_text() + R"(","rev":")" + rev_of_7 + R"(",)";
    CHECK(repo_list(page).body == R"({"cursor":"did:web:gone.example","repos":[{"did":")" + alice +
                                      R"(",)" + head_and_rev +
                                      R"("active":true},{"did":"did:web:gone.example",)" +
                                      head_and_rev + R"("active":false,"status":"deactivated"}]})");
    CHECK(repo_list({}).body == R"({"repos":[]})");
}

TEST_ON_BOTH_KERNELS("each query is answered at its path, and other methods are left to others") {
    Served served;
    served.rows.rows[alice] = row_with_rev(7);
    const std::string path = "/xrpc/com.atproto.sync.";
    CHECK(served.answer(path + "getRepoStatus?did=" + alice).body ==
          repo_status(alice, row_with_rev(7)).body);
    CHECK(served.answer(path + "getRepoStatus?did=did%3APLC%3A" + std::string(24, 'A')).body ==
          repo_status(alice, row_with_rev(7)).body);
    CHECK(served.answer(path + "getLatestCommit?did=" + alice).body ==
          latest_commit(row_with_rev(7)).body);
    CHECK(served.answer(path + "listRepos?limit=1").body ==
          repo_list({{{alice, row_with_rev(7)}}, {}}).body);
    for (std::string method : {"getRepo", "getRecord", "getBlocks"}) {
        auto response = served.answer(path + method + "?a=b&did=" + alice);
        CHECK(response.status == 302);
        CHECK(header(response, "Location") ==
              "https://pds.example/xrpc/com.atproto.sync." + method + "?a=b&did=" + alice);
    }
    for (std::string other : {"getHead", "getRep", "getRepoX", "", "subscribeRepos"}) {
        CHECK_FALSE(served.queries.answer(get(path + other + "?did=" + alice)));
    }
    CHECK_FALSE(served.queries.answer(get("/getRepo?did=" + alice)));
    served.rows.rows[alice].host_id = 0;
    is_error(served.answer(path + "getRepo?did=" + alice), 404, "RepoNotFound");
}

TEST_ON_BOTH_KERNELS("whoever knows how a host is reached says where a redirection leads") {
    Rows rows;
    rows.rows[alice] = row_with_rev(7);
    base::Metrics metrics{8};
    std::string name = "pds.example:2600";
    const std::string target = "/xrpc/com.atproto.sync.getRepo?did=" + alice;
    {
        RepoQueries by_name(rows.functions(), [&](std::uint32_t) { return name; }, metrics);
        CHECK(header(*by_name.answer(get(target)), "Location") ==
              "http://pds.example:2600" + target);
    }
    base::Metrics others{8};
    RepoQueries told(
        rows.functions(), [&](std::uint32_t) { return name; }, others, 1,
        [](std::string_view host) { return "https://" + std::string(host); });
    CHECK(header(*told.answer(get(target)), "Location") == "https://pds.example:2600" + target);
    name = "";  // the host is not known
    is_error(*told.answer(get(target)), 404, "RepoNotFound");
}

TEST_ON_BOTH_KERNELS("what is not a DID, limit or cursor is refused without reading anything") {
    Served served;
    for (std::string method : {"getRepoStatus", "getLatestCommit", "getRepo", "getRecord"}) {
        for (std::string query : {"", "?", "?did=", "?did=alice.example", "?did=did:plc:", "?did=%",
                                  "?handle=did:plc:a"}) {
            CAPTURE(method, query);
            is_error(served.answer("/xrpc/com.atproto.sync." + method + query), 400, "BadRequest");
        }
    }
    is_error(served.answer("/xrpc/com.atproto.sync.listRepos?limit=0"), 400, "BadRequest");
    is_error(served.answer("/xrpc/com.atproto.sync.listRepos?cursor=0"), 400, "BadRequest");
    CHECK(served.rows.reads == 0);
}

TEST_ON_BOTH_KERNELS("a database that cannot be read is an error of the server's") {
    Served served;
    served.rows.error = Error{Errc::io, "read failed"};
    is_error(served.answer("/xrpc/com.atproto.sync.getRepo?did=" + alice), 500, "DatabaseError");
    is_error(served.answer("/xrpc/com.atproto.sync.listRepos"), 500, "DatabaseError");
}

RINGLAY_TEST_ON(bounded_queries,
                ([](auto body) { support::on_rings(env::UringRuntimeOptions(), {1}, body); }),
                "above the bound of queries under way one is refused, until another has ended") {
    std::atomic<bool> may_go_on{false};
    base::Metrics metrics(8);
    RepoRows slow{.account = [&](MayBlock, std::string_view) -> Result<std::optional<AccountRow>> {
                      may_go_on.wait(false);
                      return std::nullopt;
                  },
                  .list = {}};
    RepoQueries queries(std::move(slow), name_by_number, metrics, 2);
    const net::HttpRequest request = get("/xrpc/com.atproto.sync.getRepoStatus?did=" + alice);
    const std::string depth = "relay_queue_depth{queue=\"repo_queries\"} ";
    {
        fiber::TaskGroup under_way;
        for (int i = 0; i < 2; ++i) under_way.spawn("asks", [&] { queries.answer(request); });
        while (metrics.expose().find(depth + "2\n") == std::string::npos) fiber::yield();
        auto refused = queries.answer(request);
        REQUIRE(refused);
        is_error(*refused, 503, "Busy");
        CHECK(header(*refused, "Retry-After") == "1");
        may_go_on.store(true);
        may_go_on.notify_all();
    }
    is_error(*queries.answer(request), 404, "RepoNotFound");
    CHECK(metrics.expose().find(depth + "0\n") != std::string::npos);
    CHECK(metrics.expose().find("relay_queue_bound{queue=\"repo_queries\"} 2\n") !=
          std::string::npos);
    CHECK(metrics.expose().find("relay_repo_queries_refused_total 1\n") != std::string::npos);
}

TEST_ON_BOTH_KERNELS("both ports answer queries to GET and HEAD, and to nothing else") {
    Served served;
    served.rows.rows[alice] = row_with_rev(7);
    firehose::FirehoseMetrics firehose_metrics(served.metrics);
    firehose::Firehose firehose(firehose_metrics, {}, {});
    base::Logger logger(base::LogLevel::error, base::LogFormat::text, 64);
    RouterSources sources{.version = "1",
                          .log_status = [] { return LogStatus(); },
                          .relay_status = [] { return RelayStatus(); },
                          .metrics = served.metrics,
                          .logger = logger,
                          .firehose = firehose,
                          .repos = &served.queries};
    Router router(sources);
    base::Metrics other_metrics(1);
    Router router_without({.version = "1",
                           .log_status = sources.log_status,
                           .relay_status = sources.relay_status,
                           .metrics = other_metrics,
                           .logger = logger,
                           .firehose = firehose});
    for (auto port : {Router::Port::firehose, Router::Port::http}) {
        auto status_of = [&](Router& asked, net::HttpMethod method, std::string path) {
            net::HttpRequest request = get(std::move(path));
            request.method = method;
            auto reply = asked.answer(port, request, Address());
            CHECK_FALSE(reply.take_over);
            return reply.response.status;
        };
        const std::string path = "/xrpc/com.atproto.sync.getRepoStatus?did=" + alice;
        CHECK(status_of(router, net::HttpMethod::get, path) == 200);
        CHECK(status_of(router, net::HttpMethod::head, path) == 200);
        CHECK(status_of(router, net::HttpMethod::post, path) == 405);
        CHECK(status_of(router, net::HttpMethod::get, "/xrpc/com.atproto.sync.getHead") == 501);
        CHECK(status_of(router_without, net::HttpMethod::get, path) == 501);
    }
}
