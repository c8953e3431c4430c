// A rate with a burst: so many tokens a second, at most `burst` of them saved up. Two ways to use
// it: take() refuses what there is no token for; charge() always pays, if need be into debt, and
// until_free() says how long whoever is in debt has to wait.
//
// Thread   a value; pure: time is handed in and does not go back.
#pragma once

#include <algorithm>
#include <chrono>

#include "relay/fiber/time.hpp"

namespace ringlay::net {

class TokenBucket {
  public:
    TokenBucket(double per_second, double burst)
        : per_second_(per_second), burst_(burst), tokens_(burst) {}

    // A new rate; what was saved up stays, as far as it fits.
    void change(double per_second, double burst, Nanos now) {
        refill(now);
        per_second_ = per_second;
        burst_ = burst;
        tokens_ = std::min(tokens_, burst_);
    }

    bool take(Nanos now, double cost = 1) {
        refill(now);
        if (tokens_ < cost) return false;
        tokens_ -= cost;
        return true;
    }

    bool has(Nanos now, double tokens) {
        refill(now);
        return tokens_ >= tokens;
    }

    void charge(Nanos now, double cost = 1) {
        refill(now);
        tokens_ -= cost;
    }

    // Until there are so many tokens; 0: there are now.
    Nanos until_free(Nanos now, double cost = 0) {
        refill(now);
        if (tokens_ >= cost) return Nanos::zero();
        constexpr double longest_s = 3600;
        const double wait_s = std::min((cost - tokens_) / per_second_, longest_s);
        // Rounded up: who comes back after that long is not refused by a fraction of a token.
        return Nanos(static_cast<std::int64_t>(wait_s * 1e9) + 1);
    }

    double per_second() const { return per_second_; }
    bool is_full(Nanos now) {
        refill(now);
        return tokens_ >= burst_;
    }

  private:
    void refill(Nanos now) {
        if (!has_begun_ || now < filled_) {
            has_begun_ = true;
            filled_ = now;
            return;
        }
        const double passed_s = std::chrono::duration<double>(now - filled_).count();
        tokens_ = std::min(burst_, tokens_ + passed_s * per_second_);
        filled_ = now;
    }

    double per_second_;
    double burst_;
    double tokens_;
    Nanos filled_{};
    bool has_begun_ = false;
};

}  // namespace ringlay::net
