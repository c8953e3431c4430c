// One consumer of the firehose: a position in the log and a socket. It is never queued for: bytes
// are cut from the log when its socket takes them, live or days behind by the same code. A slow one
// costs a fiber and a socket, until it leaves the retention window or takes too little.
//
// Two fibers: one sends; one reads what the consumer says (pings, the close) and ignores its data.
// Control frames go between frames of the stream (design I8).
//
// Owner    ConsumerRoom.
// Thread   its worker.
// Bound    one view of max_send_bytes; inbound bytes max_inbound_bytes a minute.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "relay/base/logger.hpp"
#include "relay/env/env.hpp"
#include "relay/event_log/reader.hpp"
#include "relay/firehose/firehose_metrics.hpp"
#include "relay/firehose/seat.hpp"
#include "relay/net/websocket_frame.hpp"

namespace ringlay::firehose {

struct ConsumerLimits {
    // While events wait, so much has to be taken in each `stall`, or all that waited when it began.
    Nanos stall = std::chrono::seconds(600);
    std::uint64_t least_progress_bytes = 64 * 1024;
    Nanos ping_after = std::chrono::seconds(30);
    Nanos dead_after = std::chrono::seconds(120);   // nothing heard although pinged, nothing sent
    Nanos farewell = std::chrono::seconds(3);       // to bring a frame to its end and say goodbye
    Nanos future_linger = std::chrono::seconds(5);  // against clients that redial at full speed
    std::size_t max_send_bytes = 256 * 1024;
    std::uint64_t max_inbound_bytes_a_minute = 1 << 20;
};

// What the consumers of one worker share. It outlives them.
struct ConsumerContext {
    env::Env& env;
    event_log::ReadPort& port;
    base::Logger& logger;
    FirehoseMetrics& metrics;
    ConsumerLimits limits;
    Nanos pause{};  // before a woken consumer sends, so that many share one wake-up
};

struct ConsumerStatus {
    std::uint64_t id = 0;
    std::string peer;
    std::string user_agent;
    std::uint64_t lag_bytes = 0;
    std::uint64_t frames_sent = 0;
    WallMillis connected_at{};
};

class Consumer {
  public:
    Consumer(ConsumerContext& context, Seat& seat);

    // Until the consumer has gone, or the fiber is cancelled (a restart: 1001).
    void run();

    ConsumerStatus status() const;

  private:
    using End = ConsumerEnd;

    End serve();
    std::optional<End> begin();
    std::optional<End> send_some();
    std::optional<End> send_pending_control();
    std::optional<End> send_control(const net::ControlFrame& frame);
    std::optional<End> wait_for_work();
    std::optional<End> wait_writable();
    Deadline stall_deadline() const;
    void farewell(End end);
    void finish_frame(Deadline deadline);
    Bytes up_to_boundary(Bytes bytes) const;  // of the present frame

    void listen();
    bool take_inbound(std::span<std::uint8_t> bytes);
    void wake_sender();
    void end_by_listener(End end);

    Result<void> send_frame(Bytes message, Deadline deadline);

    ConsumerContext& context_;
    Seat& seat_;
    std::optional<event_log::Reader> reader_;
    net::WebSocketDecoder decoder_;
    WallMillis connected_at_;

    std::optional<net::ControlFrame> pong_;  // the latest ping's answer, not yet sent
    std::optional<End> ended_;               // by the listener
    bool is_blocked_ = false;                // the sender waits for room in the socket
    std::uint16_t peer_close_code_ = net::close_code::none_received;
    std::uint16_t violation_code_ = net::close_code::policy;  // said to a peer that breaks a rule
    Nanos last_heard_;
    Nanos last_sent_;
    Nanos last_ping_;
    // While events wait for it: since when, and what it has still to take before that begins anew.
    struct Debt {
        Nanos since;
        std::uint64_t bytes;
    };
    std::optional<Debt> debt_;
    Nanos inbound_minute_began_;
    std::uint64_t inbound_bytes_ = 0;
    std::uint64_t frames_counted_ = 0;
};

}  // namespace ringlay::firehose
