// Numbers for open things, as descriptors are: small, reused, and never valid again for what was
// closed. A use after close is found (nothing, so -EBADF) until a place was reused 4,096 times.
//
// Bound    65,536 open at once.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "proto/base/assert.hpp"

namespace ringlay::env {

template <class T>
class HandleTable {
  public:
    // `tag` (0 .. 7) tells the tables of a world apart.
    explicit HandleTable(int tag) : tag_(tag) {}

    int add(T value) {
        std::uint32_t place = 0;
        if (free_.empty()) {
            place = static_cast<std::uint32_t>(places_.size());
            RINGLAY_ASSERT(place < max_places);
            places_.emplace_back();
        } else {
            place = free_.back();
            free_.pop_back();
        }
        places_[place].value = std::move(value);
        places_[place].is_used = true;
        ++used_;
        return handle_of(place);
    }

    T* find(int handle) {
        if (handle < 0 || tag_of(handle) != tag_) return nullptr;
        std::uint32_t place = static_cast<std::uint32_t>(handle) % max_places;
        if (place >= places_.size() || !places_[place].is_used) return nullptr;
        return handle_of(place) == handle ? &places_[place].value : nullptr;
    }

    void remove(int handle) {
        RINGLAY_ASSERT(find(handle) != nullptr);
        std::uint32_t place = static_cast<std::uint32_t>(handle) % max_places;
        places_[place].value = T();
        places_[place].is_used = false;
        places_[place].uses = (places_[place].uses + 1) % max_uses;
        free_.push_back(place);
        --used_;
    }

    std::size_t size() const { return used_; }
    static int tag_of(int handle) { return handle >> 28; }

  private:
    static constexpr std::uint32_t max_places = 1 << 16;
    static constexpr std::uint32_t max_uses = 1 << 12;
    struct Place {
        T value{};
        std::uint32_t uses = 0;
        bool is_used = false;
    };

    int handle_of(std::uint32_t place) const {
        return tag_ << 28 | static_cast<int>(places_[place].uses << 16 | place);
    }

    int tag_;
    std::size_t used_ = 0;
    std::vector<Place> places_;
    std::vector<std::uint32_t> free_;
};

}  // namespace ringlay::env
