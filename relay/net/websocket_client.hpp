// The client's end of a WebSocket: connects, reads messages, answers pings, closes in order.
//
// Owner    one fiber that calls receive() and close(); send_ping() may come from others of the same
//          worker. Destroyed with an open connection, it just hangs up.
// Bound    one message (max_message_bytes), that has a minute to come, and a second for each 20 KB;
//          its memory is taken out of a MessageBudget, and while others wait for that it has a
//          quarter of the time. 4 KiB of control frames that the peer has not taken: beyond it
//          pongs are dropped, the peer is not listening anyway. More than 5 pings a second end the
//          connection, once 100 have come at once.
// Errors   of connect(): Failure, with a sentence. Of receive(): timed_out (call again), cancelled,
//          closed (close_info() says how), malformed or too_large (the peer was told, it is over).
// Source   RFC 6455.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "relay/net/dial.hpp"
#include "relay/net/http_message.hpp"
#include "relay/net/message_budget.hpp"
#include "relay/net/websocket_frame.hpp"

namespace ringlay::net {

struct WebSocketClientOptions {
    Deadline deadline = Deadline::never();  // of the connection, the handshake included
    const Outbound* outbound = nullptr;     // nullptr: plain TCP to anywhere, no TLS
    AddressPlaces* places = nullptr;        // nullptr: any number of connections to one address
    HttpHeaders headers;                    // User-Agent and the like
    std::uint64_t max_message_bytes = 5'000'000;
    MessageBudget* messages = nullptr;  // of those that have come in part; nullptr: no bound
};

// One message, with its bytes. They lie in the buffer in which they were received if they can; that
// buffer is one of the worker's few, so a message that has to wait is taken out by into_buffer().
class WebSocketMessage {
  public:
    WebSocketMessage() = default;
    WebSocketMessage(WebSocketMessage&&) noexcept = default;
    WebSocketMessage& operator=(WebSocketMessage&&) noexcept = default;

    bool is_text() const { return is_text_; }
    Bytes bytes() const { return view_; }
    bool holds_receive_buffer() const { return !chunk_.empty(); }
    Buffer into_buffer() &&;  // copies only out of a receive buffer

  private:
    friend class WebSocketClient;
    bool is_text_ = false;
    Bytes view_;  // into one of the two
    StreamChunk chunk_;
    Buffer owned_;
};

class WebSocketClient {
  public:
    struct CloseInfo {
        std::uint16_t code = close_code::none_received;
        std::string reason;
    };

    static std::expected<WebSocketClient, Failure> connect(env::Env& env, const proto::Url& url,
                                                           const WebSocketClientOptions& options);
    WebSocketClient(WebSocketClient&&) noexcept;
    WebSocketClient& operator=(WebSocketClient&&) noexcept;
    ~WebSocketClient();

    Result<WebSocketMessage> receive(Deadline deadline);

    // Between two messages the connection may hold one of the worker's few receive buffers. Before
    // a wait that is not for the peer (for room, for a rate) it is given back by this; what lies in
    // it is copied. Messages that were handed out have into_buffer().
    void let_go_of_buffer();

    // busy: the peer takes nothing at present.
    Result<void> send_ping(Bytes payload = {});

    // Says goodbye and waits for the peer to say it, too; messages that still come are dropped.
    Result<void> close(std::uint16_t code, std::string_view reason, Deadline deadline);

    // When the peer last sent anything, or was not listened to, by the worker's clock.
    Nanos last_heard() const;
    std::uint64_t received_bytes() const;
    const Address& peer() const;
    // The answer to the handshake, for its fields.
    const HttpResponse& handshake() const;
    // What the peer said when it closed.
    const CloseInfo& close_info() const;
    bool holds_receive_buffer() const;

  private:
    struct State;
    explicit WebSocketClient(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace ringlay::net
