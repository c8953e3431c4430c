#include "relay/api/admin_gate.hpp"

#include <algorithm>

#include "relay/net/client_address.hpp"

namespace ringlay::api {
namespace {

constexpr std::string_view admin_user = "admin";
constexpr std::uint32_t max_doublings = 30;

Bytes bytes_of_text(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// All bytes are looked at, whatever differs.
bool are_equal(const crypto::Digest& a, const crypto::Digest& b) {
    std::uint8_t difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
    }
    return difference == 0;
}

std::optional<std::uint32_t> base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return static_cast<std::uint32_t>(c - 'A');
    if (c >= 'a' && c <= 'z') return static_cast<std::uint32_t>(c - 'a' + 26);
    if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0' + 52);
    if (c == '+') return 62;
    if (c == '/') return 63;
    return std::nullopt;
}

// As Basic credentials are written; padding may be missing.
std::optional<std::string> decode_base64(std::string_view text) {
    while (text.ends_with('=')) text.remove_suffix(1);
    std::string out;
    std::uint32_t bits = 0;
    std::uint32_t bit_count = 0;
    for (char c : text) {
        auto value = base64_value(c);
        if (!value) return std::nullopt;
        bits = bits << 6 | *value;
        bit_count += 6;
        if (bit_count < 8) continue;
        bit_count -= 8;
        out += static_cast<char>(bits >> bit_count & 0xff);
    }
    return out;
}

net::HttpResponse with_header(net::HttpResponse response, std::string_view name,
                              std::string_view value) {
    response.headers.add(name, value);
    return response;
}

net::HttpResponse later(std::string_view words, Nanos wait) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
    return with_header(net::json_error(429, "RateLimitExceeded", words), "Retry-After",
                       std::to_string(std::max<std::int64_t>(seconds, 1)));
}

}  // namespace

bool is_cross_site(const net::HttpRequest& request) {
    // Browsers say it themselves; nothing that is no browser has a reason to.
    if (auto site = request.headers.find("Sec-Fetch-Site")) {
        return *site != "same-origin" && *site != "none";
    }
    auto origin = request.headers.find("Origin");
    if (!origin) return false;
    const std::size_t scheme = origin->find("://");
    auto host = request.headers.find("Host");
    return scheme == origin->npos || !host ||
           !net::equals_ignoring_case(origin->substr(scheme + 3), *host);
}

std::optional<std::string> presented_password(const net::HttpRequest& request) {
    if (request.headers.count("Authorization") != 1) return std::nullopt;
    std::string_view text = *request.headers.find("Authorization");
    const std::size_t space = text.find(' ');
    if (space == text.npos) return std::nullopt;
    const std::string_view scheme = text.substr(0, space);
    text.remove_prefix(space);
    while (text.starts_with(' ')) text.remove_prefix(1);
    if (net::equals_ignoring_case(scheme, "Bearer")) return std::string(text);
    if (!net::equals_ignoring_case(scheme, "Basic")) return std::nullopt;
    auto credentials = decode_base64(text);
    if (!credentials) return std::nullopt;
    const std::size_t colon = credentials->find(':');
    if (colon == credentials->npos || credentials->substr(0, colon) != admin_user) {
        return std::nullopt;
    }
    return credentials->substr(colon + 1);
}

AdminGate::AdminGate(env::Env& env, base::Logger& logger, base::Metrics& metrics,
                     const std::vector<std::string>& passwords, AdminGateOptions options)
    : env_(env),
      logger_(logger),
      options_(options),
      all_failures_(options.all_per_second, options.all_at_once),
      let_in_(metrics.counter("relay_admin_requests_total",
                              "Requests to the administration by somebody who may.")),
      remembered_(metrics.queue("admin_failures", options.max_addresses)),
      log_limit_(5) {
    for (const std::string& password : passwords) {
        // An empty one would let everybody in.
        if (!password.empty()) passwords_.push_back(crypto::sha256(bytes_of_text(password)));
    }
    const std::pair<Verdict, std::string_view> reasons[] = {
        {Verdict::disabled, "disabled"},     {Verdict::cross_site, "cross_site"},
        {Verdict::delayed, "delayed"},       {Verdict::all_delayed, "all_delayed"},
        {Verdict::anonymous, "no_password"}, {Verdict::wrong, "wrong_password"}};
    for (const auto& [verdict, reason] : reasons) {
        refused_[verdict] = &metrics.counter("relay_admin_refused_total",
                                             "Requests to the administration that were refused.",
                                             {{"reason", std::string(reason)}});
    }
}

std::optional<net::HttpResponse> AdminGate::check(const net::HttpRequest& request,
                                                  const Caller& caller) {
    const Address party = net::party_of(caller.address);
    Nanos wait{};
    const Verdict verdict = judge(request, party, wait);
    if (verdict == Verdict::let_in) {
        let_in_.add_shared();
        return std::nullopt;
    }
    refused_.at(verdict)->add_shared();
    switch (verdict) {
        case Verdict::disabled:
            return net::json_error(403, "AdminDisabled",
                                   "no password is set: start the relay with RELAY_ADMIN_PASSWORD "
                                   "or RELAY_ADMIN_PASSWORD_FILE to administer it");
        case Verdict::cross_site:
            return net::json_error(403, "CrossSiteRequest",
                                   "the administration is not for pages of other sites");
        case Verdict::delayed:
            return later("too many wrong passwords from your address; wait before the next attempt",
                         wait);
        case Verdict::all_delayed:
            return later(
                "too many wrong passwords from many addresses; wait before the next attempt", wait);
        case Verdict::wrong:
            logger_.log(log_limit_, base::LogLevel::warn,
                        static_cast<std::uint64_t>(env_.clock.wall().count()), "admin refused",
                        {{"from", caller.address.ip_text()}, {"reason", "wrong password"}});
            [[fallthrough]];
        default:
            return with_header(
                net::json_error(401, "AuthenticationRequired",
                                "send a password of the administration, as Bearer or as Basic with "
                                "the user admin"),
                "WWW-Authenticate", R"(Basic realm="ringlay", charset="UTF-8")");
    }
}

AdminGate::Verdict AdminGate::judge(const net::HttpRequest& request, const Address& party,
                                    Nanos& wait) {
    if (passwords_.empty()) return Verdict::disabled;
    if (is_cross_site(request)) return Verdict::cross_site;
    const bool is_anonymous = !request.headers.find("Authorization");
    if (is_anonymous) return Verdict::anonymous;  // browsers begin without
    const auto failures = by_party_.find(party);
    if (failures != by_party_.end() && failures->second->blocked_until > env_.clock.now()) {
        wait = failures->second->blocked_until - env_.clock.now();
        return Verdict::delayed;
    }
    // Not looked at: a guess that is right would be told from one that is wrong.
    wait = all_failures_.until_free(env_.clock.now(), 1);
    if (wait > Nanos::zero() && !is_proven(party)) return Verdict::all_delayed;
    const auto password = presented_password(request);
    if (!password || !is_password(*password)) {
        note_failure(party);
        static_cast<void>(all_failures_.take(env_.clock.now()));
        return Verdict::wrong;
    }
    forget(party);
    note_success(party);
    return Verdict::let_in;
}

bool AdminGate::is_password(std::string_view text) const {
    const crypto::Digest digest = crypto::sha256(bytes_of_text(text));
    bool is_one = false;
    for (const crypto::Digest& password : passwords_) is_one |= are_equal(digest, password);
    return is_one;
}

void AdminGate::note_failure(const Address& party) {
    const Nanos now = env_.clock.now();
    auto found = by_party_.find(party);
    if (found == by_party_.end()) {
        if (by_time_.size() >= options_.max_addresses) {
            by_party_.erase(by_time_.back().party);
            by_time_.pop_back();
        }
        by_time_.push_front({.party = party});
        found = by_party_.emplace(party, by_time_.begin()).first;
        remembered_.set_depth(by_time_.size());
    } else {
        by_time_.splice(by_time_.begin(), by_time_, found->second);
    }
    Failures& failures = *found->second;
    if (now - failures.last > options_.forget_after) failures.count = 0;
    failures.last = now;
    ++failures.count;
    if (failures.count < options_.free_failures) return;
    const std::uint32_t doublings =
        std::min(failures.count - options_.free_failures, max_doublings);
    const Nanos delay = options_.first_delay * (std::int64_t{1} << doublings);
    failures.blocked_until = now + std::min(delay, options_.max_delay);
}

void AdminGate::forget(const Address& party) {
    auto found = by_party_.find(party);
    if (found == by_party_.end()) return;
    by_time_.erase(found->second);
    by_party_.erase(found);
    remembered_.set_depth(by_time_.size());
}

bool AdminGate::is_proven(const Address& party) const {
    return std::ranges::find(proven_, party) != proven_.end();
}

void AdminGate::note_success(const Address& party) {
    proven_.remove(party);
    proven_.push_front(party);
    if (proven_.size() > options_.max_proven) proven_.pop_back();
}

void AdminGate::note(const net::HttpRequest& request, const Caller& caller, std::uint16_t status) {
    if (request.method == net::HttpMethod::get || request.method == net::HttpMethod::head) return;
    logger_.log(base::LogLevel::info, static_cast<std::uint64_t>(env_.clock.wall().count()),
                "admin request",
                {{"method", net::name_of(request.method)},
                 {"path", request.path()},
                 {"status", std::uint64_t{status}},
                 {"from", caller.address.ip_text()}});
}

}  // namespace ringlay::api
