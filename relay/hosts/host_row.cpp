#include "relay/hosts/host_row.hpp"

#include "proto/url.hpp"

namespace ringlay::hosts {
namespace {

// Numbers of fields in the store: never used for anything else again.
enum class Field : std::uint8_t {
    id = 1,
    name,
    port,
    is_tls,
    source,
    state,
    events_per_second,
    bytes_per_second,
    new_accounts_per_hour,
    is_trusted,
    ban_reason,
    added,
    last_connected,
    last_event,
    failure,
    added_from,
    ordered_cursor,
    is_ordered_live,
};

constexpr std::size_t max_text_bytes = 2048;

class Writer {
  public:
    void text(Field field, std::string_view text) {
        if (text.empty()) return;
        text = text.substr(0, max_text_bytes);
        begin(field, text.size());
        out_.insert(out_.end(), text.begin(), text.end());
    }
    void number(Field field, std::uint64_t number) {
        if (number == 0) return;
        begin(field, sizeof number);
        append_le(out_, number);
    }
    // Nothing is another thing than 0.
    template <class Number>
    void limit(Field field, const std::optional<Number>& limit) {
        if (limit) number(field, std::uint64_t{*limit} + 1);
    }
    Buffer take() { return std::move(out_); }

  private:
    void begin(Field field, std::size_t size) {
        out_.push_back(static_cast<std::uint8_t>(field));
        append_le(out_, static_cast<std::uint16_t>(size));
    }
    Buffer out_;
};

WallMillis time_of(std::uint64_t number) {
    return WallMillis(static_cast<std::int64_t>(number));
}

std::uint64_t number_of(WallMillis time) {
    return time.count() > 0 ? static_cast<std::uint64_t>(time.count()) : 0;
}

void take_number(StoredRow& stored, Field field, std::uint64_t number) {
    HostRow& row = stored.row;
    switch (field) {
        case Field::id:
            stored.id = number;
            return;
        case Field::port:
            row.address.port = static_cast<std::uint16_t>(number);
            return;
        case Field::is_tls:
            row.address.is_tls = number != 0;
            return;
        case Field::source:
            row.source = static_cast<HostSource>(std::min<std::uint64_t>(number, 3));
            return;
        case Field::state:
            row.state = static_cast<HostState>(std::min<std::uint64_t>(number, 6));
            return;
        case Field::events_per_second:
            row.limits.events_per_second = static_cast<std::uint32_t>(number - 1);
            return;
        case Field::bytes_per_second:
            row.limits.bytes_per_second = number - 1;
            return;
        case Field::new_accounts_per_hour:
            row.limits.new_accounts_per_hour = static_cast<std::uint32_t>(number - 1);
            return;
        case Field::is_trusted:
            row.is_trusted = number != 0;
            return;
        case Field::added:
            row.added = time_of(number);
            return;
        case Field::last_connected:
            row.last_connected = time_of(number);
            return;
        case Field::last_event:
            row.last_event = time_of(number);
            return;
        case Field::ordered_cursor:
            row.cursor_order = CursorOrder{number - 1};
            return;
        case Field::is_ordered_live:
            row.cursor_order = CursorOrder{};
            return;
        default:
            return;  // of a later version
    }
}

void take_text(HostRow& row, Field field, std::string text) {
    if (field == Field::name) row.address.name = std::move(text);
    if (field == Field::ban_reason) row.ban_reason = std::move(text);
    if (field == Field::failure) row.failure = std::move(text);
    if (field == Field::added_from) row.added_from = std::move(text);
}

bool is_text(Field field) {
    return field == Field::name || field == Field::ban_reason || field == Field::failure ||
           field == Field::added_from;
}

}  // namespace

std::string_view state_name(HostState state) {
    switch (state) {
        case HostState::pending:
            return "pending";
        case HostState::active:
            return "active";
        case HostState::idle:
            return "idle";
        case HostState::offline:
            return "offline";
        case HostState::throttled:
            return "throttled";
        case HostState::quarantined:
            return "quarantined";
        case HostState::banned:
            return "banned";
    }
    return "?";
}

std::string_view public_name(HostState state) {
    switch (state) {
        case HostState::pending:
            return "offline";
        case HostState::quarantined:
            return "throttled";
        default:
            return state_name(state);
    }
}

std::string_view source_name(HostSource source) {
    switch (source) {
        case HostSource::settings:
            return "settings";
        case HostSource::upstream:
            return "upstream";
        case HostSource::crawl:
            return "crawl";
        case HostSource::admin:
            return "admin";
    }
    return "?";
}

std::string host_name(const base::HostAddress& address) {
    const bool is_ipv6 = address.name.find(':') != std::string::npos;
    std::string name = is_ipv6 ? "[" + address.name + "]" : address.name;
    if (address.is_tls && address.port == proto::default_port(proto::Scheme::https)) return name;
    return name + ":" + std::to_string(address.port);
}

Buffer encode(const HostRow& row, std::uint64_t id) {
    Writer out;
    out.number(Field::id, id);
    out.text(Field::name, row.address.name);
    out.number(Field::port, row.address.port);
    out.number(Field::is_tls, row.address.is_tls);
    out.number(Field::source, static_cast<std::uint64_t>(row.source));
    out.number(Field::state, static_cast<std::uint64_t>(row.state));
    out.limit(Field::events_per_second, row.limits.events_per_second);
    out.limit(Field::bytes_per_second, row.limits.bytes_per_second);
    out.limit(Field::new_accounts_per_hour, row.limits.new_accounts_per_hour);
    out.number(Field::is_trusted, row.is_trusted);
    out.text(Field::ban_reason, row.ban_reason);
    out.number(Field::added, number_of(row.added));
    out.number(Field::last_connected, number_of(row.last_connected));
    out.number(Field::last_event, number_of(row.last_event));
    out.text(Field::failure, row.failure);
    out.text(Field::added_from, row.added_from);
    if (row.cursor_order) {
        out.limit(Field::ordered_cursor, row.cursor_order->cursor);
        out.number(Field::is_ordered_live, !row.cursor_order->cursor);
    }
    return out.take();
}

Result<StoredRow> decode_row(Bytes bytes) {
    StoredRow stored;
    while (!bytes.empty()) {
        constexpr std::size_t head = 3;
        if (bytes.size() < head) return fail(Errc::corrupt, "host row: cut off");
        const auto field = static_cast<Field>(bytes[0]);
        const std::size_t size = load_le<std::uint16_t>(bytes, 1);
        if (bytes.size() - head < size) return fail(Errc::corrupt, "host row: cut off");
        Bytes value = bytes.subspan(head, size);
        if (is_text(field)) {
            take_text(stored.row, field,
                      std::string(reinterpret_cast<const char*>(value.data()), value.size()));
        } else if (size == sizeof(std::uint64_t)) {
            take_number(stored, field, load_le<std::uint64_t>(value, 0));
        }
        bytes = bytes.subspan(head + size);
    }
    if (stored.row.address.name.empty()) return fail(Errc::corrupt, "host row: without a name");
    return stored;
}

}  // namespace ringlay::hosts
