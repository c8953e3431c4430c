#include "relay/firehose/firehose.hpp"

#include <algorithm>

#include "relay/firehose/cursor_parameter.hpp"
#include "relay/firehose/placement.hpp"
#include "relay/net/websocket_handshake.hpp"

namespace ringlay::firehose {
namespace {

constexpr std::size_t max_user_agent_bytes = 128;

}  // namespace

Firehose::Firehose(FirehoseMetrics& metrics, net::HttpHeaders response_headers,
                   FirehoseLimits limits)
    : metrics_(metrics),
      response_headers_(std::move(response_headers)),
      limits_(limits),
      take_back_(fiber::spawn("firehose takes seats back", [this] { take_back(); })) {}

Firehose::~Firehose() {
    rooms_.clear();
    fiber::CancelBlocker blocker;
    while (seated_ > 0) {
        all_back_.reset();
        static_cast<void>(all_back_.wait());
    }
    take_back_.cancel_and_join();
}

void Firehose::start(std::vector<ConsumerRoom*> rooms) {
    rooms_ = std::move(rooms);
    seated_in_room_.assign(rooms_.size(), 0);
}

void Firehose::stop() {
    rooms_.clear();
}

struct Firehose::Refusal {
    std::uint16_t status;
    std::string_view name;
    std::string_view words;
    base::Counter* counter;
};

std::optional<Firehose::Refusal> Firehose::refusal(const net::Client& client,
                                                   bool has_cursor) const {
    if (rooms_.empty()) {
        return Refusal{503, "ServiceUnavailable", "the relay is stopping", &metrics_.refused};
    }
    auto from_here = seated_by_party_.find(net::party_of(client.address));
    if (from_here != seated_by_party_.end()) {
        const std::vector<const Seat*>& seats = from_here->second;
        if (seats.size() >= limits_.max_per_address) {
            return Refusal{429, "RateLimitExceeded", "too many consumers from your address",
                           &metrics_.refused_address};
        }
        const bool is_limited =
            limits_.limits_loopback_replays || client.is_proxied || !client.address.is_loopback();
        if (has_cursor && is_limited &&
            std::ranges::count_if(seats, [](const Seat* seat) {
                return seat->replays.load(std::memory_order_relaxed);
            }) >= static_cast<std::ptrdiff_t>(limits_.max_replays_per_address)) {
            return Refusal{429, "RateLimitExceeded",
                           "too many consumers from your address are catching up; wait for one of "
                           "them, or connect without a cursor",
                           &metrics_.refused_replay};
        }
    }
    if (seated_ >= limits_.max_consumers) {
        return Refusal{503, "ServiceUnavailable", "too many consumers", &metrics_.refused};
    }
    return std::nullopt;
}

std::expected<std::unique_ptr<Seat>, net::HttpResponse> Firehose::admit(
    const net::HttpRequest& request, const net::Client& client) {
    auto accept = net::check_upgrade(request);
    if (!accept) return std::unexpected(std::move(accept.error()));

    auto parameter = request.query("cursor");
    if (!parameter) {
        return std::unexpected(net::json_error(400, "BadRequest", parameter.error().what));
    }
    auto cursor = parse_cursor(*parameter);
    if (!cursor) return std::unexpected(net::json_error(400, "BadRequest", cursor.error().what));

    if (auto why = refusal(client, cursor->has_value())) {
        why->counter->add_shared();
        net::HttpResponse response = net::json_error(why->status, why->name, why->words);
        response.headers.add("Retry-After", "30");
        return std::unexpected(std::move(response));
    }

    auto seat = std::make_unique<Seat>();
    seat->peer = client.address;
    seat->cursor = *cursor;
    seat->replays.store(cursor->has_value(), std::memory_order_relaxed);
    seat->user_agent =
        request.headers.find("User-Agent").value_or("").substr(0, max_user_agent_bytes);
    net::ResponseHeadOptions head;
    head.defaults = &response_headers_;
    seat->response = net::encode_response_head(net::upgrade_response(*accept), head);
    return seat;
}

void Firehose::seat(std::unique_ptr<Seat> seat, env::Socket socket, Buffer already_received) {
    if (rooms_.empty()) return;  // stopping: the socket closes
    std::size_t room = place_consumer(seated_in_room_, limits_.pack);
    seat->id = next_id_++;
    seat->room = static_cast<std::uint32_t>(room);
    seat->socket = std::move(socket);
    seat->already_received = std::move(already_received);
    ++seated_in_room_[room];
    seated_by_party_[net::party_of(seat->peer)].push_back(seat.get());
    ++seated_;
    metrics_.accepted.add_shared();
    metrics_.consumers.set(seated_);
    rooms_[room]->push(*seat.release());
}

void Firehose::take_back() {
    while (auto node = returned_.pop("a seat to come back")) {
        std::unique_ptr<Seat> seat(*node);
        --seated_in_room_[seat->room];
        auto from_there = seated_by_party_.find(net::party_of(seat->peer));
        std::erase(from_there->second, seat.get());
        if (from_there->second.empty()) seated_by_party_.erase(from_there);
        --seated_;
        metrics_.consumers.set(seated_);
        if (seated_ == 0) all_back_.set();
    }
}

}  // namespace ringlay::firehose
