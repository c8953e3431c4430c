#include "relay/ingest/rewrite.hpp"

#include <optional>

#include "proto/event.hpp"

namespace ringlay::ingest {
namespace {

void set_standing(proto::AccountEvent& event, proto::AccountStanding standing) {
    event.is_active = standing.is_active;
    std::string_view word = proto::account_status_name(standing.status);
    event.status = word.empty() ? std::nullopt : std::optional(word);
}

void append_padded(std::string& out, std::int64_t value, std::size_t digits) {
    std::string text = std::to_string(value);
    if (text.size() < digits) out.append(digits - text.size(), '0');
    out += text;
}

}  // namespace

Result<Buffer> identity_without_handle(Bytes payload) {
    auto event = proto::parse_identity_event(payload);
    if (!event) return std::unexpected(event.error());
    if (!event->handle) return Buffer();
    event->handle = std::nullopt;
    return proto::encode_frame(*event);
}

Result<Buffer> account_with_standing(Bytes payload, proto::AccountStanding standing) {
    auto event = proto::parse_account_event(payload);
    if (!event) return std::unexpected(event.error());
    set_standing(*event, standing);
    return proto::encode_frame(*event);
}

Buffer account_frame(std::string_view did, proto::AccountStanding standing, WallMillis now) {
    const std::string time = datetime_text(now);
    proto::AccountEvent event;
    event.seq = 1;
    event.did = did;
    event.time = time;
    set_standing(event, standing);
    return proto::encode_frame(event);
}

std::string datetime_text(WallMillis at) {
    using namespace std::chrono;
    const sys_time<milliseconds> instant(at);
    const auto day = floor<days>(instant);
    const year_month_day date(day);
    const hh_mm_ss clock(instant - day);
    std::string text;
    append_padded(text, int{date.year()}, 4);
    text += '-';
    append_padded(text, unsigned{date.month()}, 2);
    text += '-';
    append_padded(text, unsigned{date.day()}, 2);
    text += 'T';
    append_padded(text, clock.hours().count(), 2);
    text += ':';
    append_padded(text, clock.minutes().count(), 2);
    text += ':';
    append_padded(text, clock.seconds().count(), 2);
    text += '.';
    append_padded(text, clock.subseconds().count(), 3);
    text += 'Z';
    return text;
}

}  // namespace ringlay::ingest
