// Address as the system calls want it, and back; and how each socket of ours is set up.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "proto/base/address.hpp"

namespace ringlay::env {

union SocketAddress {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

// Returns the length of what was written. IPv4 goes as IPv4, not in its mapped form: a host may
// have IPv6 switched off.
socklen_t put_address(const Address& address, SocketAddress& into);
Address get_address(const SocketAddress& from);

// A new stream socket of the address's family, or -errno. Blocking, as the ring needs it: on a
// nonblocking one it would answer -EAGAIN instead of waiting.
int make_stream_socket(const Address& address);

// For a connection, accepted or made: no delay, keep-alive, and at most 128 KiB unsent in the
// kernel (stalled consumers would otherwise pin megabytes each).
void configure_stream(int handle);

// A listening socket, or -errno. A port of 0 becomes the one that was chosen.
int make_listener(Address& address);

}  // namespace ringlay::env
