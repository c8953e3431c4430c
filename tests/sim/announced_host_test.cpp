// Hosts that strangers announce, in the simulated world.

#include <catch2/catch.hpp>

#include "crypto/tls.hpp"
#include "tests/sim/host_stage.hpp"

using namespace ringlay;
using namespace ringlay::support;
using namespace std::chrono_literals;

TEST_CASE(
    "an announced host is asked through the strangers' door, and nothing is told of networks") {
    Stage stage([](ScriptedHost::Connection connection) { connection.live_on(); });
    auto identity = crypto::make_self_signed(std::vector<std::string>{"x.com"}, 0, 1).value();
    auto tls = crypto::TlsClientContext::from_pem(identity.certificate_pem).value();
    const Address inside = stage.line.world.machine("host").address(0);
    stage.line.world.net().set_name("pds.stranger.com", {inside});
    stage.line.crash_relay(env::CrashMode::kill);
    stage.line.adjust = [&, before = stage.line.adjust](RelayOptions& options) {
        before(options);
        options.tls = tls.get();
        options.config.allow_private_hosts = base::PrivateHosts::parse(inside.ip_text()).value();
    };
    stage.line.start_relay();
    stage.line.world.run_for(10s);
    const std::string answer =
        stage.order("/xrpc/com.atproto.sync.requestCrawl", R"({"hostname":"pds.stranger.com"})");
    CHECK(answer.contains(" 400 "));
    CHECK(answer.contains("HostNotFound"));
    CHECK_FALSE(answer.contains(inside.ip_text()));
    CHECK_FALSE(answer.contains("public internet"));
    // The guard of the operator's hosts would have let it through.
    CHECK(stage.shows("relay_host_checks_total 1"));
    CHECK(stage.shows("relay_dials_refused_total 1"));
}
