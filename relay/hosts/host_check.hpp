// Whether there is a PDS behind a name that a stranger has named: asks describeServer, and takes
// any JSON object for a yes. Servers whose `Server` header says that they are a relay are none.
//
// Owner    Relay; the fetch and what it uses outlive it.
// Thread   the main worker; check() waits.
// Bound    max_at_once questions, max_waiting callers behind them, of these max_of_party for one
//          address that asks (of IPv6 the /64), so that nobody can fill the places with servers
//          that do not answer; max_remembered answers of either kind (then the oldest is
//          forgotten). A host is asked once in `remembered_for`, whoever wants to know: callers at
//          the same time share one question, later ones its answer. That it does not answer is soon
//          forgotten: a PDS announces itself when it starts, perhaps a moment before its proxy is
//          up, and not again for 20 minutes.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relay/base/metrics.hpp"
#include "relay/hosts/host_book.hpp"

namespace ringlay::hosts {

// Of a Server header: whether it has the token that relays know one another by.
bool names_a_relay(std::string_view server);

struct HostCheckOptions {
    std::string user_agent = {};
    Nanos patience = std::chrono::seconds(5);  // of the question; and before it, of waiting for it
    std::uint64_t max_body_bytes = 64 * 1024;
    Nanos remembered_for = std::chrono::minutes(10);
    Nanos unreachable_for = std::chrono::seconds(30);
    std::size_t max_remembered = 4096;
    std::size_t max_at_once = 16;
    std::size_t max_waiting = 64;
    std::size_t max_of_party = 4;
};

struct HostCheckAnswer {
    enum class Kind : std::uint8_t { pds, unreachable, relay, busy, too_many };
    Kind kind = Kind::busy;
    std::string words = {};   // why not, for who asks: no addresses, nothing of private networks
    std::string detail = {};  // the same for the log, with all that is known
};

class HostCheck {
  public:
    HostCheck(env::Env& env, base::Metrics& metrics, Fetch fetch, HostCheckOptions options);
    HostCheck(const HostCheck&) = delete;
    HostCheck& operator=(const HostCheck&) = delete;

    // `from`: whose share it takes; nothing: nobody's.
    HostCheckAnswer check(const base::HostAddress& address, const std::optional<Address>& from);

  private:
    struct Question {
        HostCheckAnswer answer;
        fiber::Event has_ended;
    };
    struct Aging {
        Nanos until;
        std::string name;
    };

    HostCheckAnswer ask(const base::HostAddress& address);
    HostCheckAnswer ask_server(const base::HostAddress& address);
    void remember(const std::string& name, HostCheckAnswer::Kind kind);
    void forget_first(std::deque<Aging>& answers);
    void forget_old();

    env::Env& env_;
    const Fetch fetch_;
    const HostCheckOptions options_;
    base::Counter& asked_;
    base::QueueGauge& waiting_depth_;
    std::size_t at_once_ = 0;
    std::size_t waiting_ = 0;
    fiber::WaitList places_;
    std::map<Address, std::size_t> under_way_;  // by party
    std::map<std::string, std::shared_ptr<Question>, std::less<>> questions_;
    std::deque<Aging> answered_;  // by age
    std::deque<Aging> unreachable_;
};

}  // namespace ringlay::hosts
