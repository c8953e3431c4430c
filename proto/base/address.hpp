// An internet address and a port, as a value: IPv6, or IPv4 in its mapped form (::ffff:a.b.c.d).
// Nothing here touches the network; names are resolved by env::Net.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/result.hpp"

namespace ringlay {

struct Address {
    std::array<std::uint8_t, 16> ip{};  // network order
    std::uint16_t port = 0;

    static Address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                      std::uint16_t port);
    static Address loopback(std::uint16_t port) { return v4(127, 0, 0, 1, port); }

    // A literal without a name look-up: `127.0.0.1`, `::1`, `[::1]`. No zone identifiers.
    static Result<Address> parse(std::string_view literal, std::uint16_t port);

    bool is_v4() const;
    bool is_loopback() const;  // 127.0.0.0/8, ::1

    std::string ip_text() const;  // `127.0.0.1`, `::1`
    std::string text() const;     // `127.0.0.1:3000`, `[::1]:3000`

    auto operator<=>(const Address&) const = default;
};

}  // namespace ringlay
