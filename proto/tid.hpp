// Timestamp identifiers: the revs of repositories, and most record keys (protocol 3.2).
//
// 64 bits: one that should be 0 and is not always, 53 of microseconds since 1970, 10 that tell
// clocks apart. As text 13 characters whose order is the order of the numbers.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/result.hpp"

namespace ringlay::proto {

class Tid {
  public:
    static constexpr std::size_t text_bytes = 13;

    constexpr Tid() = default;
    constexpr explicit Tid(std::uint64_t value) : value_(value) {}

    // `micros` below 2^53, `clock` below 2^10.
    static Tid of_micros(std::uint64_t micros, std::uint32_t clock);

    static Result<Tid> parse(std::string_view text);

    std::string to_text() const;
    constexpr std::uint64_t value() const { return value_; }
    constexpr std::uint64_t micros() const { return value_ >> 10; }

    friend auto operator<=>(Tid, Tid) = default;

  private:
    std::uint64_t value_ = 0;
};

inline bool is_tid(std::string_view text) {
    return Tid::parse(text).has_value();
}

}  // namespace ringlay::proto
