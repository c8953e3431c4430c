#include "relay/event_log/reader.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"

namespace ringlay::event_log {

ReadPort::ReadPort(Log& log, BlockCacheOptions options) : log_(log), blocks_(options) {
    fiber::call_on(log_.worker(), "add read port", [this] { log_.tail().add_bell(bell_); });
}

ReadPort::~ReadPort() {
    fiber::call_on(log_.worker(), "remove read port", [this] { log_.tail().remove_bell(bell_); });
}

Reader::Reader(ReadPort& port, Position position, Start start)
    : port_(&port), start_(start), position_(position) {}

Result<Reader> Reader::open(ReadPort& port, std::optional<std::uint64_t> cursor) {
    Log& log = port.log();
    Result<Log::Place> place = fail(Errc::closed, "log: not asked");
    fiber::call_on(log.worker(), "find cursor", [&] { place = log.find_cursor(cursor); });
    if (!place) return std::unexpected(place.error());
    return Reader(port, place->position, Start{place->kind, place->seq});
}

Result<View> Reader::view(std::size_t max_bytes) {
    RINGLAY_ASSERT(start_.kind != Start::Kind::future);
    View view;
    if (is_at_head()) return view;
    view.pin_ = port_->log().tail().pin(position_, max_bytes);
    was_cold_ = !view.pin_.is_held();
    if (was_cold_) return cold_view(max_bytes);
    segment_.reset();
    view.bytes_ = view.pin_.bytes();
    return view;
}

Result<View> Reader::cold_view(std::size_t max_bytes) {
    Log& log = port_->log();
    if (segment_ == nullptr || position_ >= segment_->end.load()) {
        Result<std::shared_ptr<const SegmentReader>> found = fail(Errc::closed, "not asked");
        fiber::call_on(log.worker(), "find segment", [&] { found = log.segment_at(position_); });
        if (!found) return std::unexpected(found.error());
        segment_ = std::move(*found);
    }
    if (segment_->is_removed.load()) return fail(Errc::not_found, "log: left the window");

    const Position known = std::min(log.head(), segment_->end.load());
    auto block = port_->blocks().get(*segment_, position_ - segment_->base, known - segment_->base);
    if (!block) return std::unexpected(block.error());
    const std::uint64_t at = (position_ - segment_->base) % port_->blocks().block_bytes();
    View view;
    view.block_ = std::move(*block);
    view.bytes_ = Bytes(view.block_->bytes).subspan(static_cast<std::size_t>(at));
    view.bytes_ = view.bytes_.first(std::min(view.bytes_.size(), max_bytes));
    return view;
}

void Reader::advance(const View& view, std::size_t taken) {
    frames_.advance(view.bytes().first(taken));
    position_ += taken;
}

Result<void> Reader::wait(Deadline deadline) {
    port_->blocks().drop_if_idle();
    return port_->bell().listen("events", deadline, [this] { return !is_at_head(); });
}

}  // namespace ringlay::event_log
