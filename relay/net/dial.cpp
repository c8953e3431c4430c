#include "relay/net/dial.hpp"

#include <algorithm>
#include <array>

#include "proto/base/assert.hpp"

namespace ringlay::net {
namespace {

constexpr std::size_t max_addresses = 4;
constexpr std::size_t max_parts = 8;

// The end of the share that the next of `attempts` may use.
Deadline share_of(const env::Env& env, Deadline deadline, std::size_t attempts) {
    if (deadline == Deadline::never()) return deadline;
    Nanos left = deadline.at - env.clock.now();
    return {env.clock.now() + left / static_cast<std::int64_t>(attempts)};
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
                                    const Outbound* outbound) {
    static_cast<void>(outbound);
    if (proto::is_tls(url.scheme)) {
        return std::unexpected(
            Failure{{Errc::unsupported, "dial: TLS"}, "TLS is not supported", 0, std::nullopt});
    }
    auto addresses = env.net.resolve(url.host, url.port, deadline);
    if (!addresses) {
        return std::unexpected(
            failure_of(addresses.error(), "cannot resolve " + std::string(url.host)));
    }
    std::size_t count = std::min(addresses->size(), max_addresses);
    RINGLAY_ASSERT(count > 0);
    Failure last{};
    for (std::size_t i = 0; i < count; ++i) {
        const Address& address = (*addresses)[i];
        auto socket = env.net.connect(address, share_of(env, deadline, count - i));
        if (socket) return Stream(std::move(*socket));
        last = failure_of(socket.error(), "cannot connect to " + address.text());
        if (socket.error().code == Errc::cancelled) break;
    }
    return std::unexpected(std::move(last));
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
