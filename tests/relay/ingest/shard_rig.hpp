// A shard with everything around it that is real (log, sequencer, database, resolver, sockets) in a
// simulated world, hosts and a directory whose manners the test decides, and a fold that moves when
// the test says so.
//
//     ShardRig rig;
//     rig.run([&] {
//         SignedRepo alice = rig.new_account(0);
//         Sent& post = rig.send(0, alice.create(rig.seq(), rig.wall(), "app.bsky.feed.post/a"));
//         CHECK(rig.passes(post));
//     });
//
// Owner    a test.
// Thread   the body is a fiber of the one worker of machine "relay".
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "index/database.hpp"
#include "index/memory_disk.hpp"
#include "relay/env/sim/world.hpp"
#include "relay/event_log/log_writer.hpp"
#include "relay/event_log/sequencer.hpp"
#include "relay/ingest/shard.hpp"
#include "relay/net/http_server.hpp"
#include "tests/support/arrival.hpp"
#include "tests/support/signed_repo.hpp"
#include "tests/support/sim_plc.hpp"

namespace ringlay::ingest::test {

using Sent = support::Arrival;
using support::SignedRepo;

// A fact in the log, with memory of its own.
struct LoggedFact {
    event_log::FactsKind kind = event_log::FactsKind::commit;
    std::uint16_t verdicts = 0;
    std::uint64_t seq = 0;
    std::uint32_t host_id = 0;
    std::uint64_t upstream_seq = 0;
    std::string did;
    std::string rev;
    Buffer data;
    Buffer commit;
    Buffer statuses;
    Buffer frame;  // without the WebSocket header

    bool is_unverified() const { return (verdicts & event_log::verdict_unverified) != 0; }
    bool is_bare() const {
        return rev.empty() && data.empty() && commit.empty() && statuses.empty();
    }
    bool tells(const SignedRepo& repo) const {
        auto its_data = proto::Cid::parse(data);
        return did == repo.did() && rev == repo.rev().to_text() && its_data.has_value() &&
               *its_data == repo.data() && proto::Cid::parse(commit).has_value();
    }
};

// What a host answers to getRepoStatus.
class StatusHost {
  public:
    StatusHost(env::World& world, const std::string& machine);

    std::string name() const { return address_.text(); }
    void answer_with(std::uint16_t status, std::string body, Nanos delay = {}) {
        status_ = status;
        body_ = std::move(body);
        delay_ = delay;
    }
    void say_active(std::string_view did, bool is_active);
    std::size_t requests() const { return requests_; }
    std::size_t most_at_once() const { return most_at_once_; }
    const std::string& last_target() const { return last_target_; }

  private:
    void run();

    const Address address_;
    env::Env env_;
    net::HttpServerCounters counters_;
    std::uint16_t status_ = 404;
    std::string body_;
    Nanos delay_{};
    std::size_t requests_ = 0;
    std::size_t at_once_ = 0;
    std::size_t most_at_once_ = 0;
    std::string last_target_;
};

class ShardRig {
  public:
    static constexpr std::size_t host_count = 3;

    explicit ShardRig(std::uint64_t seed = 1);
    ~ShardRig();

    // One life of the relay. The log, the database and the hosts stay for the next one.
    void run(const std::function<void()>& body);

    ShardOptions options;                      // for the next run
    const net::Outbound* strangers = nullptr;  // the door for hosts that strangers announced

    // ----- in the body
    env::Env env;
    Nanos now() const { return env.clock.now(); }
    WallMillis wall() const { return env.clock.wall(); }
    std::uint64_t seq() { return next_seq_++; }
    void sleep(Nanos duration) { static_cast<void>(fiber::sleep_for(duration)); }

    StatusHost& host(std::size_t number) { return *hosts_[number]; }
    const HostRef& host_ref(std::size_t number) const { return host_refs_[number]; }
    // More hosts than those with an address.
    const HostRef& add_host(std::string name);
    // Its document names this host.
    SignedRepo new_account(std::size_t host_number);
    void publish(const SignedRepo& repo, std::size_t host_number);

    Sent& send(std::size_t host_number, const Buffer& frame) {
        return send(host_refs_[host_number], frame);
    }
    Sent& send(const HostRef& ref, const Buffer& frame);
    // Waits until nothing is left to be waited for; whether it is in the log.
    bool passes(const Sent& sent, Nanos within = std::chrono::minutes(10));
    bool passes(std::size_t host_number, const Buffer& frame) {
        return passes(send(host_number, frame));
    }
    bool is_waiting(const Sent& sent) const { return !sent.event.is_done.load(); }
    bool is_done_within(const Sent& sent, Nanos within);
    // The account as if it had been seen before: row and identity in the database.
    void remember(const SignedRepo& repo, std::size_t host_number, index::AccountRow row);

    // All but the names of hosts.
    std::vector<LoggedFact> logged();
    std::uint64_t failed(Check check) { return metrics->failed(check).value(); }
    // What the shard knows, as the next restart will read it.
    void fold_everything() { fold.applied_seq.store(log->head_seq()); }

    std::optional<support::SimPlc> plc;
    base::Logger logger{base::LogLevel::debug, base::LogFormat::text};
    std::string log_lines();
    accounts::FoldProgress fold;
    std::unique_ptr<IngestMetrics> metrics;
    std::unique_ptr<event_log::Log> log;
    std::unique_ptr<event_log::Sequencer> sequencer;
    std::unique_ptr<index::Database> database;
    std::unique_ptr<ShardContext> context;
    std::unique_ptr<Shard> shard;

  private:
    void begin();
    void end();

    base::Metrics registry_{1};
    std::unique_ptr<identity::IdentityMetrics> identity_metrics_;
    index::MemoryDisk database_disk_;
    std::deque<HostRef> host_refs_;
    std::deque<std::unique_ptr<StatusHost>> hosts_;
    std::deque<Sent> sent_;
    std::uint64_t next_seq_ = 1;
    std::uint64_t next_account_ = 1;
    env::World world_;
    env::Machine* machine_ = nullptr;
};

}  // namespace ringlay::ingest::test
