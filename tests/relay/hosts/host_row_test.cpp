#include "relay/hosts/host_row.hpp"

#include <catch2/catch.hpp>

#include "relay/base/registrable_domain.hpp"
#include "relay/hosts/lifecycle.hpp"
#include "relay/hosts/new_host_quota.hpp"
#include "relay/hosts/registry.hpp"

using namespace ringlay;
using namespace ringlay::hosts;
using namespace std::chrono_literals;

namespace {

HostRow full_row() {
    HostRow row;
    row.address = {"pds.example", 8443, true};
    row.source = HostSource::admin;
    row.state = HostState::quarantined;
    row.limits = {.events_per_second = 0, .bytes_per_second = 7, .new_accounts_per_hour = 9};
    row.is_trusted = true;
    row.ban_reason = "spam";
    row.added = WallMillis(1);
    row.last_connected = WallMillis(2);
    row.last_event = WallMillis(3);
    row.failure = "stream: closed";
    row.added_from = "192.0.2.1";
    return row;
}

std::string parsed(std::string_view text) {
    auto address = Registry::parse_hostname(text);
    if (!address) return "refused";
    return (address->is_tls ? "tls " : "plain ") + host_name(*address);
}

}  // namespace

TEST_CASE("a row is read as it was written") {
    const HostRow row = full_row();
    auto stored = decode_row(encode(row, 42));
    REQUIRE(stored);
    CHECK(stored->id == 42);
    CHECK(stored->row == row);
    HostRow bare;
    bare.address = {"a.example", 443, true};
    CHECK(decode_row(encode(bare, 1))->row == bare);
    for (std::optional<std::uint64_t> cursor :
         {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(0),
          std::optional<std::uint64_t>(77)}) {
        bare.cursor_order = CursorOrder{cursor};
        CHECK(decode_row(encode(bare, 1))->row == bare);
    }
}

TEST_CASE("a row that is cut anywhere is refused or says less, and never reads beyond") {
    const Buffer whole = encode(full_row(), 42);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        auto stored = decode_row(Bytes(whole).first(size));
        if (stored) CHECK(stored->row.address.name == "pds.example");
    }
    CHECK_FALSE(decode_row({}));
}

TEST_CASE("fields of a later version are passed over") {
    Buffer bytes = encode(full_row(), 42);
    bytes.insert(bytes.end(), {200, 3, 0, 'x', 'y', 'z'});
    CHECK(decode_row(bytes)->row == full_row());
}

TEST_CASE("a host's name has its port unless it is https on 443") {
    CHECK(host_name({"a.example", 443, true}) == "a.example");
    CHECK(host_name({"a.example", 8443, true}) == "a.example:8443");
    CHECK(host_name({"a.example", 80, false}) == "a.example:80");
    CHECK(host_name({"a.example", 443, false}) == "a.example:443");
    CHECK(host_name({"::1", 2600, false}) == "[::1]:2600");
}

TEST_CASE("each state has a name, and one that the lexicon knows") {
    const std::map<HostState, std::pair<std::string, std::string>> names{
        {HostState::pending, {"pending", "offline"}},
        {HostState::active, {"active", "active"}},
        {HostState::idle, {"idle", "idle"}},
        {HostState::offline, {"offline", "offline"}},
        {HostState::throttled, {"throttled", "throttled"}},
        {HostState::quarantined, {"quarantined", "throttled"}},
        {HostState::banned, {"banned", "banned"}}};
    for (const auto& [state, both] : names) {
        CHECK(state_name(state) == both.first);
        CHECK(public_name(state) == both.second);
    }
}

TEST_CASE("what a stranger calls a host is understood, or refused") {
    CHECK(parsed("pds.example") == "tls pds.example");
    CHECK(parsed("PDS.Example") == "tls pds.example");
    CHECK(parsed("https://pds.example") == "tls pds.example");
    CHECK(parsed("wss://pds.example/xrpc/x?y=1") == "tls pds.example");
    CHECK(parsed("http://pds.example") == "plain pds.example:80");
    CHECK(parsed("ws://pds.example:2583") == "plain pds.example:2583");
    CHECK(parsed("pds.example:8443") == "tls pds.example:8443");
    CHECK(parsed("pds.example:443") == "tls pds.example");
    CHECK(parsed("localhost:2583") == "plain localhost:2583");
    CHECK(parsed("https://localhost:2583") == "tls localhost:2583");
    CHECK(parsed("127.0.0.1:2583") == "plain 127.0.0.1:2583");
    CHECK(parsed("[::1]:2583") == "plain [::1]:2583");
    for (std::string_view wrong : {"",
                                   "localhost",
                                   "a.localhost",
                                   "ftp://pds.example",
                                   "https://u:p@pds.example",
                                   "pds..example",
                                   ".example",
                                   "pds.example.",
                                   "-a.example",
                                   "a_b.example",
                                   "0x7f.1",
                                   "2130706433",
                                   "1.2.3",
                                   "pds.example:0",
                                   "pds.example:70000",
                                   "pds.example:x",
                                   "a b.example",
                                   "https://",
                                   "://",
                                   "pds.example\n"}) {
        CAPTURE(wrong);
        CHECK(parsed(wrong) == "refused");
    }
    CHECK(parsed(std::string(64, 'a') + ".example") == "refused");
    CHECK(parsed(std::string(600, 'a')) == "refused");
    CHECK(Registry::parse_hostname("localhost").error().words.contains("localhost:2583"));
}

TEST_CASE("a host's state follows from what is reported, by the table") {
    const HostReport well{.is_connected = true, .was_connected = true};
    auto with = [&](auto change) {
        HostReport report = well;
        change(report);
        return report;
    };
    for (HostState now : {HostState::pending, HostState::active, HostState::idle,
                          HostState::offline, HostState::throttled, HostState::quarantined}) {
        CHECK(next_state(now, well) == HostState::active);
        CHECK(next_state(now, with([](auto& r) { r.is_quarantined = true; })) ==
              HostState::quarantined);
        CHECK(next_state(now, with([](auto& r) { r.is_throttled = true; })) ==
              HostState::throttled);
        CHECK(next_state(now, with([](auto& r) { r.silent_for = 1h; })) == HostState::idle);
        CHECK(next_state(now, with([](auto& r) { r.silent_for = 1h - 1ns; })) == HostState::active);
        CHECK(next_state(now, with([](auto& r) { r.is_connected = false; })) == HostState::offline);
        CHECK(next_state(now, HostReport{}) == HostState::pending);
        CHECK(next_state(now, with([](auto& r) {
                             r.is_connected = false;
                             r.is_quarantined = true;
                         })) == HostState::quarantined);
    }
    CHECK(next_state(HostState::banned, well) == HostState::banned);
}

TEST_CASE("strangers may add so many hosts a day, a domain, an address") {
    const WallMillis today = 1000 * 24h;
    const Address one = Address::v4(192, 0, 2, 1, 5);
    const Address other = Address::v4(192, 0, 2, 2, 5);
    NewHostQuota quota({.per_day = 6, .per_domain = 2, .per_address = 3});
    CHECK_FALSE(quota.take(today, "a.evil.example", one));
    CHECK_FALSE(quota.take(today, "b.evil.example", one));
    CHECK(quota.take(today, "c.evil.example", one)->contains("evil.example"));
    CHECK_FALSE(quota.take(today, "x.co.uk", one));
    CHECK(quota.take(today, "y.co.uk", one)->contains("your address"));
    CHECK_FALSE(quota.take(today, "y.co.uk", other));  // another registrable domain than x.co.uk
    CHECK_FALSE(quota.take(today, "z.co.uk", std::nullopt));
    CHECK_FALSE(quota.take(today, "v.co.uk", std::nullopt));
    CHECK(quota.take(today, "u.co.uk", std::nullopt)->contains("today"));
    CHECK_FALSE(quota.take(today + 24h, "c.evil.example", one));
}

TEST_CASE("of IPv6 a whole /64 is one address to the quota") {
    NewHostQuota quota({.per_day = 100, .per_domain = 100, .per_address = 1});
    const WallMillis today = 1000 * 24h;
    CHECK_FALSE(quota.take(today, "a.example", Address::parse("2001:db8::1", 1).value()));
    CHECK(quota.take(today, "b.example", Address::parse("2001:db8::2", 2).value()));
    CHECK_FALSE(quota.take(today, "c.example", Address::parse("2001:db8:0:1::1", 1).value()));
}

TEST_CASE("the part of a name that somebody registers") {
    CHECK(base::registrable_domain("a.b.co.uk") == "b.co.uk");
    CHECK(base::registrable_domain("b.co.uk") == "b.co.uk");
    CHECK(base::registrable_domain("x.y.example.com") == "example.com");
    CHECK(base::registrable_domain("x.alice.github.io") == "alice.github.io");
    CHECK(base::registrable_domain("com") == "com");
    CHECK(base::registrable_domain("localhost") == "localhost");
    CHECK(base::registrable_domain("10.1.2.3") == "10.1.2.3");
    CHECK(base::registrable_domain("") == "");
}
