#include "crypto/tls.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "tests/support/tls_pair.hpp"

using namespace ringlay;
using crypto::TlsClientContext;
using crypto::TlsEngine;
using crypto::TlsServerContext;
using support::identity_for;
using support::take_all;
using support::TlsParty;

namespace {

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Gives bytes to an end in pieces, and carries on what it does with each. False: it has failed.
template <class Cut>
bool give(TlsEngine& to, Bytes bytes, Cut next_size) {
    while (!bytes.empty()) {
        std::size_t size = std::min<std::size_t>(next_size(), bytes.size());
        static Buffer piece;
        piece.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        bytes = bytes.subspan(size);
        bool is_good = to.received(piece) && to.handshake();
        std::ranges::fill(piece, std::uint8_t{0xff});  // whoever reads it later is found out
        if (!is_good) return false;
    }
    return true;
}

std::size_t whole() {
    return SIZE_MAX;
}

// Until both have finished or one has failed. The client's result.
template <class Cut>
Result<bool> shake_hands(TlsEngine& client, TlsEngine& server, Cut next_size) {
    static_cast<void>(client.handshake());
    for (int turn = 0; turn < 20; ++turn) {
        static_cast<void>(give(server, take_all(client), next_size));
        static_cast<void>(give(client, take_all(server), next_size));
    }
    return client.handshake();
}
Result<bool> shake_hands(TlsEngine& client, TlsEngine& server) {
    return shake_hands(client, server, whole);
}

std::string read_all(TlsEngine& engine) {
    std::string text;
    Buffer room(20'000);
    for (;;) {
        auto size = engine.read(room);
        if (!size || *size == 0) return text;
        text.append(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(*size));
    }
}

// What one end sends, read by the other.
std::string pass(TlsEngine& from, TlsEngine& to) {
    Buffer sent = take_all(from);
    REQUIRE(to.received(sent));
    return read_all(to);
}

// What a client that believes `party` says of a server at `host`.
std::string verdict(const TlsParty& party, std::string_view host) {
    TlsEngine client = party.client->connect(host), server = party.server->accept();
    auto result = shake_hands(client, server);
    if (result) return *result ? "believed" : "unfinished";
    CHECK(result.error().code == Errc::no_permission);
    return client.failure();
}

// Two ends after the handshake.
struct Pair {
    explicit Pair(const TlsParty& party)
        : client(party.client->connect("a.example")), server(party.server->accept()) {
        REQUIRE(shake_hands(client, server).value());
        REQUIRE(server.handshake().value());
    }
    TlsEngine client;
    TlsEngine server;
};

}  // namespace

TEST_CASE("both ends read what the other has written, however the bytes were cut") {
    TlsParty party({"a.example"});
    auto seed = GENERATE(range(0u, 30u));
    CAPTURE(seed);
    std::mt19937 random(seed);
    auto cut = [&]() -> std::size_t { return seed == 0 ? 1 : 1 + random() % (seed * 100); };
    TlsEngine client = party.client->connect("a.example"), server = party.server->accept();
    REQUIRE(shake_hands(client, server, cut).value());
    REQUIRE(server.handshake().value());
    std::string wanted;
    for (std::size_t size : {1u, 600u, 16'384u, 16'385u, 50'000u, 3u}) {
        std::string text(size, static_cast<char>('a' + size % 26));
        wanted += text;
        Bytes left = bytes_of(text);
        std::string got;
        while (!left.empty()) {
            left = left.subspan(server.write(left).value());
            Buffer sent = take_all(server);
            for (Bytes rest = sent; !rest.empty();) {
                std::size_t count = std::min(cut(), rest.size());
                Buffer piece(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(count));
                rest = rest.subspan(count);
                REQUIRE(client.received(piece));
                std::size_t bound = client.readable_bytes(), before = got.size();
                got += read_all(client);
                REQUIRE(got.size() - before < bound);
            }
        }
        REQUIRE(got == text);
    }
    REQUIRE(client.write(bytes_of("answer")).value() == 6);
    CHECK(pass(client, server) == "answer");
    CHECK(client.readable_bytes() == 0);
    CHECK(client.to_send().empty());
    CHECK(client.failure().empty());
}

TEST_CASE("what comes together with the end of the handshake is not lost") {
    TlsParty party({"a.example"});
    TlsEngine client = party.client->connect("a.example"), server = party.server->accept();
    static_cast<void>(client.handshake());
    REQUIRE(give(server, take_all(client), whole));
    REQUIRE(give(client, take_all(server), whole));
    REQUIRE(client.handshake().value());
    REQUIRE(client.write(bytes_of("early")).value() == 5);
    REQUIRE(give(server, take_all(client), whole));
    CHECK(server.readable_bytes() > 5);
    CHECK(read_all(server) == "early");
    CHECK(server.readable_bytes() == 0);
}

TEST_CASE("reading with little room keeps the rest") {
    TlsParty party({"a.example"});
    Pair pair(party);
    REQUIRE(pair.server.write(bytes_of("one")).value() == 3);
    REQUIRE(pair.server.write(bytes_of("two")).value() == 3);
    {
        Buffer both = take_all(pair.server);
        REQUIRE(pair.client.received(both));
        std::uint8_t first = 0;
        REQUIRE(pair.client.read({&first, 1}).value() == 1);
        CHECK(first == 'o');
        std::ranges::fill(both, std::uint8_t{0});
    }
    REQUIRE(pair.server.write(bytes_of("three")).value() == 5);
    CHECK(pass(pair.server, pair.client) == "netwothree");
}

TEST_CASE("a certificate is for the names and addresses that it holds, and no other") {
    TlsParty party({"a.example", "*.wild.example", "192.0.2.1", "2001:db8::1"});
    for (std::string_view host :
         {"a.example", "A.Example", "a.example.", "x.wild.example", "192.0.2.1", "2001:db8::1"}) {
        CAPTURE(host);
        CHECK(verdict(party, host) == "believed");
    }
    for (std::string_view host : {"b.example", "x.a.example", "wild.example", "x.y.wild.example",
                                  "example", "192.0.2.2", "2001:db8::2", "a.example.evil"}) {
        CAPTURE(host);
        CHECK(verdict(party, host) ==
              "certificate is for a.example, *.wild.example, 192.0.2.1, 2001:db8::1, not for " +
                  std::string(host));
    }
    TlsParty many({"a.example", "b.example", "c.example", "d.example", "e.example"});
    CHECK(verdict(many, "x.example") ==
          "certificate is for a.example, b.example, c.example, d.example and more, not for "
          "x.example");
    // The subject, too, says a.example: it is not looked at.
    TlsParty lengthy({std::string(60, 'a') + "." + std::string(60, 'b')});
    CHECK(verdict(lengthy, "x.example") ==
          "certificate is for " + std::string(60, 'a') + ".bbb..., not for x.example");
    TlsParty address({"192.0.2.1"});
    CHECK(verdict(address, "a.example") == "certificate is for 192.0.2.1, not for a.example");
}

TEST_CASE("what is no name of a host is not asked for") {
    TlsParty party({"a.example"});
    using namespace std::string_view_literals;
    for (std::string_view host : {""sv, "a.example\0.evil"sv}) {
        TlsEngine client = party.client->connect(host);
        auto result = client.handshake();
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == Errc::invalid);
        CHECK(client.failure() == "no name of a host");
        CHECK(client.to_send().empty());
    }
}

TEST_CASE("certificates out of their time are refused, with the day") {
    const std::string names[] = {"a.example"};
    TlsParty expired(crypto::make_self_signed(names, support::year_2000, 30).value());
    CHECK(verdict(expired, "a.example") == "certificate has expired, on 2000-01-31");
    TlsParty early(crypto::make_self_signed(names, 4'102'444'800, 30).value());
    CHECK(verdict(early, "a.example") ==
          "certificate is not valid before 2100-01-01, if the clock of this machine is right");
}

TEST_CASE("a certificate of somebody unknown is refused, and the server is told") {
    TlsParty believed({"a.example"}), stranger({"a.example"});
    TlsEngine client = believed.client->connect("a.example"), server = stranger.server->accept();
    auto result = shake_hands(client, server);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::no_permission);
    CHECK(client.failure() == "certificate is signed by itself; bundle of ours");
    auto told = server.handshake();
    if (told) {
        std::uint8_t byte;
        CHECK_FALSE(server.read({&byte, 1}).has_value());
    }
    CHECK(server.failure() == "the peer refused: unknown CA");
    // It stays so.
    CHECK_FALSE(client.handshake().has_value());
    CHECK_FALSE(client.received(bytes_of("x")).has_value());
    CHECK_FALSE(client.write(bytes_of("x")).has_value());
    std::uint8_t byte;
    CHECK_FALSE(client.read({&byte, 1}).has_value());
}

TEST_CASE("cut at any byte, a handshake fails as a cut and nothing else") {
    TlsParty party({"a.example"});
    for (bool cut_server : {false, true}) {
        for (std::size_t left = 0;; ++left) {
            TlsEngine client = party.client->connect("a.example"), server = party.server->accept();
            static_cast<void>(client.handshake());
            std::size_t budget = left;
            bool is_cut = false;
            auto pass = [&](TlsEngine& from, TlsEngine& to, bool counts) {
                Buffer bytes = take_all(from);
                if (counts && bytes.size() > budget) {
                    bytes.resize(budget);
                    is_cut = true;
                }
                if (counts) budget -= bytes.size();
                return give(to, bytes, whole);
            };
            for (int turn = 0; turn < 3 && !is_cut; ++turn) {
                REQUIRE(pass(client, server, !cut_server));
                if (!is_cut || cut_server) REQUIRE(pass(server, client, cut_server));
            }
            if (!is_cut) break;
            TlsEngine& victim = cut_server ? client : server;
            victim.received_end();
            auto result = victim.handshake();
            REQUIRE_FALSE(result.has_value());
            REQUIRE(result.error().code == Errc::malformed);
            REQUIRE(victim.was_cut());
            REQUIRE(victim.failure() == "the connection was cut off in the TLS handshake");
        }
    }
}

TEST_CASE("an end with a goodbye is an end; one without is a cut, at any byte") {
    TlsParty party({"a.example"});
    Pair pair(party);
    REQUIRE(pair.server.write(bytes_of("last words")).value() == 10);
    pair.server.say_goodbye();
    Buffer sent = take_all(pair.server);
    REQUIRE(pair.client.received(sent));
    CHECK(read_all(pair.client) == "last words");
    std::uint8_t byte;
    auto end = pair.client.read({&byte, 1});
    REQUIRE_FALSE(end.has_value());
    CHECK(end.error().code == Errc::closed);
    CHECK_FALSE(pair.client.was_cut());
    CHECK(pair.client.failure() == "the peer has ended the connection");
    // The other direction is open still.
    REQUIRE(pair.client.write(bytes_of("bye")).value() == 3);
    CHECK(pass(pair.client, pair.server) == "bye");

    for (std::size_t size = 0; size < sent.size(); ++size) {
        CAPTURE(size);
        Pair other(party);
        REQUIRE(other.server.write(bytes_of("last words")).value() == 10);
        other.server.say_goodbye();
        Buffer part = take_all(other.server);
        part.resize(size);
        if (size > 0) REQUIRE(other.client.received(part));
        std::string text = read_all(other.client);
        other.client.received_end();
        auto cut = other.client.read({&byte, 1});
        REQUIRE_FALSE(cut.has_value());
        REQUIRE(cut.error().code == Errc::malformed);
        REQUIRE(other.client.was_cut());
        REQUIRE(other.client.failure() == "the connection was cut off");
        REQUIRE((text == "" || text == "last words"));
    }
}

TEST_CASE("any changed byte of a record is noticed") {
    TlsParty party({"a.example"});
    for (std::size_t at = 0; at < 32; ++at) {
        CAPTURE(at);
        Pair pair(party);
        REQUIRE(pair.server.write(bytes_of("ten  bytes")).value() == 10);
        Buffer sent = take_all(pair.server);
        REQUIRE(at < sent.size());
        sent[at] ^= 1;
        std::string text;
        if (pair.client.received(sent)) text = read_all(pair.client);
        CHECK(text == "");
        std::uint8_t byte;
        pair.client.received_end();
        CHECK_FALSE(pair.client.read({&byte, 1}).has_value());
    }
}

TEST_CASE("who does not speak TLS is told from who speaks it wrongly") {
    TlsParty party({"a.example"});
    const std::pair<std::string, std::string> peers[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer does not speak TLS"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "the peer does not speak TLS"},
        {std::string("\x15\x03\x01\x00\x02\x02\x28", 7), "the peer refused: handshake failure"},
        {std::string("\x15\x03\x03\x00\x02\x02\x46", 7), "the peer refused: protocol version"},
        {std::string("\x15\x03\x03\x00\x02\x02\x70", 7), "the peer refused: unrecognized name"},
    };
    for (const auto& [sent, words] : peers) {
        CAPTURE(sent);
        TlsEngine client = party.client->connect("a.example");
        static_cast<void>(client.handshake());
        CHECK_FALSE(give(client, bytes_of(sent), whole));
        CHECK(client.failure() == words);
        auto result = client.handshake();
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == Errc::malformed);
    }
}

TEST_CASE("TLS 1.1 is not spoken") {
    TlsParty party({"a.example"});
    TlsEngine client = party.client->connect("a.example");
    static_cast<void>(client.handshake());
    // A ServerHello of TLS 1.1, with ECDHE-RSA-AES128-SHA.
    Buffer hello{0x16, 0x03, 0x02, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26, 0x03, 0x02};
    hello.resize(hello.size() + 32, 0x55);
    for (int byte : {0x00, 0xc0, 0x13, 0x00}) hello.push_back(static_cast<std::uint8_t>(byte));
    REQUIRE(hello.size() == 5 + 0x2a);
    CHECK_FALSE(give(client, hello, whole));
    CHECK(client.failure() == "the peer knows no TLS 1.2 or later");
}

TEST_CASE("a handshake without end is refused before it costs anything") {
    TlsParty party({"a.example"});
    TlsEngine server = party.server->accept();
    // A ClientHello that says it has 16 MB, in records that never end.
    Buffer record{0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0xff, 0xff, 0xff};
    record.resize(5 + 0x4000);
    std::size_t sent = 0;
    while (sent < 1'000'000'000 && give(server, record, whole)) sent += record.size();
    CHECK(sent <= 512 * 1024);
    CHECK_FALSE(server.failure().empty());

    // Byte for byte valid, but nothing is ever said: alerts that warn.
    Pair pair(party);
    TlsEngine client = party.client->connect("a.example");
    static_cast<void>(client.handshake());
    const Buffer warning{0x15, 0x03, 0x03, 0x00, 0x02, 0x01, 0x5a};
    sent = 0;
    while (sent < 1'000'000'000 && give(client, warning, whole)) sent += warning.size();
    CHECK(sent <= 512 * 1024);
}

TEST_CASE("a connection may carry any amount, but not hold it unread") {
    TlsParty party({"a.example"});
    Pair pair(party);
    const std::string text(40'000, 'x');
    for (int i = 0; i < 30; ++i) {
        REQUIRE(pair.server.write(bytes_of(text)).value() == text.size());
        REQUIRE(pass(pair.server, pair.client) == text);
    }
    std::size_t unread = 0;
    std::vector<Buffer> held;  // until it is read, it has to stay
    for (bool is_taken = true; is_taken && unread < 10'000'000;) {
        REQUIRE(pair.server.write(bytes_of(text)).value() == text.size());
        held.push_back(take_all(pair.server));
        is_taken = pair.client.received(held.back()).has_value();
        unread += held.back().size();
    }
    CHECK(unread < 400'000);
    CHECK(pair.client.failure() == "the peer talks TLS without saying anything");
}

TEST_CASE("a client says whom it wants and what it speaks; an address is no name") {
    TlsParty party({"a.example"});
    auto hello_to = [&](std::string_view host) {
        TlsEngine client = party.client->connect(host);
        REQUIRE_FALSE(client.handshake().value());
        Buffer hello = take_all(client);
        return std::string(hello.begin(), hello.end());
    };
    CHECK(hello_to("a.example").find("a.example") != std::string::npos);
    CHECK(hello_to("a.example.").find("a.example.") == std::string::npos);
    CHECK(hello_to("a.example").find("\x08http/1.1") != std::string::npos);
    CHECK(hello_to("192.0.2.1").find("192.0.2.1") == std::string::npos);
}

TEST_CASE("what was looked at stays where it is until it is taken") {
    TlsParty party({"a.example"});
    Pair pair(party);
    REQUIRE(pair.server.write(bytes_of("first")).value() == 5);
    Bytes shown = pair.server.to_send();
    Buffer copy(shown.begin(), shown.end());
    for (int i = 0; i < 10; ++i) REQUIRE(pair.server.write(bytes_of("more")).value() == 4);
    CHECK(std::ranges::equal(shown, copy));
    // Taken in two steps, with a write in between: the order is kept.
    REQUIRE(pair.client.received(copy));
    std::string text = read_all(pair.client);
    pair.server.take_sent(3);
    REQUIRE(pair.server.write(bytes_of("!")).value() == 1);
    CHECK(pair.server.to_send().size() == copy.size() - 3);
    pair.server.take_sent(copy.size() - 3);
    text += pass(pair.server, pair.client);
    CHECK(text == "firstmoremoremoremoremoremoremoremoremoremore!");
}

TEST_CASE("write takes no more than has room before the network, and goes on later") {
    TlsParty party({"a.example"});
    Pair pair(party);
    const std::string text(200'000, 'x');
    std::size_t taken = pair.server.write(bytes_of(text)).value();
    CHECK(taken > 16'384);
    CHECK(taken <= 64 * 1024);
    CHECK(pair.server.write(bytes_of(text)).value() == 0);
    CHECK(pair.server.to_send().size() < 70 * 1024);
    CHECK(pass(pair.server, pair.client).size() == taken);
    CHECK(pair.server.write(bytes_of(text)).value() == taken);
}

TEST_CASE("bundles: counted, and refused with a reason") {
    std::string one = identity_for({"a.example"}).certificate_pem;
    std::string two = identity_for({"b.example"}).certificate_pem;
    CHECK(
        TlsClientContext::from_pem("# a comment\n" + one + "\n" + two).value()->authority_count() ==
        2);
    CHECK(TlsClientContext::from_pem("").error() == "no certificate in it");
    CHECK(TlsClientContext::from_pem("hello").error() == "no certificate in it");
    CHECK(TlsClientContext::from_pem(one + two.substr(0, 100)).error() ==
          "out of form behind 1 certificates");
    // That of this machine, if it has one.
    auto usual = TlsClientContext::load("");
    if (usual) CHECK((*usual)->authority_count() > 20);
    if (usual) CHECK((*usual)->source().starts_with("/etc/"));
    if (!usual) CHECK(usual.error().find("looked for /etc/ssl/certs/ca-cert") != std::string::npos);
    auto none = TlsClientContext::load("/nowhere/bundle.pem");
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().starts_with("no certificate authorities: looked for /nowhere/bundle.pem"));
}

TEST_CASE("a server needs a certificate and the key of it") {
    crypto::TlsIdentity a = identity_for({"a.example"}), b = identity_for({"b.example"});
    using Server = TlsServerContext;
    CHECK(Server::from_pem(a.certificate_pem, a.private_key_pem).has_value());
    CHECK(Server::from_pem(a.certificate_pem + b.certificate_pem, a.private_key_pem).has_value());
    CHECK(Server::from_pem("", a.private_key_pem).error() == "no certificate in the chain");
    CHECK(Server::from_pem(a.certificate_pem, "").error() == "no private key that can be read");
    CHECK(Server::from_pem(a.certificate_pem, b.private_key_pem).error() ==
          "the private key is not that of the certificate");
    CHECK(Server::from_pem(a.certificate_pem + b.certificate_pem.substr(0, 100), a.private_key_pem)
              .error() == "the chain is out of form");
}

TEST_CASE("no certificate is made for names that are none") {
    auto make = [](std::vector<std::string> names) {
        return crypto::make_self_signed(names, support::year_2000, 1);
    };
    CHECK_FALSE(make({}).has_value());
    CHECK_FALSE(make({""}).has_value());
    CHECK_FALSE(make({"a b"}).has_value());
    CHECK_FALSE(make({std::string(254, 'a')}).has_value());
    CHECK(make({std::string(200, 'a')}).has_value());
    const std::string names[] = {"a.example"};
    CHECK_FALSE(crypto::make_self_signed(names, 253'402'300'000, 30).has_value());
}
