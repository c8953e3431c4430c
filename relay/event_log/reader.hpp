// A consumer's place in the log: a position, and the bytes from there on. Live or days behind is
// one code path: bytes come from the memory tail while it has them, else from the segment file in
// blocks that the readers of a worker share.
//
//     Result<View> view = reader.view(256 * 1024);      // nothing: wait(deadline)
//     size_t taken = socket.send_now(view->bytes());
//     reader.advance(*view, taken);                     // then drop the view, before any wait
//
// Owner    the ReadPort: one for each worker with consumers; it outlives its readers. The Reader:
//          its consumer.
// Thread   all on the port's worker. The log worker is asked only at open() and when a cold reader
//          crosses into the next segment.
// Bound    ReadPortOptions::max_blocks blocks of block_bytes a port, made when first needed, and
//          given back when nobody has been cold for a while; plus those that live views hold.
// Errors   not_found: the position has left the retention window; io, cancelled.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "relay/event_log/bell.hpp"
#include "relay/event_log/block_cache.hpp"
#include "relay/event_log/frame_walk.hpp"
#include "relay/event_log/log_writer.hpp"

namespace ringlay::event_log {

// What the readers of one worker share: its bell at the log, and its blocks.
class ReadPort {
  public:
    explicit ReadPort(Log& log, BlockCacheOptions options = {});  // in a fiber: asks the log worker
    ~ReadPort();
    ReadPort(const ReadPort&) = delete;
    ReadPort& operator=(const ReadPort&) = delete;

    Log& log() { return log_; }
    Bell& bell() { return bell_; }
    BlockCache& blocks() { return blocks_; }

  private:
    Log& log_;
    Bell bell_;
    BlockCache blocks_;
};

// Bytes of the stream, whole or part of frames. Hold it briefly, and never over a wait.
class View {
  public:
    View() = default;
    Bytes bytes() const { return bytes_; }
    bool empty() const { return bytes_.empty(); }

  private:
    friend class Reader;
    PublishedTail::Pin pin_;
    std::shared_ptr<const Block> block_;
    Bytes bytes_;
};

struct Start {
    using Kind = Log::Place::Kind;
    Kind kind = Kind::live_tip;
    std::uint64_t seq = 0;  // outdated: of the oldest event; future: the highest that may have been
};

class Reader {
  public:
    // Cursors are exclusive (protocol 1.4); 0 is the whole window and never outdated.
    static Result<Reader> open(ReadPort& port, std::optional<std::uint64_t> cursor);

    const Start& start() const { return start_; }

    // The next bytes, at most `max_bytes`; empty at the head. May wait for the disk.
    Result<View> view(std::size_t max_bytes);
    // The first `taken` bytes of the view have been sent. The view is the latest one.
    void advance(const View& view, std::size_t taken);
    // Returns when there is something to read. Errors: timed_out, cancelled.
    Result<void> wait(Deadline deadline);

    bool is_at_head() const { return position_ >= port_->log().head(); }
    bool at_frame_boundary() const { return frames_.at_boundary(); }
    std::uint64_t bytes_to_boundary() const { return frames_.bytes_to_boundary(); }
    std::uint64_t frames_delivered() const { return frames_.count(); }
    Position position() const { return position_; }
    std::uint64_t lag_bytes() const { return port_->log().head() - position_; }
    bool was_cold() const { return was_cold_; }  // the latest view came from the file

  private:
    Reader(ReadPort& port, Position position, Start start);
    Result<View> cold_view(std::size_t max_bytes);

    ReadPort* port_;
    Start start_;
    Position position_;
    FrameWalk frames_;
    std::shared_ptr<const SegmentReader> segment_;  // of the last cold read
    bool was_cold_ = false;
};

}  // namespace ringlay::event_log
