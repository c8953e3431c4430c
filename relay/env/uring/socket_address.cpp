#include "relay/env/uring/socket_address.hpp"

#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringlay::env {
namespace {

constexpr int unsent_limit_bytes = 128 * 1024;
constexpr int accept_backlog = 1024;
constexpr std::size_t v4_at = 12;  // in a mapped address

void set_option(int handle, int level, int name, int value) {
    static_cast<void>(setsockopt(handle, level, name, &value, sizeof value));
}

}  // namespace

socklen_t put_address(const Address& address, SocketAddress& into) {
    std::memset(&into, 0, sizeof into);
    if (address.is_v4()) {
        into.v4.sin_family = AF_INET;
        into.v4.sin_port = htons(address.port);
        std::memcpy(&into.v4.sin_addr, address.ip.data() + v4_at, 4);
        return sizeof into.v4;
    }
    into.v6.sin6_family = AF_INET6;
    into.v6.sin6_port = htons(address.port);
    std::memcpy(&into.v6.sin6_addr, address.ip.data(), address.ip.size());
    return sizeof into.v6;
}

Address get_address(const SocketAddress& from) {
    Address address;
    if (from.any.sa_family == AF_INET) {
        address.ip[10] = address.ip[11] = 0xff;
        std::memcpy(address.ip.data() + v4_at, &from.v4.sin_addr, 4);
        address.port = ntohs(from.v4.sin_port);
    } else if (from.any.sa_family == AF_INET6) {
        std::memcpy(address.ip.data(), &from.v6.sin6_addr, address.ip.size());
        address.port = ntohs(from.v6.sin6_port);
    }
    return address;
}

int make_stream_socket(const Address& address) {
    int family = address.is_v4() ? AF_INET : AF_INET6;
    int handle = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    return handle >= 0 ? handle : -errno;
}

void configure_stream(int handle) {
    set_option(handle, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(handle, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_limit_bytes);
    set_option(handle, SOL_SOCKET, SO_KEEPALIVE, 1);
}

int make_listener(Address& address) {
    int handle = make_stream_socket(address);
    bool is_every_address = address.ip == Address().ip;
    if (handle == -EAFNOSUPPORT && is_every_address) {  // a kernel without IPv6
        address = Address::v4(0, 0, 0, 0, address.port);
        handle = make_stream_socket(address);
    }
    if (handle < 0) return handle;
    set_option(handle, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!address.is_v4()) set_option(handle, IPPROTO_IPV6, IPV6_V6ONLY, 0);  // `::` takes IPv4 too

    SocketAddress bound;
    socklen_t length = put_address(address, bound);
    if (::bind(handle, &bound.any, length) != 0 || ::listen(handle, accept_backlog) != 0 ||
        ::getsockname(handle, &bound.any, &length) != 0) {
        int failure = -errno;
        ::close(handle);
        return failure;
    }
    address.port = get_address(bound).port;
    return handle;
}

}  // namespace ringlay::env
