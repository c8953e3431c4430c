// Whether our own clock is wrong: if the commits of most hosts are "in the future", it is
// this machine that lives in the past, and dropping them would drop everything.
//
// Pure. Of each host it keeps when it last sent a commit, and when one that was too far ahead, and
// how far that was: the median of these is how wrong our clock is, whatever a few hosts say.
//
// Owner    Shard::Core.
// Bound    hosts with a commit in the last minute.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "relay/fiber/time.hpp"

namespace ringlay::ingest {

class ClockJudge {
  public:
    static constexpr std::size_t min_hosts = 10;
    static constexpr Nanos window = std::chrono::minutes(1);
    static constexpr Nanos interval = std::chrono::seconds(1);  // between two judgements
    using Ahead = std::chrono::microseconds;                    // any rev of a host's fits
    static constexpr Ahead slack = std::chrono::minutes(5);     // further ahead is the future

    // A commit so far ahead of our clock (behind it: negative). True: this was a judgement.
    bool saw(std::uint32_t host_id, Ahead ahead, Nanos now);

    bool is_behind() const { return is_behind_; }
    Ahead behind_by() const { return behind_by_; }  // at the latest judgement; 0: it is not behind
    std::size_t hosts_in_future() const { return hosts_in_future_; }  // at the latest judgement
    std::size_t hosts() const { return hosts_.size(); }

  private:
    void judge(Nanos now);

    struct Host {
        Nanos seen{};
        Nanos in_future{};
        Ahead ahead{};  // then
        bool was_in_future = false;
    };
    std::unordered_map<std::uint32_t, Host> hosts_;
    Nanos judged_{};
    std::size_t hosts_in_future_ = 0;
    Ahead behind_by_{};
    bool is_behind_ = false;
};

}  // namespace ringlay::ingest
