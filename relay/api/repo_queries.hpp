// The queries about single repositories and all of them (protocol 4.11): getRepoStatus,
// getLatestCommit and listRepos are answered from the folded account rows; getRepo, getRecord and
// getBlocks are sent on to the account's host.
//
// What is asked about an account is what the relay has on record: no query ever causes a look-up at
// a directory or a host, so nobody can make the relay ask on their behalf.
//
// The answers are pure functions of rows; RepoQueries reads the rows and bounds how many queries
// read at once.
//
// Owner    Relay. What RepoRows reads from outlives it.
// Thread   the worker that serves HTTP; rows are read on the blocking pool.
// Bound    max_at_once queries, max_rows_looked_at rows in each; above the former: 503.
// Errors   by name and status code in the answer; docs of the lexicons have the names.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/database.hpp"
#include "relay/base/metrics.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::api {

using Listed = index::Database::Listed;

// Where rows come from.
struct RepoRows {
    std::function<Result<std::optional<index::AccountRow>>(MayBlock, std::string_view did)> account;
    // In the order of DIDs, those above `after`, at most `limit` (<= Database::max_page).
    std::function<Result<std::vector<Listed>>(MayBlock, std::string_view after, std::size_t limit)>
        list;
};

inline RepoRows rows_of(const index::Database& database) {
    return {
        .account = [&database](MayBlock may_block,
                               std::string_view did) { return database.account(may_block, did); },
        .list = [&database](
                    MayBlock may_block, std::string_view after,
                    std::size_t limit) { return database.list_accounts(may_block, after, limit); }};
}

// A did:plc is written in lower case, whatever case it was asked for in; other methods may mean
// something by theirs.
std::string normalised_did(std::string_view did);

// The answers, once the row is known. An empty origin: the host is not known.
net::HttpResponse repo_status(std::string_view did, const std::optional<index::AccountRow>& row);
net::HttpResponse latest_commit(const std::optional<index::AccountRow>& row);
// `origin`: `https://pds.example`. `method` without com.atproto.sync; `query_text` as it was sent:
// the host is asked the same.
net::HttpResponse redirect_to_host(const std::optional<index::AccountRow>& row,
                                   std::string_view origin, std::string_view method,
                                   std::string_view query_text);

struct ListRequest {
    static constexpr std::size_t max_limit = 1000;
    std::size_t limit = 500;
    std::string after;  // empty: from the beginning
};
// Errors: malformed, in words for the client.
Result<ListRequest> parse_list_request(const net::HttpRequest& request);

struct ListPage {
    std::vector<Listed> repos;
    std::optional<std::string> cursor;  // nothing: this was the last page
};
// Skips accounts of which no commit is known: a listed repo has a head and a rev. After
// max_rows_looked_at rows the page ends, however short it is, and its cursor leads on.
Result<ListPage> read_list(MayBlock may_block, const RepoRows& rows, const ListRequest& request);
net::HttpResponse repo_list(const ListPage& page);

class RepoQueries {
  public:
    static constexpr std::size_t default_max_at_once = 64;
    static constexpr std::size_t max_rows_looked_at = 16 * index::Database::max_page;

    // `host_name`: of a host number of the log; empty if there is none. May wait. `origin_of`:
    // where a host of this name is (ingest::origin_of_host); without it, a port means plain HTTP.
    RepoQueries(RepoRows rows, std::function<std::string(std::uint32_t)> host_name,
                base::Metrics& metrics, std::size_t max_at_once = default_max_at_once,
                std::function<std::string(std::string_view)> origin_of = {});

    // Nothing: the path is none of these queries.
    std::optional<net::HttpResponse> answer(const net::HttpRequest& request);

  private:
    struct Method;
    net::HttpResponse answer_about_account(const Method& method, const net::HttpRequest& request);
    net::HttpResponse answer_list(const net::HttpRequest& request);
    std::string origin_of(const std::optional<index::AccountRow>& row) const;

    RepoRows rows_;
    std::function<std::string(std::uint32_t)> host_name_;
    std::function<std::string(std::string_view)> origin_of_;
    std::size_t max_at_once_;
    std::size_t under_way_ = 0;
    base::QueueGauge& depth_;
    base::Counter& refused_;
};

}  // namespace ringlay::api
