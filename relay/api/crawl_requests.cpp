#include "relay/api/crawl_requests.hpp"

#include <algorithm>

#include "proto/url.hpp"
#include "relay/api/json_fields.hpp"

namespace ringlay::api {
namespace {

using hosts::HostCheckAnswer;
using hosts::Refusal;

constexpr std::array<std::string_view, 2> methods{"/xrpc/com.atproto.sync.requestCrawl",
                                                  "/xrpc/com.atproto.sync.notifyOfUpdate"};
constexpr std::array<std::string_view, 11> outcome_names{
    "added",  "known",       "off",   "rate",  "malformed", "private",
    "banned", "unreachable", "relay", "quota", "busy"};

net::HttpResponse later(net::HttpResponse response, Nanos wait) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
    response.headers.add("Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1)));
    return response;
}

// Plain text is for private hosts alone, and so are names without a domain.
bool is_private_name(const base::HostAddress& address) {
    return !address.is_tls || address.name.find_first_of(".:") == std::string::npos;
}

}  // namespace

net::HttpResponse refusal_answer(const Refusal& refusal) {
    switch (refusal.why) {
        case Refusal::Why::invalid:
        case Refusal::Why::is_private:
            return net::json_error(400, "BadRequest", refusal.words);
        case Refusal::Why::banned:
            return net::json_error(403, "HostBanned", refusal.words);
        case Refusal::Why::unknown:
            return net::json_error(404, "HostNotFound", refusal.words);
        case Refusal::Why::quota:
            return later(net::json_error(429, "RateLimitExceeded", refusal.words),
                         std::chrono::hours(1));
        case Refusal::Why::domain:
        case Refusal::Why::full:
            return later(net::json_error(503, "TooManyHosts", refusal.words),
                         std::chrono::hours(1));
        case Refusal::Why::disk:
            return net::json_error(500, "InternalServerError", refusal.words);
    }
    return net::json_error(500, "InternalServerError", refusal.words);
}

CrawlRequests::CrawlRequests(env::Env& env, base::Logger& logger, base::Metrics& metrics,
                             hosts::HostBook book, Check check, CrawlOptions options)
    : env_(env),
      logger_(logger),
      book_(std::move(book)),
      check_(std::move(check)),
      options_(options),
      is_on_(options.is_on),
      by_address_(options.burst, options.refill, options.max_addresses),
      by_host_(options.wake_burst, options.wake_refill, options.max_hosts),
      sent_on_(metrics.counter("relay_crawl_requests_sent_on_total",
                               "Requests to crawl a host that another relay had sent on.")),
      log_limit_(20) {
    for (std::size_t i = 0; i < outcomes_.size(); ++i) {
        outcomes_[i] = &metrics.counter("relay_crawl_requests_total",
                                        "Requests to crawl a host, by what became of them.",
                                        {{"outcome", std::string(outcome_names[i])}});
    }
}

std::optional<net::HttpResponse> CrawlRequests::answer(const net::HttpRequest& request,
                                                       const Caller& caller) {
    if (std::ranges::find(methods, request.path()) == methods.end()) return std::nullopt;
    if (request.method != net::HttpMethod::post) {
        auto refusal = net::json_error(405, "MethodNotAllowed", "this method is a POST");
        refusal.headers.add("Allow", "POST, OPTIONS");
        return refusal;
    }
    if (hosts::names_a_relay(request.headers.find("Via").value_or(""))) sent_on_.add_shared();
    Judgement judgement = judge(request, caller);
    outcomes_[static_cast<std::size_t>(judgement.outcome)]->add_shared();
    logger_.log(log_limit_, base::LogLevel::info,
                static_cast<std::uint64_t>(env_.clock.wall().count()), "crawl requested",
                {{"host", judgement.host},
                 {"from", caller.address.ip_text()},
                 {"outcome", outcome_names[static_cast<std::size_t>(judgement.outcome)]},
                 {"reason", judgement.words}});
    return std::move(judgement.response);
}

CrawlRequests::Judgement CrawlRequests::judge(const net::HttpRequest& request,
                                              const Caller& caller) {
    if (!is_on_) {
        return {Outcome::off,
                net::json_error(403, "Forbidden", "this relay takes no requests to crawl a host"),
                {},
                {}};
    }
    if (is_limited(caller)) {
        if (auto wait = by_address_.take(client_key(caller.address), env_.clock.now())) {
            return {Outcome::rate,
                    later(net::json_error(429, "RateLimitExceeded",
                                          "too many requests from this address"),
                          *wait),
                    {},
                    {}};
        }
    }
    auto fields = JsonFields::parse(request.body);
    if (!fields) return refuse({}, {Refusal::Why::invalid, std::string(fields.error().what)});
    auto hostname = fields->text("hostname");
    if (!hostname) return refuse({}, {Refusal::Why::invalid, "hostname is missing, or no text"});
    auto address = hosts::Registry::parse_hostname(*hostname);
    if (!address) return refuse(*hostname, address.error());
    return judge_host(*address, caller);
}

bool CrawlRequests::is_limited(const Caller& caller) const {
    return options_.limits_loopback || !caller.is_this_machine();
}

// Of a host that is not known: why it is not even asked.
std::optional<Refusal> CrawlRequests::objection(const base::HostAddress& address) const {
    const base::PrivateHosts& allowed = options_.private_hosts;
    if (allowed.allows_all()) return std::nullopt;
    // Names that lead to private addresses are refused when they are dialled.
    if (is_private_name(address)) {
        return Refusal{
            Refusal::Why::is_private,
            "this relay takes public hosts with https only; its operator may add others"};
    }
    auto literal = Address::parse(address.name, address.port);
    if (allowed.allows_host(address.name, address.port)) return std::nullopt;
    if (literal && allowed.allows_address(*literal)) return std::nullopt;
    if (literal) {
        return Refusal{Refusal::Why::invalid,
                       "this relay takes hosts by their names, not by addresses; its operator may "
                       "add others"};
    }
    if (address.port != proto::default_port(proto::Scheme::https)) {
        return Refusal{Refusal::Why::invalid,
                       "this relay takes hosts on port 443 only; its operator may add others"};
    }
    return std::nullopt;
}

CrawlRequests::Judgement CrawlRequests::judge_host(const base::HostAddress& address,
                                                   const Caller& caller) {
    const Address& client = caller.address;
    std::string name = hosts::host_name(address);
    if (auto reason = book_.ban_of(name)) {
        return refuse(std::move(name), {Refusal::Why::banned, "this host is banned here"});
    }
    if (book_.view(name)) {
        // Nobody can have a host that is down dialled all the time.
        if (by_host_.take(name, env_.clock.now())) return {Outcome::known, {}, std::move(name), {}};
        return offer(address, client);
    }
    if (auto refusal = objection(address)) return refuse(std::move(name), *refusal);
    HostCheckAnswer check =
        check_(address, is_limited(caller) ? std::optional(client) : std::nullopt);
    switch (check.kind) {
        case HostCheckAnswer::Kind::pds:
            return offer(address, client);
        case HostCheckAnswer::Kind::relay:
            return {Outcome::relay, net::json_error(400, "BadRequest", "no PDS: " + check.words),
                    std::move(name), std::move(check.words)};
        case HostCheckAnswer::Kind::busy:
            return {Outcome::busy,
                    later(net::json_error(503, "Busy", check.words), std::chrono::seconds(30)),
                    std::move(name), std::move(check.words)};
        case HostCheckAnswer::Kind::too_many:
            return {Outcome::rate,
                    later(net::json_error(429, "RateLimitExceeded", check.words),
                          std::chrono::seconds(5)),
                    std::move(name), std::move(check.words)};
        case HostCheckAnswer::Kind::unreachable:
            break;
    }
    if (check.detail.empty()) check.detail = check.words;
    return {Outcome::unreachable,
            net::json_error(400, "HostNotFound", "host server unreachable: " + check.words),
            std::move(name), std::move(check.detail)};
}

CrawlRequests::Judgement CrawlRequests::offer(const base::HostAddress& address,
                                              const Address& client) {
    std::string name = hosts::host_name(address);
    auto was_known = book_.offer(address, hosts::HostSource::crawl, client);
    if (!was_known) return refuse(std::move(name), was_known.error());
    return {*was_known ? Outcome::known : Outcome::added, {}, std::move(name), {}};
}

CrawlRequests::Judgement CrawlRequests::refuse(std::string host, const Refusal& refusal) {
    Outcome outcome = Outcome::malformed;
    switch (refusal.why) {
        case Refusal::Why::is_private:
            outcome = Outcome::is_private;
            break;
        case Refusal::Why::banned:
            outcome = Outcome::banned;
            break;
        case Refusal::Why::quota:
        case Refusal::Why::domain:
        case Refusal::Why::full:
            outcome = Outcome::quota;
            break;
        case Refusal::Why::disk:
            outcome = Outcome::busy;
            break;
        case Refusal::Why::invalid:
        case Refusal::Why::unknown:
            break;
    }
    return {outcome, refusal_answer(refusal), std::move(host), refusal.words};
}

}  // namespace ringlay::api
