// Who may dial now, of the hosts of one worker: so many handshakes at once, and so many new ones a
// second. A relay that starts would otherwise open thousands of connections in one moment, which
// home routers, providers and its own health answers do not like. Hosts that were reached before
// go first; every fourth place is for the others, however many of the first wait. Places go by
// turn: who comes when one is free waits behind those that wait already.
//
// Owner    hosts::HostRoom.
// Thread   its worker; enter() waits.
// Bound    max_at_once; those that wait are the room's hosts.
#pragma once

#include <cstdint>
#include <list>

#include "relay/fiber/fiber.hpp"

namespace ringlay::hosts {

struct DialLimits {
    std::uint32_t max_at_once = 128;  // handshakes
    std::uint32_t per_second = 100;

    // A worker's share of the process's.
    DialLimits share(std::uint32_t workers) const;
};

class DialGate {
  public:
    explicit DialGate(DialLimits limits) : limits_(limits) {}

    // Held for one handshake.
    class Pass {
      public:
        explicit Pass(DialGate& gate) : gate_(&gate) {}
        Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Pass& operator=(Pass&&) = delete;
        ~Pass() {
            if (gate_ != nullptr) gate_->leave();
        }

      private:
        DialGate* gate_;
    };

    static constexpr std::uint32_t others_turn = 4;

    // Errors: cancelled.
    Result<Pass> enter(bool goes_first);

    std::size_t waiting() const { return waiting_; }
    std::size_t inside() const { return inside_; }

  private:
    using Line = std::list<fiber::Event*>;  // each is set when its fiber has a place

    void leave();
    Result<void> wait_for_place(Line& line);
    Line& next_line();

    const DialLimits limits_;
    std::size_t inside_ = 0;  // who is called is inside
    std::size_t waiting_ = 0;
    std::uint32_t calls_ = 0;  // made while both lines waited
    Nanos next_start_{};
    Line first_;
    Line others_;
};

}  // namespace ringlay::hosts
