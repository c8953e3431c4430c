// An expected failure, as a value: a code and a literal, no allocation, so that it may happen
// millions of times a second. `code` decides what happens next (which counter, drop or retry);
// `what` is for people. Who, when and how often is added by the room that logs it.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace ringlay {

enum class Errc : std::uint8_t {
    // bytes that somebody sent or stored
    malformed,
    too_large,
    unsupported,
    corrupt,
    // waiting
    cancelled,  // the fiber was asked to end
    timed_out,  // a deadline of ours passed
    // the network
    closed,       // the peer has finished, or this end is shut
    unreachable,  // refused, no route, name unknown
    // the disk
    not_found,
    exists,
    no_space,
    no_permission,
    io,  // EIO and what else we have no plan for
    // ourselves
    busy,     // a bound of ours is reached; try again later
    invalid,  // a setting or an argument of an operator
};

struct Error {
    Errc code;
    std::string_view what;  // always a literal
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string_view what) {
    return std::unexpected(Error{code, what});
}

}  // namespace ringlay
