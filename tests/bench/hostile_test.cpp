#include "bench/fleet/hostile.hpp"

#include <map>
#include <set>

#include "crypto/sha256.hpp"
#include "proto/car.hpp"
#include "proto/commit.hpp"
#include "proto/event.hpp"
#include "proto/frame.hpp"
#include "proto/limits.hpp"
#include "proto/tid.hpp"
#include "proto/url.hpp"
#include "relay/net/http_client.hpp"
#include "relay/net/websocket_client.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::bench;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t honest_hosts = 3;

// One hostile host, as if it stood behind three honest ones.
class Foe {
  public:
    Foe(support::TestWorld& world, Hostility hostility)
        : env_(world.env()), host_(env_, {hostility, book, honest_hosts, nullptr}) {
        REQUIRE_FALSE(host_.listen(0));
        serving_ = fiber::spawn("foe", [this] { host_.serve(); });
    }
    ~Foe() { serving_.cancel_and_join(); }

    std::string own_did() const { return book.did(book.number(honest_hosts, 0)); }
    std::string port() const { return std::to_string(host_.local().port); }

    auto try_get(std::string_view path, Nanos patience = seconds(30)) {
        std::string text = "http://" + host_.local().text() + std::string(path);
        net::FetchOptions options;
        options.deadline = Deadline::in(patience);
        return net::fetch(env_, proto::parse_url(text).value(), options);
    }
    auto try_subscribe(std::string_view query, Nanos patience = seconds(30)) {
        std::string text = "ws://" + host_.local().text() +
                           "/xrpc/com.atproto.sync.subscribeRepos" + std::string(query);
        net::WebSocketClientOptions options;
        options.deadline = Deadline::in(patience);
        return net::WebSocketClient::connect(env_, proto::parse_url(text).value(), options);
    }
    net::WebSocketClient subscribe(std::string_view query = "?cursor=0") {
        auto client = try_subscribe(query);
        REQUIRE(client.has_value());
        return std::move(*client);
    }
    env::Socket connect() { return env_.net.connect(host_.local(), Deadline::never()).value(); }
    const HostileHost& host() const { return host_; }

    const AccountBook book{1, 2};

  private:
    env::Env& env_;
    HostileHost host_;
    fiber::Task serving_;
};

struct Seen {
    Buffer bytes;
    proto::Peek peek;
};

Seen next(net::WebSocketClient& client) {
    auto message = client.receive(Deadline::in(seconds(30)));
    REQUIRE(message.has_value());
    Seen seen{std::move(*message).into_buffer(), {}};
    seen.peek = proto::peek(seen.bytes).value();
    return seen;
}

bool has_signature_of(const Seen& seen, const crypto::PublicKey& key) {
    auto payload = proto::payload_of(seen.bytes, seen.peek);
    auto event = proto::parse_commit_event(payload).value();
    auto car = proto::CarReader::open(event.blocks).value();
    auto block = car.next().value();
    auto commit = proto::parse_commit_block(block->data).value();
    const auto& parts = commit.unsigned_parts;
    Buffer signed_bytes{parts.head};
    for (Bytes part : {parts.before_sig, parts.after_sig}) {
        signed_bytes.insert(signed_bytes.end(), part.begin(), part.end());
    }
    return crypto::verify(key, crypto::sha256(signed_bytes), commit.sig);
}

proto::Tid rev_of(const Seen& seen) {
    auto payload = proto::payload_of(seen.bytes, seen.peek);
    return proto::Tid::parse(proto::parse_commit_event(payload).value().rev).value();
}

}  // namespace

TEST_ON_BOTH_KERNELS("slow headers: a byte a second, without an end") {
    Foe foe(world, Hostility::slow_headers);
    env::Socket socket = foe.connect();
    REQUIRE(socket.send(net::bytes_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Deadline::never()));
    std::string answer;
    while (answer.size() < 3) {
        auto chunk = socket.receive(Deadline::in(seconds(30)));
        REQUIRE(chunk.has_value());
        CHECK(chunk->bytes().size() == 1);
        answer.push_back(static_cast<char>(chunk->bytes()[0]));
    }
    CHECK(answer == "HTT");
}

TEST_ON_BOTH_KERNELS("silent: accepts the subscription and says nothing, not even pong") {
    Foe foe(world, Hostility::silent);
    auto client = foe.subscribe();
    Nanos heard = client.last_heard();
    REQUIRE(client.send_ping());
    auto nothing = client.receive(Deadline::in(milliseconds(300)));
    CHECK(nothing.error().code == Errc::timed_out);
    CHECK(client.last_heard() == heard);
    CHECK(foe.host().subscriptions() == 1);
}

TEST_ON_BOTH_KERNELS("tls-stall: accepts the connection and says nothing") {
    Foe foe(world, Hostility::tls_stall);
    env::Socket socket = foe.connect();
    REQUIRE(socket.send(net::bytes_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Deadline::never()));
    CHECK(socket.receive(Deadline::in(milliseconds(300))).error().code == Errc::timed_out);
    CHECK(foe.host().accepted() == 1);
}

TEST_ON_BOTH_KERNELS("drop: accepts the subscription and hangs up, each time") {
    Foe foe(world, Hostility::drop);
    for (int i = 0; i < 3; ++i) {
        auto client = foe.subscribe();
        CHECK(client.receive(Deadline::in(seconds(30))).error().code == Errc::closed);
    }
    CHECK(foe.host().subscriptions() == 3);
}

TEST_ON_BOTH_KERNELS("poison: ten events, one that is no CBOR, and behind it all is well") {
    Foe foe(world, Hostility::poison);
    std::uint64_t last = 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
        auto client = foe.subscribe("?cursor=" + std::to_string(attempt == 0 ? 0 : last));
        for (std::size_t i = 0; i < HostileHost::poison_at && attempt == 0; ++i) {
            last = next(client).peek.seq;
        }
        auto poison = client.receive(Deadline::in(seconds(30)));
        REQUIRE(poison.has_value());
        CHECK_FALSE(proto::peek(poison->bytes()).has_value());
    }
    auto behind = foe.subscribe("?cursor=" + std::to_string(last + 1));
    for (std::size_t i = 0; i < HostileHost::poison_at + 1; ++i) {
        CHECK(next(behind).peek.seq == last + 2 + i);
    }
}

TEST_ON_BOTH_KERNELS("oversized: ten events and a message of six megabytes") {
    Foe foe(world, Hostility::oversized);
    auto client = foe.subscribe();
    for (std::size_t i = 0; i < HostileHost::poison_at; ++i) {
        CHECK(next(client).peek.did == foe.own_did());
    }
    CHECK(client.receive(Deadline::in(seconds(30))).error().code == Errc::too_large);
}

TEST_ON_BOTH_KERNELS("flapping: identities and statuses of one account, a thousand a second") {
    Foe foe(world, Hostility::flapping);
    auto client = foe.subscribe();
    Nanos began = fiber::now();
    int identities = 0, active = 0, inactive = 0;
    for (int i = 0; i < 400; ++i) {
        Seen seen = next(client);
        CHECK(seen.peek.did == foe.own_did());
        if (seen.peek.kind == proto::FrameKind::identity) {
            ++identities;
            continue;
        }
        auto event = proto::parse_account_event(proto::payload_of(seen.bytes, seen.peek)).value();
        ++(event.is_active ? active : inactive);
        CHECK(event.status.has_value() != event.is_active);
    }
    CHECK((identities == 200 && active == 100 && inactive == 100));
    if (world.is_simulated()) {
        auto taken = fiber::now() - began;
        CHECK((taken > milliseconds(350) && taken < milliseconds(600)));
    }
}

TEST_ON_BOTH_KERNELS("future revs: nearly five minutes ahead, of its own account") {
    Foe foe(world, Hostility::future_revs);
    auto client = foe.subscribe();
    for (int i = 0; i < 3; ++i) {
        Seen seen = next(client);
        auto now = static_cast<std::uint64_t>(fiber::wall().count()) * 1000;
        std::uint64_t ahead_s = (rev_of(seen).micros() - now) / 1'000'000;
        CHECK((ahead_s > 240 && ahead_s < 300));
        CHECK(seen.peek.did == foe.own_did());
    }
}

TEST_ON_BOTH_KERNELS("foreign DIDs: accounts of honest hosts under their keys, and unknown ones") {
    Foe foe(world, Hostility::foreign_dids);
    std::map<std::string, crypto::PublicKey> others;
    for (std::uint64_t i = 0; i < honest_hosts * foe.book.accounts_per_host; ++i) {
        others.emplace(foe.book.did(i), foe.book.key(i).public_key());
    }
    auto client = foe.subscribe();
    std::set<std::string> known, unknown;
    for (int i = 0; i < 40; ++i) {
        Seen seen = next(client);
        std::string did(seen.peek.did);
        auto found = others.find(did);
        (found != others.end() ? known : unknown).insert(did);
        if (found != others.end()) CHECK(has_signature_of(seen, found->second));
    }
    CHECK(known.size() == others.size());
    CHECK(unknown.size() == 20);
    CHECK_FALSE(unknown.contains(foe.own_did()));
}

TEST_ON_BOTH_KERNELS("forged: of its own account one commit in twenty is signed by its key") {
    Foe foe(world, Hostility::forged);
    auto key = foe.book.key(foe.book.number(honest_hosts, 0)).public_key();
    auto client = foe.subscribe();
    int valid = 0;
    for (int i = 0; i < 60; ++i) {
        Seen seen = next(client);
        CHECK(seen.peek.did == foe.own_did());
        valid += has_signature_of(seen, key);
    }
    CHECK(valid == 3);
}

TEST_ON_BOTH_KERNELS("far seq: the highest there is, then FutureCursor for ever") {
    Foe foe(world, Hostility::far_seq);
    auto client = foe.subscribe();
    for (int i = 0; i < 3; ++i) CHECK(next(client).peek.seq < std::uint64_t{1} << 52);
    CHECK(next(client).peek.seq == proto::seq_limit - 1);
    for (std::string_view cursor : {"?cursor=9007199254740991", "?cursor=1"}) {
        auto again = foe.subscribe(cursor);
        Seen seen = next(again);
        CHECK(seen.peek.kind == proto::FrameKind::error);
        CHECK(seen.peek.name == "FutureCursor");
        CHECK(again.receive(Deadline::in(seconds(30))).error().code == Errc::closed);
    }
}

TEST_ON_BOTH_KERNELS("seq regression: back to 1 after ten events, with events that are new") {
    Foe foe(world, Hostility::seq_regression);
    auto client = foe.subscribe();
    std::vector<std::uint64_t> seqs;
    proto::Tid last;
    for (int i = 0; i < 22; ++i) {
        Seen seen = next(client);
        seqs.push_back(seen.peek.seq);
        CHECK(last < rev_of(seen));
        last = rev_of(seen);
    }
    for (std::size_t i = 0; i < 10; ++i) {
        CHECK(seqs[i] == seqs[0] + i);
        CHECK(seqs[10 + i] == i + 1);
    }
    CHECK(seqs[20] == seqs[9] + 1);
}

TEST_ON_BOTH_KERNELS("pings: more than a client puts up with, and nothing else") {
    Foe foe(world, Hostility::pings);
    auto client = foe.subscribe();
    auto refused = client.receive(Deadline::in(seconds(30)));
    CHECK(refused.error().what == "websocket: too many pings");
    CHECK(client.received_bytes() >= 100 * 127);
}

TEST_ON_BOTH_KERNELS("big frames: commits of nearly five megabytes, one behind the other") {
    Foe foe(world, Hostility::big_frames);
    auto client = foe.subscribe();
    std::uint64_t last = 0;
    for (int i = 0; i < 2; ++i) {
        Seen seen = next(client);
        CHECK(seen.peek.kind == proto::FrameKind::commit);
        CHECK((seen.bytes.size() > 4'900'000 && seen.bytes.size() <= proto::max_message_bytes));
        CHECK((last == 0 || seen.peek.seq == last + 1));
        last = seen.peek.seq;
    }
}

TEST_ON_BOTH_KERNELS("did:web: its own port answers slowly, other names are none") {
    Foe foe(world, Hostility::did_web);
    auto client = foe.subscribe();
    std::set<std::string> dids;
    int own = 0;
    for (int i = 0; i < 40; ++i) {
        std::string did(next(client).peek.did);
        CHECK(did.starts_with("did:web:"));
        bool is_own = did == "did:web:localhost%3A" + foe.port();
        own += is_own;
        CHECK((is_own || did.ends_with(".fleet.invalid")));
        dids.insert(did);
    }
    CHECK(own == 10);
    CHECK(dids.size() == 31);
    CHECK_FALSE(foe.try_get("/.well-known/did.json", milliseconds(1500)).has_value());
}

TEST_ON_BOTH_KERNELS("a relay says so wherever it answers") {
    Foe foe(world, Hostility::relay);
    auto answer = foe.try_get("/xrpc/com.atproto.server.describeServer");
    CHECK(answer->headers.find("Server") == "atproto-relay");
    auto client = foe.subscribe();
    CHECK(client.handshake().headers.find("Server") == "atproto-relay");
    CHECK(next(client).peek.did == foe.own_did());
    Foe other(world, Hostility::silent);
    CHECK_FALSE(other.try_get("/xrpc/com.atproto.server.describeServer")->headers.find("Server"));
}

TEST_ON_BOTH_KERNELS("redirect: whatever is asked for is elsewhere, in a private network") {
    Foe foe(world, Hostility::redirect);
    for (std::string_view path : {"/xrpc/com.atproto.server.describeServer", "/"}) {
        auto answer = foe.try_get(path);
        CHECK(answer->status == 302);
        CHECK(answer->headers.find("Location")->starts_with("http://169.254.169.254/"));
    }
    CHECK_FALSE(foe.try_subscribe("").has_value());
}

TEST_ON_BOTH_KERNELS("an endless list has another page behind each, of new names") {
    Foe foe(world, Hostility::endless_list);
    std::set<std::string> pages;
    for (int i = 0; i < 3; ++i) {
        auto answer = foe.try_get("/xrpc/com.atproto.sync.listHosts?limit=1000");
        CHECK(answer->body.find("\"cursor\":\"" + std::to_string((i + 1) * 1000)) !=
              std::string::npos);
        std::string first = "\"h" + std::to_string(i * 1000) + ".fleet.invalid\"";
        CHECK(answer->body.find(first) != std::string::npos);
        pages.insert(answer->body);
    }
    CHECK(pages.size() == 3);
}
