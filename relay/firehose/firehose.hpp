// The door of the firehose: decides on each subscription request, finds the worker that serves it,
// and keeps the caps.
//
// Owner    Relay. Outlives the rooms' consumers: seats come back to it.
// Thread   made, used and destroyed on the worker that accepts connections.
// Bound    max_consumers, max_per_address.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "relay/fiber/fiber.hpp"
#include "relay/fiber/mailbox.hpp"
#include "relay/firehose/consumer_room.hpp"
#include "relay/firehose/seat.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::firehose {

inline constexpr std::string_view subscribe_path = "/xrpc/com.atproto.sync.subscribeRepos";

struct FirehoseLimits {
    std::uint32_t max_consumers = 1000;
    std::uint32_t max_per_address = 50;
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
                                                                  const Address& peer);
    // The seat's connection, with what has come behind the request; a worker takes it from here.
    void seat(std::unique_ptr<Seat> seat, env::Socket socket, Buffer already_received);

    std::uint32_t consumers() const { return seated_; }

  private:
    void take_back();

    FirehoseMetrics& metrics_;
    const net::HttpHeaders response_headers_;
    const FirehoseLimits limits_;
    fiber::Mailbox<Seat> returned_;
    std::vector<ConsumerRoom*> rooms_;
    std::vector<std::uint32_t> seated_in_room_;
    std::map<std::array<std::uint8_t, 16>, std::uint32_t> seated_by_ip_;
    std::uint32_t seated_ = 0;
    std::uint64_t next_id_ = 1;
    fiber::Event all_back_;
    fiber::Task take_back_;
};

}  // namespace ringlay::firehose
