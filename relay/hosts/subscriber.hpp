// One host's stream, for as long as the relay runs: dial, read, pass events to their shards, wait,
// dial again. It never gives up; why the last connection ended is kept and shown.
//
// The cursor is nowhere stored: the log's own facts say, after a restart, up to where all is done,
// and which events above that are in the log already: those are sent again by the host, and passed
// over. A host without a cursor is asked for everything it still has (cursor 0), or for what comes
// from now on (HostOrders::begins_live).
//
// What a host sends too fast is not read: its rate (events, bytes) grows with its accounts, and a
// new account costs as much as several events. What ends the connection each time it comes is
// stepped over. A host that sends almost nothing but invalid events is put off for an hour.
//
// Owner    hosts::HostRoom. One fiber; it reads only each frame's envelope.
// Thread   its worker; everything here.
// Bound    HostWindow; one message of max_message_bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/config.hpp"
#include "relay/base/logger.hpp"
#include "relay/env/env.hpp"
#include "relay/event_log/bell.hpp"
#include "relay/event_log/sequencer.hpp"
#include "relay/hosts/back_off.hpp"
#include "relay/hosts/dial_gate.hpp"
#include "relay/hosts/frame_rules.hpp"
#include "relay/hosts/host_judge.hpp"
#include "relay/hosts/host_metrics.hpp"
#include "relay/hosts/host_rate.hpp"
#include "relay/hosts/host_row.hpp"
#include "relay/hosts/host_window.hpp"
#include "relay/net/websocket_client.hpp"

namespace ringlay::hosts {

// What all subscribers of one worker share. It outlives them.
struct HostContext {
    env::Env& env;
    const ingest::Shards& shards;
    ingest::IngestMetrics& ingest;
    event_log::Sequencer& sequencer;
    event_log::Bell& bell;
    base::Logger& logger;
    HostMetrics& metrics;
    const net::Outbound* outbound;   // nullptr: plain, to anywhere
    const net::Outbound* strangers;  // for hosts that strangers announced
    net::MessageBudget* messages;    // nullptr: no bound
    net::AddressPlaces* places;      // likewise; for hosts that the operator has not named
    DialGate& gate;
    std::string user_agent;
    std::uint32_t events_per_second;  // of a host without accounts
    WindowLimits window;
    fiber::Event has_entries_in_flight;  // since the room last looked
    // Thousands come and go at once when a relay starts or loses its network.
    base::LogLimit connects{20};
    base::LogLimit disconnects{20};
    base::LogLimit beginnings{20};
    // What a host can have said as often as it likes.
    base::LogLimit infos{20};
    base::LogLimit drops{20};
    base::LogLimit steps{20};
};

enum class HostPhase : std::uint8_t { waiting, connecting, connected, stopped };
std::string_view phase_name(HostPhase phase);

// What was wrong with a host's stream since the start: how often.
struct HostTroubles {
    std::uint64_t stale = 0;       // events with a seq that was before
    std::uint64_t unreadable = 0;  // messages that are no events, or broken ones
    std::uint64_t poison_steps = 0;
    std::uint64_t seq_leaps = 0;
    std::uint64_t seq_regressions = 0;
    std::uint64_t future_cursors = 0;
    std::uint64_t rate_waits = 0;  // times that it was held back
    bool operator==(const HostTroubles&) const = default;
};

struct HostStatus {
    std::string name;
    HostPhase phase = HostPhase::waiting;
    std::uint64_t last_seq = 0;  // of the host's own counting
    std::uint64_t events = 0;    // passed on since the start
    std::uint64_t connections = 0;
    std::size_t window_events = 0;
    std::size_t window_bytes = 0;
    WallMillis last_event{};       // 0: none since the start
    WallMillis next_attempt{};     // while waiting
    std::string failure;           // why the last connection ended; empty: none has
    WallMillis failed_at{};        // when it did
    WallMillis connected_since{};  // while connected
    std::string server;            // what it says it is
    // Of what its events came to, since the start:
    std::uint64_t passed = 0;
    std::uint64_t refused = 0;     // repeats, of inactive accounts and the like
    std::uint64_t forged = 0;      // what no honest host sends
    std::uint64_t limited = 0;     // too many #identity of one account
    std::uint64_t unverified = 0;  // could not be checked
    HostTroubles troubles;
    std::uint64_t accounts = 0;
    double events_per_second = 0;  // of the last while
    double bytes_per_second = 0;
    std::uint32_t limit_events_per_second = 0;
    // Of its newest commit: how old it was when it came, and how far it is ahead of our clock
    // still. Nothing: none has passed since the start.
    std::optional<std::uint64_t> lag_ms;
    std::uint64_t rev_ahead_ms = 0;
    bool is_throttled = false;    // held back for more than half of ten minutes
    bool is_quarantined = false;  // asked once an hour
    bool is_relay = false;        // says so
    bool counts_anew = false;     // the cursor in the log is not the one it is read from
};

class Subscriber {
  public:
    static constexpr Nanos connect_timeout = std::chrono::seconds(10);
    static constexpr Nanos ping_after = std::chrono::seconds(30);
    static constexpr Nanos dead_after = std::chrono::seconds(75);
    static constexpr Nanos put_off_for = std::chrono::hours(1);     // relays, quarantine
    static constexpr Nanos least_pause = std::chrono::seconds(10);  // also for who wakes it

    // `known`: what the log says of this host; nothing: it is new.
    Subscriber(HostContext& context, base::HostAddress address, const HostOrders& orders,
               const std::optional<event_log::Host>& known);

    // Until the fiber is cancelled. May be called again afterwards.
    void run();

    void change(const HostOrders& orders);
    // The next attempt is now, if it waits for one and the last was least_pause ago. Who has been
    // put off stays so, unless its operator wakes it: then the quarantine ends, too.
    void wake(Waker waker);
    // That were known before the start; those met since are added.
    void set_accounts(std::uint64_t known) { known_accounts_ = known; }
    // Not while run() runs. Nothing: live.
    void set_cursor(std::optional<std::uint64_t> cursor);

    const std::string& name() const { return host_.name; }
    HostStatus status();
    void reap_window() { window_.reap(); }
    bool is_idle() const { return window_.event_count() == 0; }

  private:
    struct End {
        std::string why;
        bool is_relay = false;
        bool is_poison = false;  // a message that could not be read ended it
    };
    // One connection, from dialling to its end.
    End connect_and_read();
    End read(net::WebSocketClient& client);
    Result<void> handle(net::WebSocketClient& client, net::WebSocketMessage message, End& end);
    Result<void> pass(net::WebSocketClient& client, Buffer message, const proto::Peek& frame);
    void charge_rate(std::size_t bytes);
    Result<void> keep_rate(net::WebSocketClient& client);
    Result<void> restart_cursor(std::uint64_t first_seq);
    void count_anew(std::uint64_t cursor, bool is_live_only);
    void take_error(const Ruling& ruling, End& end);
    bool leaps(const Ruling& ruling, End& end);
    std::optional<std::string> regression();
    std::string subscribe_url() const;
    bool was_logged_before(std::uint64_t seq);
    void count(const Ruling& ruling);
    void note(const Ruling& ruling, End& end);
    std::optional<std::string> judge();  // why it is put off
    void step_over_poison();
    Nanos pause_after(const End& end);
    Result<void> wait_for_attempt(Nanos pause);
    std::uint64_t accounts() const;
    void set_phase(HostPhase phase) { phase_ = phase; }
    std::uint64_t now_ms() const;

    HostContext& context_;
    const base::HostAddress address_;
    HostOrders orders_;
    ingest::HostRef host_;                     // its number is known when run() begins
    std::vector<std::uint64_t> logged_above_;  // the cursor, by an earlier life; falling
    HostWindow window_;
    BackOff back_off_;
    HostRate rate_;
    QuarantineJudge judge_;
    PoisonStepper poison_;
    LeapJudge leap_judge_;
    RegressionJudge regression_judge_;
    std::uint64_t last_seq_;
    // The next connection is live only: a new host that is to begin so, or one that has said that
    // our cursor is ahead of it (it has lost data or was restored).
    bool is_live_only_ = false;
    bool counts_anew_ = false;  // the first event that comes begins a new cursor in the log

    HostPhase phase_ = HostPhase::waiting;
    std::uint64_t events_ = 0;
    std::uint64_t events_of_connection_ = 0;
    std::uint64_t passed_before_ = 0;  // of HostCounts, when the last connection ended
    std::uint64_t connections_ = 0;
    std::uint64_t known_accounts_ = 0;
    std::uint64_t charged_accounts_ = 0;
    HostTroubles troubles_;
    std::uint64_t judged_good_ = 0;
    std::uint64_t judged_bad_ = 0;
    Nanos judged_at_{};
    bool is_quarantined_ = false;
    bool is_relay_ = false;
    std::string server_;
    fiber::Event woken_;
    Nanos last_attempt_{};
    Nanos put_off_until_{};  // for its invalid events, for being a relay, for what it has sent
    WallMillis last_event_{};
    WallMillis next_attempt_{};
    WallMillis connected_since_{};
    WallMillis failed_at_{};
    std::string failure_;
};

}  // namespace ringlay::hosts
