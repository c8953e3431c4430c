// TCP between the workers of a simulated world, in memory: connections whose two ways have a
// latency, a bounded buffer and their own fragments, and never reorder. What applications see
// follows Linux: data that arrived before a reset can still be read, closing with unread data
// resets, a refused connect answers at once and a lost one is tried again for about two minutes.
//
// Each machine has an address of its own (Machine::address()); loopback reaches the same machine.
// While two machines are parted, or one is down, what is sent between them is kept as by a sender
// that tries again, and arrives after the healing.
//
// Owner    World.
// Bound    for each way of a connection socket_buffer_bytes, for each listener `backlog`.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/address.hpp"
#include "relay/env/sim/event_queue.hpp"
#include "relay/env/sim/handle_table.hpp"
#include "relay/env/sim/options.hpp"
#include "relay/env/sim/pending.hpp"
#include "relay/env/sim/volume.hpp"

namespace ringlay::env {

class Machine;
class World;
struct Process;

class SimNet final : private EventSink {
  public:
    static constexpr int handle_tag = 0;

    SimNet(World& world, const SimNetOptions& options);
    ~SimNet();

    // For tests.
    void partition(const Machine& a, const Machine& b);
    void heal(const Machine& a, const Machine& b);
    void heal_all();
    // Replaces what the name meant before. No addresses: the name is unknown.
    void set_name(std::string_view host, std::vector<Address> addresses);
    // How long every look-up of this name takes from now on.
    void set_name_delay(std::string_view host, Nanos delay);
    // One more address of this machine, of any kind.
    void add_address(const Machine& machine, const Address& address);
    std::size_t open_sockets() const { return sockets_.size(); }

    // For SimKernel.
    Nanos name_delay(std::string_view host);
    // Nothing: it waits, and the kernel is told when to try again.
    std::optional<std::int64_t> attempt(const OpRef& ref, Pending& pending);
    void forget(const OpRef& ref, Pending& pending);  // it waits no more
    void close(int handle);

    // For Machine: the sockets of a process end with it.
    void kill(const Process& process, CrashMode mode);
    void release_held();  // a machine is back

  private:
    struct End;
    struct Connection;
    struct Listener;
    struct Packet;
    struct Socket {  // what a handle is
        Listener* listener = nullptr;
        int connection = -1;
        int side = 0;
    };

    void on_event(std::uint64_t what) override;

    std::int64_t listen(const OpRef& ref, fiber::Op& op);
    std::optional<std::int64_t> accept(const OpRef& ref, fiber::Op& op);
    std::optional<std::int64_t> connect(const OpRef& ref, Pending& pending);
    std::optional<std::int64_t> begin_connect(const OpRef& ref, Pending& pending);
    std::optional<std::int64_t> knock(const OpRef& ref, Pending& pending);
    std::optional<std::int64_t> knock_later(const OpRef& ref, Pending& pending);
    std::optional<std::int64_t> finish_connect(const OpRef& ref, Pending& pending);
    std::optional<std::int64_t> receive(const OpRef& ref, fiber::Op& op);
    std::int64_t send_now(fiber::Op& op);
    std::optional<std::int64_t> wait_writable(const OpRef& ref, fiber::Op& op);
    std::int64_t shut_down(fiber::Op& op);
    std::int64_t resolve(fiber::Op& op);

    Machine* machine_at(const Process& from, const Address& address);
    Listener* listener_at(const Machine& machine, const Address& address);
    bool is_taken(const Machine& machine, const Address& address) const;
    static std::uint16_t next_port(Machine& machine);
    bool is_cut(const Machine& from, const Machine& to) const;
    bool is_parted(const Machine& a, const Machine& b) const;
    Nanos latency(const Machine& from, const Machine& to);
    End* end_of(int handle);
    int make_connection(const Process& client, Listener& listener, const Address& to);
    std::size_t room(const Socket& socket) const;
    void take(int connection, int to_side, std::span<const Bytes> parts, std::size_t count);
    void post(int connection, int to_side, Packet packet);
    void deliver(int connection, int side, const Packet& packet);
    void hang_up(int connection, int side);
    void reset(int connection, int side);
    void lose_packets(End& end);
    static void wake(OpRef& waiter, Nanos delay);
    void wake_writer(int connection, int side);
    void free_if_over(int connection);
    void close_listener(Listener& listener);

    World& world_;
    const SimNetOptions& options_;
    HandleTable<Socket> sockets_{handle_tag};
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<int> free_connections_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> partitions_;  // machines, lower first
    std::map<std::string, std::vector<Address>, std::less<>> names_;
    std::map<std::string, Nanos, std::less<>> name_delays_;
    std::vector<std::pair<Address, const Machine*>> more_addresses_;  // their port is 0
};

}  // namespace ringlay::env
