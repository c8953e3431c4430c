// One subscriber of a host's stream: the host's end of com.atproto.sync.subscribeRepos. Two fibers:
// one sends from the host's log, one reads what the subscriber says.
//
// Owner    the connection's fiber, in which run() is called.
// Thread   the host's worker.
// Bound    nothing of its own: bytes are cut from the log when the socket takes them. Who does not
//          keep up is cut off when what he reads is no longer kept.
// Source   protocol 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bench/fleet/host_log.hpp"
#include "relay/env/env.hpp"
#include "relay/net/http_message.hpp"
#include "relay/net/stream.hpp"
#include "relay/net/websocket_frame.hpp"

namespace ringlay::bench {

class Subscription {
  public:
    // The stream outlives it.
    Subscription(HostLog& log, net::Stream& stream, Buffer already_read);

    // Until the subscriber has gone, or the fiber is cancelled. `accept` answers the handshake.
    void run(std::string_view accept, const net::HttpHeaders& headers,
             std::optional<std::uint64_t> cursor);

  private:
    enum class End : std::uint8_t { gone, closed, violation, future, too_slow, going_away };

    std::optional<End> begin(std::optional<std::uint64_t> cursor);
    End stream();
    std::optional<End> send_some();
    std::optional<End> wait_for_events();
    void listen();
    void end_by_listener(End end);
    void farewell(End end);
    bool settle_offer(Deadline deadline);
    Result<void> send_message(Bytes message, Deadline deadline);
    static End end_of(const Error& error);

    HostLog& log_;
    net::Stream& stream_;
    Buffer already_read_;
    net::WebSocketDecoder decoder_;
    std::uint64_t position_ = 0;
    bool has_open_offer_ = false;  // bytes at the position were offered and not taken: no others
                                   // may come first
    std::optional<net::ControlFrame> pong_;  // not yet sent
    std::optional<End> ended_;               // by the listener
    bool is_blocked_ = false;                // the sender waits for room in the socket
    std::uint16_t close_code_ = net::close_code::normal;
};

}  // namespace ringlay::bench
