// One host's stream, for as long as the relay runs: dial, read, pass events to their shards, wait,
// dial again. It never gives up; why the last connection ended is kept and shown.
//
// A host without a cursor is asked for everything it still has (cursor 0); later connections go on
// behind the last event taken. The cursor is nowhere stored: the log's own facts say, after a
// restart, up to where all is done, and which events above that are in the log already: those are
// sent again by the host, and passed over.
//
// Owner    hosts::HostRoom. One fiber; it reads only each frame's envelope.
// Thread   its worker; status() there as well.
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
#include "relay/hosts/frame_rules.hpp"
#include "relay/hosts/host_metrics.hpp"
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
    std::string user_agent;
    WindowLimits window;
    fiber::Event has_entries_in_flight;  // since the room last looked
};

enum class HostPhase : std::uint8_t { waiting, connecting, connected, stopped };
std::string_view phase_name(HostPhase phase);

// `localhost:2600`, `[::1]:2600`: how the log, the status pages and log lines call it.
std::string host_name(const base::HostAddress& address);

struct HostStatus {
    std::string name;
    HostPhase phase = HostPhase::waiting;
    std::uint64_t last_seq = 0;  // of the host's own counting
    std::uint64_t events = 0;    // passed on since the start
    std::uint64_t connections = 0;
    std::size_t window_events = 0;
    std::size_t window_bytes = 0;
    WallMillis last_event{};    // 0: none since the start
    WallMillis next_attempt{};  // while waiting
    std::string failure;        // why the last connection ended; empty: none has
};

class Subscriber {
  public:
    static constexpr Nanos connect_timeout = std::chrono::seconds(10);
    static constexpr Nanos ping_after = std::chrono::seconds(30);
    static constexpr Nanos dead_after = std::chrono::seconds(75);

    // `known`: what the log says of this host; nothing: it is new.
    Subscriber(HostContext& context, base::HostAddress address,
               const std::optional<event_log::Host>& known);

    // Until the fiber is cancelled.
    void run();

    HostStatus status() const;
    void reap_window() { window_.reap(); }

  private:
    // One connection, from dialling to its end. Returns why it ended.
    std::string connect_and_read();
    std::string read(net::WebSocketClient& client);
    Result<void> handle(net::WebSocketClient& client, net::WebSocketMessage message,
                        std::string& end);
    Result<void> pass(net::WebSocketClient& client, Buffer message, const proto::Peek& frame);
    Result<void> restart_cursor(std::uint64_t first_seq);
    bool was_logged_before(std::uint64_t seq);
    void count(const Ruling& ruling);
    void note(const Ruling& ruling, std::string& end);
    void set_phase(HostPhase phase);
    std::uint64_t now_ms() const;

    HostContext& context_;
    const base::HostAddress address_;
    ingest::HostRef host_;                     // its number is known when run() begins
    std::vector<std::uint64_t> logged_above_;  // the cursor, by an earlier life; falling
    HostWindow window_;
    BackOff back_off_;
    std::uint64_t last_seq_;
    // The host has said that our cursor is ahead of it: it has lost data or was restored. The next
    // connection is live only, and its first event begins a new cursor.
    bool restarts_live_ = false;

    HostPhase phase_ = HostPhase::waiting;
    std::uint64_t events_ = 0;
    std::uint64_t events_of_connection_ = 0;
    std::uint64_t connections_ = 0;
    WallMillis last_event_{};
    WallMillis next_attempt_{};
    std::string failure_;
};

}  // namespace ringlay::hosts
