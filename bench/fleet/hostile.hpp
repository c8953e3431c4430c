// Hosts that do what no host should: one kind of it each, for ever. They have accounts of their own
// in the directory, so that what is wrong with them is what their name says and nothing else.
//
// Owner    HostileRoom, a test.
// Thread   one worker.
// Bound    what a connection is sent is made when it is sent; a few kept frames for those that must
//          say the same again (poison, oversized).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fleet/accounts.hpp"
#include "bench/fleet/door.hpp"
#include "bench/fleet/traffic.hpp"
#include "relay/env/env.hpp"

namespace ringlay::bench {

enum class Hostility : std::uint8_t {
    slow_headers,    // a byte of the answer a second
    silent,          // accepts the subscription, then nothing: no event, no pong
    tls_stall,       // accepts the connection, then nothing
    drop,            // accepts the subscription and hangs up
    poison,          // after ten events one that is no CBOR, each time
    oversized,       // after ten events a message of 6 MB, each time
    flapping,        // #identity and #account of one account, 1,000 a second
    future_revs,     // revs that are 4:59 ahead
    foreign_dids,    // events of others' accounts, and of accounts that nobody knows
    forged,          // 19 of 20 commits are signed with another key
    far_seq,         // a seq of 2^53 - 1, then FutureCursor to every cursor
    seq_regression,  // seqs go back to 1 after each ten events
    pings,           // pings without end
    big_frames,      // #commits of nearly 5 MB, without pause
    did_web,         // accounts of did:web: of its own port, which answers a byte a second, and of
                     // names that are none
    relay,           // calls itself a relay
    redirect,        // redirects into a network that must not be reached
    endless_list,    // a relay whose listHosts never ends
};
inline constexpr std::size_t hostility_count = 18;

std::string_view name_of(Hostility hostility);  // `slow-headers`
std::optional<Hostility> parse_hostility(std::string_view name);
std::vector<Hostility> all_hostilities();

struct HostileOptions {
    Hostility hostility = Hostility::silent;
    AccountBook book;
    std::uint64_t index = 0;  // of this host among all of the fleet; those before are honest
    const crypto::TlsServerContext* tls = nullptr;
};

class HostileHost {
  public:
    static constexpr std::size_t poison_at = 10;  // events before it
    static constexpr std::size_t oversized_bytes = 6'000'000;

    HostileHost(const env::Env& env, const HostileOptions& options);

    std::optional<std::string> listen(std::uint16_t port);
    const Address& local() const { return listener_.local(); }
    void serve() { door_->serve(listener_); }
    std::uint64_t accepted() const { return door_->accepted(); }
    std::uint64_t subscriptions() const { return subscriptions_; }

  private:
    DoorReply answer(const net::HttpRequest& request);
    DoorReply subscribe(const net::HttpRequest& request);
    net::HttpResponse describe_server() const;
    net::HttpResponse list_hosts(const net::HttpRequest& request);
    void stall(env::Socket& socket);
    void drip(net::Stream& stream);
    void behave(net::Stream& stream, std::optional<std::uint64_t> cursor);

    void send_kept(net::Stream& stream, std::optional<std::uint64_t> cursor);
    void flap(net::Stream& stream);
    void send_commits(net::Stream& stream, Nanos pause,
                      const std::function<Buffer(std::uint64_t)>& make);
    void send_far_seq(net::Stream& stream, std::optional<std::uint64_t> cursor);
    void ping(net::Stream& stream);
    void send_big_frames(net::Stream& stream);

    Buffer commit(Repo& repo, std::uint64_t seq, std::uint64_t ahead_micros = 0);
    Buffer foreign_commit(std::uint64_t count);
    Buffer forged_commit(std::uint64_t count);
    Buffer web_commit(std::uint64_t count);
    std::uint64_t unix_micros() const;
    void keep_frames();

    env::Env env_;
    const HostileOptions options_;
    Repo repo_;
    Repo forger_;  // the same account with a key that is not its own
    Traffic traffic_;
    std::uint64_t next_seq_;
    std::uint64_t subscriptions_ = 0;
    std::uint64_t listed_ = 0;
    std::uint64_t first_kept_ = 0;  // seq
    std::vector<Buffer> kept_;
    env::Listener listener_;
    std::unique_ptr<Door> door_;
};

}  // namespace ringlay::bench
