#include "relay/net/address_places.hpp"

#include <algorithm>
#include <bit>

#include "proto/base/assert.hpp"
#include "proto/base/bytes.hpp"
#include "relay/net/client_address.hpp"

namespace ringlay::net {
namespace {

constexpr std::size_t max_probes = 32;
constexpr std::uint64_t count_bits = 16;
constexpr std::uint64_t count_mask = 0xffff;

// The finalizer of MurmurHash3.
std::uint64_t mixed(std::uint64_t value) {
    value = (value ^ value >> 33) * 0xff51afd7ed558ccd;
    value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53;
    return value ^ value >> 33;
}

std::uint64_t hash_of(const Address& address, std::uint64_t key) {
    const Bytes ip(address.ip);
    const std::uint64_t high = mixed(load_le<std::uint64_t>(ip, 0) ^ key);
    return mixed(load_le<std::uint64_t>(ip, 8) ^ high ^ std::rotl(key, 32));
}

}  // namespace

AddressPlaces::AddressPlaces(std::uint32_t max_each, std::size_t max_connections, std::uint64_t key)
    : max_each_(max_each), key_(key), words_(std::bit_ceil(2 * max_connections + max_probes)) {
    RINGLAY_ASSERT(max_each > 0 && max_each <= max_max_each);
}

AddressPlaces::Place& AddressPlaces::Place::operator=(Place&& other) noexcept {
    if (this != &other) {
        give_back();
        word_ = std::exchange(other.word_, nullptr);
    }
    return *this;
}

// The last one frees the word.
void AddressPlaces::Place::give_back() {
    if (word_ == nullptr) return;
    Word& word = *std::exchange(word_, nullptr);
    std::uint64_t value = word.load(std::memory_order_relaxed);
    while (!word.compare_exchange_weak(value, (value & count_mask) == 1 ? 0 : value - 1,
                                       std::memory_order_relaxed)) {
    }
}

std::optional<AddressPlaces::Place> AddressPlaces::take(const Address& address) {
    const std::uint64_t hash = hash_of(party_of(address), key_);
    const std::uint64_t fingerprint = std::max<std::uint64_t>(hash >> count_bits, 1);
    // Again, if another worker has changed the word meanwhile.
    for (;;) {
        Word* free = nullptr;
        Word* own = nullptr;
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < max_probes && own == nullptr; ++i) {
            Word& word = words_[(hash + i) & (words_.size() - 1)];
            const std::uint64_t found = word.load(std::memory_order_relaxed);
            if (found == 0 && free == nullptr) free = &word;
            if (found != 0 && found >> count_bits == fingerprint) {
                own = &word;
                value = found;
            }
        }
        if (own != nullptr) {
            if ((value & count_mask) >= max_each_) return std::nullopt;
            if (own->compare_exchange_strong(value, value + 1, std::memory_order_relaxed)) {
                return Place(*own);
            }
        } else if (free == nullptr) {
            return Place();
        } else if (value = 0; free->compare_exchange_strong(value, fingerprint << count_bits | 1,
                                                            std::memory_order_relaxed)) {
            return Place(*free);
        }
    }
}

}  // namespace ringlay::net
