#include "relay/net/client_address.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace ringlay::net {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
std::optional<Address> parse_entry(std::string_view text) {
    text = trimmed(text);
    const bool has_brackets = text.starts_with('[');
    if (has_brackets) {
        text = text.substr(0, text.find(']') + 1);
    } else if (std::ranges::count(text, ':') == 1) {
        text = text.substr(0, text.find(':'));
    }
    auto address = Address::parse(text, 0);
    if (!address) return std::nullopt;
    return *address;
}

// Takes the last member off a comma list.
std::string_view take_last(std::string_view& list) {
    const std::size_t comma = list.rfind(',');
    std::string_view last = comma == list.npos ? list : list.substr(comma + 1);
    list = comma == list.npos ? std::string_view() : list.substr(0, comma);
    return last;
}

}  // namespace

bool is_in(const Address& address, std::span<const Network> networks) {
    return std::ranges::any_of(networks,
                               [&](const Network& network) { return network.contains(address); });
}

Client client_of(const HttpRequest& request, const Address& peer,
                 std::span<const Network> trusted_proxies) {
    Client client{.address = peer, .is_proxied = false};
    // Several fields of one name are one list, in their order.
    for (std::size_t i = request.headers.size(); i-- > 0;) {
        const HttpHeaders::Field field = request.headers[i];
        if (!equals_ignoring_case(field.name, "X-Forwarded-For")) continue;
        std::string_view rest = field.value;
        while (!rest.empty()) {
            if (!is_in(client.address, trusted_proxies)) return client;
            auto said = parse_entry(take_last(rest));
            if (!said) return client;  // `unknown`: the proxy is all that is known
            client = {.address = *said, .is_proxied = true};
        }
    }
    return client;
}

Address party_of(const Address& address) {
    Address party = address;
    party.port = 0;
    if (!party.is_v4()) std::fill(party.ip.begin() + 8, party.ip.end(), std::uint8_t{0});
    return party;
}

}  // namespace ringlay::net
