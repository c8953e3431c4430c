#include "relay/identity/identity.hpp"

#include "relay/identity/directory_pace.hpp"
#include "relay/identity/refresh_budget.hpp"
#include "relay/identity/web_did.hpp"
#include "tests/relay/identity/rig.hpp"

using namespace ringlay;
using namespace ringlay::identity;
using namespace std::chrono_literals;
using proto::DidDocument;
using proto::KeyForm;

namespace {

std::string multibase(Bytes bytes) {
    return "z" + crypto::to_base58(bytes);
}

std::optional<std::string> site(std::string_view did, std::string_view allowed = "") {
    auto web = parse_web_did(did, base::PrivateHosts::parse(allowed).value());
    return web ? std::optional(web->site) : std::nullopt;
}
std::optional<std::string> url(std::string_view did, std::string_view allowed = "") {
    auto web = parse_web_did(did, base::PrivateHosts::parse(allowed).value());
    return web ? std::optional(web->url) : std::nullopt;
}

}  // namespace

TEST_CASE("an identity has the first key that parses") {
    DidDocument document;
    document.pds_host = "pds.example";
    CHECK_FALSE(identity_of(document).is_working());
    CHECK(identity_of(document).pds_host == "pds.example");

    document.keys = {{KeyForm::multikey, "zNoKey"},
                     {KeyForm::legacy_k256, crypto::to_multikey(some_key(9))},
                     {KeyForm::multikey, crypto::to_multikey(some_key(1))},
                     {KeyForm::multikey, crypto::to_multikey(some_key(2))}};
    CHECK(identity_of(document) == Identity{some_key(1), "pds.example"});
    CHECK(identity_of(document).is_working());
    document.pds_host.reset();
    CHECK_FALSE(identity_of(document).is_working());
    document.keys.resize(2);
    CHECK_FALSE(identity_of(document).key.has_value());
}

TEST_CASE("a key of an old form is of the curve that its type names") {
    std::array<std::uint8_t, 32> secret{};
    secret[31] = 7;
    for (auto [curve, form] : {std::pair(crypto::Curve::k256, KeyForm::legacy_k256),
                               std::pair(crypto::Curve::p256, KeyForm::legacy_p256)}) {
        auto key = crypto::SigningKey::from_secret(curve, secret).value().public_key();
        DidDocument document;
        document.keys = {{form, multibase(key.compressed())}};
        CHECK(identity_of(document).key == key);
    }
    DidDocument of_2019;
    of_2019.keys = {{KeyForm::legacy_k256,
                     "zQYEBzXeuTM9UR3rfvNag6L3RNAs5pQZyYPsomTsgQhsxLdEgCrPTLgFna8yqCnxPpNT7DBk6Ym3d"
                     "gPKNu86vt9GR"}};
    CHECK(identity_of(of_2019).key ==
          crypto::parse_multikey("zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF").value());
}

TEST_CASE("a did:web is a whole public host") {
    CHECK(url("did:web:alice.com") == "https://alice.com/.well-known/did.json");
    CHECK(url("did:web:Alice.COM") == "https://alice.com/.well-known/did.json");
    CHECK(url("did:web:a.b.alice.com") == "https://a.b.alice.com/.well-known/did.json");
    for (std::string_view did : {"did:web:",
                                 "did:web:com",
                                 "did:web:alice.com:user",
                                 "did:web:alice.com%3A443",
                                 "did:web:alice.com%2Fx",
                                 "did:web:localhost",
                                 "did:web:localhost%3A2600",
                                 "did:web:127.0.0.1",
                                 "did:web:10.0.0.1",
                                 "did:web:alice.com.",
                                 "did:web:a..com",
                                 "did:web:alice.local",
                                 "did:web:alice.localhost",
                                 "did:web:alice.internal",
                                 "did:web:alice.onion",
                                 "did:web:alice.arpa",
                                 "did:web:alice.invalid",
                                 "did:web:alice.example",
                                 "did:web:alice.alt",
                                 "did:web:alice.test",
                                 "did:web:a_b.com",
                                 "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
                                 "did:key:zQ3s",
                                 "did:webs:alice.com",
                                 ""}) {
        CAPTURE(did);
        CHECK_FALSE(url(did).has_value());
    }
}

TEST_CASE("where local ones are allowed, a did:web may have a port, over plain HTTP") {
    CHECK(url("did:web:localhost%3A2600", "all") == "http://localhost:2600/.well-known/did.json");
    CHECK(url("did:web:127.0.0.1%3a2600", "all") == "http://127.0.0.1:2600/.well-known/did.json");
    CHECK(url("did:web:pds.test%3A80", "all") == "http://pds.test:80/.well-known/did.json");
    CHECK(url("did:web:pds.internal", "all") == "https://pds.internal/.well-known/did.json");
    for (std::string_view did :
         {"did:web:localhost%3A", "did:web:localhost%3A0", "did:web:localhost%3A70000",
          "did:web:localhost%3A26%2F", "did:web:localhost%3A1%3A2", "did:web:%3A2600",
          "did:web:localhost%3A2600:user", "did:web:localhost:2600", "did:web:localhost%3A1/x",
          "did:web:", "did:web:a%2Fb", "did:web:a%40b%3A1"}) {
        CAPTURE(did);
        CHECK_FALSE(url(did, "all").has_value());
    }
}

TEST_CASE("a did:web in a private network is one that a pattern names, with its port") {
    const char* list = "localhost:2600,*.lan,10.0.0.0/8,pds.test:443";
    CHECK(url("did:web:localhost%3A2600", list));
    CHECK_FALSE(url("did:web:localhost%3A2601", list));
    CHECK_FALSE(url("did:web:localhost", list));
    CHECK(url("did:web:pds.lan", list) == "https://pds.lan/.well-known/did.json");
    CHECK(url("did:web:pds.lan%3A80", list) == "http://pds.lan:80/.well-known/did.json");
    CHECK(url("did:web:pds.test", list));
    CHECK_FALSE(url("did:web:pds.test%3A80", list));
    CHECK_FALSE(url("did:web:alice.com%3A80", list));
    CHECK_FALSE(url("did:web:10.0.0.1", list));  // a network is asked about what is dialled
    CHECK(url("did:web:alice.com", list));
}

TEST_CASE("names that one owner can make up share a site") {
    CHECK(site("did:web:alice.com") == "alice.com");
    CHECK(site("did:web:a.b.c.ALICE.com") == "alice.com");
    CHECK(site("did:web:bob.com") == "bob.com");
    CHECK(site("did:web:a.b.alice.co.uk") == "alice.co.uk");
    CHECK(site("did:web:alice.co.uk") == "alice.co.uk");
    CHECK(site("did:web:co.uk") == "co.uk");
    CHECK(site("did:web:b.alice.uk") == "alice.uk");
    CHECK(site("did:web:a.co.com") == "co.com");
    CHECK(site("did:web:a.127.0.0.1.com") == "1.com");
    CHECK(site("did:web:localhost%3A1", "all") == "localhost:1");
    CHECK(site("did:web:127.0.0.1%3A1", "all") == "127.0.0.1:1");
    CHECK(site("did:web:127.0.0.2%3A1", "all") == "127.0.0.2:1");
    CHECK(site("did:web:a.b.test%3A1", "all") == "b.test:1");
}

TEST_CASE("a directory that fails several times in a row is left alone, longer each time") {
    DirectoryPace pace;
    Nanos now = 100s;
    CHECK(pace.allowed(now, 16) == 16);
    pace.failed(now, now, {}, 0);
    pace.failed(now, now, {}, 0);
    CHECK(pace.allowed(now, 16) == 16);
    pace.failed(now, now, {}, UINT64_MAX / 2);
    CHECK(pace.is_backing_off());
    CHECK(pace.allowed(now, 16) == 0);
    for (Nanos delay = 1s;; delay = std::min<Nanos>(delay * 2, 60s)) {
        Nanos opens = pace.opens_at();
        CHECK(opens - now >= delay / 2);
        CHECK(opens - now <= delay);
        CHECK(pace.allowed(opens - Nanos(1), 16) == 0);
        CHECK(pace.allowed(opens, 16) == 1);
        if (now > 1h) break;
        now = opens;
        pace.failed(now, now, {}, static_cast<std::uint64_t>(now.count()));
    }
    pace.succeeded();
    CHECK_FALSE(pace.is_backing_off());
    now = pace.opens_at();
    CHECK(pace.allowed(now, 16) == 16);
    for (int i = 0; i < 3; ++i) pace.failed(now, now, {}, 0);
    CHECK(pace.opens_at() == now + 500ms);
}

TEST_CASE("the jitter of a pause is between its half and its whole") {
    Nanos least = 10s, most = 0s;
    for (std::uint64_t random = 0; random < 1000; ++random) {
        DirectoryPace pace;
        for (int i = 0; i < 3; ++i) pace.failed(1s, 1s, {}, random * 500'000'001 / 999);
        least = std::min(least, pace.opens_at() - 1s);
        most = std::max(most, pace.opens_at() - 1s);
    }
    CHECK(least == 500ms);
    CHECK(most >= 999ms);
    CHECK(most <= 1s);
}

TEST_CASE("what was asked before the back-off does not make it longer") {
    DirectoryPace pace;
    for (int i = 0; i < 3; ++i) pace.failed(5s, 10s, {}, 0);
    Nanos opens = pace.opens_at();
    for (int i = 0; i < 16; ++i) pace.failed(10s - Nanos(1), 12s, {}, 0);
    CHECK(pace.opens_at() == opens);
    pace.failed(opens, opens, {}, 0);
    CHECK(pace.opens_at() == opens + 1s);
}

TEST_CASE("failures that are not in a row are no back-off") {
    DirectoryPace pace;
    for (int i = 0; i < 10; ++i) {
        pace.failed(1s, 1s, {}, 0);
        pace.failed(1s, 1s, {}, 0);
        pace.succeeded();
    }
    CHECK(pace.allowed(1s, 16) == 16);
}

TEST_CASE("a directory is left alone for as long as it asks, up to a limit") {
    DirectoryPace pace;
    pace.failed(10s, 10s, 30s, 0);
    CHECK(pace.allowed(40s - Nanos(1), 16) == 0);
    CHECK(pace.allowed(40s, 16) == 16);
    pace.failed(10s, 11s, 5s, 0);  // asked for less than it had asked for already
    CHECK(pace.opens_at() == 40s);
    pace.failed(40s, 40s, 24h, 0);
    CHECK(pace.opens_at() == 40s + 5min);
    CHECK(pace.is_backing_off());
    pace.succeeded();
    CHECK(pace.allowed(40s, 16) == 0);
}

TEST_CASE("each host has refreshes for a minute, which grow back") {
    RefreshBudget budget(60);
    Nanos now = 1000s;
    for (int i = 0; i < 60; ++i) CHECK(budget.take(1, now));
    CHECK_FALSE(budget.take(1, now));
    CHECK(budget.take(2, now));
    CHECK_FALSE(budget.take(1, now + 1s - Nanos(1)));
    CHECK(budget.take(1, now + 1s));
    CHECK_FALSE(budget.take(1, now + 1s));
    now += 10min;
    for (int i = 0; i < 60; ++i) CHECK(budget.take(1, now));
    CHECK_FALSE(budget.take(1, now));
    RefreshBudget none(0);
    CHECK_FALSE(none.take(1, now));
    RefreshBudget one(1);
    CHECK(one.take(1, now));
    CHECK_FALSE(one.take(1, now + 59s));
    CHECK(one.take(1, now + 60s));
}

TEST_CASE("hosts that have all their refreshes again are forgotten") {
    RefreshBudget budget(60);
    Nanos now = 1000s;
    for (std::uint32_t host = 0; host < RefreshBudget::max_hosts; ++host) {
        REQUIRE(budget.take(host, now));
    }
    CHECK_FALSE(budget.take(1u << 30, now));
    CHECK(budget.take(7, now));  // who has a bucket keeps it
    CHECK(budget.size() == RefreshBudget::max_hosts);
    now += 1s;
    CHECK(budget.take(1u << 30, now));
    CHECK(budget.size() == 2);  // host 7 has spent two

    RefreshBudget quick(600);
    for (std::uint32_t host = 0; host < RefreshBudget::max_hosts; ++host) {
        REQUIRE(quick.take(host, now));
    }
    CHECK_FALSE(quick.take(1u << 30, now));
    CHECK_FALSE(quick.take(1u << 30, now + 500ms));  // all are full: looked at once a second
    CHECK(quick.take(1u << 30, now + 1s));
}
