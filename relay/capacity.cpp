#include "relay/capacity.hpp"

#include <algorithm>

namespace ringlay {
namespace {

// A worker has at most 32,768 fibers; dials and questions take some. The settings see to it that
// hosts fit (base::max_hosts_of_a_worker).
constexpr std::uint64_t places_of_worker = 30'000;
// The log, the database (which has 512 files open at most), names, rings.
constexpr std::uint64_t least_for_files = 256, most_for_files = 1024;
// Requests of our own: directories, checks of hosts, dials that are under way.
constexpr std::uint64_t most_for_requests = 256;
// Libraries, threads, malloc, the database.
constexpr std::uint64_t mappings_of_others = 8192;
constexpr std::uint64_t mappings_of_fiber = 2;
// What a relay of the whole network needs at one time, with room to grow.
constexpr Places usual = {.hosts = 4096, .consumers = 100, .connections = 100};

std::uint64_t needed(const Places& places, std::uint64_t of_client) {
    return places.hosts + of_client * (places.consumers + 2 * places.connections);
}

// `of_client`: what a consumer or a connection takes, where a host takes one.
Places divided(std::uint64_t available, std::uint64_t of_client, const Places& wanted) {
    if (needed(wanted, of_client) <= available) return wanted;
    Places places;
    places.hosts = std::min(wanted.hosts, available / 5 * 4);
    const std::uint64_t rest = (available - places.hosts) / of_client;
    places.consumers = std::min(wanted.consumers, rest / 2);
    places.connections = std::min(wanted.connections, (rest - places.consumers) / 2);
    return places;
}

Places least(const Places& a, const Places& b) {
    return {std::min(a.hosts, b.hosts), std::min(a.consumers, b.consumers),
            std::min(a.connections, b.connections)};
}

std::string in_words(const Places& places) {
    return std::to_string(places.hosts) + " hosts, " + std::to_string(places.consumers) +
           " consumers and " + std::to_string(places.connections) + " connections to a port";
}

void limit_by_descriptors(std::uint64_t descriptors, const Places& wanted, Capacity& capacity) {
    const std::uint64_t for_files =
        std::min(std::clamp(descriptors / 8, least_for_files, most_for_files), descriptors / 2);
    const std::uint64_t for_requests = std::min(descriptors / 16, most_for_requests);
    capacity.sockets = descriptors - for_files;
    capacity.names = for_files / 4;  // the resolver takes what it likes
    const Places places = divided(capacity.sockets - for_requests, 1, wanted);
    if (places != wanted) {
        const std::uint64_t all = needed(wanted, 1) + most_for_files + most_for_requests;
        capacity.shortages.push_back("descriptors: the hard limit is " +
                                     std::to_string(descriptors) + " and the settings may need " +
                                     std::to_string(all) + "; there is room for " +
                                     in_words(places));
    }
    capacity.places = least(capacity.places, places);
}

void limit_by_mappings(std::uint64_t mappings, const Places& wanted, Capacity& capacity) {
    const std::uint64_t others = std::min(mappings_of_others, mappings / 2);
    const Places places = divided((mappings - others) / mappings_of_fiber, 2, wanted);
    // Fewer connections than the usual bound are no promise that is broken.
    if (places.hosts < wanted.hosts || places.consumers < wanted.consumers) {
        const std::uint64_t all = needed(wanted, 2) * mappings_of_fiber + mappings_of_others;
        capacity.shortages.push_back("mappings: vm.max_map_count is " + std::to_string(mappings) +
                                     " and the settings may need " + std::to_string(all) +
                                     "; there is room for " + in_words(places));
    }
    capacity.places = least(capacity.places, places);
}

void limit_by_workers(std::uint32_t workers, const Places& wanted, Capacity& capacity) {
    const std::uint64_t all = places_of_worker * workers;
    const std::uint64_t consumers = (all - std::min(wanted.hosts, all)) / 2;
    if (wanted.consumers <= consumers) return;
    capacity.shortages.push_back("workers: " + std::to_string(workers) + " have room for " +
                                 std::to_string(wanted.hosts) + " hosts and " +
                                 std::to_string(consumers) + " consumers");
    capacity.places.consumers = std::min(capacity.places.consumers, consumers);
}

}  // namespace

Capacity capacity_of(const MachineLimits& machine, const Places& wanted, std::uint32_t workers) {
    Capacity capacity;
    capacity.places = wanted;
    capacity.descriptors = machine.descriptors;
    if (machine.descriptors > 0) limit_by_descriptors(machine.descriptors, wanted, capacity);
    if (machine.mappings > 0) limit_by_mappings(machine.mappings, wanted, capacity);
    limit_by_workers(workers, wanted, capacity);
    const Places enough = least(wanted, usual);
    capacity.is_tight = least(capacity.places, enough) != enough;
    return capacity;
}

}  // namespace ringlay
