// A fake PDS: accounts, their events, and what a relay asks a host for.
//
// Owner    Group.
// Thread   its group's worker.
// Bound    log_bytes of events; accounts and their records as given.
// Source   protocol 1 (stream), 5 (host endpoints): lexicons com.atproto.sync and .server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/fleet/accounts.hpp"
#include "bench/fleet/door.hpp"
#include "bench/fleet/host_log.hpp"
#include "bench/fleet/ledger.hpp"
#include "bench/fleet/repo.hpp"
#include "bench/fleet/traffic.hpp"
#include "relay/env/env.hpp"

namespace ringlay::bench {

struct HostOptions {
    AccountBook book;
    std::uint64_t index = 0;  // of this host in the fleet
    std::size_t log_bytes = 16 << 20;
    std::shared_ptr<const StartingRecords> records;  // of each account; null: none
    bool keeps_ledger = false;
};

class Host {
  public:
    // The first seq is the time, so that a later life of the same host goes on above it.
    Host(const env::Env& env, const HostOptions& options);

    std::size_t account_count() const { return repos_.size(); }
    const Repo& repo(std::size_t account) const { return repos_[account]; }
    const HostLog& log() const { return log_; }
    const Ledger& ledger() const { return ledger_; }  // empty unless it is kept
    std::uint64_t events() const { return log_.next_seq() - first_seq_; }
    std::size_t subscribers() const { return subscribers_; }
    // What the last one who asked for the stream called himself.
    const std::string& user_agent() const { return user_agent_; }

    // What an account begins with: #identity, #account, its first #commit.
    void introduce(std::size_t account);
    // One more event of some account.
    void emit();

    DoorReply answer(const net::HttpRequest& request, const Address& local);

  private:
    void send(Buffer frame);
    DoorReply subscribe(const net::HttpRequest& request);
    net::HttpResponse describe_server(const Address& local) const;
    net::HttpResponse list_repos(const net::HttpRequest& request) const;
    net::HttpResponse repo_answer(const net::HttpRequest& request, bool is_status) const;
    std::uint64_t unix_micros() const;

    env::Env env_;
    std::vector<Repo> repos_;
    std::unordered_map<std::string, std::size_t> by_did_;
    Traffic traffic_;
    std::mt19937_64 random_;
    const std::uint64_t first_seq_;
    HostLog log_;
    const bool keeps_ledger_;
    Ledger ledger_;
    std::size_t subscribers_ = 0;
    std::string user_agent_;
};

}  // namespace ringlay::bench
