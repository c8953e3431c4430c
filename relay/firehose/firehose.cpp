#include "relay/firehose/firehose.hpp"

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

std::expected<std::unique_ptr<Seat>, net::HttpResponse> Firehose::admit(
    const net::HttpRequest& request, const Address& peer) {
    auto accept = net::check_upgrade(request);
    if (!accept) return std::unexpected(std::move(accept.error()));

    auto parameter = request.query("cursor");
    if (!parameter) {
        return std::unexpected(net::json_error(400, "BadRequest", parameter.error().what));
    }
    auto cursor = parse_cursor(*parameter);
    if (!cursor) return std::unexpected(net::json_error(400, "BadRequest", cursor.error().what));

    auto from_here = seated_by_ip_.find(peer.ip);
    bool address_is_full =
        from_here != seated_by_ip_.end() && from_here->second >= limits_.max_per_address;
    if (rooms_.empty() || seated_ >= limits_.max_consumers || address_is_full) {
        metrics_.refused.add_shared();
        net::HttpResponse refusal =
            rooms_.empty() ? net::json_error(503, "ServiceUnavailable", "the relay is stopping")
            : address_is_full
                ? net::json_error(429, "RateLimitExceeded", "too many consumers from your address")
                : net::json_error(503, "ServiceUnavailable", "too many consumers");
        refusal.headers.add("Retry-After", "30");
        return std::unexpected(std::move(refusal));
    }

    auto seat = std::make_unique<Seat>();
    seat->peer = peer;
    seat->cursor = *cursor;
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
    ++seated_by_ip_[seat->peer.ip];
    ++seated_;
    metrics_.accepted.add_shared();
    metrics_.consumers.set(seated_);
    rooms_[room]->push(*seat.release());
}

void Firehose::take_back() {
    while (auto node = returned_.pop("a seat to come back")) {
        std::unique_ptr<Seat> seat(*node);
        --seated_in_room_[seat->room];
        auto from_there = seated_by_ip_.find(seat->peer.ip);
        if (--from_there->second == 0) seated_by_ip_.erase(from_there);
        --seated_;
        metrics_.consumers.set(seated_);
        if (seated_ == 0) all_back_.set();
    }
}

}  // namespace ringlay::firehose
