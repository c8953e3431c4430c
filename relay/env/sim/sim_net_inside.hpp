// The inside of SimNet. Included only by sim_net.cpp and sim_connection.cpp.
#pragma once

#include "relay/env/sim/machine.hpp"
#include "relay/env/sim/sim_net.hpp"

namespace ringlay::env {

struct SimNet::Packet {
    enum class Kind : std::uint8_t { data, finish, reset };
    Kind kind;
    std::size_t size_bytes = 0;
};

// One side of a connection, and the way that leads to it.
struct SimNet::End {
    const Process* process = nullptr;
    Address local;
    Address remote;

    Buffer bytes;  // from `head` on: what can be read, then what is on its way
    std::size_t head = 0;
    std::size_t arrived = 0;      // can be read
    std::vector<Packet> packets;  // on their way, from `first_packet` on
    std::size_t first_packet = 0;
    Nanos last_arrival{};
    std::uint32_t held = 0;  // that would have arrived, were the machines not parted

    OpRef receiver;  // waits for bytes
    OpRef writer;    // waits for room on the other way
    int error = 0;   // to be told once
    bool has_handle = false;
    bool is_closed = false;  // its application has let go
    bool is_dead = false;    // its process has crashed
    bool is_silent = false;  // and can say nothing any more
    bool is_shut = false;    // by shutdown
    bool has_sent_finish = false;
    bool has_sent_reset = false;
    bool has_finish = false;  // the peer will send nothing more
    bool is_reset = false;

    std::size_t size_bytes() const { return bytes.size() - head; }
};

struct SimNet::Connection {
    End ends[2];  // the one that connected, the one that accepted
    std::uint32_t packets_under_way = 0;
    bool is_used = false;
};

struct SimNet::Listener {
    const Process* process = nullptr;
    Address local;
    std::deque<int> queue;  // connections without a handle on our side
    std::vector<OpRef> acceptors;
    bool is_shut = false;
    bool is_dead = false;
};

}  // namespace ringlay::env
