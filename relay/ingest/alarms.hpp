// What has to be looked at again, and when: one queue for everything in a shard that waits for a
// point in time, so that one fiber sleeps for all of it.
//
// An alarm is never taken back. Who gets one looks whether it still means something.
//
// Owner    Shard::Core.
// Thread   its worker.
// Bound    some for each parked account and each with unverified events; none is later than
//          ShardOptions::give_up_after or the longest pause between look-ups.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "relay/fiber/time.hpp"

namespace ringlay::ingest {

struct Alarm {
    enum class Kind : std::uint8_t {
        parked,     // the account's first parked event
        late,       // the account's unverified events
        watermark,  // how far the fold has come
        turn,       // look-ups in line
    };
    Nanos at{};
    Kind kind = Kind::parked;
    std::string did;
};

class Alarms {
  public:
    void set(Nanos at, Alarm::Kind kind, std::string_view did) {
        queue_.push({{at, kind, std::string(did)}, next_number_++});
    }

    Nanos next() const { return queue_.empty() ? Nanos::max() : queue_.top().alarm.at; }

    // The earliest one that is due; of those of one instant the one that was set first.
    std::optional<Alarm> take_due(Nanos now) {
        if (next() > now) return std::nullopt;
        Alarm alarm = queue_.top().alarm;
        queue_.pop();
        return alarm;
    }

  private:
    struct Numbered {
        Alarm alarm;
        std::uint64_t number;

        bool operator<(const Numbered& other) const {  // the top is the greatest
            if (alarm.at != other.alarm.at) return alarm.at > other.alarm.at;
            return number > other.number;
        }
    };
    std::priority_queue<Numbered> queue_;
    std::uint64_t next_number_ = 0;
};

}  // namespace ringlay::ingest
