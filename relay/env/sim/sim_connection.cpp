// The life of a connection: bytes on their way, waiting for them, and the three ways to end.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "relay/env/sim/sim_kernel.hpp"
#include "relay/env/sim/sim_net.hpp"
#include "relay/env/sim/sim_net_inside.hpp"
#include "relay/env/sim/world.hpp"

namespace ringlay::env {

using fiber::Op;

SimNet::End* SimNet::end_of(int handle) {
    Socket* socket = sockets_.find(handle);
    if (socket == nullptr || socket->connection < 0) return nullptr;
    return &connections_[static_cast<std::size_t>(socket->connection)]->ends[socket->side];
}

std::size_t SimNet::room(const Socket& socket) const {
    const End& other =
        connections_[static_cast<std::size_t>(socket.connection)]->ends[1 - socket.side];
    std::size_t used = other.size_bytes();
    return options_.socket_buffer_bytes > used ? options_.socket_buffer_bytes - used : 0;
}

bool SimNet::is_cut(const Machine& from, const Machine& to) const {
    if (&from == &to) return false;
    if (to.is_down()) return true;
    return is_parted(from, to);
}

bool SimNet::is_parted(const Machine& a, const Machine& b) const {
    if (partitions_.empty()) return false;
    std::pair pair = std::minmax({a.index(), b.index()});
    return std::ranges::find(partitions_, pair) != partitions_.end();
}

Nanos SimNet::latency(const Machine& from, const Machine& to) {
    return world_.prng().between(&from == &to ? options_.local_latency : options_.latency);
}

// Whoever waits tries once more, and comes back to wait if it was for nothing.
void SimNet::wake(OpRef& waiter, Nanos delay) {
    if (waiter.kernel == nullptr) return;
    OpRef woken = std::exchange(waiter, {});
    woken.kernel->try_again(woken, delay);
}

std::optional<std::int64_t> SimNet::receive(const OpRef& ref, Op& op) {
    End* end = end_of(op.handle);
    if (end == nullptr) return -EBADF;
    if (end->is_dead) return -ECONNRESET;
    if (end->arrived == 0) {
        if (end->error != 0) return -std::exchange(end->error, 0);
        if (end->has_finish || end->is_shut || end->is_reset) return 0;
        RINGLAY_ASSERT(end->receiver.kernel == nullptr || end->receiver == ref);
        end->receiver = ref;
        return std::nullopt;
    }
    auto buffer = ref.kernel->take_buffer(ref);
    if (!buffer) return std::nullopt;
    std::size_t count = std::min(end->arrived, ref.kernel->buffer_bytes());
    Prng& prng = world_.prng();
    if (count > 1 && prng.chance(options_.fragment_per_mille)) {
        count = prng.coin() ? 1 : 1 + prng.below(count);
    }
    std::memcpy(buffer->data, end->bytes.data() + end->head, count);
    end->head += count;
    end->arrived -= count;
    if (end->head == end->bytes.size()) {
        end->bytes.clear();
        end->head = 0;
    } else if (end->head > end->bytes.size() / 2) {
        end->bytes.erase(end->bytes.begin(),
                         end->bytes.begin() + static_cast<std::ptrdiff_t>(end->head));
        end->head = 0;
    }
    const Socket& socket = *sockets_.find(op.handle);
    wake_writer(socket.connection, 1 - socket.side);
    op.buffer = *buffer;
    return static_cast<std::int64_t>(count);
}

// Not for every byte: a sender is woken when half of its buffer is free.
void SimNet::wake_writer(int connection, int side) {
    Connection& its = *connections_[static_cast<std::size_t>(connection)];
    if (its.ends[side].writer.kernel == nullptr) return;
    if (its.ends[1 - side].size_bytes() > options_.socket_buffer_bytes / 2) return;
    wake(its.ends[side].writer,
         latency(*its.ends[1 - side].process->machine, *its.ends[side].process->machine));
}

std::int64_t SimNet::send_now(Op& op) {
    End* end = end_of(op.handle);
    if (end == nullptr) return -EBADF;
    if (end->is_dead) return -ECONNRESET;
    if (end->error != 0) return -std::exchange(end->error, 0);
    if (end->is_reset || end->has_sent_finish) return -EPIPE;
    std::size_t total = 0;
    for (Bytes part : op.out) total += part.size();
    if (total == 0) return 0;
    const Socket& socket = *sockets_.find(op.handle);
    std::size_t count = std::min(total, room(socket));
    if (count == 0) return -EAGAIN;
    Prng& prng = world_.prng();
    if (count > 1 && prng.chance(options_.short_send_per_mille)) count = 1 + prng.below(count);
    take(socket.connection, 1 - socket.side, op.out, count);
    return static_cast<std::int64_t>(count);
}

void SimNet::take(int connection, int to_side, std::span<const Bytes> parts, std::size_t count) {
    Buffer& bytes = connections_[static_cast<std::size_t>(connection)]->ends[to_side].bytes;
    std::size_t left = count;
    for (Bytes part : parts) {
        part = part.first(std::min(part.size(), left));
        bytes.insert(bytes.end(), part.begin(), part.end());
        left -= part.size();
    }
    Prng& prng = world_.prng();
    if (count > 1 && prng.chance(options_.fragment_per_mille)) {
        std::size_t first = 1 + prng.below(count - 1);
        post(connection, to_side, {Packet::Kind::data, first});
        count -= first;
    }
    post(connection, to_side, {Packet::Kind::data, count});
}

std::optional<std::int64_t> SimNet::wait_writable(const OpRef& ref, Op& op) {
    End* end = end_of(op.handle);
    if (end == nullptr) return -EBADF;
    if (end->is_dead || end->is_reset || end->has_sent_finish || end->error != 0) return 0;
    if (room(*sockets_.find(op.handle)) >= (options_.socket_buffer_bytes + 1) / 2) return 0;
    RINGLAY_ASSERT(end->writer.kernel == nullptr || end->writer == ref);
    end->writer = ref;
    return std::nullopt;
}

std::int64_t SimNet::shut_down(Op& op) {
    Socket* socket = sockets_.find(op.handle);
    if (socket == nullptr) return -EBADF;
    if (socket->listener != nullptr) {
        socket->listener->is_shut = true;
        close_listener(*socket->listener);
        return 0;
    }
    End& end = *end_of(op.handle);
    if (end.is_dead || end.is_reset) return -ENOTCONN;
    end.is_shut = true;
    if (!end.has_sent_finish) {
        end.has_sent_finish = true;
        post(socket->connection, 1 - socket->side, {Packet::Kind::finish});
    }
    wake(end.receiver, Nanos(0));
    wake(end.writer, Nanos(0));
    return 0;
}

// On its way to `to_side`: never before what was sent earlier.
void SimNet::post(int connection, int to_side, Packet packet) {
    Connection& its = *connections_[static_cast<std::size_t>(connection)];
    End& to = its.ends[to_side];
    Nanos at =
        world_.now() + latency(*its.ends[1 - to_side].process->machine, *to.process->machine);
    at = std::max(at, to.last_arrival);
    if (options_.bytes_per_s > 0) {
        constexpr std::uint64_t ns_per_s = 1'000'000'000;
        at += Nanos(static_cast<std::int64_t>(packet.size_bytes * ns_per_s / options_.bytes_per_s));
    }
    to.last_arrival = at;
    to.packets.push_back(packet);
    ++its.packets_under_way;
    world_.add_event(
        at, *this,
        static_cast<std::uint64_t>(connection) << 1 | static_cast<std::uint64_t>(to_side));
}

void SimNet::on_event(std::uint64_t what) {
    auto connection = static_cast<int>(what >> 1);
    auto side = static_cast<int>(what & 1);
    Connection& its = *connections_[static_cast<std::size_t>(connection)];
    End& end = its.ends[side];
    if (is_cut(*its.ends[1 - side].process->machine, *end.process->machine)) {
        ++end.held;
        return;
    }
    Packet packet = end.packets[end.first_packet++];
    if (end.first_packet == end.packets.size()) {
        end.packets.clear();
        end.first_packet = 0;
    }
    --its.packets_under_way;
    deliver(connection, side, packet);
    free_if_over(connection);
}

void SimNet::deliver(int connection, int side, const Packet& packet) {
    End& end = connections_[static_cast<std::size_t>(connection)]->ends[side];
    switch (packet.kind) {
        case Packet::Kind::data:
            if (packet.size_bytes == 0) return;
            if (end.is_closed || end.is_shut) {
                // Nobody will read it, and its sender has to know.
                auto first =
                    end.bytes.begin() + static_cast<std::ptrdiff_t>(end.head + end.arrived);
                end.bytes.erase(first, first + static_cast<std::ptrdiff_t>(packet.size_bytes));
                reset(connection, side);
                return;
            }
            end.arrived += packet.size_bytes;
            break;
        case Packet::Kind::finish:
            end.has_finish = true;
            if (end.is_silent) reset(connection, side);
            break;
        case Packet::Kind::reset:
            if (end.is_closed) return;
            end.is_reset = true;
            end.error = end.has_finish ? EPIPE : ECONNRESET;
            wake(end.writer, Nanos(0));
            break;
    }
    wake(end.receiver, Nanos(0));
}

// Both directions end, and the peer is told so by force.
void SimNet::reset(int connection, int side) {
    Connection& its = *connections_[static_cast<std::size_t>(connection)];
    if (std::exchange(its.ends[side].has_sent_reset, true)) return;
    its.ends[side].has_sent_finish = true;
    post(connection, 1 - side, {Packet::Kind::reset});
}

// The application lets go: what it has sent still goes out, unless it leaves bytes unread.
void SimNet::hang_up(int connection, int side) {
    Connection& its = *connections_[static_cast<std::size_t>(connection)];
    End& end = its.ends[side];
    end.is_closed = true;
    if (!end.is_reset) {
        if (end.arrived > 0) {
            if (world_.prng().coin()) lose_packets(its.ends[1 - side]);
            reset(connection, side);
        } else if (!std::exchange(end.has_sent_finish, true)) {
            post(connection, 1 - side, {Packet::Kind::finish});
        }
    }
    end.head += std::exchange(end.arrived, 0);
    free_if_over(connection);
}

// What is on its way there does not arrive.
void SimNet::lose_packets(End& end) {
    for (std::size_t i = end.first_packet; i < end.packets.size(); ++i) {
        end.packets[i].size_bytes = 0;
        if (end.packets[i].kind != Packet::Kind::data) end.packets[i] = {Packet::Kind::data};
    }
    end.bytes.resize(end.head + end.arrived);
}

void SimNet::release_held() {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        Connection& its = *connections_[i];
        for (std::size_t side : {0u, 1u}) {
            End& end = its.ends[side];
            if (end.held == 0) continue;
            const Machine& from = *its.ends[1 - side].process->machine;
            if (is_cut(from, *end.process->machine)) continue;
            Nanos at = world_.now() + latency(from, *end.process->machine);
            for (; end.held > 0; --end.held) world_.add_event(at, *this, i << 1 | side);
        }
    }
}

void SimNet::free_if_over(int connection) {
    Connection& its = *connections_[static_cast<std::size_t>(connection)];
    if (!its.is_used || its.packets_under_way > 0) return;
    for (const End& end : its.ends) {
        if (!end.is_closed || end.has_handle) return;
    }
    for (End& end : its.ends) {
        Buffer bytes = std::move(end.bytes);
        std::vector<Packet> packets = std::move(end.packets);
        bytes.clear();
        packets.clear();
        end = End();
        end.bytes = std::move(bytes);
        end.packets = std::move(packets);
    }
    its.is_used = false;
    free_connections_.push_back(connection);
}

}  // namespace ringlay::env
