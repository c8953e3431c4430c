#include "bench/fleet/host.hpp"

#include <algorithm>

#include "bench/fleet/subscription.hpp"
#include "crypto/sha256.hpp"
#include "proto/base/json_writer.hpp"
#include "proto/cid.hpp"
#include "relay/firehose/cursor_parameter.hpp"
#include "relay/net/websocket_handshake.hpp"

namespace ringlay::bench {
namespace {

constexpr std::uint64_t default_page = 500, largest_page = 1000;

std::uint64_t micros_of(WallMillis wall) {
    return static_cast<std::uint64_t>(wall.count()) * 1000;
}

net::HttpResponse json_answer(JsonWriter& json) {
    net::HttpResponse response;
    response.headers.add("Content-Type", "application/json");
    response.body = json.take();
    return response;
}

net::HttpResponse invalid(std::string_view message) {
    return net::json_error(400, "InvalidRequest", message);
}

std::string head_of(const Repo& repo) {
    return proto::Cid::of_digest(crypto::sha256(repo.commit_block())).to_text();
}

// A parameter that is a number; the default when it is absent, nothing when it is none.
std::optional<std::uint64_t> number_parameter(const net::HttpRequest& request,
                                              std::string_view name, std::uint64_t absent) {
    auto text = request.query(name);
    if (!text) return std::nullopt;
    auto number = firehose::parse_cursor(*text);
    if (!number) return std::nullopt;
    return number->value_or(absent);
}

}  // namespace

Host::Host(const env::Env& env, const HostOptions& options)
    : env_(env),
      traffic_(options.book.seed * 1'000'003 + options.index),
      random_(options.book.seed * 1'000'033 + options.index),
      first_seq_(micros_of(env.clock.wall())),
      log_(first_seq_, options.log_bytes),
      keeps_ledger_(options.keeps_ledger) {
    repos_.reserve(options.book.accounts_per_host);
    for (std::uint64_t i = 0; i < options.book.accounts_per_host; ++i) {
        std::uint64_t number = options.book.number(options.index, i);
        repos_.emplace_back(options.book.did(number), options.book.key(number), options.records);
        by_did_.emplace(repos_.back().did(), i);
    }
}

std::uint64_t Host::unix_micros() const {
    return micros_of(env_.clock.wall());
}

void Host::send(Buffer frame) {
    if (keeps_ledger_) ledger_.add(frame);
    log_.append(frame);
}

void Host::introduce(std::size_t account) {
    Repo& repo = repos_[account];
    std::uint64_t now = unix_micros();
    send(repo.identity_frame(log_.next_seq(), now, AccountBook::handle(repo.did())));
    send(repo.account_frame(log_.next_seq(), now, true, std::nullopt));
    auto ops = traffic_.next_ops(repo, now);
    send(repo.commit_frame(log_.next_seq(), now, ops));
}

void Host::emit() {
    Repo& repo = repos_[random_() % repos_.size()];
    send(traffic_.next_frame(repo, log_.next_seq(), unix_micros()));
}

DoorReply Host::answer(const net::HttpRequest& request, const Address& local) {
    constexpr std::string_view prefix = "/xrpc/";
    std::string_view path = request.path();
    if (!path.starts_with(prefix)) return net::json_error(404, "NotFound", "no such page");
    std::string_view method = path.substr(prefix.size());
    if (method == "com.atproto.sync.subscribeRepos") return subscribe(request);
    if (request.method != net::HttpMethod::get && request.method != net::HttpMethod::head) {
        return net::json_error(405, "InvalidRequest", "only GET and HEAD are served here");
    }
    if (method == "com.atproto.server.describeServer") return describe_server(local);
    if (method == "com.atproto.sync.listRepos") return list_repos(request);
    if (method == "com.atproto.sync.getRepoStatus") return repo_answer(request, true);
    if (method == "com.atproto.sync.getLatestCommit") return repo_answer(request, false);
    return net::json_error(501, "MethodNotImplemented", "this method is not served here");
}

DoorReply Host::subscribe(const net::HttpRequest& request) {
    auto accept = net::check_upgrade(request);
    if (!accept) return std::move(accept.error());
    auto parameter = request.query("cursor");
    if (!parameter) return invalid(parameter.error().what);
    auto cursor = firehose::parse_cursor(*parameter);
    if (!cursor) return invalid(cursor.error().what);
    user_agent_ = request.headers.find("User-Agent").value_or("");
    return DoorReply::TakeOver([this, accept = std::move(*accept), cursor = *cursor](
                                   net::Stream& stream, Buffer already_read) {
        ++subscribers_;
        Subscription(log_, stream, std::move(already_read)).run(accept, {}, cursor);
        --subscribers_;
    });
}

net::HttpResponse Host::describe_server(const Address& local) const {
    JsonWriter json;
    json.begin_object();
    json.key("did").text("did:web:" + local.ip_text() + "%3A" + std::to_string(local.port));
    json.key("availableUserDomains").begin_array().text(".example.com").end_array();
    json.key("inviteCodeRequired").boolean(false);
    json.end_object();
    return json_answer(json);
}

net::HttpResponse Host::list_repos(const net::HttpRequest& request) const {
    auto limit = number_parameter(request, "limit", default_page);
    auto begin = number_parameter(request, "cursor", 0);
    if (!limit || *limit == 0 || *limit > largest_page) {
        return invalid("limit must be an integer from 1 to 1000");
    }
    if (!begin) return invalid("cursor must be one that was given out here");
    std::size_t end = repos_.size(), first = std::min<std::uint64_t>(*begin, end);
    end = first + std::min<std::uint64_t>(*limit, end - first);
    JsonWriter json;
    json.begin_object();
    if (end < repos_.size()) json.key("cursor").text(std::to_string(end));
    json.key("repos").begin_array();
    for (std::size_t i = first; i < end; ++i) {
        json.begin_object();
        json.key("did").text(repos_[i].did());
        json.key("head").text(head_of(repos_[i]));
        json.key("rev").text(repos_[i].rev().to_text());
        json.key("active").boolean(true);
        json.end_object();
    }
    json.end_array().end_object();
    return json_answer(json);
}

net::HttpResponse Host::repo_answer(const net::HttpRequest& request, bool is_status) const {
    auto did = request.query("did");
    if (!did || !*did) return invalid("did is required");
    auto found = by_did_.find(**did);
    if (found == by_did_.end()) {
        return net::json_error(400, "RepoNotFound", "Could not find repo for DID: " + **did);
    }
    const Repo& repo = repos_[found->second];
    JsonWriter json;
    json.begin_object();
    if (is_status) {
        json.key("did").text(repo.did()).key("active").boolean(true);
    } else {
        json.key("cid").text(head_of(repo));
    }
    json.key("rev").text(repo.rev().to_text());
    json.end_object();
    return json_answer(json);
}

}  // namespace ringlay::bench
