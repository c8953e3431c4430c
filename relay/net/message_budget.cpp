#include "relay/net/message_budget.hpp"

#include <algorithm>
#include <utility>

namespace ringlay::net {
namespace {

constexpr Nanos look_again_after = std::chrono::milliseconds(50);

}  // namespace

bool MessageBudget::try_take(std::uint64_t bytes, bool has_waited) {
    if (!has_waited && has_waiting()) return false;
    std::uint64_t held = held_bytes_.load(std::memory_order_relaxed);
    do {
        if (bytes > bound_bytes_ - held) return false;
    } while (!held_bytes_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
    return true;
}

Result<void> MessageShare::take(std::uint64_t bytes, Deadline deadline) {
    RINGLAY_ASSERT(bytes_ == 0);
    if (budget_ == nullptr) return {};
    bytes = std::min(bytes, budget_->bound_bytes());
    if (!budget_->try_take(bytes, false)) {
        budget_->waits.fetch_add(1, std::memory_order_relaxed);
        budget_->waiting_.fetch_add(1, std::memory_order_relaxed);
        Result<void> waited;
        while (waited && !budget_->try_take(bytes, true)) {
            waited = fiber::now() >= deadline.at
                         ? fail(Errc::timed_out, "no room for a large message")
                         : fiber::sleep_until(earlier(deadline, Deadline::in(look_again_after)));
        }
        budget_->waiting_.fetch_sub(1, std::memory_order_relaxed);
        if (!waited) return waited;
    }
    bytes_ = bytes;
    return {};
}

void MessageShare::give_back() {
    if (bytes_ > 0) budget_->held_bytes_.fetch_sub(std::exchange(bytes_, 0));
}

}  // namespace ringlay::net
