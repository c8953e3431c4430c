#include "proto/syntax.hpp"

#include <algorithm>

#include "proto/limits.hpp"

namespace ringlay::proto {
namespace {

constexpr std::size_t max_label_bytes = 63;
constexpr std::size_t did_plc_digits = 24;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_letter(char c) {
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_letter_or_digit(char c) {
    return is_letter(c) || is_digit(c);
}
bool is_one_of(char c, std::string_view set) {
    return set.find(c) != set.npos;
}

// A label of a domain name: letters, digits and hyphens, no hyphen at an end.
bool is_label(std::string_view text) {
    if (text.empty() || text.size() > max_label_bytes) return false;
    if (text.front() == '-' || text.back() == '-') return false;
    return std::ranges::all_of(text, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

// The part before the first `separator`, which is taken from `rest` with it.
std::string_view take_until(std::string_view& rest, char separator) {
    std::size_t end = std::min(rest.find(separator), rest.size());
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

// At least `least` labels with dots between them.
bool are_labels(std::string_view text, std::size_t least) {
    if (text.ends_with('.')) return false;
    std::size_t count = 0;
    for (; !text.empty(); ++count) {
        if (!is_label(take_until(text, '.'))) return false;
    }
    return count >= least;
}

// A number of exactly so many digits at `at`, -1 if there is none.
int number_at(std::string_view text, std::size_t at, std::size_t digits) {
    if (at + digits > text.size()) return -1;
    int number = 0;
    for (char c : text.substr(at, digits)) {
        if (!is_digit(c)) return -1;
        number = number * 10 + (c - '0');
    }
    return number;
}

int days_in_month(int year, int month) {
    constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && is_leap ? 29 : days[month - 1];
}

bool is_time_of_day(int hour, int minute) {
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

// What local time is ahead of UTC, in minutes, from the text of a zone.
std::optional<int> zone_minutes(std::string_view zone) {
    if (zone == "Z") return 0;
    if (zone.size() != 6 || !is_one_of(zone[0], "+-") || zone[3] != ':') return std::nullopt;
    int hours = number_at(zone, 1, 2), minutes = number_at(zone, 4, 2);
    if (!is_time_of_day(hours, minutes) || zone == "-00:00") return std::nullopt;
    return (zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

}  // namespace

bool is_did(std::string_view text) {
    if (text.size() > max_did_bytes || !text.starts_with("did:")) return false;
    std::string_view id = text.substr(4);
    std::string_view method = take_until(id, ':');
    if (method.empty() || !std::ranges::all_of(method, is_lower)) return false;
    if (id.empty() || is_one_of(id.back(), ":%")) return false;
    return std::ranges::all_of(
        id, [](char c) { return is_letter_or_digit(c) || is_one_of(c, "._:%-"); });
}

bool is_did_plc(std::string_view text) {
    constexpr std::string_view prefix = "did:plc:";
    if (text.size() != prefix.size() + did_plc_digits || !text.starts_with(prefix)) return false;
    return std::ranges::all_of(text.substr(prefix.size()),
                               [](char c) { return is_lower(c) || (c >= '2' && c <= '7'); });
}

bool is_handle(std::string_view text) {
    if (text.size() > max_handle_bytes || !are_labels(text, 2)) return false;
    return is_letter(text[text.rfind('.') + 1]);
}

bool is_nsid(std::string_view text) {
    std::size_t last_dot = text.rfind('.');
    if (text.size() > max_nsid_bytes || last_dot == text.npos) return false;
    std::string_view authority = text.substr(0, last_dot), name = text.substr(last_dot + 1);
    if (!are_labels(authority, 2) || !is_letter(authority[0])) return false;
    if (name.empty() || name.size() > max_label_bytes || !is_letter(name[0])) return false;
    return std::ranges::all_of(name, is_letter_or_digit);
}

bool is_record_key(std::string_view text) {
    if (text.empty() || text.size() > max_record_key_bytes) return false;
    if (text == "." || text == "..") return false;
    return std::ranges::all_of(
        text, [](char c) { return is_letter_or_digit(c) || is_one_of(c, "_~.:-"); });
}

std::optional<RepoPath> split_repo_path(std::string_view text) {
    std::size_t slash = text.find('/');
    if (slash == text.npos) return std::nullopt;
    RepoPath path{text.substr(0, slash), text.substr(slash + 1)};
    if (!is_nsid(path.collection) || !is_record_key(path.record_key)) return std::nullopt;
    return path;
}

bool is_at_uri(std::string_view text) {
    constexpr std::string_view scheme = "at://";
    static_assert(scheme.size() + max_did_bytes + 1 + max_repo_path_bytes <= max_at_uri_bytes,
                  "its parts keep it within its bound");
    if (!text.starts_with(scheme)) return false;
    if (text.ends_with('/')) return false;
    std::string_view path = text.substr(scheme.size());
    std::string_view authority = take_until(path, '/');
    if (!is_did(authority) && !is_handle(authority)) return false;
    return path.empty() || is_nsid(path) || is_repo_path(path);
}

// YYYY-MM-DDTHH:MM:SS[.fraction]zone
bool is_datetime(std::string_view text) {
    constexpr std::string_view shape = "0000-00-00T00:00:00";
    constexpr std::size_t max_fraction_digits = 20;
    static_assert(shape.size() + 1 + max_fraction_digits + 6 <= max_datetime_bytes,
                  "its parts keep it within its bound");
    if (text.size() < shape.size()) return false;
    for (std::size_t at = 0; at < shape.size(); ++at) {
        if (shape[at] == '0' ? !is_digit(text[at]) : text[at] != shape[at]) return false;
    }
    int year = number_at(text, 0, 4), month = number_at(text, 5, 2), day = number_at(text, 8, 2);
    int hour = number_at(text, 11, 2), minute = number_at(text, 14, 2);
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
    if (!is_time_of_day(hour, minute) || number_at(text, 17, 2) > 59) return false;

    std::string_view zone = text.substr(shape.size());
    if (zone.starts_with('.')) {
        zone.remove_prefix(1);
        auto digits =
            static_cast<std::size_t>(std::ranges::find_if_not(zone, is_digit) - zone.begin());
        if (digits == 0 || digits > max_fraction_digits) return false;
        zone.remove_prefix(digits);
    }
    auto ahead = zone_minutes(zone);
    if (!ahead) return false;
    bool is_first_day = year == 0 && month == 1 && day == 1;
    return !is_first_day || hour * 60 + minute >= *ahead;
}

}  // namespace ringlay::proto
