// How many connections lead to one address, in the whole process. Nothing else bounds how many
// hosts' names point to one machine: twenty thousand names of strangers may be made to mean a
// victim that has none of them.
//
// A place is taken before an address is connected to, and is given back with the connection. An
// address is an IPv4 address, or a /64 of IPv6.
//
// Owner    Relay; it outlives the connections.
// Thread   any worker: a table of words that hold a fingerprint of the address and its count.
// Bound    max_each of an address; two words for each connection that there may be. In a table that
//          is too full around an address its connections are not counted; fingerprints are keyed,
//          so that nobody can make that so.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "proto/base/address.hpp"

namespace ringlay::net {

class AddressPlaces {
    using Word = std::atomic<std::uint64_t>;  // fingerprint 48 bits | count 16 bits; 0: free

  public:
    static constexpr std::uint32_t max_max_each = 0xffff;

    AddressPlaces(std::uint32_t max_each, std::size_t max_connections, std::uint64_t key);

    class Place {
      public:
        Place() = default;  // of nothing
        Place(Place&& other) noexcept : word_(std::exchange(other.word_, nullptr)) {}
        Place& operator=(Place&& other) noexcept;
        ~Place() { give_back(); }

      private:
        friend class AddressPlaces;
        explicit Place(Word& word) : word_(&word) {}
        void give_back();
        Word* word_ = nullptr;
    };

    // Nothing: all places of this address are taken.
    std::optional<Place> take(const Address& address);
    std::uint32_t max_each() const { return max_each_; }

    std::atomic<std::uint64_t> refused{0};  // dials, counted by whoever dials; relaxed

  private:
    const std::uint32_t max_each_;
    const std::uint64_t key_;
    std::vector<Word> words_;  // a power of two
};

}  // namespace ringlay::net
