// The door of the firehose: decides on each subscription request, finds the worker that serves it,
// and keeps the caps.
//
// Owner    Relay. Outlives the rooms' consumers: seats come back to it.
// Thread   made, used and destroyed on the worker that accepts connections.
// Bound    max_consumers, max_per_address; max_replays_per_address of those that read from disk:
//          who comes with a cursor while so many of its address do is told to come later. Nobody
//          else waits for them: readers of a worker share blocks, and the log's appends go first.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/fiber/fiber.hpp"
#include "relay/fiber/mailbox.hpp"
#include "relay/firehose/consumer_room.hpp"
#include "relay/firehose/seat.hpp"
#include "relay/net/client_address.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::firehose {

inline constexpr std::string_view subscribe_path = "/xrpc/com.atproto.sync.subscribeRepos";

struct FirehoseLimits {
    std::uint32_t max_consumers = 1000;
    std::uint32_t max_per_address = 50;  // of IPv6: from one /64
    std::uint32_t max_replays_per_address = 4;
    // Whether that holds for this machine, too. An address that a proxy told is another machine's.
    bool limits_loopback_replays = false;
    std::uint32_t pack = 64;  // consumers on one worker before the next one gets any
};

class Firehose {
  public:
    Firehose(FirehoseMetrics& metrics, net::HttpHeaders response_headers, FirehoseLimits limits);
    ~Firehose();  // every seat is back
    Firehose(const Firehose&) = delete;
    Firehose& operator=(const Firehose&) = delete;

    fiber::Mailbox<Seat>& returned() { return returned_; }
    // The rooms may not be destroyed before stop().
    void start(std::vector<ConsumerRoom*> rooms);
    // No seat is given any more.
    void stop();

    // A subscription request that is in order gets a seat; any other the response that refuses it.
    std::expected<std::unique_ptr<Seat>, net::HttpResponse> admit(const net::HttpRequest& request,
                                                                  const net::Client& client);
    // The seat's connection, with what has come behind the request; a worker takes it from here.
    void seat(std::unique_ptr<Seat> seat, env::Socket socket, Buffer already_received);

    std::uint32_t consumers() const { return seated_; }

  private:
    struct Refusal;
    std::optional<Refusal> refusal(const net::Client& client, bool has_cursor) const;
    void take_back();

    FirehoseMetrics& metrics_;
    const net::HttpHeaders response_headers_;
    const FirehoseLimits limits_;
    fiber::Mailbox<Seat> returned_;
    std::vector<ConsumerRoom*> rooms_;
    std::vector<std::uint32_t> seated_in_room_;
    std::map<Address, std::vector<const Seat*>> seated_by_party_;
    std::uint32_t seated_ = 0;
    std::uint64_t next_id_ = 1;
    fiber::Event all_back_;
    fiber::Task take_back_;
};

}  // namespace ringlay::firehose
