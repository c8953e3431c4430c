#include "relay/env/sim/sim_net.hpp"

#include <algorithm>
#include <cerrno>

#include "relay/env/sim/sim_kernel.hpp"
#include "relay/env/sim/sim_net_inside.hpp"
#include "relay/env/sim/world.hpp"

namespace ringlay::env {
namespace {

using fiber::Op;

// What a connect has come to (Pending::stage).
enum Stage : std::uint32_t { starting, knocking, answered, refused, lost, no_route };

constexpr auto first_retry = std::chrono::seconds(1);
constexpr std::uint64_t max_knocks = 7;  // 127 s, as Linux does
constexpr std::uint16_t first_port = 32768, last_port = 60999;

bool is_any(const Address& address) {
    Address any = Address::v4(0, 0, 0, 0, address.port);
    return address == any || address.ip == std::array<std::uint8_t, 16>{};
}

}  // namespace

SimNet::SimNet(World& world, const SimNetOptions& options) : world_(world), options_(options) {
    set_name("localhost", {Address::loopback(0)});
}

SimNet::~SimNet() = default;

void SimNet::partition(const Machine& a, const Machine& b) {
    if (is_parted(a, b)) return;
    partitions_.push_back(std::minmax({a.index(), b.index()}));
}

void SimNet::heal(const Machine& a, const Machine& b) {
    std::erase(partitions_, std::pair(std::minmax({a.index(), b.index()})));
    release_held();
}

void SimNet::heal_all() {
    partitions_.clear();
    release_held();
}

void SimNet::set_name(std::string_view host, std::vector<Address> addresses) {
    names_.insert_or_assign(std::string(host), std::move(addresses));
}

void SimNet::set_name_delay(std::string_view host, Nanos delay) {
    name_delays_.insert_or_assign(std::string(host), delay);
}

Nanos SimNet::name_delay(std::string_view host) {
    auto slow = name_delays_.find(host);
    return slow != name_delays_.end() ? slow->second : world_.prng().between(options_.latency);
}

void SimNet::add_address(const Machine& machine, const Address& address) {
    more_addresses_.push_back({Address{address.ip, 0}, &machine});
}

std::optional<std::int64_t> SimNet::attempt(const OpRef& ref, Pending& pending) {
    Op& op = *pending.op;
    switch (op.kind) {
        case Op::Kind::listen:
            return listen(ref, op);
        case Op::Kind::accept:
            return accept(ref, op);
        case Op::Kind::connect:
            return connect(ref, pending);
        case Op::Kind::receive:
            return receive(ref, op);
        case Op::Kind::send_now:
            return send_now(op);
        case Op::Kind::wait_writable:
            return wait_writable(ref, op);
        case Op::Kind::shutdown:
            return shut_down(op);
        case Op::Kind::resolve:
            return resolve(op);
        default:
            assertion_failed("an operation of the network");
    }
}

void SimNet::forget(const OpRef& ref, Pending& pending) {
    Op& op = *pending.op;
    if (op.kind == Op::Kind::connect && pending.connection >= 0) {
        int connection = std::exchange(pending.connection, -1);
        connections_[static_cast<std::size_t>(connection)]->ends[0].has_handle = false;
        hang_up(connection, 0);
        return;
    }
    Socket* socket = sockets_.find(op.handle);
    if (socket == nullptr) return;
    if (socket->listener != nullptr) {
        std::erase(socket->listener->acceptors, ref);
        return;
    }
    End& end = *end_of(op.handle);
    if (end.receiver == ref) end.receiver = {};
    if (end.writer == ref) end.writer = {};
}

void SimNet::close(int handle) {
    Socket* socket = sockets_.find(handle);
    RINGLAY_ASSERT(socket != nullptr);
    Socket closed = *socket;
    if (closed.listener != nullptr) {
        RINGLAY_ASSERT(closed.listener->acceptors.empty());
        close_listener(*closed.listener);
        std::erase_if(listeners_, [&](const auto& one) { return one.get() == closed.listener; });
    } else {
        End& end = *end_of(handle);
        RINGLAY_ASSERT(end.receiver.kernel == nullptr && end.writer.kernel == nullptr);
        end.has_handle = false;
        if (end.is_closed) {
            free_if_over(closed.connection);
        } else {
            hang_up(closed.connection, closed.side);
        }
    }
    sockets_.remove(handle);
}

Machine* SimNet::machine_at(const Process& from, const Address& address) {
    if (address.is_loopback() || is_any(address)) return from.machine;
    for (const auto& machine : world_.machines()) {
        if (machine->address(0).ip == address.ip) return machine.get();
        std::pair another(Address{address.ip, 0}, static_cast<const Machine*>(machine.get()));
        if (std::ranges::find(more_addresses_, another) != more_addresses_.end()) {
            return machine.get();
        }
    }
    return nullptr;
}

SimNet::Listener* SimNet::listener_at(const Machine& machine, const Address& address) {
    for (const auto& listener : listeners_) {
        if (listener->is_dead || listener->is_shut) continue;
        if (listener->process->machine != &machine || listener->local.port != address.port) {
            continue;
        }
        if (listener->local.ip == address.ip || is_any(listener->local)) return listener.get();
    }
    return nullptr;
}

bool SimNet::is_taken(const Machine& machine, const Address& address) const {
    return std::ranges::any_of(listeners_, [&](const auto& one) {
        return !one->is_dead && one->process->machine == &machine &&
               one->local.port == address.port &&
               (one->local.ip == address.ip || is_any(one->local) || is_any(address));
    });
}

std::uint16_t SimNet::next_port(Machine& machine) {
    std::uint16_t port = machine.next_port_;
    machine.next_port_ = port == last_port ? first_port : static_cast<std::uint16_t>(port + 1);
    return port;
}

std::int64_t SimNet::listen(const OpRef& ref, Op& op) {
    const Process& process = ref.kernel->process();
    if (process.has_crashed) return -ENETDOWN;
    Machine& machine = *process.machine;
    if (machine_at(process, op.address) != &machine) return -EADDRNOTAVAIL;
    if (op.address.port == 0) {
        do op.address.port = next_port(machine);
        while (is_taken(machine, op.address));
    } else if (is_taken(machine, op.address)) {
        return -EADDRINUSE;
    }
    auto listener = std::make_unique<Listener>();
    listener->process = &process;
    listener->local = op.address;
    Socket socket;
    socket.listener = listeners_.emplace_back(std::move(listener)).get();
    return sockets_.add(socket);
}

std::optional<std::int64_t> SimNet::accept(const OpRef& ref, Op& op) {
    Socket* socket = sockets_.find(op.handle);
    if (socket == nullptr || socket->listener == nullptr) return -EBADF;
    Listener& listener = *socket->listener;
    if (listener.is_dead) return -ENETDOWN;
    if (listener.is_shut) return -EINVAL;
    if (listener.queue.empty()) {
        auto& waiting = listener.acceptors;
        if (std::ranges::find(waiting, ref) == waiting.end()) waiting.push_back(ref);
        return std::nullopt;
    }
    int connection = listener.queue.front();
    listener.queue.pop_front();
    End& end = connections_[static_cast<std::size_t>(connection)]->ends[1];
    end.has_handle = true;
    op.peer = end.remote;
    Socket accepted;
    accepted.connection = connection;
    accepted.side = 1;
    return sockets_.add(accepted);
}

std::optional<std::int64_t> SimNet::connect(const OpRef& ref, Pending& pending) {
    switch (pending.stage) {
        case starting:
            return begin_connect(ref, pending);
        case knocking:
            return knock(ref, pending);
        case answered:
            return finish_connect(ref, pending);
        case refused:
            return -ECONNREFUSED;
        case lost:
            return knock_later(ref, pending);
        default:
            return -EHOSTUNREACH;
    }
}

std::optional<std::int64_t> SimNet::begin_connect(const OpRef& ref, Pending& pending) {
    const Process& process = ref.kernel->process();
    if (process.has_crashed) return -ENETUNREACH;
    Machine* target = machine_at(process, pending.op->address);
    pending.stage = target == nullptr ? no_route : knocking;
    if (world_.prng().chance(options_.connect_failure_per_mille)) {
        pending.stage = world_.prng().coin() ? refused : lost;
    }
    const Machine& own = *process.machine;
    ref.kernel->try_again(ref, latency(own, target == nullptr ? own : *target));
    return std::nullopt;
}

std::optional<std::int64_t> SimNet::knock(const OpRef& ref, Pending& pending) {
    const Process& process = ref.kernel->process();
    if (process.has_crashed) return -ENETUNREACH;
    Machine& target = *machine_at(process, pending.op->address);
    if (is_cut(*process.machine, target)) return knock_later(ref, pending);
    Listener* listener = listener_at(target, pending.op->address);
    if (listener != nullptr && listener->queue.size() >= options_.backlog) {
        return knock_later(ref, pending);
    }
    if (listener == nullptr) {
        pending.stage = refused;
    } else {
        pending.stage = answered;
        pending.connection = make_connection(process, *listener, pending.op->address);
    }
    ref.kernel->try_again(ref, latency(target, *process.machine));
    return std::nullopt;
}

// `mark` counts how often nobody has answered.
std::optional<std::int64_t> SimNet::knock_later(const OpRef& ref, Pending& pending) {
    if (pending.mark == max_knocks) return -ETIMEDOUT;
    ref.kernel->try_again(ref, first_retry * (1 << pending.mark));
    ++pending.mark;
    return std::nullopt;
}

std::optional<std::int64_t> SimNet::finish_connect(const OpRef& ref, Pending& pending) {
    const Connection& connection = *connections_[static_cast<std::size_t>(pending.connection)];
    if (!connection.ends[0].is_dead &&
        is_cut(*connection.ends[1].process->machine, *connection.ends[0].process->machine)) {
        ref.kernel->try_again(ref, first_retry);
        return std::nullopt;
    }
    Socket socket;
    socket.connection = std::exchange(pending.connection, -1);
    pending.op->peer = connection.ends[0].remote;
    return sockets_.add(socket);
}

int SimNet::make_connection(const Process& client, Listener& listener, const Address& to) {
    int number = 0;
    if (free_connections_.empty()) {
        number = static_cast<int>(connections_.size());
        connections_.push_back(std::make_unique<Connection>());
    } else {
        number = free_connections_.back();
        free_connections_.pop_back();
    }
    Connection& connection = *connections_[static_cast<std::size_t>(number)];
    connection.is_used = true;
    Machine& machine = *client.machine;
    bool is_local = listener.process->machine == &machine;
    Address from = is_local ? to : machine.address(0);
    from.port = next_port(machine);
    connection.ends[0].process = &client;
    connection.ends[0].has_handle = true;  // the connect that is under way
    connection.ends[0].local = from;
    connection.ends[0].remote = to;
    connection.ends[1].process = listener.process;
    connection.ends[1].local = to;
    connection.ends[1].remote = from;
    listener.queue.push_back(number);
    if (!listener.acceptors.empty()) {
        OpRef acceptor = listener.acceptors.front();
        listener.acceptors.erase(listener.acceptors.begin());
        wake(acceptor, latency(machine, *listener.process->machine));
    }
    return number;
}

std::int64_t SimNet::resolve(Op& op) {
    std::vector<Address>& addresses = *op.addresses;
    addresses.clear();
    if (auto literal = Address::parse(op.name, op.address.port)) {
        addresses.push_back(*literal);
        return 1;
    }
    auto found = names_.find(op.name);
    if (found == names_.end() || found->second.empty()) return -EHOSTUNREACH;
    for (Address address : found->second) {
        address.port = op.address.port;
        addresses.push_back(address);
    }
    return static_cast<std::int64_t>(addresses.size());
}

void SimNet::close_listener(Listener& listener) {
    for (OpRef& acceptor : listener.acceptors) wake(acceptor, Nanos(0));
    listener.acceptors.clear();
    for (int connection : listener.queue) {
        reset(connection, 1);
        hang_up(connection, 1);
    }
    listener.queue.clear();
}

// Listeners of a dead process keep their handle until its fibers have closed it.
void SimNet::kill(const Process& process, CrashMode mode) {
    for (const auto& listener : listeners_) {
        if (listener->process != &process || listener->is_dead) continue;
        listener->is_dead = true;
        if (mode == CrashMode::kill) close_listener(*listener);
        for (OpRef& acceptor : listener->acceptors) wake(acceptor, Nanos(0));
        listener->acceptors.clear();
        listener->queue.clear();
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        for (int side : {0, 1}) {
            End& end = connections_[i]->ends[side];
            if (!connections_[i]->is_used || end.process != &process || end.is_closed) continue;
            end.is_dead = true;
            wake(end.receiver, Nanos(0));
            wake(end.writer, Nanos(0));
            if (mode == CrashMode::kill) {
                hang_up(static_cast<int>(i), side);
                continue;
            }
            end.is_closed = end.is_silent = end.has_sent_finish = true;
            if (world_.prng().coin()) lose_packets(connections_[i]->ends[1 - side]);
        }
    }
}

}  // namespace ringlay::env
