// The relay between hosts and a directory: what new accounts cost, and whom they keep waiting. In
// the simulated world.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "crypto/signing_key.hpp"
#include "relay/net/http_client.hpp"
#include "tests/sim/line.hpp"
#include "tests/support/signed_repo.hpp"
#include "tests/support/sim_pds.hpp"
#include "tests/support/sim_plc.hpp"

using namespace ringlay;
using namespace ringlay::support;
using namespace std::chrono_literals;

namespace {

std::string did_number(std::size_t number) {
    std::string id(24, 'a');
    for (std::size_t at = id.size(); number > 0; number /= 26) {
        id[--at] = static_cast<char>('a' + number % 26);
    }
    return "did:plc:" + id;
}

// Hosts that say of any DIDs that they are active, and a consumer that sees what comes out.
struct DirectoryLine {
    DirectoryLine() : line({}, 1) {
        plc.emplace(line.world, "plc");
        line.adjust = [this](RelayOptions& options) {
            options.config.plc_url = plc->url();
            options.config.key_wait_ms = 2000;
            for (const auto& pds : hosts) {
                options.config.hosts.push_back({pds->address().ip_text(), SimPds::port});
            }
            if (adjust) adjust(options);
        };
    }

    SimPds& add_host(std::string name) {
        return *hosts.emplace_back(std::make_unique<SimPds>(
            line.world, std::move(name),
            [](std::string_view) -> std::optional<SimPds::RepoStatus> { return std::nullopt; }));
    }
    void start() {
        line.start_relay();
        line.consumers.push_back(
            std::make_unique<SimConsumer>(line.world, "consumer", line.relay_address(), 0));
        line.world.run_for(5s);
    }

    void enroll(SimPds& pds, const std::string& did) {
        static const crypto::PublicKey key = [] {
            std::array<std::uint8_t, 32> secret{};
            secret[31] = 7;
            return crypto::SigningKey::from_secret(crypto::Curve::k256, secret)
                .value()
                .public_key();
        }();
        plc->set(did, key, pds.endpoint());
    }
    static void say_active(SimPds& pds, const std::string& did) {
        const std::uint64_t seq = pds.last_seq() + 1;
        pds.append(seq, proto::encode_frame(proto::AccountEvent{.seq = seq,
                                                                .did = did,
                                                                .time = "2026-01-01T00:00:00.000Z",
                                                                .is_active = true,
                                                                .status = {}}));
    }
    // How many DIDs numbered `first` and up to `last` have come out.
    std::size_t seen(std::size_t first, std::size_t last) const {
        std::set<std::string> wanted, found;
        for (std::size_t number = first; number <= last; ++number)
            wanted.insert(did_number(number));
        for (const auto& seen : line.consumers[0]->seen()) {
            const std::size_t at = seen.event.find("did:plc:");
            if (at == std::string::npos) continue;
            std::string did = seen.event.substr(at, 32);
            if (wanted.contains(did)) found.insert(std::move(did));
        }
        return found.size();
    }

    // A page of the relay's: its status and its text.
    std::pair<std::uint16_t, std::string> page(std::string_view path) {
        std::optional<std::pair<std::uint16_t, std::string>> answer;
        const Address address = line.world.machine("relay").address(firehose_port + 1);
        const std::string text = "http://" + address.text() + std::string(path);
        line.world.machine("operator").start_worker({.name = "operator", .index = 0}, [&] {
            auto response = net::fetch(operators, proto::parse_url(text).value(), {});
            answer.emplace(response ? response->status : 0,
                           response ? response->body : response.error().reason);
        });
        REQUIRE_FALSE(line.world.run_until_true([&] { return answer.has_value(); }).has_value());
        return *answer;
    }
    std::string metrics() { return page("/metrics").second; }
    std::pair<std::uint16_t, std::string> health() { return page("/_health"); }

    env::Env operators;
    std::optional<SimPlc> plc;
    std::vector<std::unique_ptr<SimPds>> hosts;
    std::function<void(RelayOptions&)> adjust;
    Line line;  // last: its world sees the fibers of all these end
};

}  // namespace

TEST_CASE("a host that sends thousands of DIDs of others does not delay others' new accounts") {
    DirectoryLine it;
    SimPds& hostile = it.add_host("hostile");
    SimPds& honest = it.add_host("honest");
    SimPds& large = it.add_host("large");
    it.adjust = [](RelayOptions& options) {
        options.config.unverified = base::Unverified::drop;
        options.shard.resolver.max_waiting = 64 * 1024;
    };
    it.plc->be_slow(500ms);
    it.start();
    for (std::size_t i = 0; i < 5000; ++i) it.say_active(hostile, did_number(100'000 + i));
    it.line.world.run_for(1s);
    for (std::size_t i = 1; i <= 10; ++i) {
        it.enroll(honest, did_number(i));
        it.say_active(honest, did_number(i));
        it.line.world.run_for(1500ms);
        CHECK(it.seen(1, i) == i);
    }
    // Its own accounts, more than may be in vain, are no reason to wait.
    for (std::size_t i = 1000; i < 1600; ++i) {
        it.enroll(large, did_number(i));
        it.say_active(large, did_number(i));
    }
    it.line.world.run_for(15s);
    CHECK(it.seen(1000, 1599) == 600);
    // The flood: what may be at once, and one more each second.
    const std::size_t in_vain = it.plc->requests() - 610;
    CHECK(in_vain >= 300);
    CHECK(in_vain < 360);
}

TEST_CASE("what is verified, and who is met for the first time, is counted as what it is") {
    DirectoryLine it;
    SimPds& pds = it.add_host("host");
    it.start();
    for (std::size_t i = 1; i <= 3; ++i) {
        it.enroll(pds, did_number(i));
        it.say_active(pds, did_number(i));
        it.line.world.run_for(1s);
    }
    it.say_active(pds, did_number(1));
    it.line.world.run_for(10s);
    const std::string page = it.metrics();
    for (std::string_view line :
         {"relay_validation_total{result=\"validated\"} 4", "relay_new_users_discovered 3",
          "relay_validation_total{result=\"unverified\"} 0",
          "relay_validation_total{result=\"failed\"} 0", "relay_frames_received_total 4",
          "relay_resolve_queued_set_count 0", "relay_frames_broadcast_total 4"}) {
        CAPTURE(line);
        CHECK(page.find("\n" + std::string(line) + "\n") != std::string::npos);
    }
}

TEST_CASE("a host is charged for each new account, whether the directory answers or not") {
    for (bool is_well : {true, false}) {
        CAPTURE(is_well);
        DirectoryLine it;
        SimPds& pds = it.add_host("host");
        it.adjust = [&](RelayOptions& options) {
            options.config.host_events_per_second = 1;
            if (!is_well) options.config.key_wait_ms = 0;
        };
        if (!is_well) it.plc->fail_with(500);
        it.start();
        constexpr std::size_t accounts = 600;
        for (std::size_t i = 0; i < accounts; ++i) {
            it.enroll(pds, did_number(i));
            it.say_active(pds, did_number(i));
        }
        // 600 events at once, or 100 new accounts and what was on its way; then one of these in six
        // seconds, and sooner when it has more accounts.
        it.line.world.run_for(60s);
        const std::size_t passed = it.seen(0, accounts - 1);
        CHECK(passed >= 100);
        CHECK(passed < 400);
        it.line.world.run_for(300s);
        CHECK(it.seen(0, accounts - 1) < accounts);
        it.line.world.run_for(3300s);
        CHECK(it.seen(0, accounts - 1) == accounts);
    }
}

TEST_CASE("a directory that does not answer is named in health, with the reason, until it does") {
    constexpr std::string_view no_reasons = "\"reasons\":[]";
    DirectoryLine it;
    SimPds& pds = it.add_host("host");
    it.start();
    CHECK(it.health().second.find(no_reasons) != std::string::npos);
    it.plc->fail_with(503);
    it.enroll(pds, did_number(0));
    it.say_active(pds, did_number(0));
    it.line.world.run_for(1s);
    CHECK(it.health().second.find("directory:") == std::string::npos);  // once is nothing
    for (std::size_t i = 1; i < 5; ++i) {
        it.enroll(pds, did_number(i));
        it.say_active(pds, did_number(i));
    }
    it.line.world.run_for(180s);
    auto [status, text] = it.health();
    CAPTURE(text);
    CHECK(status == 200);
    CHECK(text.find("directory: no answer for 3 min (status 503)") != std::string::npos);
    it.plc->be_well();
    it.line.world.run_for(180s);
    CHECK(it.health().second.find(no_reasons) != std::string::npos);
}

TEST_CASE("a directory that is not there is named in health") {
    DirectoryLine it;
    SimPds& pds = it.add_host("host");
    it.adjust = [](RelayOptions& options) { options.config.plc_url = "http://127.0.0.1:9"; };
    it.start();
    for (std::size_t i = 0; i < 5; ++i) it.say_active(pds, did_number(i));
    it.line.world.run_for(30s);
    const std::string text = it.health().second;
    CAPTURE(text);
    CHECK(text.find(" s (Connection refused)") != std::string::npos);
}

TEST_CASE("when this machine's clock is behind, health says by how much") {
    DirectoryLine it;
    std::vector<SignedRepo> repos;
    for (std::uint64_t i = 0; i < 12; ++i) {
        SimPds& pds = it.add_host("pds" + std::to_string(i));
        repos.emplace_back(i + 1);
        it.plc->set(repos.back().did(), repos.back().public_key(), pds.endpoint());
    }
    it.start();
    for (int round = 0; round < 5; ++round) {
        for (std::size_t i = 0; i < repos.size(); ++i) {
            SimPds& pds = *it.hosts[i];
            const std::uint64_t seq = pds.last_seq() + 1;
            const std::string path = "app.bsky.feed.post/" + std::to_string(round);
            pds.append(seq, repos[i].create(seq, it.line.world.wall() + 6min, path));
        }
        it.line.world.run_for(2s);
    }
    auto [status, text] = it.health();
    CAPTURE(text);
    CHECK(status == 200);
    CHECK(text.find("clock: this machine's clock is about 6 min behind") != std::string::npos);
}
