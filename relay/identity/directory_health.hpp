// Whether the directory answers, as all resolvers of the process together see it: since when it
// does not, and why. For the health page, which asks nobody.
//
// Owner    IdentityMetrics.
// Thread   any; what is read of a failure may be of two that happened at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "relay/fiber/time.hpp"

namespace ringlay::identity {

class DirectoryHealth {
  public:
    // Failing since then. `status` of an answer that refuses, or 0 and `what`, a literal.
    void failed(Nanos since, std::uint16_t status, std::string_view what) {
        status_.store(status, std::memory_order_relaxed);
        what_.store(what.data(), std::memory_order_relaxed);
        std::int64_t none = 0;
        since_ns_.compare_exchange_strong(none, since.count(), std::memory_order_release);
    }
    void succeeded() {
        if (since_ns_.load(std::memory_order_relaxed) != 0) since_ns_.store(0);
    }

    // 0: it answers, as far as anybody has asked.
    Nanos failing_since() const { return Nanos(since_ns_.load(std::memory_order_acquire)); }
    // `status 503`, `Connection refused`
    std::string reason() const {
        const std::uint16_t status = status_.load(std::memory_order_relaxed);
        if (status != 0) return "status " + std::to_string(status);
        const char* what = what_.load(std::memory_order_relaxed);
        return what == nullptr ? std::string() : std::string(what);
    }

  private:
    std::atomic<std::int64_t> since_ns_{0};
    std::atomic<std::uint16_t> status_{0};
    std::atomic<const char*> what_{nullptr};
};

}  // namespace ringlay::identity
