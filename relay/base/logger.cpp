#include "relay/base/logger.hpp"

#include <bit>

#include "proto/base/assert.hpp"
#include "relay/base/log_line.hpp"

namespace ringlay::base {

// A bounded queue after Vyukov: `turn` says whose the slot is. For the ticket t with
// t % slot_count == index: turn == t, free for the producer with ticket t; turn == t + 1, filled,
// for the flusher; then t + slot_count, free for the next round.
struct Logger::Slot {
    std::atomic<std::uint64_t> turn{0};
    std::uint16_t size_bytes = 0;
    char text[line_bytes];
};

std::optional<std::uint64_t> LogLimit::pass(std::uint64_t unix_ms) {
    std::uint64_t begins_ms = interval_begins_ms_.load(std::memory_order_relaxed);
    // A clock that is set back begins an interval, too: the difference wraps.
    bool is_over = unix_ms - begins_ms >= interval_ms_;
    if (is_over && interval_begins_ms_.compare_exchange_strong(begins_ms, unix_ms,
                                                               std::memory_order_relaxed)) {
        passed_.store(0, std::memory_order_relaxed);
    }
    if (passed_.fetch_add(1, std::memory_order_relaxed) >= burst_) {
        suppressed_.fetch_add(1, std::memory_order_relaxed);
        return std::nullopt;
    }
    return suppressed_.exchange(0, std::memory_order_relaxed);
}

Logger::Logger(LogLevel minimum, LogFormat format, std::size_t slot_count)
    : minimum_(minimum),
      format_(format),
      slot_count_(slot_count),
      slots_(std::make_unique<Slot[]>(slot_count)) {
    RINGLAY_ASSERT(format != LogFormat::automatic);
    RINGLAY_ASSERT(std::has_single_bit(slot_count) && slot_count >= 2);
    for (std::size_t i = 0; i < slot_count; ++i) {
        slots_[i].turn.store(i, std::memory_order_relaxed);
    }
}

Logger::~Logger() = default;

void Logger::log(LogLevel level, std::uint64_t unix_ms, std::string_view event, LogFields fields) {
    if (enabled(level)) add(level, unix_ms, event, fields, 0);
}

void Logger::log(LogLimit& limit, LogLevel level, std::uint64_t unix_ms, std::string_view event,
                 LogFields fields) {
    if (!enabled(level)) return;
    if (auto suppressed = limit.pass(unix_ms)) add(level, unix_ms, event, fields, *suppressed);
}

Logger::Slot* Logger::claim() {
    std::uint64_t ticket = next_to_fill_.load(std::memory_order_relaxed);
    for (;;) {
        Slot& slot = slots_[ticket & (slot_count_ - 1)];
        std::uint64_t turn = slot.turn.load(std::memory_order_acquire);
        if (turn == ticket) {
            if (next_to_fill_.compare_exchange_weak(ticket, ticket + 1,
                                                    std::memory_order_relaxed)) {
                return &slot;
            }
        } else if (turn < ticket) {
            return nullptr;  // the flusher has not emptied it since the last round
        } else {
            ticket = next_to_fill_.load(std::memory_order_relaxed);
        }
    }
}

void Logger::add(LogLevel level, std::uint64_t unix_ms, std::string_view event, LogFields fields,
                 std::uint64_t suppressed) {
    Slot* slot = claim();
    if (slot == nullptr) {
        dropped_unsaid_.fetch_add(1, std::memory_order_relaxed);
        dropped_total_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    std::uint64_t dropped = dropped_unsaid_.exchange(0, std::memory_order_relaxed);
    LogLine line(slot->text, format_, max_value_bytes);
    line.begin(level, unix_ms, event);
    if (dropped > 0) line.field({"dropped", dropped});
    if (suppressed > 0) line.field({"suppressed", suppressed});
    for (const LogField& field : fields) line.field(field);
    slot->size_bytes = static_cast<std::uint16_t>(line.end());
    std::uint64_t ticket = slot->turn.load(std::memory_order_relaxed);
    slot->turn.store(ticket + 1, std::memory_order_release);
}

std::size_t Logger::flush(const std::function<void(std::string_view)>& write) {
    std::size_t count = 0;
    std::uint64_t next = next_to_write_.load(std::memory_order_relaxed);
    for (; count < slot_count_; ++count) {
        Slot& slot = slots_[next & (slot_count_ - 1)];
        if (slot.turn.load(std::memory_order_acquire) != next + 1) break;
        write(std::string_view(slot.text, slot.size_bytes));
        slot.turn.store(next + slot_count_, std::memory_order_release);
        next_to_write_.store(++next, std::memory_order_relaxed);
    }
    return count;
}

}  // namespace ringlay::base
