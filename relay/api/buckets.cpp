#include "relay/api/buckets.hpp"

#include <algorithm>

namespace ringlay::api {

std::string client_key(const Address& address) {
    const std::size_t bytes = address.is_v4() ? address.ip.size() : 8;
    return {reinterpret_cast<const char*>(address.ip.data()), bytes};
}

std::optional<Nanos> Buckets::take(std::string_view key, Nanos now) {
    auto found = by_key_.find(key);
    if (found == by_key_.end()) {
        if (by_use_.size() == max_keys_) {
            by_key_.erase(by_use_.back().key);
            by_use_.pop_back();
        }
        by_use_.push_front({std::string(key), now});
        found = by_key_.emplace(by_use_.front().key, by_use_.begin()).first;
    } else {
        by_use_.splice(by_use_.begin(), by_use_, found->second);
    }
    Bucket& bucket = *found->second;
    const Nanos full_at = std::max(bucket.full_at, now);
    if (full_at - now > slack_) return full_at - now - slack_;
    bucket.full_at = full_at + refill_;
    return std::nullopt;
}

}  // namespace ringlay::api
