#include "relay/api/repo_queries.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "proto/base/json_writer.hpp"
#include "proto/syntax.hpp"
#include "proto/tid.hpp"
#include "relay/fiber/fiber.hpp"
#include "relay/ingest/host_origin.hpp"

namespace ringlay::api {
namespace {

using index::AccountRow;

constexpr std::string_view prefix = "/xrpc/com.atproto.sync.";

net::HttpResponse json_page(std::string body) {
    net::HttpResponse response;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

net::HttpResponse bad_request(std::string_view message) {
    return net::json_error(400, "BadRequest", message);
}

net::HttpResponse repo_not_found() {
    return net::json_error(404, "RepoNotFound", "this relay has no account of this DID");
}

net::HttpResponse database_error(const Error& error) {
    return net::json_error(500, "DatabaseError", error.what);
}

proto::AccountStanding standing_of(const AccountRow& row) {
    return proto::effective_standing(row.local, row.upstream);
}

net::HttpResponse inactive_error(proto::AccountStatus status) {
    using enum proto::AccountStatus;
    switch (status) {
        case takendown:
            return net::json_error(403, "RepoTakendown", "the account is taken down");
        case suspended:
            return net::json_error(403, "RepoSuspended", "the account is suspended");
        case deactivated:
            return net::json_error(403, "RepoDeactivated", "the account is deactivated");
        case deleted:
            return net::json_error(403, "RepoDeleted", "the account is deleted");
        default:
            return net::json_error(403, "RepoInactive", "the account is not active");
    }
}

void append_standing(JsonWriter& json, proto::AccountStanding standing) {
    json.key("active").boolean(standing.is_active);
    std::string_view status = proto::account_status_name(standing.status);
    if (!status.empty()) json.key("status").text(status);
}

std::string rev_text(const AccountRow& row) {
    return proto::Tid(row.repo.rev).to_text();
}

// Gives a place among the queries under way back.
class Place {
  public:
    Place(std::size_t& under_way, base::QueueGauge& depth) : under_way_(under_way), depth_(depth) {
        depth_.set_depth(++under_way_);
    }
    ~Place() { depth_.set_depth(--under_way_); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

  private:
    std::size_t& under_way_;
    base::QueueGauge& depth_;
};

}  // namespace

std::string normalised_did(std::string_view did) {
    constexpr std::string_view plc = "did:plc:";
    std::string text(did);
    if (!net::equals_ignoring_case(did.substr(0, plc.size()), plc)) return text;
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

net::HttpResponse repo_status(std::string_view did, const std::optional<AccountRow>& row) {
    if (!row) return repo_not_found();
    const proto::AccountStanding standing = standing_of(*row);
    JsonWriter json;
    json.begin_object().key("did").text(did);
    append_standing(json, standing);
    if (standing.is_active && row->repo.rev != 0) json.key("rev").text(rev_text(*row));
    json.end_object();
    return json_page(json.take());
}

net::HttpResponse latest_commit(const std::optional<AccountRow>& row) {
    if (!row) return repo_not_found();
    const proto::AccountStanding standing = standing_of(*row);
    if (!standing.is_active) return inactive_error(standing.status);
    if (row->repo.rev == 0) {
        return net::json_error(404, "RepoNotSynchronized",
                               "the account is known, but no commit of it");
    }
    JsonWriter json;
    json.begin_object().key("cid").text(row->repo.commit.to_text());
    json.key("rev").text(rev_text(*row)).end_object();
    return json_page(json.take());
}

net::HttpResponse redirect_to_host(const std::optional<AccountRow>& row, std::string_view origin,
                                   std::string_view method, std::string_view query_text) {
    if (!row) return repo_not_found();
    const proto::AccountStanding standing = standing_of(*row);
    if (!standing.is_active) return inactive_error(standing.status);
    if (origin.empty()) {
        return net::json_error(404, "RepoNotFound", "the host of this account is not known");
    }
    std::string location(origin);
    location.append(prefix).append(method).append("?").append(query_text);
    net::HttpResponse response;
    response.status = 302;
    response.headers.add("Location", location);
    return response;
}

Result<ListRequest> parse_list_request(const net::HttpRequest& request) {
    ListRequest list;
    auto limit = request.query("limit");
    if (!limit) return fail(Errc::malformed, "limit is not readable");
    if (*limit && !(*limit)->empty()) {
        const std::string& text = **limit;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), list.limit);
        if (error != std::errc() || end != text.data() + text.size() || list.limit < 1 ||
            list.limit > ListRequest::max_limit) {
            return fail(Errc::malformed, "limit must be an integer from 1 to 1000");
        }
    }
    auto cursor = request.query("cursor");
    if (!cursor) return fail(Errc::malformed, "cursor is not readable");
    if (*cursor && !(*cursor)->empty()) {
        if (!proto::is_did(**cursor)) {
            return fail(Errc::malformed, "cursor is none that this relay has given");
        }
        list.after = std::move(**cursor);
    }
    return list;
}

Result<ListPage> read_list(MayBlock may_block, const RepoRows& rows, const ListRequest& request) {
    ListPage page;
    std::string after = request.after;
    // One repo more than is shown: whether there is a next page is known then.
    const std::size_t wanted = request.limit + 1;
    std::size_t looked_at = 0;
    while (looked_at < RepoQueries::max_rows_looked_at) {
        const std::size_t asked = std::min(wanted - page.repos.size(), index::Database::max_page);
        auto found = rows.list(may_block, after, asked);
        if (!found) return std::unexpected(found.error());
        looked_at += asked;
        const bool is_end = found->size() < asked;
        if (!found->empty()) after = found->back().did;
        for (Listed& listed : *found) {
            if (listed.row.repo.rev != 0) page.repos.push_back(std::move(listed));
        }
        if (page.repos.size() == wanted) {
            page.repos.pop_back();
            page.cursor = page.repos.back().did;
            return page;
        }
        if (is_end) return page;
    }
    page.cursor = std::move(after);
    return page;
}

net::HttpResponse repo_list(const ListPage& page) {
    JsonWriter json;
    json.begin_object();
    if (page.cursor) json.key("cursor").text(*page.cursor);
    json.key("repos").begin_array();
    for (const auto& [did, row] : page.repos) {
        json.begin_object().key("did").text(did);
        json.key("head").text(row.repo.commit.to_text()).key("rev").text(rev_text(row));
        append_standing(json, standing_of(row));
        json.end_object();
    }
    json.end_array().end_object();
    return json_page(json.take());
}

struct RepoQueries::Method {
    enum class Kind : std::uint8_t { status, latest, redirect, list };
    std::string_view name;
    Kind kind;
};

RepoQueries::RepoQueries(RepoRows rows, std::function<std::string(std::uint32_t)> host_name,
                         base::Metrics& metrics, std::size_t max_at_once,
                         std::function<std::string(std::string_view)> origin_of)
    : rows_(std::move(rows)),
      host_name_(std::move(host_name)),
      origin_of_(std::move(origin_of)),
      max_at_once_(max_at_once),
      depth_(metrics.queue("repo_queries", max_at_once)),
      refused_(
          metrics.counter("relay_repo_queries_refused_total",
                          "Queries about repositories refused because too many were under way.")) {}

std::optional<net::HttpResponse> RepoQueries::answer(const net::HttpRequest& request) {
    using enum Method::Kind;
    static constexpr std::array<Method, 6> methods{{{"getRepoStatus", status},
                                                    {"getLatestCommit", latest},
                                                    {"listRepos", list},
                                                    {"getRepo", redirect},
                                                    {"getRecord", redirect},
                                                    {"getBlocks", redirect}}};
    std::string_view path = request.path();
    if (!path.starts_with(prefix)) return std::nullopt;
    const auto* method = std::ranges::find(methods, path.substr(prefix.size()), &Method::name);
    if (method == methods.end()) return std::nullopt;
    if (under_way_ >= max_at_once_) {
        refused_.add_shared();
        net::HttpResponse busy =
            net::json_error(503, "Busy", "too many queries are under way, try again in a moment");
        busy.headers.add("Retry-After", "1");
        return busy;
    }
    Place place(under_way_, depth_);
    return method->kind == list ? answer_list(request) : answer_about_account(*method, request);
}

net::HttpResponse RepoQueries::answer_about_account(const Method& method,
                                                    const net::HttpRequest& request) {
    auto did = request.query("did");
    if (!did || !*did || (*did)->empty()) return bad_request("did is missing or not readable");
    const std::string account = normalised_did(**did);
    if (!proto::is_did(account)) return bad_request("did is not a DID");
    auto row =
        fiber::blocking([&](MayBlock may_block) { return rows_.account(may_block, account); });
    if (!row) return database_error(row.error());
    using enum Method::Kind;
    if (method.kind == status) return repo_status(account, *row);
    if (method.kind == latest) return latest_commit(*row);
    return redirect_to_host(*row, origin_of(*row), method.name, request.query_text());
}

net::HttpResponse RepoQueries::answer_list(const net::HttpRequest& request) {
    auto list = parse_list_request(request);
    if (!list) return bad_request(list.error().what);
    auto page =
        fiber::blocking([&](MayBlock may_block) { return read_list(may_block, rows_, *list); });
    if (!page) return database_error(page.error());
    return repo_list(*page);
}

std::string RepoQueries::origin_of(const std::optional<AccountRow>& row) const {
    if (!row || row->host_id == 0) return {};
    const std::string name = host_name_(row->host_id);
    if (name.empty()) return {};
    return origin_of_ ? origin_of_(name) : ingest::origin_of_host(name, false, {});
}

}  // namespace ringlay::api
