// A PLC directory whose answers and manners a test decides. FakePlc is what it knows and says, on
// either kernel; SimPlc runs one on a machine of a simulated world.
//
//     Rig { std::optional<SimPlc> plc; env::World world; ... };   // the world goes first
//     plc.emplace(world, "plc");
//     plc->set(did, key, "http://" + host.text());
//     options.plc_url = plc->url();
//
// Owner    a test. A SimPlc outlives its World, whose destruction ends its fibers.
// Thread   one: that of the simulated world, or the worker that serves it.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/did_key.hpp"
#include "proto/base/json_writer.hpp"
#include "relay/env/sim/world.hpp"
#include "relay/net/http_server.hpp"

namespace ringlay::support {

// As plc.directory writes it.
inline std::string did_document(std::string_view did, std::string_view multikey,
                                std::string_view endpoint) {
    JsonWriter json;
    json.begin_object();
    json.key("@context").begin_array().text("https://www.w3.org/ns/did/v1").end_array();
    json.key("id").text(did);
    json.key("alsoKnownAs").begin_array().text("at://somebody.test").end_array();
    json.key("verificationMethod").begin_array().begin_object();
    json.key("id").text(std::string(did) + "#atproto");
    json.key("type").text("Multikey");
    json.key("controller").text(did);
    json.key("publicKeyMultibase").text(multikey);
    json.end_object().end_array();
    json.key("service").begin_array().begin_object();
    json.key("id").text("#atproto_pds");
    json.key("type").text("AtprotoPersonalDataServer");
    json.key("serviceEndpoint").text(endpoint);
    return json.end_object().end_array().end_object().take();
}

class FakePlc {
  public:
    // A multikey (`zQ3s...`), with or without `did:key:` before it.
    void set(std::string_view did, std::string_view key, std::string_view endpoint) {
        constexpr std::string_view scheme = "did:key:";
        if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
        set_answer(did, 200, did_document(did, key, endpoint));
    }
    void set(std::string_view did, const crypto::PublicKey& key, std::string_view endpoint) {
        set(did, crypto::to_multikey(key), endpoint);
    }
    void remove(std::string_view did) { set_answer(did, 404, R"({"message":"not registered"})"); }
    // Any answer at all, for this DID alone.
    void set_answer(std::string_view did, std::uint16_t status, std::string body) {
        Answer answer{status, std::move(body)};
        if (!lags_) served_.insert_or_assign(std::string(did), answer);
        truth_.insert_or_assign(std::string(did), std::move(answer));
    }

    // How it answers everybody, until told otherwise; what it knows stays.
    void be_well() { manner_ = {}; }
    void be_slow(Nanos delay) { manner_ = {.delay = delay}; }
    void be_silent() { manner_ = {.delay = std::chrono::minutes(10)}; }
    // `retry_after`: the text of that header.
    void fail_with(std::uint16_t status, std::optional<std::string> retry_after = {}) {
        manner_ = {.status = status, .retry_after = std::move(retry_after)};
    }
    // From now on what is set is not served; then it is, all at once.
    void lag() { lags_ = true; }
    void catch_up() {
        lags_ = false;
        served_ = truth_;
    }

    std::size_t requests() const { return requests_; }
    std::size_t requests(std::string_view did) const {
        auto found = requests_of_.find(did);
        return found == requests_of_.end() ? 0 : found->second;
    }
    std::size_t most_at_once() const { return most_at_once_; }
    const std::string& last_user_agent() const { return last_user_agent_; }

    net::HttpResponse answer(const net::HttpRequest& request) {
        std::string did(request.path().substr(1));
        ++requests_;
        ++requests_of_[did];
        last_user_agent_ = request.headers.find("user-agent").value_or("");
        most_at_once_ = std::max(most_at_once_, ++at_once_);
        Manner manner = manner_;
        if (manner.delay > Nanos(0)) static_cast<void>(fiber::sleep_for(manner.delay));
        --at_once_;
        net::HttpResponse response{manner.status, {}, {}};
        if (manner.retry_after) response.headers.add("Retry-After", *manner.retry_after);
        if (manner.status != 200) return response;
        auto found = served_.find(did);
        response.status = found == served_.end() ? 404 : found->second.status;
        if (found != served_.end()) response.body = found->second.body;
        response.headers.add("Content-Type", "application/did+ld+json");
        return response;
    }

    static net::HttpServerOptions server_options() {
        net::HttpServerOptions options;
        options.max_connections_per_address = options.max_connections;
        return options;
    }

  private:
    struct Answer {
        std::uint16_t status;
        std::string body;
    };
    struct Manner {
        Nanos delay{0};
        std::uint16_t status = 200;
        std::optional<std::string> retry_after = {};
    };

    std::map<std::string, Answer, std::less<>> truth_;
    std::map<std::string, Answer, std::less<>> served_;
    Manner manner_;
    bool lags_ = false;
    std::map<std::string, std::size_t, std::less<>> requests_of_;
    std::size_t requests_ = 0;
    std::size_t at_once_ = 0;
    std::size_t most_at_once_ = 0;
    std::string last_user_agent_;
};

class SimPlc : public FakePlc {
  public:
    static constexpr std::uint16_t port = 2582;

    SimPlc(env::World& world, std::string name)
        : address_(world.machine(name).address(port)), name_(std::move(name)) {
        world.machine(name_).start_worker({.name = name_, .index = 0}, [this] { run(); });
    }

    Address address() const { return address_; }
    std::string url() const { return "http://" + address_.text(); }

  private:
    void run() {
        auto listener = env_.net.listen(address_);
        RINGLAY_ASSERT(listener.has_value());
        net::HttpServer server(
            env_, server_options(), counters_,
            [this](const net::HttpRequest& request, const Address&) { return answer(request); });
        server.serve(*listener);
    }

    const Address address_;
    const std::string name_;
    env::Env env_;
    net::HttpServerCounters counters_;
};

}  // namespace ringlay::support
