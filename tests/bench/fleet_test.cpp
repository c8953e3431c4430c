#include "bench/fleet/fleet.hpp"

#include <map>
#include <random>

#include "bench/fleet/drain.hpp"
#include "bench/fleet/host_log.hpp"
#include "bench/fleet/options.hpp"
#include "crypto/did_key.hpp"
#include "proto/url.hpp"
#include "relay/net/http_client.hpp"
#include "relay/net/websocket_client.hpp"
#include "tests/bench/reader.hpp"
#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::bench;
using Kind = HostLog::Start::Kind;

namespace {

using std::chrono::seconds;

// The text in a JSON answer behind `"key":"`.
std::string text_of(std::string_view json, std::string_view key) {
    std::string mark = "\"" + std::string(key) + "\":\"";
    std::size_t at = json.find(mark);
    if (at == json.npos) return {};
    at += mark.size();
    return std::string(json.substr(at, json.find('"', at) - at));
}

Buffer frame_of(std::uint64_t seq, std::size_t size_bytes) {
    Buffer frame(size_bytes, static_cast<std::uint8_t>(seq));
    std::memcpy(frame.data(), &seq, sizeof seq);
    return frame;
}

// The seqs of frame_of() from a position to the end; nothing if some of it is not kept.
std::optional<std::vector<std::uint64_t>> read_seqs(const HostLog& log, std::uint64_t position) {
    Buffer all;
    while (position != log.end()) {
        auto view = log.view(position);
        if (!view) return std::nullopt;
        all.insert(all.end(), view->bytes.begin(), view->bytes.end());
        position += view->bytes.size();
    }
    net::WebSocketDecoder decoder({});
    std::span<std::uint8_t> input = all;
    std::vector<std::uint64_t> seqs;
    while (auto event = decoder.next(input).value()) {
        seqs.push_back(load_le<std::uint64_t>(event->payload, 0));
    }
    return seqs;
}

FleetOptions small_fleet() {
    FleetOptions options;
    options.hosts = 3;
    options.accounts = 2;
    options.rate = 0;
    options.events = 30;
    options.records = 20;
    options.workers = 2;
    return options;
}

// A fleet in a fiber of its own, with its addresses.
class RunningFleet {
  public:
    RunningFleet(support::TestWorld& world, const FleetOptions& options)
        : env_(world.env()), fleet_(world.runtime(), world.env(), options, stop_) {
        task_ = fiber::spawn("fleet", [this] {
            failure = fleet_.run([this](const FleetStart& value) { start = value; });
            ready_.set();
        });
        while (start.plc.empty() && !ready_.is_set()) {
            REQUIRE(fiber::sleep_for(std::chrono::milliseconds(1)));
        }
    }
    ~RunningFleet() { stop(); }

    void stop() {
        stop_.make();
        task_.join();
    }

    std::string get(const std::string& base, std::string_view path, std::uint16_t status = 200) {
        std::string text = base + std::string(path);
        auto answer = net::fetch(env_, proto::parse_url(text).value(), {});
        REQUIRE(answer.has_value());
        REQUIRE(answer->status == status);
        return answer->body;
    }

    net::WebSocketClient subscribe(std::size_t host, std::string_view query) {
        std::string text = "ws" + start.hosts.at(host).substr(4) +
                           "/xrpc/com.atproto.sync.subscribeRepos" + std::string(query);
        auto client = net::WebSocketClient::connect(env_, proto::parse_url(text).value(), {});
        REQUIRE(client.has_value());
        return std::move(*client);
    }

    FleetStart start;
    std::optional<std::string> failure;

  private:
    env::Env& env_;
    StopRequest stop_;
    Fleet fleet_;
    fiber::Event ready_;
    fiber::Task task_;
};

Buffer next_message(net::WebSocketClient& client) {
    auto message = client.receive(Deadline::in(seconds(30)));
    REQUIRE(message.has_value());
    return std::move(*message).into_buffer();
}

}  // namespace

TEST_CASE("a cursor is exclusive: a subscriber gets what is behind it") {
    HostLog log(100, 1 << 20);
    CHECK(log.start(99).kind == Kind::live);
    CHECK(log.start(100).kind == Kind::future);
    CHECK(log.start(std::nullopt).kind == Kind::live);
    for (std::uint64_t seq = 100; seq < 110; ++seq) log.append(frame_of(seq, 50));
    CHECK(log.next_seq() == 110);
    CHECK(log.kept_events() == 10);
    auto from = [&](std::uint64_t cursor) { return *read_seqs(log, log.start(cursor).position); };
    CHECK(log.start(0).kind == Kind::replay);  // of an earlier life: nothing of this one is lost
    CHECK(from(0).size() == 10);
    CHECK(from(99).size() == 10);
    CHECK(from(100).front() == 101);
    CHECK(from(108) == std::vector<std::uint64_t>{109});
    CHECK(log.start(108).kind == Kind::replay);
    CHECK(log.start(109).kind == Kind::live);
    CHECK(log.start(109).position == log.end());
    CHECK(log.start(std::nullopt).position == log.end());
    CHECK(log.start(110).kind == Kind::future);
    CHECK(log.start(UINT64_MAX).kind == Kind::future);
}

TEST_CASE("what is beyond the memory goes, oldest first, and whoever reads there loses his place") {
    HostLog log(1, 128 * 1024);
    auto view_of_first = [&] { return log.view(0); };
    log.append(frame_of(1, 1000));
    auto held = view_of_first();
    for (std::uint64_t seq = 2; seq <= 1000; ++seq) log.append(frame_of(seq, 1000));
    CHECK(log.kept_bytes() <= 128 * 1024);
    CHECK(log.kept_events() >= 100);
    CHECK_FALSE(view_of_first().has_value());
    CHECK(load_le<std::uint64_t>(held->bytes, 4) == 1);  // a view keeps what it shows
    std::uint64_t oldest = 1001 - log.kept_events();
    CHECK(log.start(0).kind == Kind::outdated);
    CHECK(log.start(oldest - 2).kind == Kind::outdated);
    CHECK(log.start(oldest - 1).kind == Kind::replay);
    CHECK(read_seqs(log, log.start(0).position)->front() == oldest);
    log.append(frame_of(1001, 500'000));  // larger than all memory: kept alone
    CHECK(log.kept_events() == 1);
}

TEST_CASE("from any cursor that is kept, the stream goes on without a gap") {
    auto seed = GENERATE(range(1u, 30u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    HostLog log(1000, 64 * 1024);
    std::uint64_t seq = 1000;
    for (std::size_t n = random() % 200; n > 0; --n) {
        log.append(frame_of(seq++, 8 + random() % (n % 17 == 0 ? 70'000 : 2000)));
    }
    std::uint64_t oldest = seq - log.kept_events();
    for (std::uint64_t cursor = 990; cursor < seq; ++cursor) {
        auto start = log.start(cursor);
        auto seqs = read_seqs(log, start.position);
        REQUIRE(seqs.has_value());
        std::uint64_t first = std::max(cursor + 1, oldest);
        REQUIRE(seqs->size() == seq - first);
        for (std::size_t i = 0; i < seqs->size(); ++i) REQUIRE((*seqs)[i] == first + i);
        REQUIRE(log.bytes_to_boundary(start.position) == 0);
        if (start.position == log.end()) continue;
        std::uint64_t rest = log.bytes_to_boundary(start.position + 1);
        auto next = log.start(first).position;
        REQUIRE(start.position + 1 + rest == next);
    }
}

TEST_CASE("flags are numbers in their range; what is wrong is named with what is valid") {
    auto parse = [](std::vector<std::string_view> arguments) {
        return parse_fleet_options(arguments);
    };
    auto options =
        parse({"--hosts", "200", "--rate=0", "--base-port", "65336", "--print-hosts", "--seed=7"});
    REQUIRE(options.has_value());
    CHECK(options->hosts == 200);
    CHECK(options->rate == 0);
    CHECK(options->base_port == 65'336);
    CHECK(options->seed == 7);
    CHECK(options->prints_hosts);
    CHECK_FALSE(parse({})->prints_hosts);
    CHECK(parse({"--hosts", "10001"}).error() ==
          "--hosts: not valid: \"10001\" (valid: an integer from 1 to 10000)");
    CHECK(parse({"--hosts=0"}).error().find("from 1 to 10000") != std::string::npos);
    for (std::string_view bad : {"", "-1", "1x", "0x1", "99999999999999999999", "1.5"}) {
        CHECK_FALSE(parse({"--seed", bad}).has_value());
    }
    CHECK_FALSE(parse({"--seed"}).has_value());
    CHECK(parse({"--hots", "3"}).error().find("(valid: --hosts, --accounts,") != std::string::npos);
    CHECK(parse({"--hosts", "200", "--base-port", "65337"}).error().find("0 to 65336") !=
          std::string::npos);

    CHECK(parse({"--hosts", "200", "--base-port", "65336", "--hostile", "drop"})
              .error()
              .find("0 to 65335") != std::string::npos);
    CHECK(parse({"--hosts", "3", "--busy", "4"}).error().find("only 3 hosts") != std::string::npos);
    auto network =
        parse({"--tls", "--ca-out=/tmp/ca.pem", "--ledger", "--hostile", "drop,big-frames"});
    REQUIRE(network.has_value());
    CHECK((network->is_tls && network->keeps_ledger && network->ca_out == "/tmp/ca.pem"));
    CHECK(network->hostile == std::vector{Hostility::drop, Hostility::big_frames});
    CHECK(parse({"--hostile=all"})->hostile.size() == hostility_count);
    CHECK(parse({"--hostile", "rude"}).error().find("\"rude\" (valid: all, slow-headers, silent") !=
          std::string::npos);
    for (Hostility one : all_hostilities()) CHECK(parse_hostility(name_of(one)) == one);

    std::vector<std::string_view> arguments{"--cursor=0", "127.0.0.1:3000", "--consumers", "9"};
    auto drain = parse_drain_options(arguments);
    REQUIRE(drain.has_value());
    CHECK(drain->url == "127.0.0.1:3000");
    CHECK((drain->has_cursor && drain->cursor == 0 && drain->consumers == 9));
    arguments = {"127.0.0.1:3000", "--ledger", "http://127.0.0.1:1"};
    CHECK(parse_drain_options(arguments)->ledger == "http://127.0.0.1:1");
    arguments = {"127.0.0.1:3000"};
    CHECK_FALSE(parse_drain_options(arguments)->has_cursor);
    CHECK_FALSE(parse_drain_options({}).has_value());
}

TEST_ON_BOTH_KERNELS("a host replays what its accounts began with, signed as their documents say") {
    RunningFleet fleet(world, small_fleet());
    REQUIRE(fleet.start.hosts.size() == 3);
    CHECK(fleet.start.events == 30 + 3 * 2 * 3);
    const std::string& host = fleet.start.hosts[1];
    std::string page = fleet.get(host, "/xrpc/com.atproto.sync.listRepos?limit=1");
    CHECK(text_of(page, "cursor") == "1");
    std::string first = text_of(page, "did");
    page = fleet.get(host, "/xrpc/com.atproto.sync.listRepos?limit=1000&cursor=1");
    CHECK(text_of(page, "cursor").empty());
    std::string second = text_of(page, "did");
    CHECK(first != second);

    std::map<std::string, Reader> readers;
    for (const std::string& did : {first, second}) {
        std::string document = fleet.get(fleet.start.plc, "/" + did);
        CHECK(text_of(document, "id") == did);
        CHECK(text_of(document, "serviceEndpoint") == host);
        CHECK(document.find("\"id\":\"" + did + "#atproto\",\"type\":\"Multikey\"") !=
              std::string::npos);
        auto key = crypto::parse_multikey(text_of(document, "publicKeyMultibase"));
        REQUIRE(key.has_value());
        readers.emplace(did, Reader(did, *key));
    }
    auto client = fleet.subscribe(1, "?cursor=0");
    std::map<std::string, std::vector<proto::FrameKind>> kinds;
    for (int i = 0; i < 2 * 3; ++i) {
        Buffer frame = next_message(client);
        proto::Peek seen = proto::peek(frame).value();
        REQUIRE(readers.contains(std::string(seen.did)));
        kinds[std::string(seen.did)].push_back(seen.kind);
    }
    for (const auto& [did, of_account] : kinds) {
        CHECK((of_account == std::vector{proto::FrameKind::identity, proto::FrameKind::account,
                                         proto::FrameKind::commit}));
    }
    static_cast<void>(client.close(1000, {}, Deadline::in(seconds(5))));
    std::string escaped = "/did%3Aplc%3a" + first.substr(8);
    CHECK(text_of(fleet.get(fleet.start.plc, escaped), "id") == first);
    fleet.get(fleet.start.plc, "/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", 404);
    fleet.stop();
    CHECK_FALSE(fleet.failure.has_value());
}

TEST_ON_BOTH_KERNELS(
    "accounts without records from before hold before a reader that trusts nobody") {
    FleetOptions options = small_fleet();
    options.records = 0;
    options.hosts = 1;
    RunningFleet fleet(world, options);
    auto client = fleet.subscribe(0, "?cursor=0");
    std::map<std::string, Reader> readers;
    std::map<std::string, std::string> rev_of, commit_of;
    std::uint64_t last_seq = 0;
    for (std::uint64_t i = 0; i < fleet.start.events; ++i) {
        Buffer frame = next_message(client);
        proto::Peek seen = proto::peek(frame).value();
        CHECK((last_seq == 0 || seen.seq == last_seq + 1));
        last_seq = seen.seq;
        std::string did(seen.did);
        if (!readers.contains(did)) {
            std::string document = fleet.get(fleet.start.plc, "/" + did);
            readers.emplace(
                did,
                Reader(did,
                       crypto::parse_multikey(text_of(document, "publicKeyMultibase")).value()));
        }
        if (readers.at(did).read(frame) != proto::FrameKind::commit) continue;
        auto commit = proto::parse_commit_event(proto::payload_of(frame, seen)).value();
        rev_of[did] = commit.rev;
        commit_of[did] = commit.commit.to_text();
    }
    REQUIRE(readers.size() == 2);
    const std::string& host = fleet.start.hosts[0];
    for (const auto& [did, rev] : rev_of) {
        std::string status = fleet.get(host, "/xrpc/com.atproto.sync.getRepoStatus?did=" + did);
        CHECK(status == "{\"did\":\"" + did + "\",\"active\":true,\"rev\":\"" + rev + "\"}");
        std::string latest = fleet.get(host, "/xrpc/com.atproto.sync.getLatestCommit?did=" + did);
        CHECK(latest == "{\"cid\":\"" + commit_of[did] + "\",\"rev\":\"" + rev + "\"}");
    }
    std::string refusal =
        fleet.get(host, "/xrpc/com.atproto.sync.getRepoStatus?did=did:plc:other", 400);
    CHECK(text_of(refusal, "error") == "RepoNotFound");
    CHECK_FALSE(text_of(fleet.get(host, "/xrpc/com.atproto.server.describeServer"), "did").empty());

    auto behind = fleet.subscribe(0, "?cursor=" + std::to_string(last_seq - 1));
    CHECK(proto::peek(next_message(behind)).value().seq == last_seq);
    static_cast<void>(behind.close(1000, {}, Deadline::in(seconds(5))));
}

TEST_ON_BOTH_KERNELS("a cursor of the future is refused, one of the past is told what it missed") {
    FleetOptions options = small_fleet();
    options.hosts = 1;
    options.events = 600;
    options.window_mib = 1;
    RunningFleet fleet(world, options);
    CHECK(fleet.start.events < 606);
    auto ahead = fleet.subscribe(0, "?cursor=9007199254740991");
    proto::Peek error = proto::peek(next_message(ahead)).value();
    CHECK(error.kind == proto::FrameKind::error);
    auto end = ahead.receive(Deadline::in(seconds(30)));
    CHECK(end.error().code == Errc::closed);
    CHECK(ahead.close_info().code == 1008);
    CHECK(ahead.close_info().reason == "FutureCursor");

    auto late = fleet.subscribe(0, "?cursor=0");
    Buffer info = next_message(late);
    CHECK(proto::peek(info).value().name == "OutdatedCursor");
    for (std::uint64_t i = 0; i < fleet.start.events; ++i) {
        Buffer frame = next_message(late);
        CHECK(proto::is_event(proto::peek(frame).value().kind));
    }
    fleet.get(fleet.start.hosts[0], "/xrpc/com.atproto.sync.subscribeRepos", 426);
    static_cast<void>(late.close(1000, {}, Deadline::in(seconds(5))));
}

TEST_ON_BOTH_KERNELS("events come live at their rate, between pings, and the end is said") {
    FleetOptions options = small_fleet();
    options.rate = 300;
    options.events = 0;
    RunningFleet fleet(world, options);
    auto client = fleet.subscribe(2, "");
    Nanos began = fiber::now();
    std::uint64_t last_seq = 0;
    for (int i = 0; i < 50; ++i) {
        if (i == 20) CHECK(client.send_ping());
        Buffer frame = next_message(client);
        proto::Peek seen = proto::peek(frame).value();
        CHECK((last_seq == 0 || seen.seq == last_seq + 1));
        last_seq = seen.seq;
    }
    // A third of the rate: 0.5 s are expected for 50 events, by chance more or less of them.
    double taken = std::chrono::duration<double>(fiber::now() - began).count();
    CHECK(taken > 0.2);
    if (world.is_simulated()) CHECK(taken < 1.2);
    fiber::Task stopping = fiber::spawn("stops", [&] { fleet.stop(); });
    Result<net::WebSocketMessage> message = fail(Errc::timed_out, "");
    do {
        message = client.receive(Deadline::in(seconds(30)));
    } while (message);
    CHECK(message.error().code == Errc::closed);
    CHECK(client.close_info().code == 1001);
    {
        net::WebSocketClient hangs_up = std::move(client);
    }
    stopping.join();
}

TEST_ON_BOTH_KERNELS("a ping is answered while nothing happens") {
    FleetOptions options = small_fleet();
    RunningFleet fleet(world, options);
    auto client = fleet.subscribe(0, "");
    Nanos before = client.last_heard();
    CHECK(client.send_ping());
    auto nothing = client.receive(Deadline::in(std::chrono::milliseconds(300)));
    REQUIRE_FALSE(nothing.has_value());
    CHECK(nothing.error().code == Errc::timed_out);
    CHECK(client.last_heard() > before);
}

TEST_ON_BOTH_KERNELS("draining counts every event for every consumer, and says why it ended") {
    FleetOptions options = small_fleet();
    RunningFleet fleet(world, options);
    DrainOptions what;
    what.url = fleet.start.hosts[0].substr(7);
    what.consumers = 3;
    what.events = 6 + 10;
    what.has_cursor = true;
    StopRequest stop;
    DrainResult result = drain(world.env(), what, stop);
    CHECK(result.failure.empty());
    CHECK(result.events == 3 * 16);
    CHECK(result.least_events == 16);
    CHECK(result.bytes > 16 * 1000);

    what.events = 0;
    what.consumers = 2;
    StopRequest later;
    fiber::Task stopping = fiber::spawn("stops", [&] {
        REQUIRE(fiber::sleep_for(std::chrono::milliseconds(200)));
        fleet.stop();
    });
    result = drain(world.env(), what, later);
    CHECK(result.events == 2 * 16);
    CHECK(result.failure == "websocket: closed");
    stopping.join();
}

TEST_ON_BOTH_KERNELS("a port that is taken is named, and everything ends") {
    auto taken = world.env().net.listen(Address::loopback(0)).value();
    FleetOptions options = small_fleet();
    options.hosts = 1;
    options.base_port = taken.local().port;
    RunningFleet fleet(world, options);
    fleet.stop();
    REQUIRE(fleet.failure.has_value());
    CHECK(fleet.failure->find(taken.local().text()) != std::string::npos);
    CHECK(fleet.failure->find("--base-port") != std::string::npos);
}

TEST_ON_BOTH_KERNELS(
    "draining against the ledger finds what is missing; without one it is no verdict") {
    FleetOptions options = small_fleet();
    options.keeps_ledger = true;
    RunningFleet fleet(world, options);
    DrainOptions what;
    what.url = fleet.start.hosts[0].substr(7);
    what.events = 6 + 10;
    what.has_cursor = true;
    what.ledger = fleet.start.plc;
    StopRequest stop;
    DrainResult result = drain(world.env(), what, stop);
    CHECK(result.failure.empty());
    REQUIRE(result.verdict.has_value());
    CHECK(result.verdict->sent == fleet.start.events);
    CHECK(result.verdict->matched == 16);
    CHECK(result.verdict->missing_head == fleet.start.events - 16);
    CHECK((result.verdict->missing == 0 && result.verdict->strangers == 0));
    CHECK_FALSE(result.verdict->is_exact());

    what.ledger = fleet.start.hosts[0];  // answers, but keeps none
    StopRequest again;
    result = drain(world.env(), what, again);
    CHECK_FALSE(result.verdict.has_value());
    CHECK_FALSE(result.failure.empty());
}

TEST_ON_BOTH_KERNELS("the directory lists all hosts as a relay does, page by page") {
    FleetOptions options = small_fleet();
    options.is_tls = true;
    options.hostile = {Hostility::drop};
    RunningFleet fleet(world, options);
    CHECK(fleet.start.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    REQUIRE(fleet.start.hostile.size() == 1);
    CHECK(fleet.start.hostile[0].first == "drop");
    std::string page = fleet.get(fleet.start.plc, "/xrpc/com.atproto.sync.listHosts?limit=3");
    CHECK(text_of(page, "cursor") == "3");
    // With its scheme: of a name that is "localhost" alone a relay expects plain HTTP.
    CHECK(fleet.start.hosts[0] == text_of(page, "hostname"));
    CHECK(text_of(page, "hostname").starts_with("https://localhost:"));
    page = fleet.get(fleet.start.plc, "/xrpc/com.atproto.sync.listHosts?limit=3&cursor=3");
    CHECK(text_of(page, "cursor").empty());
    CHECK(fleet.start.hostile[0].second == text_of(page, "hostname"));
    fleet.get(fleet.start.plc, "/fleet/ledger?host=0", 404);
    CHECK(fleet.get(fleet.start.plc, "/fleet/stats").find("\"drop\":{\"connections\":0") !=
          std::string::npos);
}
