#include "relay/hosts/host_check.hpp"

#include <simdjson.h>

#include <algorithm>

#include "proto/url.hpp"
#include "relay/net/client_address.hpp"

namespace ringlay::hosts {
namespace {

using Kind = HostCheckAnswer::Kind;

constexpr std::size_t max_depth = 64;

bool is_json_object(std::string_view text) {
    if (text.empty()) return false;
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    return parser.allocate(text.size(), max_depth) == simdjson::SUCCESS &&
           parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS &&
           root.is_object();
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool names_a_relay(std::string_view server) {
    constexpr std::string_view token = "atproto-relay";
    auto found = std::ranges::search(server, token, {}, lower);
    return !found.empty();
}

HostCheck::HostCheck(env::Env& env, base::Metrics& metrics, Fetch fetch, HostCheckOptions options)
    : env_(env),
      fetch_(std::move(fetch)),
      options_(std::move(options)),
      asked_(metrics.counter("relay_host_checks_total",
                             "Servers asked whether they are a PDS (describeServer).")),
      waiting_depth_(metrics.queue("host_checks", options_.max_waiting)) {}

HostCheckAnswer HostCheck::check(const base::HostAddress& address,
                                 const std::optional<Address>& from) {
    forget_old();
    const std::string name = host_name(address);
    if (auto found = questions_.find(name); found != questions_.end()) {
        std::shared_ptr<Question> question = found->second;
        if (!question->has_ended.wait()) return {Kind::busy, "the relay is stopping"};
        return question->answer;
    }
    const std::optional<Address> party = from.transform(net::party_of);
    if (party) {
        std::size_t& theirs = under_way_[*party];
        if (theirs == options_.max_of_party) {
            return {Kind::too_many, "hosts that were announced from your address are being asked"};
        }
        ++theirs;
    }
    auto question = std::make_shared<Question>();
    questions_.emplace(name, question);
    question->answer = ask(address);
    if (party && --under_way_[*party] == 0) under_way_.erase(*party);
    if (question->answer.kind == Kind::busy) {
        questions_.erase(name);  // nobody was asked
    } else {
        remember(name, question->answer.kind);
    }
    question->has_ended.set();
    return question->answer;
}

// Waits for a place among those that ask.
HostCheckAnswer HostCheck::ask(const base::HostAddress& address) {
    const Deadline patience = Deadline::in(options_.patience);
    while (at_once_ >= options_.max_at_once) {
        if (waiting_ >= options_.max_waiting) return {Kind::busy, "too many hosts are announced"};
        waiting_depth_.set_depth(++waiting_);
        auto woken = places_.wait("a place to ask a host", patience);
        waiting_depth_.set_depth(--waiting_);
        if (!woken) return {Kind::busy, "too many hosts are announced"};
    }
    ++at_once_;
    HostCheckAnswer answer = ask_server(address);
    --at_once_;
    places_.wake_one();
    return answer;
}

HostCheckAnswer HostCheck::ask_server(const base::HostAddress& address) {
    const bool is_ipv6 = address.name.find(':') != std::string::npos;
    std::string text = address.is_tls ? "https://" : "http://";
    text += is_ipv6 ? "[" + address.name + "]" : address.name;
    text += ":" + std::to_string(address.port) + "/xrpc/com.atproto.server.describeServer";
    auto url = proto::parse_url(text);
    if (!url) return {Kind::unreachable, "its name is in no URL: " + std::string(url.error().what)};

    net::FetchOptions options;
    options.headers.add("User-Agent", options_.user_agent);
    options.headers.add("Accept", "application/json");
    options.max_body_bytes = options_.max_body_bytes;
    options.deadline = Deadline::in(options_.patience);
    asked_.add_shared();
    auto response = fetch_(*url, options);
    if (!response && fiber::is_cancelled()) return {Kind::busy, "the relay is stopping"};
    // Which addresses a name has here, and how they answer, is nobody's business.
    if (!response) {
        return {Kind::unreachable,
                "no answer to describeServer; look at its name, its certificate and port " +
                    std::to_string(address.port),
                std::move(response.error().reason)};
    }
    if (names_a_relay(response->headers.find("Server").value_or(""))) {
        return {Kind::relay, "its Server header says that it is a relay"};
    }
    if (response->status != 200) {
        return {Kind::unreachable,
                "describeServer answers with status " + std::to_string(response->status)};
    }
    if (!is_json_object(response->body)) {
        return {Kind::unreachable, "describeServer answers with something else than a JSON object"};
    }
    return {Kind::pds, {}};
}

void HostCheck::remember(const std::string& name, Kind kind) {
    const bool is_reached = kind != Kind::unreachable;
    std::deque<Aging>& answers = is_reached ? answered_ : unreachable_;
    if (answers.size() == options_.max_remembered) forget_first(answers);
    const Nanos lifetime = is_reached ? options_.remembered_for : options_.unreachable_for;
    answers.push_back({env_.clock.now() + lifetime, name});
}

void HostCheck::forget_first(std::deque<Aging>& answers) {
    questions_.erase(answers.front().name);
    answers.pop_front();
}

void HostCheck::forget_old() {
    for (std::deque<Aging>* answers : {&answered_, &unreachable_}) {
        while (!answers->empty() && answers->front().until <= env_.clock.now()) {
            forget_first(*answers);
        }
    }
}

}  // namespace ringlay::hosts
