#include "relay/net/dial.hpp"

#include <algorithm>
#include <array>

#include "proto/base/assert.hpp"
#include "relay/net/connect_race.hpp"
#include "relay/net/secure.hpp"

namespace ringlay::net {
namespace {

constexpr std::size_t max_parts = 8;

// The guard has spoken.
std::unexpected<Failure> refused(const Outbound& outbound, std::string why) {
    outbound.refused.fetch_add(1, std::memory_order_relaxed);
    return std::unexpected(
        Failure{{Errc::no_permission, "dial: refused by the guard"}, std::move(why), 0, {}, true});
}

// Those that may be dialled, or why none may.
std::expected<std::vector<Address>, Failure> permitted(const proto::Url& url,
                                                       std::vector<Address> addresses,
                                                       const Outbound& outbound) {
    std::string why;
    std::erase_if(addresses, [&](const Address& address) {
        auto objection = outbound.objection(url, address);
        if (objection) why = std::move(*objection);
        return objection.has_value();
    });
    if (addresses.empty()) return refused(outbound, std::string(url.host) + ": " + why);
    return addresses;
}

struct Held {
    Address address;
    AddressPlaces::Place place;
};

// A place at each address; those that have none fall out, and the failure names one of them.
std::expected<std::vector<Held>, Failure> hold_places(std::vector<Address>& addresses,
                                                      AddressPlaces& places) {
    std::vector<Held> held;
    std::string full;
    std::erase_if(addresses, [&](const Address& address) {
        if (!is_public(address)) return false;
        auto place = places.take(address);
        if (place) {
            held.push_back({address, std::move(*place)});
        } else {
            full = address.ip_text();
        }
        return !place.has_value();
    });
    if (!addresses.empty()) return held;
    places.refused.fetch_add(1, std::memory_order_relaxed);
    return std::unexpected(Failure{
        {Errc::busy, "dial: too many at one address"},
        std::to_string(places.max_each()) + " other hosts are connected at " + full + " already",
        0,
        std::nullopt});
}

}  // namespace

Failure failure_of(const Error& error, std::string what) {
    what += ": ";
    what += error.what;
    return {error, std::move(what), 0, std::nullopt};
}

std::string authority_of(const proto::Url& url) {
    std::string text = url.is_ipv6 ? "[" + std::string(url.host) + "]" : std::string(url.host);
    if (url.port != proto::default_port(url.scheme)) text += ":" + std::to_string(url.port);
    return text;
}

std::string target_of(const proto::Url& url) {
    std::string text(url.path.empty() ? "/" : url.path);
    if (!url.query.empty()) text.append("?").append(url.query);
    return text;
}

std::expected<Stream, Failure> dial(env::Env& env, const proto::Url& url, Deadline deadline,
                                    const Outbound* outbound, AddressPlaces* places) {
    const bool has_tls = outbound != nullptr && outbound->tls() != nullptr;
    if (proto::is_tls(url.scheme) && !has_tls) {
        return std::unexpected(
            Failure{{Errc::unsupported, "dial: TLS"}, "TLS is not supported", 0, std::nullopt});
    }
    if (outbound != nullptr) {
        if (auto why = outbound->objection(url)) return refused(*outbound, std::move(*why));
    }
    auto addresses = env.net.resolve(url.host, url.port, deadline);
    if (!addresses) {
        return std::unexpected(
            failure_of(addresses.error(), "cannot resolve " + std::string(url.host)));
    }
    if (outbound != nullptr) {
        auto kept = permitted(url, std::move(*addresses), *outbound);
        if (!kept) return std::unexpected(std::move(kept.error()));
        addresses = std::move(*kept);
    }
    std::vector<Address> order = racing_order(*addresses);
    std::vector<Held> held;
    if (places != nullptr) {
        auto places_of_all = hold_places(order, *places);
        if (!places_of_all) return std::unexpected(std::move(places_of_all.error()));
        held = std::move(*places_of_all);
    }
    auto socket = connect_race(env, order, deadline);
    if (!socket) return std::unexpected(std::move(socket.error()));
    Stream stream(std::move(*socket));
    auto own =
        std::ranges::find(held, stream.peer().ip, [](const Held& h) { return h.address.ip; });
    if (own != held.end()) stream.keep(std::move(own->place));
    held.clear();
    if (!proto::is_tls(url.scheme)) return stream;
    return secure(std::move(stream), url, *outbound, deadline);
}

Result<void> send_parts(env::Socket& socket, std::span<const Bytes> parts, Deadline deadline) {
    RINGLAY_ASSERT(parts.size() <= max_parts);
    std::array<Bytes, max_parts> storage;
    std::ranges::copy(parts, storage.begin());
    std::span<Bytes> left = std::span(storage).first(parts.size());
    for (;;) {
        while (!left.empty() && left.front().empty()) left = left.subspan(1);
        if (left.empty()) return {};
        auto sent = socket.send_now(left);
        if (!sent) return std::unexpected(sent.error());
        if (*sent == 0) {
            auto writable = socket.wait_writable(deadline);
            if (!writable) return writable;
        }
        for (std::size_t count = *sent; count > 0;) {
            std::size_t step = std::min(count, left.front().size());
            left.front() = left.front().subspan(step);
            count -= step;
            if (left.front().empty()) left = left.subspan(1);
        }
    }
}

}  // namespace ringlay::net
