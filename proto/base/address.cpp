#include "proto/base/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <span>

namespace ringlay {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Address Address::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                    std::uint16_t port) {
    Address address;
    std::ranges::copy(mapped_prefix, address.ip.begin());
    address.ip[12] = a;
    address.ip[13] = b;
    address.ip[14] = c;
    address.ip[15] = d;
    address.port = port;
    return address;
}

Result<Address> Address::parse(std::string_view literal, std::uint16_t port) {
    if (literal.size() >= 2 && literal.front() == '[' && literal.back() == ']') {
        literal = literal.substr(1, literal.size() - 2);
        if (literal.find(':') == literal.npos) return fail(Errc::malformed, "address: not IPv6");
    }
    std::string text(literal);
    if (text.find('\0') != text.npos) return fail(Errc::malformed, "address: not an IP address");
    std::array<std::uint8_t, 4> four{};
    if (inet_pton(AF_INET, text.c_str(), four.data()) == 1) {
        return v4(four[0], four[1], four[2], four[3], port);
    }
    Address address;
    address.port = port;
    if (inet_pton(AF_INET6, text.c_str(), address.ip.data()) == 1) return address;
    return fail(Errc::malformed, "address: not an IP address");
}

bool Address::is_v4() const {
    return std::ranges::equal(std::span(ip).first(12), mapped_prefix);
}

bool Address::is_loopback() const {
    if (is_v4()) return ip[12] == 127;
    return ip == std::array<std::uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
}

std::string Address::ip_text() const {
    char text[INET6_ADDRSTRLEN];
    const void* from = is_v4() ? &ip[12] : &ip[0];
    return inet_ntop(is_v4() ? AF_INET : AF_INET6, from, text, sizeof text);
}

std::string Address::text() const {
    std::string host = is_v4() ? ip_text() : "[" + ip_text() + "]";
    return host + ":" + std::to_string(port);
}

}  // namespace ringlay
