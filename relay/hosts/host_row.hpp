// What the relay keeps of a host: who named it, how it is reached, what it may do, how it fared.
// Values, shared by registry, subscribers and the pages that show them.
//
// Source   protocol 4.9, 4.10; com.atproto.sync.listHosts for the public statuses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "relay/base/config.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::hosts {

// Who named the host first, or that the administration has named it since.
enum class HostSource : std::uint8_t { settings, upstream, crawl, admin };

enum class HostState : std::uint8_t {
    pending,      // never yet connected; retried for ever, not listed
    active,       // connected
    idle,         // connected, and nothing for a while
    offline,      // was connected once; is being retried
    throttled,    // connected, held back by its limits most of the time
    quarantined,  // sent almost nothing but invalid events: asked once an hour
    banned,       // by the operator
};
std::string_view state_name(HostState state);  // `quarantined`
std::string_view public_name(
    HostState state);  // of the lexicon: active, idle, offline, throttled, banned
std::string_view source_name(HostSource source);

// Nothing: the default, scaled by the host's accounts.
struct HostLimits {
    std::optional<std::uint32_t> events_per_second;
    std::optional<std::uint64_t> bytes_per_second;
    std::optional<std::uint32_t> new_accounts_per_hour;
    bool operator==(const HostLimits&) const = default;
};

// From where an operator wants a host to be read. It holds until an event has come behind it.
struct CursorOrder {
    std::optional<std::uint64_t> cursor;  // nothing: live
    bool operator==(const CursorOrder&) const = default;
};

// What a subscriber has to know of its host; may change while it runs.
struct HostOrders {
    HostLimits limits;
    bool is_trusted = false;      // of a trusted domain: limits ten times as high, no quarantine
    bool begins_live = false;     // without a cursor: live (found by bootstrap), else from 0
    bool is_quarantined = false;  // dials once an hour
    bool is_strangers = false;    // a stranger announced it: never to be found in a private network
    bool is_operators = false;    // he named it: any number of these at one address
    // For one that begins: stronger than what the log knows.
    std::optional<CursorOrder> cursor_order = std::nullopt;
    bool operator==(const HostOrders&) const = default;
};

// Who wants a host to be dialled at once.
enum class Waker : std::uint8_t { stranger, its_operator };

// `pds.example`, `localhost:2600`, `[::1]:2600`: with the port unless it is https on 443, as
// proto::host_of_endpoint() writes it.
std::string host_name(const base::HostAddress& address);

struct HostRow {
    base::HostAddress address;  // its name is the key, with the port unless it is https on 443
    HostSource source = HostSource::settings;
    HostState state = HostState::pending;
    HostLimits limits;
    bool is_trusted = false;
    std::string ban_reason;
    WallMillis added{};
    WallMillis last_connected{};  // 0: never
    WallMillis last_event{};      // 0: none
    std::string failure;          // why the last connection ended
    std::string added_from;       // the address that asked for it; of requestCrawl
    std::optional<CursorOrder> cursor_order;

    bool operator==(const HostRow&) const = default;
};

// As the store has a row: fields by number, so that later versions may add some.
Buffer encode(const HostRow& row, std::uint64_t id);
struct StoredRow {
    std::uint64_t id = 0;
    HostRow row;
};
Result<StoredRow> decode_row(Bytes bytes);

}  // namespace ringlay::hosts
