#include "relay/ingest/status_asker.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "proto/base/assert.hpp"
#include "relay/ingest/host_origin.hpp"
#include "relay/net/http_client.hpp"

namespace ringlay::ingest {
namespace {

constexpr std::array<Nanos, 3> pauses{std::chrono::seconds(10), std::chrono::minutes(1),
                                      std::chrono::minutes(5)};
constexpr Nanos sweep_interval = std::chrono::seconds(10);
constexpr std::uint64_t max_answer_bytes = 64 * 1024;

// The one character of DIDs that means something else in a query.
std::string escaped(std::string_view did) {
    std::string text;
    for (char c : did) {
        if (c == '%') {
            text += "%25";
        } else {
            text += c;
        }
    }
    return text;
}

}  // namespace

bool QuestionBook::may_ask(std::string_view did, std::uint32_t host_id, Nanos now) {
    if (under_way_ >= max_at_once) return false;
    auto host = under_way_by_host_.find(host_id);
    if (host != under_way_by_host_.end() && host->second >= max_at_once_per_host) return false;
    auto asked = asked_.find(did);
    return asked != asked_.end() ? now >= asked->second.again_at : has_room(now);
}

void QuestionBook::begin(std::string_view did, std::uint32_t host_id, Nanos now) {
    ++under_way_;
    ++under_way_by_host_[host_id];
    Asked& asked = asked_[std::string(did)];
    asked.again_at = now + pauses[std::min<std::size_t>(asked.times, pauses.size() - 1)];
    ++asked.times;
}

void QuestionBook::end(std::string_view did, std::uint32_t host_id, bool is_active) {
    RINGLAY_ASSERT(under_way_ > 0);
    --under_way_;
    auto host = under_way_by_host_.find(host_id);
    if (--host->second == 0) under_way_by_host_.erase(host);
    // Should it fall inactive again, that is another story.
    if (is_active) asked_.erase(asked_.find(did));
}

// An account that was not asked for again when it might have been begins anew. Looked for seldom:
// there may be none.
bool QuestionBook::has_room(Nanos now) {
    if (asked_.size() < max_accounts) return true;
    if (now - swept_ < sweep_interval) return false;
    swept_ = now;
    std::erase_if(asked_,
                  [&](const auto& entry) { return now >= entry.second.again_at + pauses.back(); });
    return asked_.size() < max_accounts;
}

HostAnswer read_repo_status(std::string_view json, std::string_view did) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    std::string_view its_did;
    bool is_active = false;
    if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS ||
        root["did"].get(its_did) != simdjson::SUCCESS || its_did != did ||
        root["active"].get(is_active) != simdjson::SUCCESS) {
        return HostAnswer::none;
    }
    return is_active ? HostAnswer::active : HostAnswer::inactive;
}

void StatusAsker::ask(std::string_view did, const HostRef& host, Done done) {
    book_.begin(did, host.id, env_.clock.now());
    const bool is_strangers = host.is_strangers.load(std::memory_order_relaxed);
    questions_.spawn(
        "asks a host for an account's status",
        [this, its_did = std::string(did), host_id = host.id,
         origin = origin_of_host(host.name, host.is_tls, base::PrivateHosts()),
         outbound = is_strangers ? strangers_ : outbound_, done = std::move(done)]() mutable {
            HostAnswer answer = question(its_did, origin, outbound);
            book_.end(its_did, host_id, answer == HostAnswer::active);
            if (!fiber::is_cancelled()) done(answer);
        });
}

HostAnswer StatusAsker::question(std::string_view did, const std::string& origin,
                                 const net::Outbound* outbound) {
    std::string text = origin + "/xrpc/com.atproto.sync.getRepoStatus?did=" + escaped(did);
    auto url = proto::parse_url(text);
    if (!url) return HostAnswer::none;
    net::FetchOptions options;
    options.headers.add("User-Agent", user_agent_);
    options.max_body_bytes = max_answer_bytes;
    options.outbound = outbound;
    options.deadline = Deadline::in(patience);
    auto response = net::fetch(env_, *url, options);
    if (!response || response->status != 200) return HostAnswer::none;
    return read_repo_status(response->body, did);
}

}  // namespace ringlay::ingest
