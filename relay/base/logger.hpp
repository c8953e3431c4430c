// Structured log lines: key=value for a terminal, JSON for everything else. log() formats into a
// fixed slot of a bounded ring and returns; one flusher (relay/env) takes the lines out and writes
// them. What finds the ring full is dropped and counted, and the next line that fits says how many.
//
// Owner    Relay, by reference in constructors.
// Thread   log() from any; flush() from one at a time. Lock-free: a slot is claimed by one
//          compare-and-swap. A line becomes visible to flush() in the order in which slots were
//          claimed.
// Bound    `slot_count` slots of 1 KiB. Values are cut at max_value_bytes; fields that do not fit
//          are left out, and the line says `truncated`.
// Units    the time is handed in: milliseconds since 1970, UTC.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include "relay/base/config.hpp"

namespace ringlay::base {

// Views: the text must live until log() returns.
class LogValue {
  public:
    LogValue(const char* text) : value_(std::string_view(text)) {}
    LogValue(std::string_view text) : value_(text) {}
    LogValue(const std::string& text) : value_(std::string_view(text)) {}
    LogValue(bool truth) : value_(truth) {}
    LogValue(double number) : value_(number) {}
    template <std::signed_integral T>
    LogValue(T number) : value_(static_cast<std::int64_t>(number)) {}
    template <std::unsigned_integral T>
    LogValue(T number) : value_(static_cast<std::uint64_t>(number)) {}

    const auto& get() const { return value_; }

  private:
    std::variant<std::string_view, bool, double, std::int64_t, std::uint64_t> value_;
};

// Keys are ours: lower-case words joined by `_`.
struct LogField {
    std::string_view key;
    LogValue value;
};
using LogFields = std::initializer_list<LogField>;

// Lets `burst` lines of one call site through per interval; the first line of the next interval
// says how many were suppressed. Any thread; near an interval's edge a few lines more may pass.
class LogLimit {
  public:
    explicit LogLimit(std::uint32_t burst, std::uint64_t interval_ms = 10'000)
        : burst_(burst), interval_ms_(interval_ms) {}

    // Nothing: be silent. Otherwise how many were suppressed before this one.
    std::optional<std::uint64_t> pass(std::uint64_t unix_ms);

  private:
    const std::uint32_t burst_;
    const std::uint64_t interval_ms_;
    std::atomic<std::uint64_t> interval_begins_ms_{0};
    std::atomic<std::uint64_t> passed_{0};
    std::atomic<std::uint64_t> suppressed_{0};
};

class Logger {
  public:
    static constexpr std::size_t default_slot_count = 1024;
    static constexpr std::size_t line_bytes = 1000;
    static constexpr std::size_t max_value_bytes = 400;

    // `format` is text or json (automatic is for main to decide); `slot_count` a power of two.
    Logger(LogLevel minimum, LogFormat format, std::size_t slot_count = default_slot_count);
    ~Logger();
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;

    bool enabled(LogLevel level) const { return level >= minimum_; }

    void log(LogLevel level, std::uint64_t unix_ms, std::string_view event, LogFields fields = {});
    void log(LogLimit& limit, LogLevel level, std::uint64_t unix_ms, std::string_view event,
             LogFields fields = {});

    // Lines that flush() would find, or will in a moment. Any thread.
    std::uint64_t waiting() const {
        std::uint64_t written = next_to_write_.load(std::memory_order_relaxed);
        return next_to_fill_.load(std::memory_order_relaxed) - written;
    }
    // Hands every finished line, newline included, to `write`; returns how many there were.
    std::size_t flush(const std::function<void(std::string_view)>& write);

    std::uint64_t dropped_total() const { return dropped_total_.load(std::memory_order_relaxed); }

  private:
    struct Slot;

    Slot* claim();
    void add(LogLevel level, std::uint64_t unix_ms, std::string_view event, LogFields fields,
             std::uint64_t suppressed);

    const LogLevel minimum_;
    const LogFormat format_;
    const std::size_t slot_count_;
    std::unique_ptr<Slot[]> slots_;
    alignas(64) std::atomic<std::uint64_t> next_to_fill_{0};
    alignas(64) std::atomic<std::uint64_t> next_to_write_{0};  // by the flusher
    alignas(64) std::atomic<std::uint64_t> dropped_unsaid_{0};
    std::atomic<std::uint64_t> dropped_total_{0};
};

}  // namespace ringlay::base
