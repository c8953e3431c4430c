// How many hosts, consumers and connections this machine can bear at one time, beside what the
// settings would allow. Each of them is a descriptor and a fiber or two; the log and the database
// must always get a descriptor when they need one, or the relay would end for a stranger's
// connection.
//
// Where not all of it fits, hosts get four fifths, and consumers and connections halve the rest.
//
// Thread   pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ringlay {

struct MachineLimits {
    std::uint64_t descriptors = 0;  // 0: not known
    std::uint64_t mappings = 0;     // that stacks of fibers have to share with all else; 0: none is
                                    // needed for them
};

struct Places {
    std::uint64_t hosts = 0;
    std::uint64_t consumers = 0;
    std::uint64_t connections = 0;  // of HTTP, to each of the two ports
    bool operator==(const Places&) const = default;
};

struct Capacity {
    Places places;
    std::uint64_t descriptors = 0;  // of the process; 0: not known
    // Descriptors that connections may have, in and out; those above are for files. 0: any.
    std::uint64_t sockets = 0;
    // Look-ups of names at one time, each a descriptor of the system's resolver. 0: any.
    std::uint64_t names = 0;
    // Why there are fewer places than wanted, for people; empty: there are not.
    std::vector<std::string> shortages;
    // Fewer than the network as it is needs, not only than the settings would allow.
    bool is_tight = false;
};

Capacity capacity_of(const MachineLimits& machine, const Places& wanted, std::uint32_t workers);

}  // namespace ringlay
