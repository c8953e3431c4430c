// A PDS host of a simulated world as others see it: subscribeRepos over everything that it has ever
// emitted, and getRepoStatus. It knows nothing of repositories: whoever plays the network appends
// finished frames and answers for the accounts (SimNetwork).
//
// It can be made to misbehave: hang up, fall silent, answer late, wrongly or never, and go back to
// a backup, after which it counts on from a lower seq.
//
// Owner    a test; outlives the world, in which its fibers run.
// Thread   the world's one thread; append() and the switches from outside or from any fiber.
// Bound    none: it keeps every frame.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/env/sim/world.hpp"
#include "relay/fiber/mailbox.hpp"
#include "relay/net/http_server.hpp"
#include "relay/net/websocket_server.hpp"

namespace ringlay::support {

class SimPds {
  public:
    static constexpr std::uint16_t port = 2583;

    struct RepoStatus {
        bool is_active = true;
        std::string status;  // empty: none
        std::string rev;     // empty: none
    };
    // Nothing: it has no such repository.
    using FindRepo = std::function<std::optional<RepoStatus>(std::string_view did)>;
    enum class Manner : std::uint8_t { prompt, late, failing, mute };  // of getRepoStatus

    SimPds(env::World& world, std::string machine_name, FindRepo find_repo);
    ~SimPds();
    SimPds(const SimPds&) = delete;
    SimPds& operator=(const SimPds&) = delete;

    env::Machine& machine() const { return world_.machine(machine_name_); }
    Address address() const { return machine().address(port); }
    std::string name() const { return address().text(); }  // as endpoints of documents are written
    std::string endpoint() const { return "http://" + name(); }

    // Frames have rising seqs; gaps are normal.
    void append(std::uint64_t seq, Buffer frame);
    std::uint64_t last_seq() const { return seqs_.empty() ? 0 : seqs_.back(); }
    std::size_t event_count() const { return frames_.size(); }
    std::uint64_t seq_at(std::size_t index) const { return seqs_[index]; }

    // What came after the first `kept` events is gone; streams end.
    void restore(std::size_t kept);
    void hang_up();  // all streams, now
    void set_hang_ups(std::uint32_t per_mille) { hang_ups_per_mille_ = per_mille; }
    // Streams send nothing, not even a pong.
    void set_silent(bool is_silent);
    void set_manner(Manner manner) { manner_ = manner; }

    std::size_t stream_count() const { return stream_count_; }  // open now, and sending
    std::uint64_t status_requests() const { return status_requests_; }
    // Cursors of all connections in order; nothing: live.
    const std::vector<std::optional<std::uint64_t>>& cursors() const { return cursors_; }

  private:
    class Stream;

    void run();
    net::HttpReply answer(const net::HttpRequest& request);
    net::HttpReply subscribe(const net::HttpRequest& request);
    net::HttpResponse repo_status(const net::HttpRequest& request);
    void wake();

    env::World& world_;
    const std::string machine_name_;
    const FindRepo find_repo_;
    env::Env env_;
    net::HttpServerCounters counters_;
    std::optional<fiber::Doorbell> bell_;  // while it runs
    std::deque<Buffer> frames_;            // which stay where they are while they are sent
    std::vector<std::uint64_t> seqs_;
    std::deque<Buffer> lost_;       // by a restore
    std::uint64_t stream_age_ = 0;  // streams of an older one end
    std::uint32_t hang_ups_per_mille_ = 0;
    bool is_silent_ = false;
    Manner manner_ = Manner::prompt;
    std::size_t stream_count_ = 0;
    std::uint64_t status_requests_ = 0;
    std::vector<std::optional<std::uint64_t>> cursors_;
};

}  // namespace ringlay::support
