// How hard the directory may be asked. It is left alone for as long as it says (Retry-After, five
// minutes at most); after some failures in a row a back-off of our own begins, from a second to a
// minute, with one request at a time as a probe between its pauses. One good answer ends it.
//
// Requests that were under way when a back-off began say nothing new when they fail, too: what
// counts is only what was asked afterwards.
//
// Thread   a value; pure but for the random number that is handed in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "relay/fiber/time.hpp"

namespace ringlay::identity {

class DirectoryPace {
  public:
    static constexpr std::uint32_t patience = 3;  // failures in a row
    static constexpr Nanos first = std::chrono::seconds(1);
    static constexpr Nanos longest = std::chrono::seconds(60);
    static constexpr Nanos longest_asked_for = std::chrono::minutes(5);

    // How many requests may be under way now.
    std::size_t allowed(Nanos now, std::size_t concurrency) const {
        if (now < opens_at_) return 0;
        return is_backing_off() ? 1 : concurrency;
    }
    Nanos opens_at() const { return opens_at_; }  // the past: it is open
    bool is_backing_off() const { return failures_ >= patience; }

    void succeeded() { failures_ = 0; }
    // `began`: when that request was sent.
    void failed(Nanos began, Nanos now, std::optional<Nanos> retry_after, std::uint64_t random);

  private:
    std::uint32_t failures_ = 0;
    Nanos delay_{};  // the next one, while backing off
    Nanos counts_from_{};
    Nanos opens_at_{};
};

}  // namespace ringlay::identity
